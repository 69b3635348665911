"use strict";

// Asks the app `server` for a greeting, through the sidecar on this machine.
// `client.js stream` asks for several at once.

const grpc = require("@grpc/grpc-js");
const Greeter = require("./greeter");

const NAME = "Darth Tyrannus";

// All that is different from a call without Dapr: whose port it is, and who is meant.
const sidecar = `localhost:${process.env.DAPR_GRPC_PORT ?? 50007}`;
const metadata = new grpc.Metadata();
metadata.set("dapr-app-id", "server");

const greeter = new Greeter(sidecar, grpc.credentials.createInsecure(), {
  // Otherwise a name server is asked about `localhost`; a slow one keeps the program from ending.
  "grpc.service_config_disable_resolution": 1,
});
const options = () => ({ deadline: Date.now() + 2000 });

function print({ message }) {
  console.log(`Greeting: ${message}`);
}

function sayHello() {
  return new Promise((resolve, reject) => {
    greeter.sayHello({ name: NAME }, metadata, options(), (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

async function stream() {
  // The sidecar's timeouts and retries end where the stream has begun.
  metadata.set("dapr-stream", "true");
  for await (const reply of greeter.sayHelloStream({ name: NAME }, metadata, options())) {
    print(reply);
  }
  const hellos = greeter.sayHellos(metadata, options());
  ["Darth Vader", "Darth Maul"].forEach((name) => hellos.write({ name }));
  hellos.end();
  for await (const reply of hellos) {
    print(reply);
  }
}

async function main() {
  if (process.argv.includes("stream")) {
    await stream();
  } else {
    print(await sayHello());
  }
  greeter.close();
}

main();
