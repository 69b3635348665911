"use strict";

// The service `testing.Echo` on a plain gRPC server: the SDK's own server
// takes no services beside Dapr's.

const grpc = require("@grpc/grpc-js");
const { Echo, ErrorInfo, Status } = require("./protos");

/** Sends back what of the request's metadata the client asks about. */
function answerMetadata(call) {
  const answer = new grpc.Metadata();
  for (const [key, name] of [["x-echo", "x-in"], ["x-echo-bin", "x-in-bin"], ["x-caller", "dapr-caller-app-id"]]) {
    call.metadata.get(name).forEach((value) => answer.add(key, value));
  }
  call.sendMetadata(answer);
}

function trailers(call) {
  const trailers = new grpc.Metadata();
  call.metadata.get("x-in").forEach((value) => trailers.add("x-trailer", value));
  return trailers;
}

/** FAILED_PRECONDITION with one detail. */
function askedToFail() {
  const code = grpc.status.FAILED_PRECONDITION;
  const message = "asked to fail";
  const detail = {
    type_url: "type.googleapis.com/google.rpc.ErrorInfo",
    value: ErrorInfo.encode({ reason: "ASKED_TO_FAIL", domain: "testing" }).finish(),
  };
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(Status.encode({ code, message, details: [detail] }).finish()));
  return { code, details: message, metadata };
}

/** How many clients wait for an answer that never comes. */
let waiting = 0;

// Beyond its proto, texts `wait` and `waiting` tell whether the server learns
// that a client has given up.
const echo = {
  Unary(call, done) {
    answerMetadata(call);
    switch (call.request.text) {
      case "fail":
        return done(askedToFail());
      case "wait":
        waiting += 1;
        return call.on("cancelled", () => (waiting -= 1));
      case "waiting":
        return done(null, { text: String(waiting) });
      default:
        return done(null, call.request, trailers(call));
    }
  },

  ServerStream(call) {
    answerMetadata(call);
    for (let number = 0; number < call.request.count; number += 1) {
      call.write({ text: `${call.request.text} ${number}` });
    }
    call.end(trailers(call));
  },

  ClientStream(call, done) {
    answerMetadata(call);
    const texts = [];
    call.on("data", ({ text }) => texts.push(text));
    call.on("end", () => done(null, { text: texts.join(",") }, trailers(call)));
  },

  Bidi(call) {
    answerMetadata(call);
    call.on("data", (message) => call.write(message));
    call.on("end", () => call.end(trailers(call)));
  },
};

const server = new grpc.Server();
server.addService(Echo.service, echo);
server.bindAsync(`127.0.0.1:${process.env.APP_PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) {
    throw error;
  }
});
