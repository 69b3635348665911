"use strict";

// The SDK's two clients.

const { CommunicationProtocolEnum, DaprClient, LogLevel } = require("@dapr/dapr");

const { DAPR_GRPC_PORT, DAPR_HTTP_PORT } = process.env;

const KINDS = {
  http: { communicationProtocol: CommunicationProtocolEnum.HTTP, daprPort: DAPR_HTTP_PORT },
  grpc: { communicationProtocol: CommunicationProtocolEnum.GRPC, daprPort: DAPR_GRPC_PORT },
};

function open(kind, options = {}) {
  return new DaprClient({ ...KINDS[kind], logger: { level: LogLevel.Error }, ...options });
}

module.exports = { open };
