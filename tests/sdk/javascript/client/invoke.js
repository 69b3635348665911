"use strict";

// Service invocation through `client.invoker`, over HTTP and gRPC.

const { HttpMethod } = require("@dapr/dapr");
const { Code, ConnectError } = require("@connectrpc/connect");
const { ErrorInfo } = require("../protos");
const { check, contains, equal, rejected } = require("./checks");

const { DELETE, GET, POST } = HttpMethod;
/** Bytes of a body, unless a sidecar is told otherwise. */
const LIMIT = 4 * 1024 * 1024;
const VERBS = Object.values(HttpMethod);

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

/** The gRPC client takes JSON answers only: the text of another one is in its error. */
async function unparsed(promise, text) {
  equal(await refusal(promise), {
    error: "COULD_NOT_PARSE_RESULT",
    error_msg: `Could not parse the returned resultset: ${text}`,
  });
}

/** What every server of `tests/sdk` answers. */
async function invoke({ api, client, server, app }) {
  const pair = `${api}-${server}`;
  const both = (name, behaviour) => check(`${name}/${pair}`, behaviour);
  const call = (...rest) => client.invoker.invoke(app, ...rest);

  await both("invoke-body", async () => {
    const order = { orderId: 1, note: "naïve ✓", nested: { list: [1, null, true] } };
    equal(await call("echo", POST, order), order);
  });

  await both("invoke-empty", async () => {
    if (api === "http") {
      equal(await call("echo", POST), "");
    } else {
      await unparsed(call("echo", POST, ""), "");
    }
  });

  // node-fetch refuses a GET request with a body.
  if (api === "grpc") {
    await both("get-body", async () => {
      equal(await call("echo", GET, { a: 1 }), { a: 1 });
    });
  }

  await both("large", async () => {
    const order = { text: "x".repeat(1024 * 1024) };
    equal(await call("echo", POST, order), order);
  });

  await both("error", async () => errors[pair](call("fail", POST, { a: 1 })));

  if (server === "http") {
    await both("verbs", async () => {
      for (const verb of VERBS) {
        const wanted = `${verb.toUpperCase()} `;
        if (api === "http") {
          equal(await call("verb", verb), wanted);
        } else {
          await unparsed(call("verb", verb), wanted);
        }
      }
    });

    await both("unknown-method", async () => {
      const answer = call("missing", POST, { a: 1 });
      if (api === "http") {
        const { error, status } = await refusal(answer);
        equal([error, status], ["Not Found", 404]);
      } else {
        equal((await status(answer)).code, Code.NotFound, "the code");
      }
    });
  }

  if (pair === "http-http") {
    await both("query", async () => {
      equal(await call("verb?a=1&b=x%20y&a=2", DELETE), "DELETE a=1&b=x%20y&a=2");
    });
  }
}

/** What the servers beside this client answer as well. */
async function invokeOwn({ api, client, server, app }) {
  const pair = `${api}-${server}`;
  const both = (name, behaviour) => check(`${name}/${pair}`, behaviour);
  const call = (...rest) => client.invoker.invoke(app, ...rest);

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

  if (server === "http") {
    await both("headers", async () => {
      const { id } = await client.metadata.get();
      const { headers } = await call("seen", POST, { a: 1 }, { headers: { "x-in": "from the client" } });
      equal(headers["dapr-caller-app-id"], id, "the caller");
      equal(headers["dapr-callee-app-id"], app, "the callee");
      if (api === "http") {
        equal(headers["x-in"], "from the client", "the client's header");
        contains(headers["user-agent"], "dapr-sdk-js/", "user-agent");
      }
    });

    await both("binary", async () => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      const { body } = await call("seen", POST, all);
      equal(JSON.parse(body), all.toJSON(), "the body");
    });
  } else {
    await both("verbs", async () => {
      for (const verb of VERBS) {
        equal((await call("seen", verb)).method, verb);
      }
    });

    // The SDK's gRPC server answers what it has no handler for with nothing.
    await both("unknown-method", async () => {
      const answer = call("missing", POST, { a: 1 });
      if (api === "http") {
        equal(await answer, "");
      } else {
        await unparsed(answer, "");
      }
    });
  }

  if (pair === "http-grpc") {
    await both("query", async () => {
      equal((await call("seen?a=1&b=x%20y", GET)).query, "a=1&b=x%20y", "the query");
    });
  }
}

/** Whether an app is one of the servers beside this client. */
async function isOwn({ client, app }) {
  return client.invoker.invoke(app, "seen", POST, {}).then(({ method }) => method === POST, () => false);
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

async function refuse(api, client, app) {
  await check(`too-large/${api}`, async () => {
    const answer = client.invoker.invoke(app, "echo", POST, { text: "x".repeat(LIMIT) });
    if (api === "http") {
      const { error_msg, status } = await refusal(answer);
      equal([status, JSON.parse(error_msg).errorCode], [500, "ERR_DIRECT_INVOKE"]);
      contains(error_msg, "too large");
    } else {
      equal((await status(answer)).code, Code.ResourceExhausted, "the code");
    }
    // The connection ends with a request that was not read to its end.
    await client.stop();
  });

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

module.exports = { invoke, invokeOwn, isOwn, refuse };
