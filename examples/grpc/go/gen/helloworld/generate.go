// Package helloworld is generated from helloworld.proto, with protoc-gen-go
// 1.34.2 and protoc-gen-go-grpc 1.5.1.
package helloworld

//go:generate protoc --proto_path=../../../protos --go_out=. --go-grpc_out=. --go_opt=paths=source_relative --go-grpc_opt=paths=source_relative --go_opt=Mhelloworld.proto=greeter/gen/helloworld --go-grpc_opt=Mhelloworld.proto=greeter/gen/helloworld helloworld.proto
