"""Prints the protobuf files the SDK is made of, one `FileDescriptorProto` in
hexadecimal per line."""

import importlib
import pkgutil

import dapr.proto.common.v1
import dapr.proto.runtime.v1
import google.rpc

PACKAGES = (dapr.proto.common.v1, dapr.proto.runtime.v1, google.rpc)

for package in PACKAGES:
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if module.name.endswith("_pb2"):
            print(importlib.import_module(module.name).DESCRIPTOR.serialized_pb.hex())
