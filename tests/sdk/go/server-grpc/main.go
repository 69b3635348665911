// The gRPC server: the SDK's service, and `testing.Echo` on the same port.
package main

import (
	"context"
	"log"
	"net"
	"os"

	"github.com/dapr/go-sdk/service/common"
	daprd "github.com/dapr/go-sdk/service/grpc"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sdk/gen/echo"
	"sdk/methods"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("APP_PORT"))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	echo.RegisterEchoServer(server, service{})

	dapr := daprd.NewServiceWithGrpcServer(listener, server)
	methods.Add(dapr, echoWithHeaders)
	for name, handler := range map[string]common.ServiceInvocationHandler{"fail": fail, "fail-details": failDetails} {
		if err := dapr.AddServiceInvocationHandler(name, handler); err != nil {
			log.Fatal(err)
		}
	}
	log.Fatal(dapr.Start())
}

func echoWithHeaders(ctx context.Context, in *common.InvocationEvent) (*common.Content, error) {
	if err := grpc.SetHeader(ctx, answerHeaders(ctx)); err != nil {
		return nil, err
	}
	if err := grpc.SetTrailer(ctx, answerTrailers(ctx)); err != nil {
		return nil, err
	}
	return methods.Echo(ctx, in)
}

// answerHeaders has what of the request's metadata the client asks about.
func answerHeaders(ctx context.Context) metadata.MD {
	return metadata.Pairs(
		"x-echo", methods.First(ctx, "x-in"),
		"x-echo-bin", methods.First(ctx, "x-in-bin"),
		"x-caller", methods.First(ctx, "dapr-caller-app-id"),
	)
}

func answerTrailers(ctx context.Context) metadata.MD {
	return metadata.Pairs("x-trailer", methods.First(ctx, "x-in"))
}

func fail(context.Context, *common.InvocationEvent) (*common.Content, error) {
	return nil, status.Error(codes.NotFound, "no luck")
}

func failDetails(context.Context, *common.InvocationEvent) (*common.Content, error) {
	return nil, explained(codes.NotFound, "no luck", "NO_LUCK")
}

func explained(code codes.Code, message, reason string) error {
	failure, err := status.New(code, message).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "testing"})
	if err != nil {
		return err
	}
	return failure.Err()
}
