"""The HTTP server: Flask with Dapr's extension."""

import os

from flask import Flask, Response, abort, request
from flask_dapr import DaprApp

VERBS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
TOKEN = os.environ.get("APP_API_TOKEN")

app = Flask(__name__)
DaprApp(app)


@app.before_request
def authenticate() -> None:
    if TOKEN and request.headers.get("dapr-api-token") != TOKEN:
        abort(401)


@app.route("/echo", methods=VERBS)
def echo() -> Response:
    answer = Response(request.get_data(), content_type=request.headers.get("content-type"))
    answer.headers["x-echo"] = request.headers.get("x-in", "")
    answer.headers["x-caller"] = request.headers.get("dapr-caller-app-id", "")
    return answer


@app.route("/fail", methods=VERBS)
def fail() -> Response:
    return Response('{"errorCode":"MY_CODE","message":"no luck"}', 503, content_type="application/json")


@app.route("/verb", methods=VERBS)
def verb() -> Response:
    return Response(f"{request.method} {request.query_string.decode()}", content_type="text/plain")


app.run(host="127.0.0.1", port=int(os.environ["APP_PORT"]))
