"""Asks the app `server` for a greeting, through the sidecar on this machine.

`client.py stream` asks for several at once.
"""

import os
import sys

import grpc
import helloworld_pb2_grpc
from helloworld_pb2 import HelloRequest

NAME = "Darth Tyrannus"

# All that is different from a call without Dapr: whose port it is, and who is meant.
sidecar = f"localhost:{os.environ.get('DAPR_GRPC_PORT', 50007)}"
metadata = [("dapr-app-id", "server")]

with grpc.insecure_channel(sidecar) as channel:
    greeter = helloworld_pb2_grpc.GreeterStub(channel)
    if "stream" in sys.argv[1:]:
        # The sidecar's timeouts and retries end where the stream has begun.
        metadata.append(("dapr-stream", "true"))
        replies = list(greeter.SayHelloStream(HelloRequest(name=NAME), timeout=2, metadata=metadata))
        names = (HelloRequest(name=name) for name in ("Darth Vader", "Darth Maul"))
        replies += greeter.SayHellos(names, timeout=2, metadata=metadata)
    else:
        replies = [greeter.SayHello(HelloRequest(name=NAME), timeout=2, metadata=metadata)]

for reply in replies:
    print(f"Greeting: {reply.message}")
