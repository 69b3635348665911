// The callee: takes orders over plain HTTP and knows nothing about Dapr.

import express from "express";

const app = express();
app.use(express.json());

app.post("/orders", (request, response) => {
  console.log("Order received:", request.body);
  response.sendStatus(200);
});

app.listen(process.env.APP_PORT ?? 5001);
