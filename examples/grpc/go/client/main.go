// Asks the app `server` for a greeting, through the sidecar on this machine.
// With the argument `stream` it asks for several at once.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	pb "greeter/gen/helloworld"
)

const name = "Darth Tyrannus"

func main() {
	// All that is different from a call without Dapr: whose port it is, and who is meant.
	sidecar := "localhost:" + cmp.Or(os.Getenv("DAPR_GRPC_PORT"), "50007")
	ctx := metadata.AppendToOutgoingContext(context.Background(), "dapr-app-id", "server")

	connection, err := grpc.NewClient(
		sidecar,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// Otherwise a name server is asked about `localhost`; a slow one takes longer than the deadline.
		grpc.WithDisableServiceConfig(),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()

	ask := sayHello
	if slices.Contains(os.Args[1:], "stream") {
		ask = sayHellos
	}
	if err := ask(ctx, pb.NewGreeterClient(connection)); err != nil {
		log.Fatal(err)
	}
}

func sayHello(ctx context.Context, greeter pb.GreeterClient) error {
	reply, err := greeter.SayHello(ctx, &pb.HelloRequest{Name: name})
	if err != nil {
		return err
	}
	fmt.Printf("Greeting: %s\n", reply.GetMessage())
	return nil
}

func sayHellos(ctx context.Context, greeter pb.GreeterClient) error {
	// The sidecar's timeouts and retries end where the stream has begun.
	ctx = metadata.AppendToOutgoingContext(ctx, "dapr-stream", "true")

	replies, err := greeter.SayHelloStream(ctx, &pb.HelloRequest{Name: name})
	if err != nil {
		return err
	}
	if err := printAll(replies); err != nil {
		return err
	}

	hellos, err := greeter.SayHellos(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{"Darth Vader", "Darth Maul"} {
		if err := hellos.Send(&pb.HelloRequest{Name: name}); err != nil {
			return err
		}
	}
	if err := hellos.CloseSend(); err != nil {
		return err
	}
	return printAll(hellos)
}

func printAll(replies interface {
	Recv() (*pb.HelloReply, error)
}) error {
	for {
		reply, err := replies.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("Greeting: %s\n", reply.GetMessage())
	}
}
