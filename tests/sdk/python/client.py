"""Calls other apps through the SDK and checks every answer.

`client.py` uses the blocking client, `client.py aio` the other one. Prints
`ok <behaviour>` or `FAIL <behaviour>: <why>` for each and ends with 1 if one
failed.
"""

import logging
import sys

import calls
import proxying
import sidecar
from sdk import Aio, Sync, given


def invocation(kind):
    for behaviour, pairs, check in calls.CHECKS:
        # Without a token nobody is refused.
        if behaviour == "token" and not given("DAPR_API_TOKEN"):
            continue
        for pair in pairs:
            call = calls.Call(kind, pair)
            if call.app:
                yield f"{behaviour}/{pair}", lambda check=check, call=call: check(call)


def proxied(kind):
    if not given("TARGET_GRPC"):
        return
    proxy = proxying.OnLoop(kind) if isinstance(kind, Aio) else proxying.Sync()
    for behaviour, check in proxying.CHECKS:
        yield f"{behaviour}/grpc-grpc", lambda check=check: check(proxy)
    proxy.close()


def own(kind):
    for behaviour, check in sidecar.CHECKS:
        yield behaviour, lambda check=check: check(kind)


def main() -> int:
    logging.disable()
    kind = Aio() if "aio" in sys.argv[1:] else Sync()
    failed = False
    for group in (invocation, proxied, own):
        for behaviour, check in group(kind):
            try:
                check()
                print(f"ok {behaviour}")
            except Exception as error:
                failed = True
                reason = " ".join(f"{type(error).__name__} {error}".split())
                print(f"FAIL {behaviour}: {reason.removeprefix('AssertionError ')}")
    return int(failed)


sys.exit(main())
