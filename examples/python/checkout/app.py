"""The caller: sends orders to its own sidecar, which finds the callee by its app id."""

import json
import os
import time

import requests

base_url = os.getenv("BASE_URL", "http://localhost")
url = f"{base_url}:{os.getenv('DAPR_HTTP_PORT', '3500')}/orders"
pause = float(os.getenv("ORDER_PAUSE_SECONDS", "1"))
headers = {"dapr-app-id": "order-processor", "content-type": "application/json"}

for order_id in range(1, 20):
    order = json.dumps({"orderId": order_id})
    result = requests.post(url, data=order, headers=headers)
    if result.ok:
        print("Order passed: " + order, flush=True)
    else:
        print(f"Order failed: {order}: {result.status_code} {result.text}", flush=True)
    time.sleep(pause)
