package main

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// sidecar checks everything about the client's own one.
func sidecar(client dapr.Client, port string) {
	check("metadata-get/grpc", func(ctx context.Context) error { return getMetadata(ctx, client) })
	check("metadata-set/grpc", func(ctx context.Context) error { return setMetadata(ctx, client) })
	check("error-other-api/grpc", func(ctx context.Context) error { return otherAPI(ctx, client) })
	check("endpoint/grpc", func(ctx context.Context) error { return endpoint(ctx, port) })
	check("health-wait/grpc", func(ctx context.Context) error { return waitFor(ctx, client, port) })
	check("health-wait-in-vain/grpc", waitInVain)
	// Without a token nobody is refused.
	if token != "" {
		check("token/grpc", func(ctx context.Context) error { return refuseToken(ctx, port) })
	}
}

func getMetadata(ctx context.Context, client dapr.Client) error {
	answer, err := client.GetMetadata(ctx)
	if err != nil {
		return err
	}
	return failed(
		equal("an id", answer.ID != "", true),
		equal("the runtime's version", answer.ExtendedMetadata["daprRuntimeVersion"] != "", true),
		equal("components", len(answer.RegisteredComponents), 0),
		equal("actors", len(answer.ActiveActorsCount), 0),
		equal("subscriptions", len(answer.Subscriptions), 0),
		equal("endpoints", len(answer.HTTPEndpoints), 0),
	)
}

func setMetadata(ctx context.Context, client dapr.Client) error {
	for _, value := range []string{"first", "zweiter ü"} {
		if err := client.SetMetadata(ctx, "go", value); err != nil {
			return err
		}
		answer, err := client.GetMetadata(ctx)
		if err != nil {
			return err
		}
		if err := equal("the value", answer.ExtendedMetadata["go"], value); err != nil {
			return err
		}
	}
	return nil
}

// otherAPI checks that other building blocks are refused at once.
func otherAPI(ctx context.Context, client dapr.Client) error {
	_, err := client.GetState(ctx, "store", "key", nil)
	detail, missing := info(err)
	return failed(
		equal("the code", status.Code(err), codes.FailedPrecondition),
		missing,
		equal("the reason", detail.GetReason(), "DAPR_STATE_NOT_CONFIGURED"),
	)
}

func endpoint(ctx context.Context, port string) error {
	address := "127.0.0.1:" + port
	if err := os.Setenv("DAPR_GRPC_ENDPOINT", "http://"+address); err != nil {
		return err
	}
	fromEnvironment, err := dapr.NewClient()
	if err != nil {
		return err
	}
	fromDNS, err := dapr.NewClientWithAddressContext(ctx, "dns:"+address)
	if err != nil {
		return err
	}
	for _, client := range []dapr.Client{fromEnvironment, fromDNS} {
		if err := getMetadata(ctx, client); err != nil {
			return err
		}
		client.Close()
	}
	return nil
}

func waitFor(ctx context.Context, client dapr.Client, port string) error {
	late, err := gate(port, 1)
	if err != nil {
		return err
	}
	defer late.Close()
	waiting, err := dapr.NewClientWithAddressContext(ctx, late.Addr().String())
	if err != nil {
		return err
	}
	defer waiting.Close()
	return failed(
		waiting.Wait(ctx, patience),
		getMetadata(ctx, waiting),
		client.Wait(ctx, patience),
	)
}

func waitInVain(ctx context.Context) error {
	never, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := never.Addr().String()
	if err := never.Close(); err != nil {
		return err
	}

	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	connection.Connect()
	waiting := dapr.NewClientWithConnection(connection)
	defer waiting.Close()
	err = waiting.Wait(ctx, 200*time.Millisecond)
	if err == nil {
		return equal("an error", false, true)
	}
	if err := contains("the error", err.Error(), "timed out waiting for client connectivity"); err != nil {
		return err
	}

	soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err = dapr.NewClientWithAddressContext(soon, address)
	if err == nil {
		return equal("an error", false, true)
	}
	return contains("the error", err.Error(), "error creating connection to")
}

// gate is a port in front of a sidecar's that drops the first connections.
func gate(port string, refusals int64) (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	var left atomic.Int64
	left.Store(refusals)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			if left.Add(-1) >= 0 {
				_ = connection.Close()
				continue
			}
			go forward(connection, port)
		}
	}()
	return listener, nil
}

func refuseToken(ctx context.Context, port string) error {
	client, err := dapr.NewClientWithPort(port)
	if err != nil {
		return err
	}
	defer client.Close()
	client.WithAuthToken("wrong")
	_, wrong := client.GetMetadata(ctx)
	client.WithAuthToken("")
	_, none := client.GetMetadata(ctx)
	client.WithAuthToken(token)
	return failed(
		equal("the code for a wrong token", status.Code(wrong), codes.Unauthenticated),
		equal("the code for no token", status.Code(none), codes.Unauthenticated),
		getMetadata(ctx, client),
	)
}

func shutdown(port string) {
	check("shutdown/grpc", func(ctx context.Context) error {
		client, err := dapr.NewClientWithPort(port)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := client.Shutdown(ctx); err != nil {
			return err
		}
		return eventually(ctx, "the sidecar's end", func() bool {
			connection, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				return true
			}
			_ = connection.Close()
			return false
		})
	})
}
