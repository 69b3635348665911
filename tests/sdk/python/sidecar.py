"""What the SDK asks of the sidecar itself."""

import time

import grpc
from dapr.aio.clients.health import DaprHealth as AioHealth
from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.health import DaprHealth
from sdk import PATIENCE, Aio, Client, configured, equal, given, raised


def health_wait(kind) -> None:
    health = AioHealth if isinstance(kind, Aio) else DaprHealth
    kind.finish(health.wait_for_sidecar())
    with configured(DAPR_HTTP_PORT=given("SHUTDOWN_HTTP_PORT")):
        kind.finish(health.wait_for_sidecar())
    with Client(kind) as client:
        client.wait(PATIENCE)


def metadata_get(kind) -> None:
    with Client(kind) as client:
        metadata = client.get_metadata()
    equal(metadata.application_id, "caller")
    equal(metadata.active_actors_count, {}, "actors:")
    equal(list(metadata.registered_components), [], "components:")
    equal(list(metadata.mcp_servers), [], "MCP servers:")
    assert "daprRuntimeVersion" in metadata.extended_metadata, metadata.extended_metadata


def metadata_set(kind) -> None:
    with Client(kind) as client:
        for value in ("first", "zweiter ü"):
            client.set_metadata("testing", value)
            equal(client.get_metadata().extended_metadata.get("testing"), value)


def error(kind) -> None:
    """Another building block: refused at once, with the SDK's own error."""
    with Client(kind) as client:
        refusal = raised(DaprGrpcError, lambda: client.get_state("store", "key"))
    equal(refusal.code(), grpc.StatusCode.FAILED_PRECONDITION)
    equal(refusal.error_code(), "DAPR_STATE_NOT_CONFIGURED")


def shutdown(kind) -> None:
    victim = f"127.0.0.1:{given('SHUTDOWN_GRPC_PORT')}"
    with configured(DAPR_HTTP_PORT=given("SHUTDOWN_HTTP_PORT"), DAPR_HEALTH_TIMEOUT=0):
        with Client(kind, victim) as client:
            equal(client.get_metadata().application_id, "victim")
            client.shutdown()
        deadline = time.monotonic() + PATIENCE
        while is_up():
            assert time.monotonic() < deadline, "the sidecar is still there"
            time.sleep(0.05)


def is_up() -> bool:
    try:
        DaprHealth.wait_for_sidecar()
    except TimeoutError:
        return False
    return True


# In this order: the last one ends it.
CHECKS = [
    ("health-wait/http", health_wait),
    ("metadata-get/grpc", metadata_get),
    ("metadata-set/grpc", metadata_set),
    ("error-other-api/grpc", error),
    ("shutdown/grpc", shutdown),
]
