"""The callee: takes orders over plain HTTP and knows nothing about Dapr."""

import os

from flask import Flask, json, request

app = Flask(__name__)


@app.route("/orders", methods=["POST"])
def take_order():
    order = request.json
    print("Order received : " + json.dumps(order), flush=True)
    return json.dumps({"success": True}), 200, {"ContentType": "application/json"}


app.run(port=int(os.getenv("APP_PORT", "8001")))
