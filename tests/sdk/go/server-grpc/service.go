package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"

	"sdk/gen/echo"
	"sdk/methods"
)

// service is `testing.Echo`. Beyond its proto it sends metadata back, and text
// `wait` and `waiting` tell whether it learns that a caller has given up.
type service struct {
	echo.UnimplementedEchoServer
}

func (service) Unary(ctx context.Context, message *echo.Message) (*echo.Message, error) {
	if err := grpc.SendHeader(ctx, answerHeaders(ctx)); err != nil {
		return nil, err
	}
	if err := grpc.SetTrailer(ctx, answerTrailers(ctx)); err != nil {
		return nil, err
	}
	switch message.GetText() {
	case "fail":
		return nil, explained(codes.FailedPrecondition, "asked to fail", "ASKED_TO_FAIL")
	case "wait":
		return nil, methods.Wait(ctx)
	case "waiting":
		return &echo.Message{Text: methods.Waiting()}, nil
	}
	return message, nil
}

func (service) ServerStream(message *echo.Message, stream grpc.ServerStreamingServer[echo.Message]) error {
	for number := range message.GetCount() {
		answer := &echo.Message{Text: fmt.Sprintf("%s %d", message.GetText(), number)}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
	return nil
}

func (service) ClientStream(stream grpc.ClientStreamingServer[echo.Message, echo.Message]) error {
	var texts []string
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&echo.Message{Text: strings.Join(texts, ",")})
		}
		if err != nil {
			return err
		}
		texts = append(texts, message.GetText())
	}
}

func (service) Bidi(stream grpc.BidiStreamingServer[echo.Message, echo.Message]) error {
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(message); err != nil {
			return err
		}
	}
}
