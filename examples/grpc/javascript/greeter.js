"use strict";

// The service `helloworld.Greeter`, read from its proto when the program starts.

const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const proto = path.join(__dirname, "..", "protos", "helloworld.proto");

module.exports = grpc.loadPackageDefinition(loader.loadSync(proto)).helloworld.Greeter;
