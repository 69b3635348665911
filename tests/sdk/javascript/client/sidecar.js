"use strict";

// Everything about the client's own sidecar: metadata, waiting for it, its
// address, its end.

const net = require("node:net");
const { Code } = require("@connectrpc/connect");
const { Settings } = require("@dapr/dapr/utils/Settings.util");
const { open } = require("./clients");
const { check, contains, equal, eventually, rejected } = require("./checks");

const { DAPR_GRPC_PORT, DAPR_HTTP_PORT } = process.env;
const PORTS = { http: DAPR_HTTP_PORT, grpc: DAPR_GRPC_PORT };

async function metadata(api, client) {
  await check(`metadata-get/${api}`, async () => {
    const answer = await client.metadata.get();
    equal(typeof answer.id, "string", "the id");
    equal(typeof answer.extended.daprRuntimeVersion, "string", "the runtime's version");
    equal(answer.components ?? [], [], "the components");
    equal(answer.actors ?? [], [], "the actors");
  });

  await check(`metadata-set/${api}`, async () => {
    const value = `set over ${api}`;
    equal(await client.metadata.set(`js-${api}`, value), true);
    equal((await client.metadata.get()).extended[`js-${api}`], value, "the value");
  });
}

/** Other building blocks are refused at once. */
async function otherApi(client) {
  await check("error-other-api/grpc", async () => {
    const error = await rejected(client.state.get("store", "key"));
    equal(error.code, Code.FailedPrecondition, "the code");
    contains(error.rawMessage, "is not configured");
  });
}

async function health(api) {
  await check(`health-wait/${api}`, async () => {
    await polling(async () => {
      const late = await gate(PORTS[api], 3);
      const client = open(api, { daprPort: late.port });
      await client.start();
      equal(client.getIsInitialized(), true, "initialized");
      equal(await client.health.isHealthy(), true, "healthy");
      await client.stop();
      late.close();
    });
  });

  await check(`health-wait-in-vain/${api}`, async () => {
    await polling(async () => {
      const never = await gate(PORTS[api], Infinity);
      const error = await rejected(open(api, { daprPort: never.port }).start());
      equal(error.message, "DAPR_SIDECAR_COULD_NOT_BE_STARTED", "the error");
      never.close();
    });
  });
}

/** Lets the SDK ask the sidecar every few milliseconds instead of twice a second. */
async function polling(behaviour) {
  const before = Settings.daprSidecarPollingDelayMs;
  Settings.daprSidecarPollingDelayMs = 5;
  try {
    await behaviour();
  } finally {
    Settings.daprSidecarPollingDelayMs = before;
  }
}

/** A port in front of a sidecar's that drops the first `refusals` connections. */
async function gate(port, refusals) {
  const sockets = new Set();
  const keep = (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
  };
  const server = net.createServer((socket) => {
    keep(socket);
    if (refusals > 0) {
      refusals -= 1;
      return socket.destroy();
    }
    const sidecar = net.connect(port, "127.0.0.1");
    keep(sidecar);
    socket.pipe(sidecar).pipe(socket);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: String(server.address().port),
    close() {
      server.close();
      sockets.forEach((socket) => socket.destroy());
    },
  };
}

async function endpoint(api) {
  await check(`endpoint/${api}`, async () => {
    const name = `DAPR_${api.toUpperCase()}_ENDPOINT`;
    process.env[name] = `${api}://localhost:${PORTS[api]}`;
    const client = open(api, { daprPort: undefined });
    equal(client.options.daprHost, "localhost", "the host");
    equal(typeof (await client.metadata.get()).id, "string", "the id");
    delete process.env[name];
  });
}

async function token(api) {
  await check(`token/${api}`, async () => {
    const client = open(api, { daprApiToken: "wrong" });
    // Otherwise it takes a refusal for a sidecar that is not there yet.
    client.daprClient.setIsInitialized(true);
    const error = await rejected(client.metadata.get());
    if (api === "http") {
      const { error: reason, status } = JSON.parse(error.message);
      equal([reason, status], ["Unauthorized", 401]);
    } else {
      equal([error.code, error.rawMessage], [Code.Unauthenticated, "Unauthorized"]);
    }
  });
}

async function shutdown(api, port) {
  await check(`shutdown/${api}`, async () => {
    await open(api, { daprPort: port }).sidecar.shutdown();
    await eventually("the sidecar's end", async () => !(await listens(port)));
  });
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}

module.exports = { endpoint, health, metadata, otherApi, shutdown, token };
