// The caller: sends orders to its own sidecar, which finds the callee by its app id.

import axios from "axios";
import { setTimeout as sleep } from "node:timers/promises";

const host = process.env.DAPR_HOST ?? "http://localhost";
const url = `${host}:${process.env.DAPR_HTTP_PORT ?? "3500"}/orders`;
const pause = Number(process.env.ORDER_PAUSE_SECONDS ?? "1");
const headers = { "dapr-app-id": "order-processor" };

try {
  for (let orderId = 1; orderId <= 20; orderId++) {
    await sleep(pause * 1000);
    const result = await axios.post(url, { orderId }, { headers });
    console.log("Order passed: " + result.config.data);
  }
} catch (error) {
  // Any answer but a 2xx is an error to axios.
  console.error(`Order failed: ${error.message}`, error.response?.data ?? "");
  process.exitCode = 1;
}
