"""Sends an order every second, for as long as it runs."""

import itertools
import os
import time

import requests

url = f"http://localhost:{os.getenv('DAPR_HTTP_PORT', '3500')}/neworder"
pause = float(os.getenv("ORDER_PAUSE_SECONDS", "1"))

for order_id in itertools.count(1):
    order = {"data": {"orderId": order_id}}
    answer = requests.post(url, json=order, timeout=5, headers={"dapr-app-id": "nodeapp"})
    if not answer.ok:
        print(f"HTTP {answer.status_code} => {answer.text}", flush=True)
    time.sleep(pause)
