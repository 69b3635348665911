"use strict";

// The gRPC server: the SDK's `DaprServer`, its handlers registered for every
// verb, as the SDK keeps one handler for each pair of verb and method.

const { Code, ConnectError } = require("@connectrpc/connect");
const { CommunicationProtocolEnum, DaprServer, HttpMethod, LogLevel } = require("@dapr/dapr");

const server = new DaprServer({
  communicationProtocol: CommunicationProtocolEnum.GRPC,
  serverPort: process.env.APP_PORT,
  logger: { level: LogLevel.Error },
});

for (const method of Object.values(HttpMethod)) {
  const listen = (name, handler) => server.invoker.listen(name, handler, { method });

  listen("echo", ({ body, metadata }) => (metadata.contentType === "application/json" ? JSON.parse(body) : body));
  listen("fail", () => {
    throw new ConnectError("no luck", Code.NotFound);
  });
  listen("seen", ({ body, query, metadata }) => ({ method, body, query, contentType: metadata.contentType }));
}

server.start();
