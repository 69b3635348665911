"use strict";

// Greets everybody who calls. Knows nothing of Dapr.

const grpc = require("@grpc/grpc-js");
const Greeter = require("./greeter");

const GREETINGS = 3;

function greet(name) {
  console.log(`Received: ${name}`);
  return { message: `Hello ${name}` };
}

const greeter = {
  sayHello(call, done) {
    done(null, greet(call.request.name));
  },

  sayHelloStream(call) {
    for (let number = 1; number <= GREETINGS; number += 1) {
      call.write(greet(`${call.request.name} ${number}`));
    }
    call.end();
  },

  sayHellos(call) {
    call.on("data", ({ name }) => call.write(greet(name)));
    call.on("end", () => call.end());
  },
};

const server = new grpc.Server();
server.addService(Greeter.service, greeter);
const address = `[::]:${process.env.APP_PORT ?? 50051}`;
server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) {
    throw error;
  }
});
