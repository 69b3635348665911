"use strict";

// Service invocation through `client.invoker`, over HTTP and gRPC.

const { HttpMethod } = require("@dapr/dapr");
const { Code, ConnectError } = require("@connectrpc/connect");
const { ErrorInfo } = require("../protos");
const { check, contains, equal, rejected } = require("./checks");

const { DELETE, GET, PATCH, POST, PUT } = HttpMethod;
const UNPARSED = "COULD_NOT_PARSE_RESULT";

/** What the HTTP client's errors carry as text. */
async function refusal(promise) {
  return JSON.parse((await rejected(promise)).message);
}

/** The gRPC client's own error. */
async function status(promise) {
  const error = await rejected(promise);
  equal(error instanceof ConnectError, true, "a ConnectError");
  return error;
}

/** The gRPC client takes JSON answers only. */
async function unparsed(promise, text) {
  const error = await refusal(promise);
  equal(error.error, UNPARSED, "the error");
  contains(error.error_msg, text);
}

/** `api` is the client's way to its sidecar, `server` the callee's way to its app. */
async function invoke(api, client, server, app) {
  const pair = `${api}-${server}`;
  const both = (name, behaviour) => check(`${name}/${pair}`, behaviour);
  const only = (...pairs) => (pairs.includes(pair) ? both : () => undefined);
  const call = (...rest) => client.invoker.invoke(app, ...rest);

  await both("invoke-body", async () => {
    const order = { orderId: 1, note: "naïve ✓", nested: { list: [1, null, true] } };
    equal(await call("echo", POST, order), order);
  });

  await both("invoke-empty", async () => {
    const seen = await call("seen", POST, api === "http" ? undefined : "");
    // Express has an empty object for no body, empty text for a chunked body without a chunk.
    const none = server === "http" ? ["{}", '""'] : [""];
    equal(none.includes(seen.body), true, `no body in ${seen.body}`);
  });

  await both("answer-empty", async () => {
    const empty = api === "http" ? undefined : "";
    const answer = server === "http" ? call("echo", POST, empty) : call("nothing", POST, empty);
    if (api === "http") {
      equal(await answer, "");
    } else {
      await unparsed(answer, "");
    }
  });

  await both("content-type", async () => {
    const type = async (data, ...options) => (await call("seen", POST, data, ...options)).contentType;
    equal(await type({ a: 1 }), "application/json", "of an object");
    equal(await type("text"), "text/plain", "of text");
    equal(await type(Buffer.from("raw")), "application/octet-stream", "of bytes");
    if (api === "http") {
      const headers = { "Content-Type": "application/vnd.order+json" };
      equal(await type('{"a":1}', { headers }), headers["Content-Type"], "of its own");
    }
  });

  await both("verb", async () => {
    for (const verb of [GET, POST, PUT, PATCH, DELETE]) {
      equal((await call("seen", verb)).method, verb);
    }
  });

  await only("http-http", "http-grpc")("query", async () => {
    const { query } = await call("seen?a=1&b=x%20y", GET);
    equal(query, server === "http" ? "/seen?a=1&b=x%20y" : "a=1&b=x%20y", "the query");
    if (server === "http") {
      equal(await call("verb?a=1&a=2", DELETE), "DELETE a=1&a=2");
    }
  });

  await only("http-http", "grpc-http")("headers", async () => {
    const { id } = await client.metadata.get();
    const { headers } = await call("seen", POST, { a: 1 }, { headers: { "x-in": "from the client" } });
    equal(headers["dapr-caller-app-id"], id, "the caller");
    equal(headers["dapr-callee-app-id"], app, "the callee");
    if (api === "http") {
      equal(headers["x-in"], "from the client", "the client's header");
      contains(headers["user-agent"], "dapr-sdk-js/", "user-agent");
    }
  });

  await only("http-http", "grpc-http")("binary", async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const { body } = await call("seen", POST, all);
    equal(JSON.parse(body), all.toJSON(), "the body");
  });

  await both("large", async () => {
    const order = { text: "x".repeat(1024 * 1024) };
    equal(await call("echo", POST, order), order);
  });

  await both("error", async () => errors[pair](call("fail", POST, { a: 1 })));

  await both("unknown-method", async () => {
    const answer = call("missing", POST, { a: 1 });
    switch (pair) {
      case "http-http": {
        const error = await refusal(answer);
        equal([error.error, error.status], ["Not Found", 404]);
        contains(error.error_msg, "Cannot POST /missing");
        break;
      }
      case "grpc-http":
        equal((await status(answer)).code, Code.NotFound, "the code");
        break;
      // The SDK's gRPC server answers what it has no handler for with nothing.
      case "http-grpc":
        equal(await answer, "");
        break;
      default:
        await unparsed(answer, "");
    }
  });
}

/** How the app's own failure arrives. */
const errors = {
  async "http-http"(answer) {
    equal(await refusal(answer), {
      error: "Service Unavailable",
      error_msg: '{"errorCode":"MY_CODE","message":"no luck"}',
      status: 503,
    });
  },

  async "http-grpc"(answer) {
    const { error, error_msg, status } = await refusal(answer);
    equal([error, status], ["Not Found", 404]);
    equal(JSON.parse(error_msg), { code: Code.NotFound, message: "no luck" }, "the body");
  },

  async "grpc-http"(answer) {
    const error = await status(answer);
    equal([error.code, error.rawMessage], [Code.Unavailable, "Service Unavailable"]);
    equal(error.details.map(({ type }) => type), ["google.rpc.ErrorInfo"], "the details");
    equal(ErrorInfo.toObject(ErrorInfo.decode(error.details[0].value)), {
      reason: "Service Unavailable",
      domain: "dapr.io",
      metadata: { "http.code": "503", "http.error_message": '{"errorCode":"MY_CODE","message":"no luck"}' },
    });
    equal(error.metadata.get("dapr-http-status"), "503", "dapr-http-status");
  },

  async "grpc-grpc"(answer) {
    const error = await status(answer);
    equal([error.code, error.rawMessage], [Code.NotFound, "no luck"]);
  },
};

async function invokeNobody(api, client) {
  await check(`unknown-app/${api}`, async () => {
    const answer = client.invoker.invoke("nobody", "echo", POST, { a: 1 });
    if (api === "http") {
      const { error, error_msg, status } = await refusal(answer);
      equal([error, status], ["Internal Server Error", 500]);
      equal(JSON.parse(error_msg).errorCode, "ERR_DIRECT_INVOKE", "the code");
    } else {
      const error = await status(answer);
      equal(error.code, Code.Internal, "the code");
      contains(error.rawMessage, "failed to invoke, id: nobody, err: ");
    }
  });
}

module.exports = { invoke, invokeNobody };
