"""Greets everybody who calls. Knows nothing of Dapr."""

import os
from concurrent.futures import ThreadPoolExecutor

import grpc
import helloworld_pb2_grpc
from helloworld_pb2 import HelloReply

GREETINGS = 3


def greet(name: str) -> HelloReply:
    print(f"Received: {name}", flush=True)
    return HelloReply(message=f"Hello {name}")


class Greeter(helloworld_pb2_grpc.GreeterServicer):
    def SayHello(self, request, context):
        return greet(request.name)

    def SayHelloStream(self, request, context):
        for number in range(1, GREETINGS + 1):
            yield greet(f"{request.name} {number}")

    def SayHellos(self, requests, context):
        for request in requests:
            yield greet(request.name)


server = grpc.server(ThreadPoolExecutor())
helloworld_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
server.add_insecure_port(f"[::]:{os.environ.get('APP_PORT', 50051)}")
server.start()
server.wait_for_termination()
