"use strict";

// The service `testing.Echo` and the details of a gRPC status.

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const protobuf = require("protobufjs");

const { Echo } = grpc.loadPackageDefinition(loader.loadSync(path.join(__dirname, "..", "echo.proto"))).testing;
const rpc = protobuf.loadSync(path.join(__dirname, "rpc.proto"));
const Status = rpc.lookupType("google.rpc.Status");
const ErrorInfo = rpc.lookupType("google.rpc.ErrorInfo");

/** What the bytes of `grpc-status-details-bin` say of the error. */
function errorInfo(bytes) {
  const { details } = Status.decode(bytes);
  return ErrorInfo.toObject(ErrorInfo.decode(details[0].value));
}

module.exports = { Echo, ErrorInfo, Status, errorInfo };
