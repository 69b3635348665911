// Package echo is generated from tests/sdk/echo.proto, with protoc-gen-go
// 1.34.2 and protoc-gen-go-grpc 1.5.1.
package echo

//go:generate protoc --proto_path=../../.. --go_out=. --go-grpc_out=. --go_opt=paths=source_relative --go-grpc_opt=paths=source_relative --go_opt=Mecho.proto=sdk/gen/echo --go-grpc_opt=Mecho.proto=sdk/gen/echo echo.proto
