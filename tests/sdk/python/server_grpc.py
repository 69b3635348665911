"""The gRPC server: Dapr's `App` with its methods, its health check, and the
service `testing.Echo` beside them."""

import os
from concurrent.futures import ThreadPoolExecutor

import echo_pb2
import echo_pb2_grpc
import grpc
from dapr.ext.grpc import App, InvokeMethodRequest, InvokeMethodResponse
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

TOKEN = os.environ.get("APP_API_TOKEN")
HEALTH_CHECK = "/dapr.proto.runtime.v1.AppCallbackHealthCheck/HealthCheck"


class NoLuck(Exception):
    """A method that fails: the SDK gives methods no way to choose the status."""


class Statuses(grpc.ServerInterceptor):
    """Turns [`NoLuck`] into a status."""

    def intercept_service(self, proceed, call):
        handler = proceed(call)
        if handler is None or not call.method.endswith("/OnInvoke"):
            return handler

        def behaviour(request, context):
            try:
                return handler.unary_unary(request, context)
            except NoLuck as reason:
                context.abort(grpc.StatusCode.NOT_FOUND, str(reason))

        return grpc.unary_unary_rpc_method_handler(
            behaviour, handler.request_deserializer, handler.response_serializer
        )


class Authentication(grpc.ServerInterceptor):
    """Refuses calls without the app's token; health checks carry none."""

    def intercept_service(self, proceed, call):
        given = dict(call.invocation_metadata).get("dapr-api-token")
        if not TOKEN or given == TOKEN or call.method == HEALTH_CHECK:
            return proceed(call)

        def refuse(_request, context):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "not my sidecar")

        return grpc.unary_unary_rpc_method_handler(refuse)


class Echo(echo_pb2_grpc.EchoServicer):
    def Unary(self, request, context):
        if request.text == "fail":
            detail = Any()
            detail.Pack(ErrorInfo(reason="ASKED_TO_FAIL", domain="testing"))
            status = Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message="asked to fail", details=[detail])
            context.abort_with_status(rpc_status.to_status(status))
        return request

    def ServerStream(self, request, context):
        for number in range(request.count):
            yield echo_pb2.Message(text=f"{request.text} {number}")

    def ClientStream(self, requests, context):
        return echo_pb2.Message(text=",".join(request.text for request in requests))

    def Bidi(self, requests, context):
        yield from requests


app = App(thread_pool=ThreadPoolExecutor(), interceptors=[Authentication(), Statuses()])
app.register_health_check(lambda: None)
app.add_external_service(echo_pb2_grpc.add_EchoServicer_to_server, Echo())


@app.method("echo")
def echo(request: InvokeMethodRequest) -> InvokeMethodResponse:
    metadata = dict(request.get_metadata())
    headers = (
        ("x-echo", metadata.get("x-in", "")),
        ("x-caller", metadata.get("dapr-caller-app-id", "")),
    )
    return InvokeMethodResponse(request.proto, request.content_type, headers)


@app.method("fail")
def fail(_request: InvokeMethodRequest) -> None:
    raise NoLuck("no luck")


app.run(int(os.environ["APP_PORT"]), "127.0.0.1")
