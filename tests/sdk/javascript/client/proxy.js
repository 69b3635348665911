"use strict";

// A service of one's own through the sidecar's gRPC port, as a plain gRPC
// client does it: the SDK's `client.proxy.create` has no transport any more.

const grpc = require("@grpc/grpc-js");
const { Echo, errorInfo } = require("../protos");
const { check, equal, eventually, rejected } = require("./checks");

const { DAPR_API_TOKEN, DAPR_GRPC_PORT } = process.env;

function to(app, more = {}) {
  const metadata = new grpc.Metadata();
  const token = DAPR_API_TOKEN ? { "dapr-api-token": DAPR_API_TOKEN } : {};
  for (const [name, value] of Object.entries({ ...(app && { "dapr-app-id": app }), ...token, ...more })) {
    metadata.set(name, value);
  }
  return metadata;
}

const STREAM = { "dapr-stream": "true" };

/** One answer, and the metadata around it. */
function unary(start) {
  return new Promise((resolve, reject) => {
    let answer;
    let headers;
    const call = start((error, value) => (error ? reject(error) : (answer = value)));
    call.on("metadata", (metadata) => (headers = metadata));
    call.on("status", ({ metadata }) => resolve({ answer, headers, trailers: metadata }));
  });
}

/** All texts of a stream. */
function texts(call) {
  return new Promise((resolve, reject) => {
    const all = [];
    call.on("data", ({ text }) => all.push(text));
    call.on("end", () => resolve(all));
    call.on("error", reject);
  });
}

const both = (name, behaviour) => check(`${name}/grpc-grpc`, behaviour);

function stub(app) {
  const echo = new Echo(`127.0.0.1:${DAPR_GRPC_PORT}`, grpc.credentials.createInsecure());
  const ask = (text, metadata = to(app), options = {}) =>
    unary((done) => echo.Unary({ text, count: 7 }, metadata, options, done));
  return { echo, ask };
}

/** What every gRPC server of `tests/sdk` answers. */
async function proxy(app) {
  const { echo, ask } = stub(app);

  await both("proxy-unary", async () => {
    equal((await ask("naïve ✓")).answer, { text: "naïve ✓", count: 7 });
  });

  await both("proxy-server-stream", async () => {
    const wanted = Array.from({ length: 100 }, (_, number) => `message ${number}`);
    equal(await texts(echo.ServerStream({ text: "message", count: 100 }, to(app, STREAM))), wanted);
    equal(await texts(echo.ServerStream({ text: "message", count: 0 }, to(app, STREAM))), [], "no messages");
  });

  await both("proxy-client-stream", async () => {
    for (const sent of [["a", "b", "ü"], []]) {
      const { answer } = await unary((done) => {
        const call = echo.ClientStream(to(app, STREAM), done);
        sent.forEach((text) => call.write({ text }));
        call.end();
        return call;
      });
      // Not every server writes out an empty text.
      equal(answer.text ?? "", sent.join(","));
    }
  });

  await both("proxy-bidi", async () => {
    const call = echo.Bidi(to(app, STREAM));
    const received = [];
    // Each message goes out when the one before it has come back.
    await new Promise((resolve, reject) => {
      call.on("data", ({ text }) => {
        received.push(text);
        if (received.length < 50) {
          call.write({ text: String(received.length) });
        } else {
          call.end();
        }
      });
      call.on("end", resolve).on("error", reject);
      call.write({ text: "0" });
    });
    equal(received, Array.from({ length: 50 }, (_, number) => String(number)));
  });

  await both("proxy-large", async () => {
    const text = "x".repeat(1024 * 1024);
    equal((await ask(text)).answer.text === text, true, "the same text");
  });

  await both("proxy-error", async () => {
    const error = await rejected(ask("fail"));
    equal([error.code, error.details], [grpc.status.FAILED_PRECONDITION, "asked to fail"]);
    const [details] = error.metadata.get("grpc-status-details-bin");
    equal(errorInfo(details), { reason: "ASKED_TO_FAIL", domain: "testing" }, "the details");
  });

  await both("proxy-unknown-method", async () => {
    const identity = (bytes) => bytes;
    const call = (done) =>
      echo.makeUnaryRequest("/testing.Echo/Missing", identity, identity, Buffer.alloc(0), to(app), {}, done);
    equal((await rejected(unary(call))).code, grpc.status.UNIMPLEMENTED, "the code");
  });

  await both("proxy-unknown-app", async () => {
    equal((await rejected(ask("x", to("nobody")))).code, grpc.status.UNKNOWN, "the code");
  });

  await both("proxy-no-app-id", async () => {
    const error = await rejected(ask("x", to(undefined)));
    equal(error.code, grpc.status.UNKNOWN, "the code");
    equal(
      error.details,
      "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata",
      "the message",
    );
  });

  echo.close();
}

/** What the server beside this client answers as well. */
async function proxyOwn(app) {
  const { echo, ask } = stub(app);

  await both("proxy-headers", async () => {
    const bytes = Buffer.from([0, 1, 254, 255]);
    const { headers, trailers } = await ask("x", to(app, { "x-in": "from the client", "x-in-bin": bytes }));
    equal(headers.get("x-echo"), ["from the client"], "the app's metadata");
    equal(headers.get("x-echo-bin"), [bytes], "the app's binary metadata");
    equal(headers.get("x-caller").length, 1, "callers");
    equal(trailers.get("x-trailer"), ["from the client"], "the app's trailers");
  });

  await both("proxy-cancel", async () => {
    const waiting = async () => (await ask("waiting")).answer.text;
    let call;
    const error = rejected(unary((done) => (call = echo.Unary({ text: "wait" }, to(app), {}, done))));
    await eventually("the call reaches the server", async () => (await waiting()) === "1");
    call.cancel();
    equal((await error).code, grpc.status.CANCELLED, "the code");
    await eventually("the server's call ends", async () => (await waiting()) === "0");
  });

  echo.close();
}

module.exports = { proxy, proxyOwn };
