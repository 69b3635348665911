"use strict";

// The client: one line for each behaviour, and an exit code.

const { allHeld } = require("./checks");
const { open } = require("./clients");
const { invoke, invokeOwn, isOwn, refuse } = require("./invoke");
const { endpoint, health, metadata, otherApi, shutdown, token } = require("./sidecar");
const { proxy, proxyOwn } = require("./proxy");

const { DAPR_API_TOKEN, DAPR_GRPC_PORT, SHUTDOWN_HTTP_PORT, TARGET_GRPC, TARGET_HTTP, TARGET_PROXY } = process.env;

async function main() {
  for (const api of ["http", "grpc"]) {
    const client = open(api);
    await metadata(api, client);
    await endpoint(api);
    await health(api);
    // Without a token nobody is refused.
    if (DAPR_API_TOKEN) {
      await token(api);
    }
    await refuse(api, client, TARGET_HTTP || TARGET_GRPC);
    for (const [server, app] of Object.entries({ http: TARGET_HTTP, grpc: TARGET_GRPC })) {
      const callee = { api, client, server, app };
      if (app) {
        await invoke(callee);
      }
      if (app && (await isOwn(callee))) {
        await invokeOwn(callee);
      }
    }
  }
  await otherApi(open("grpc"));
  if (TARGET_PROXY) {
    await proxy(TARGET_PROXY);
    await proxyOwn(TARGET_PROXY);
  } else if (TARGET_GRPC) {
    await proxy(TARGET_GRPC);
  }
  await shutdown("http", SHUTDOWN_HTTP_PORT);
  // There is one sidecar to end; this client's own has done its work now.
  await shutdown("grpc", DAPR_GRPC_PORT);
  process.exit(allHeld() ? 0 : 1);
}

main();
