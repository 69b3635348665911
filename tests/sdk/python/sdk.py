"""The SDK's two clients, called the same way."""

import asyncio
import contextlib
import inspect
import os

from dapr.aio.clients import DaprClient as AioClient
from dapr.clients import DaprClient
from dapr.conf import settings

# Longer than anything here takes; shorter than the test waits.
PATIENCE = 10


def given(name: str) -> str:
    return os.environ.get(name, "")


class Sync:
    """`dapr.clients.DaprClient`."""

    def open(self, *arguments, **options) -> DaprClient:
        return DaprClient(*arguments, **options)

    def close(self, client: DaprClient) -> None:
        client.close()

    def finish(self, result):
        return result


class Aio:
    """`dapr.aio.clients.DaprClient`, on an event loop of its own."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)

    def open(self, *arguments, **options) -> AioClient:
        async def create():
            return AioClient(*arguments, **options)

        return self.finish(create())

    def close(self, client: AioClient) -> None:
        self.finish(client.close())

    def finish(self, result):
        return self._loop.run_until_complete(result) if inspect.isawaitable(result) else result


class Client:
    """A client of one kind: each method returns when it is done."""

    def __init__(self, kind, *arguments, **options):
        self._kind = kind
        self._client = kind.open(*arguments, **options)

    def __getattr__(self, name: str):
        method = getattr(self._client, name)
        return lambda *arguments, **options: self._kind.finish(method(*arguments, **options))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._kind.close(self._client)


@contextlib.contextmanager
def configured(**values):
    """Some of the SDK's settings, for a while; elsewhere they are environment variables."""
    before = {name: vars(settings).get(name) for name in values}
    vars(settings).update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                vars(settings).pop(name, None)
            else:
                setattr(settings, name, value)


def equal(got, wanted, what: str = "") -> None:
    assert got == wanted, f"{what + ' ' if what else ''}{wanted!r} was expected, {got!r} came"


def raised(kind: type, call) -> Exception:
    """The exception of this kind that `call` ends with."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected, {answer!r} came")
