// Takes orders and keeps the last one in a state store, behind its sidecar's port.

const express = require("express");

const state = `http://localhost:${process.env.DAPR_HTTP_PORT ?? 3500}/v1.0/state/statestore`;
const app = express();
app.use(express.json());

app.get("/order", async (_request, response) => {
  const kept = await fetch(`${state}/order`);
  response.status(kept.status).send(await kept.text());
});

app.post("/neworder", async (request, response) => {
  const { data } = request.body;
  console.log("Got a new order! Order ID: " + data.orderId);
  const kept = await fetch(state, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify([{ key: "order", value: data }]),
  });
  if (!kept.ok) {
    response.status(500).send({ message: "Failed to persist state." });
    return;
  }
  console.log("Successfully persisted state.");
  response.status(200).send();
});

app.listen(process.env.APP_PORT ?? 3000);
