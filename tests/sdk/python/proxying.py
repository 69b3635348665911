"""The service `testing.Echo`, called with generated code through the sidecar.

`dapr-app-id` names the app; on calls the SDK's interceptor handles, it adds it.
"""

import queue

import echo_pb2
import echo_pb2_grpc
import grpc
from dapr.aio.clients.grpc.interceptors import DaprClientInterceptorAsync
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc.interceptors import DaprClientInterceptor
from echo_pb2 import Message
from sdk import PATIENCE, Aio, equal, given, raised

TEXTS = ["a", "b", "ü", ""]


def metadata() -> list[tuple[str, str]]:
    token = given("DAPR_API_TOKEN")
    named = [("dapr-app-id", given("TARGET_GRPC"))]
    return [*named, ("dapr-api-token", token)] if token else named


def address() -> str:
    return f"127.0.0.1:{given('DAPR_GRPC_PORT')}"


class Sync:
    def __init__(self):
        self._channel = grpc.insecure_channel(address())
        self._bare = echo_pb2_grpc.EchoStub(self._channel)
        intercepted = grpc.intercept_channel(self._channel, DaprClientInterceptor(metadata()))
        self._stub = echo_pb2_grpc.EchoStub(intercepted)

    def close(self) -> None:
        self._channel.close()

    def unary(self, text: str) -> str:
        return self._stub.Unary(Message(text=text), timeout=PATIENCE).text

    def server_stream(self, text: str, count: int) -> list[str]:
        request = Message(text=text, count=count)
        return [answer.text for answer in self._bare.ServerStream(request, timeout=PATIENCE, metadata=metadata())]

    def client_stream(self, texts: list[str]) -> str:
        requests = (Message(text=text) for text in texts)
        return self._bare.ClientStream(requests, timeout=PATIENCE, metadata=metadata()).text

    def bidi(self, texts: list[str]) -> list[str]:
        """Sends a text only after the one before came back."""
        outgoing: queue.Queue = queue.Queue()
        answers = self._stub.Bidi(iter(outgoing.get, None), timeout=PATIENCE)
        came = []
        for text in texts:
            outgoing.put(Message(text=text))
            came.append(next(answers).text)
        outgoing.put(None)
        return came + [answer.text for answer in answers]


class OnLoop:
    """The same calls with `grpc.aio`."""

    def __init__(self, kind: Aio):
        self._kind = kind

    def _run(self, call):
        async def within():
            added = [DaprClientInterceptorAsync(metadata())]
            async with (
                grpc.aio.insecure_channel(address(), interceptors=added) as channel,
                grpc.aio.insecure_channel(address()) as bare,
            ):
                return await call(echo_pb2_grpc.EchoStub(channel), echo_pb2_grpc.EchoStub(bare))

        return self._kind.finish(within())

    def close(self) -> None:
        """Each call had its own channels."""

    def unary(self, text: str) -> str:
        async def call(stub, _bare):
            return (await stub.Unary(Message(text=text), timeout=PATIENCE)).text

        return self._run(call)

    def server_stream(self, text: str, count: int) -> list[str]:
        async def call(_stub, bare):
            answers = bare.ServerStream(Message(text=text, count=count), timeout=PATIENCE, metadata=metadata())
            return [answer.text async for answer in answers]

        return self._run(call)

    def client_stream(self, texts: list[str]) -> str:
        async def call(_stub, bare):
            requests = (Message(text=text) for text in texts)
            return (await bare.ClientStream(requests, timeout=PATIENCE, metadata=metadata())).text

        return self._run(call)

    def bidi(self, texts: list[str]) -> list[str]:
        async def call(_stub, bare):
            stream = bare.Bidi(timeout=PATIENCE, metadata=metadata())
            came = []
            for text in texts:
                await stream.write(Message(text=text))
                came.append((await stream.read()).text)
            await stream.done_writing()
            equal(await stream.read(), grpc.aio.EOF)
            return came

        return self._run(call)


def unary(proxy) -> None:
    equal(proxy.unary("hello ü"), "hello ü")


def server_stream(proxy) -> None:
    equal(proxy.server_stream("n", 100), [f"n {number}" for number in range(100)])
    equal(proxy.server_stream("n", 0), [])


def client_stream(proxy) -> None:
    equal(proxy.client_stream(TEXTS), "a,b,ü,")
    equal(proxy.client_stream([]), "")


def bidi(proxy) -> None:
    equal(proxy.bidi(TEXTS), TEXTS)


def error(proxy) -> None:
    failure = DaprGrpcError(raised(grpc.RpcError, lambda: proxy.unary("fail")))
    equal((failure.code(), failure.details()), (grpc.StatusCode.FAILED_PRECONDITION, "asked to fail"))
    assert failure.get_grpc_status().details, "the status has lost its details"
    equal(failure.error_code(), "ASKED_TO_FAIL")


CHECKS = [
    ("proxy-unary", unary),
    ("proxy-server-stream", server_stream),
    ("proxy-client-stream", client_stream),
    ("proxy-bidi", bidi),
    ("proxy-error", error),
]
