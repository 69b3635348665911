"""The HTTP server: FastAPI with Dapr's extension."""

import os

import uvicorn
from dapr.ext.fastapi import DaprApp
from fastapi import FastAPI, Request, Response

VERBS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
TOKEN = os.environ.get("APP_API_TOKEN")

app = FastAPI()
DaprApp(app)


@app.middleware("http")
async def authenticate(request: Request, proceed):
    if TOKEN and request.headers.get("dapr-api-token") != TOKEN:
        return Response("not my sidecar", 401)
    return await proceed(request)


@app.api_route("/echo", methods=VERBS)
async def echo(request: Request) -> Response:
    headers = {
        "x-echo": request.headers.get("x-in", ""),
        "x-caller": request.headers.get("dapr-caller-app-id", ""),
    }
    if "content-type" in request.headers:
        headers["content-type"] = request.headers["content-type"]
    return Response(await request.body(), headers=headers)


@app.api_route("/fail", methods=VERBS)
async def fail() -> Response:
    return Response('{"errorCode":"MY_CODE","message":"no luck"}', 503, media_type="application/json")


@app.api_route("/verb", methods=VERBS)
async def verb(request: Request) -> Response:
    return Response(f"{request.method} {request.url.query}", media_type="text/plain")


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["APP_PORT"]), log_level="warning")
