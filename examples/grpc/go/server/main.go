// Greets everybody who calls. Knows nothing of Dapr.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"

	pb "greeter/gen/helloworld"
)

const greetings = 3

type greeter struct {
	pb.UnimplementedGreeterServer
}

func greet(name string) *pb.HelloReply {
	fmt.Printf("Received: %v\n", name)
	return &pb.HelloReply{Message: "Hello " + name}
}

func (greeter) SayHello(_ context.Context, request *pb.HelloRequest) (*pb.HelloReply, error) {
	return greet(request.GetName()), nil
}

func (greeter) SayHelloStream(request *pb.HelloRequest, stream grpc.ServerStreamingServer[pb.HelloReply]) error {
	for number := 1; number <= greetings; number++ {
		if err := stream.Send(greet(fmt.Sprintf("%s %d", request.GetName(), number))); err != nil {
			return err
		}
	}
	return nil
}

func (greeter) SayHellos(stream grpc.BidiStreamingServer[pb.HelloRequest, pb.HelloReply]) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(greet(request.GetName())); err != nil {
			return err
		}
	}
}

func main() {
	listener, err := net.Listen("tcp", ":"+cmp.Or(os.Getenv("APP_PORT"), "50051"))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterGreeterServer(server, greeter{})
	log.Fatal(server.Serve(listener))
}
