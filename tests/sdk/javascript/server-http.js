"use strict";

// The HTTP server: the SDK's `DaprServer` on an express application of ours,
// which does what the SDK's handlers cannot: answer with a status, headers or
// plain bytes.

const express = require("express");
const { CommunicationProtocolEnum, DaprServer, HttpMethod, LogLevel } = require("@dapr/dapr");

const { APP_API_TOKEN, APP_PORT } = process.env;

const application = express();

application.use((request, response, next) => {
  if (APP_API_TOKEN && request.get("dapr-api-token") !== APP_API_TOKEN) {
    return response.status(401).end("not my sidecar");
  }
  response.setHeader("x-echo", request.get("x-in") ?? "");
  response.setHeader("x-caller", request.get("dapr-caller-app-id") ?? "");
  next();
});

application.all("/echo", express.raw({ type: () => true, limit: "4mb" }), (request, response) => {
  const type = request.get("content-type");
  if (type !== undefined) {
    response.setHeader("content-type", type);
  }
  response.end(Buffer.isBuffer(request.body) ? request.body : "");
});

application.all("/fail", (_request, response) => {
  response.status(503).type("application/json").end('{"errorCode":"MY_CODE","message":"no luck"}');
});

application.all("/verb", (request, response) => {
  response.type("text/plain").end(`${request.method} ${new URL(request.url, "http://app").search.slice(1)}`);
});

const server = new DaprServer({
  communicationProtocol: CommunicationProtocolEnum.HTTP,
  serverPort: APP_PORT,
  serverHttp: application,
  logger: { level: LogLevel.Error },
});

// What a handler of the SDK is given.
for (const method of Object.values(HttpMethod)) {
  server.invoker.listen(
    "seen",
    ({ body, query, metadata, headers }) => ({ method, body, query, contentType: metadata.contentType, headers }),
    { method },
  );
}

server.start();
