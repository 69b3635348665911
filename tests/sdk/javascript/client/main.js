"use strict";

// The client: one line for each behaviour, and an exit code.

const { allHeld } = require("./checks");
const { open } = require("./clients");
const { invoke, invokeNobody } = require("./invoke");
const { endpoint, health, metadata, otherApi, shutdown, token } = require("./sidecar");
const { proxy } = require("./proxy");

const { DAPR_API_TOKEN, TARGET_GRPC, TARGET_HTTP, TARGET_PROXY } = process.env;

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
    await invokeNobody(api, client);
    for (const [server, app] of Object.entries({ http: TARGET_HTTP, grpc: TARGET_GRPC })) {
      if (app) {
        await invoke(api, client, server, app);
      }
    }
  }
  await otherApi(open("grpc"));
  if (TARGET_PROXY) {
    await proxy(TARGET_PROXY);
  }
  await shutdown("http");
  process.exit(allHeld() ? 0 : 1);
}

main();
