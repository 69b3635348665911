"""Service invocation, by HTTP and by gRPC, of HTTP and gRPC apps.

Each check gets the client's protocol, a client that speaks it and the app to
call; `PAIRS` says of which pairs of protocols it holds.
"""

import json
import os
from functools import partial
from urllib.parse import parse_qsl

import echo_pb2
import grpc
from dapr.aio.clients.grpc.interceptors import DaprClientInterceptorAsync
from dapr.clients.exceptions import DaprGrpcError, DaprHttpError, DaprInternalError
from dapr.clients.grpc.interceptors import DaprClientInterceptor
from google.protobuf.json_format import MessageToDict
from sdk import PATIENCE, Aio, Client, configured, equal, given, raised

ALL = ("http-http", "http-grpc", "grpc-http", "grpc-grpc")
TO_HTTP = ("http-http", "grpc-http")
TO_GRPC = ("http-grpc", "grpc-grpc")

CHECKS = []


def check(behaviour: str, pairs=ALL):
    def register(function):
        CHECKS.append((behaviour, pairs, function))
        return function

    return register


class Call:
    """One pair: who calls by what, and whom."""

    def __init__(self, kind, pair: str):
        self.kind = kind
        self.protocol, self.server = pair.split("-")
        self.app = given(f"TARGET_{self.server.upper()}")

    def client(self, **options) -> Client:
        with configured(DAPR_API_METHOD_INVOCATION_PROTOCOL=self.protocol):
            return Client(self.kind, **options)

    def invoke(self, method: str, data=b"", app=None, client=None, **options):
        # A gRPC caller of an HTTP app has to say the verb.
        if self.protocol == "grpc" and self.server == "http":
            options.setdefault("http_verb", "POST")
        arguments = (app or self.app, method, data)
        if client is not None:
            return client.invoke_method(*arguments, timeout=PATIENCE, **options)
        with self.client() as own:
            return own.invoke_method(*arguments, timeout=PATIENCE, **options)


def headers(answer) -> dict[str, list[str]]:
    """Names in lower case: HTTP keeps the case that servers send."""
    named: dict[str, list[str]] = {}
    for name, value in answer.get_headers():
        named.setdefault(name.lower(), []).append(value)
    return named


def http_error(call) -> DaprHttpError:
    error = raised(DaprInternalError, call)
    assert isinstance(error, DaprHttpError), f"{error!r} is no HTTP error"
    return error


def grpc_error(call) -> DaprGrpcError:
    """The status as users read its details: the SDK passes it on as it is."""
    return DaprGrpcError(raised(grpc.RpcError, call))


@check("invoke-body")
def invoke_body(call: Call) -> None:
    answer = call.invoke("echo", '{"orderId": 1}', http_verb="POST")
    equal(answer.data, b'{"orderId": 1}')
    equal(answer.json(), {"orderId": 1})
    if call.protocol == "http":
        equal(answer.status_code, 200)


@check("invoke-empty")
def invoke_empty(call: Call) -> None:
    equal(call.invoke("echo", "", http_verb="POST").data, b"")


@check("get-body")
def get_body(call: Call) -> None:
    """Without a verb the HTTP client sends GET, with the body all the same."""
    verb = {} if call.protocol == "http" else {"http_verb": "GET"}
    equal(call.invoke("echo", b"in a GET", **verb).data, b"in a GET")


@check("headers")
def request_and_answer_headers(call: Call) -> None:
    named = headers(call.invoke("echo", "x", metadata=(("x-in", "a value"),), http_verb="POST"))
    equal(named.get("x-echo"), ["a value"], "x-echo:")
    equal(named.get("x-caller"), ["caller"], "x-caller:")


@check("headers-callback", ("http-http", "http-grpc"))
def headers_callback(call: Call) -> None:
    with call.client(headers_callback=lambda: {"x-in": "from a callback"}) as client:
        equal(headers(call.invoke("echo", "x", client=client)).get("x-echo"), ["from a callback"])


@check("interceptor", ("grpc-http", "grpc-grpc"))
def interceptor(call: Call) -> None:
    adds = DaprClientInterceptorAsync if isinstance(call.kind, Aio) else DaprClientInterceptor
    added = adds([("x-in", "from an interceptor")])
    with call.client(interceptors=[added]) as client:
        answer = call.invoke("echo", "x", client=client)
        equal(headers(answer).get("x-echo"), ["from an interceptor"])


@check("content-type")
def content_type(call: Call) -> None:
    for sent in ("text/plain", "application/vnd.testing+json"):
        answer = call.invoke("echo", "x", content_type=sent, http_verb="POST")
        equal(answer.content_type.split(";")[0], sent)
    answer = call.invoke("echo", "{}", http_verb="POST")
    equal(answer.content_type.split(";")[0], "application/json", "without a content type:")


@check("any")
def any_message(call: Call) -> None:
    """Packed by gRPC clients: the type travels with it to gRPC apps, and is a content type for others."""
    sent = echo_pb2.Message(text="packed", count=7)
    by_http = {"content_type": "application/x-protobuf"} if call.protocol == "http" else {}
    answer = call.invoke("echo", sent, http_verb="POST", **by_http)
    equal(answer.is_proto(), (call.protocol, call.server) == ("grpc", "grpc"), "with a type:")
    if not answer.is_proto():
        equal(answer.content_type, "application/x-protobuf")
    received = echo_pb2.Message()
    answer.unpack(received)
    equal(received, sent)


@check("binary")
def binary(call: Call) -> None:
    sent = bytes(range(256))
    answer = call.invoke("echo", sent, content_type="application/octet-stream", http_verb="POST")
    equal(answer.data, sent)


@check("large")
def large(call: Call) -> None:
    sent = os.urandom(1 << 20)
    answer = call.invoke("echo", sent, content_type="application/octet-stream", http_verb="POST")
    assert answer.data == sent, f"{len(answer.data)} other bytes came back"


@check("verbs", TO_HTTP)
def verbs(call: Call) -> None:
    for verb in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        equal(call.invoke("verb", http_verb=verb).text().strip(), verb)
    equal(call.invoke("verb", http_verb="HEAD").data, b"", "HEAD:")


@check("query", TO_HTTP)
def query(call: Call) -> None:
    sent = (("a", "1 & ü/?"), ("b", ""), ("k", "1"), ("k", "2"))
    text = call.invoke("verb", http_verb="PUT", http_querystring=sent).text()
    equal(parse_qsl(text.removeprefix("PUT "), keep_blank_values=True), list(sent))


@check("endpoints")
def endpoints(call: Call) -> None:
    """Addresses given as a whole, as outside of localhost."""
    http, rpc = given("DAPR_HTTP_PORT"), given("DAPR_GRPC_PORT")
    whole = {
        "DAPR_HTTP_ENDPOINT": f"http://127.0.0.1:{http}",
        "DAPR_GRPC_ENDPOINT": f"dns:127.0.0.1:{rpc}",
        "DAPR_HTTP_PORT": 1,
        "DAPR_GRPC_PORT": 1,
    }
    with configured(**whole):
        equal(call.invoke("echo", "x", http_verb="POST").data, b"x")


@check("error", ("http-http",))
def http_answer_becomes_http_error(call: Call) -> None:
    error = http_error(partial(call.invoke, "fail"))
    equal((error.status_code, error.reason), (503, "Service Unavailable"))
    equal((error.error_code, error.message), ("MY_CODE", "no luck"))
    equal(json.loads(error.raw_response_bytes), {"errorCode": "MY_CODE", "message": "no luck"})


@check("error", ("http-grpc",))
def status_becomes_http_error(call: Call) -> None:
    error = http_error(partial(call.invoke, "fail"))
    equal((error.status_code, error.reason), (404, "Not Found"))
    equal((error.error_code, error.message), ("UNKNOWN", "no luck"))
    equal(json.loads(error.raw_response_bytes), {"code": 5, "message": "no luck"})


@check("error", ("grpc-http",))
def http_answer_becomes_status(call: Call) -> None:
    error = grpc_error(partial(call.invoke, "fail"))
    equal((error.code(), error.details()), (grpc.StatusCode.UNAVAILABLE, "Service Unavailable"))
    equal(error.error_code(), "Service Unavailable")
    info = error.status_details().error_info
    equal((info["domain"], info["metadata"]["http.code"]), ("dapr.io", "503"))
    equal(json.loads(info["metadata"]["http.error_message"]), {"errorCode": "MY_CODE", "message": "no luck"})


@check("error", ("grpc-grpc",))
def status_stays_status(call: Call) -> None:
    error = grpc_error(partial(call.invoke, "fail"))
    equal((error.code(), error.details()), (grpc.StatusCode.NOT_FOUND, "no luck"))


@check("error-empty", ("http-http",))
def empty_404(call: Call) -> None:
    """An answer to HEAD has no body, so that only the status is left."""
    error = http_error(partial(call.invoke, "absent", http_verb="HEAD"))
    equal((error.status_code, error.error_code), (404, "ERR_DOES_NOT_EXIST"))


@check("unknown-method", ("grpc-http",))
def unknown_route(call: Call) -> None:
    error = grpc_error(partial(call.invoke, "absent"))
    equal((error.code(), error.details()), (grpc.StatusCode.NOT_FOUND, "Not Found"))


@check("unknown-method", TO_GRPC)
def unknown_method(call: Call) -> None:
    if call.protocol == "http":
        equal(http_error(partial(call.invoke, "absent")).status_code, 501)
    else:
        equal(grpc_error(partial(call.invoke, "absent")).code(), grpc.StatusCode.UNIMPLEMENTED)


@check("unknown-app", ("http-http", "grpc-http"))
def unknown_app(call: Call) -> None:
    invoke = partial(call.invoke, "echo", app="nobody")
    if call.protocol == "http":
        error = http_error(invoke)
        equal((error.status_code, error.error_code), (500, "ERR_DIRECT_INVOKE"))
        text = error.message
    else:
        error = grpc_error(invoke)
        equal(error.code(), grpc.StatusCode.INTERNAL)
        text = error.details()
    wanted = "failed to invoke, id: nobody, err: "
    assert text.startswith(wanted), f"{wanted!r} was expected at the beginning of {text!r}"


@check("token", ("http-http", "grpc-grpc"))
def wrong_token(call: Call) -> None:
    """All other checks carry the right one."""
    with configured(DAPR_API_TOKEN="wrong"):
        if call.protocol == "http":
            equal(http_error(partial(call.invoke, "echo")).status_code, 401)
        else:
            equal(grpc_error(partial(call.invoke, "echo")).code(), grpc.StatusCode.UNAUTHENTICATED)
