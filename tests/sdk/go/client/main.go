// The client: one line for each behaviour, and an exit code.
package main

import (
	"context"
	"log"
	"os"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

var token = os.Getenv("DAPR_API_TOKEN")

func main() {
	dapr.SetLogger(log.New(os.Stderr, "", 0))
	port := os.Getenv("DAPR_GRPC_PORT")
	client, err := dapr.NewClientWithPort(port)
	if err != nil {
		log.Fatal(err)
	}
	bare, err := withoutInterceptors(port)
	if err != nil {
		log.Fatal(err)
	}

	sidecar(client, port)
	if app := os.Getenv("TARGET_HTTP"); app != "" {
		invoke(callee{client, bare, app, "http"})
	}
	if app := os.Getenv("TARGET_GRPC"); app != "" {
		callee := callee{client, bare, app, "grpc"}
		invoke(callee)
		proxy(bare, app, callee.isOwn())
	}
	unknownApp(client)
	shutdown(os.Getenv("SHUTDOWN_GRPC_PORT"))
	if missed {
		os.Exit(1)
	}
}

// withoutInterceptors makes the SDK's client for a connection of its user's:
// with a token, the SDK's own connections send no metadata but that.
func withoutInterceptors(port string) (dapr.Client, error) {
	connection, err := grpc.NewClient("127.0.0.1:"+port, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return dapr.NewClientWithConnection(connection), nil
}

// with adds metadata, and the token if there is one, to a call of such a client.
func with(ctx context.Context, pairs ...string) context.Context {
	if token != "" {
		pairs = append(pairs, "dapr-api-token", token)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}
