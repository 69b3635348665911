package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"sdk/gen/echo"
)

// proxied is `testing.Echo` on the connection of the SDK's client.
type proxied struct {
	connection *grpc.ClientConn
	echo       echo.EchoClient
	app        string
}

// proxy checks calls of a service that is not Dapr's; `isOwn` says that the
// server beside this client has it.
func proxy(client dapr.Client, app string, isOwn bool) {
	connection := client.GrpcClientConn()
	p := proxied{connection, echo.NewEchoClient(connection), app}
	behaviours := []behaviour{
		{"proxy-unary", p.unary},
		{"proxy-server-stream", p.serverStream},
		{"proxy-client-stream", p.clientStream},
		{"proxy-bidi", p.bidi},
		{"proxy-large", p.large},
		{"proxy-gzip", p.gzip},
		{"proxy-error", p.fail},
		{"proxy-unknown-method", p.unknownMethod},
		{"proxy-unknown-app", p.unknownApp},
		{"proxy-no-app-id", p.noAppID},
	}
	if isOwn {
		behaviours = append(behaviours, []behaviour{
			{"proxy-headers", p.headers},
			{"proxy-cancel", p.cancel},
			{"proxy-deadline", p.deadline},
		}...)
	}
	for _, one := range behaviours {
		check(one.name+"/grpc-grpc", one.holds)
	}
}

// to names the app.
func (p proxied) to(ctx context.Context, more ...string) context.Context {
	return with(ctx, append(more, "dapr-app-id", p.app)...)
}

func (p proxied) stream(ctx context.Context) context.Context {
	return p.to(ctx, "dapr-stream", "true")
}

func (p proxied) ask(ctx context.Context, text string, options ...grpc.CallOption) (string, error) {
	answer, err := p.echo.Unary(ctx, &echo.Message{Text: text}, options...)
	return answer.GetText(), err
}

func (p proxied) unary(ctx context.Context) error {
	text, err := p.ask(p.to(ctx), "naïve ✓")
	return failed(err, equal("the answer", text, "naïve ✓"))
}

func (p proxied) headers(ctx context.Context) error {
	var header, trailer metadata.MD
	raw := string([]byte{0, 1, 254, 255})
	ctx = p.to(ctx, "x-in", "from the client", "x-in-bin", raw)
	_, err := p.ask(ctx, "x", grpc.Header(&header), grpc.Trailer(&trailer))
	return failed(
		err,
		equal("x-echo", header.Get("x-echo"), []string{"from the client"}),
		equal("x-echo-bin", header.Get("x-echo-bin"), []string{raw}),
		equal("a caller", len(header.Get("x-caller")), 1),
		equal("x-trailer", trailer.Get("x-trailer"), []string{"from the client"}),
	)
}

func (p proxied) serverStream(ctx context.Context) error {
	for _, count := range []int{100, 0} {
		stream, err := p.echo.ServerStream(p.stream(ctx), &echo.Message{Text: "message", Count: uint32(count)})
		if err != nil {
			return err
		}
		for number := range count {
			message, err := stream.Recv()
			if err := failed(err, equal("a message", message.GetText(), fmt.Sprintf("message %d", number))); err != nil {
				return err
			}
		}
		if _, err := stream.Recv(); err != io.EOF {
			return equal("the end", err, io.EOF)
		}
	}
	return nil
}

func (p proxied) clientStream(ctx context.Context) error {
	for _, texts := range [][]string{{"a", "b", "ü"}, {}} {
		stream, err := p.echo.ClientStream(p.stream(ctx))
		if err != nil {
			return err
		}
		for _, text := range texts {
			if err := stream.Send(&echo.Message{Text: text}); err != nil {
				return err
			}
		}
		answer, err := stream.CloseAndRecv()
		if err := failed(err, equal("the answer", answer.GetText(), strings.Join(texts, ","))); err != nil {
			return err
		}
	}
	return nil
}

// bidi sends each message when the one before it has come back.
func (p proxied) bidi(ctx context.Context) error {
	stream, err := p.echo.Bidi(p.stream(ctx))
	if err != nil {
		return err
	}
	for number := range 50 {
		text := strconv.Itoa(number)
		if err := stream.Send(&echo.Message{Text: text}); err != nil {
			return err
		}
		answer, err := stream.Recv()
		if err := failed(err, equal("an answer", answer.GetText(), text)); err != nil {
			return err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	if _, err := stream.Recv(); err != io.EOF {
		return equal("the end", err, io.EOF)
	}
	return nil
}

func (p proxied) large(ctx context.Context) error {
	text := strings.Repeat("x", 1<<20)
	answer, err := p.ask(p.to(ctx), text)
	return failed(err, equalBytes("the answer", []byte(answer), []byte(text)))
}

func (p proxied) gzip(ctx context.Context) error {
	text := strings.Repeat("x", 100_000)
	answer, err := p.ask(p.to(ctx), text, grpc.UseCompressor(gzip.Name))
	return failed(err, equalBytes("the answer", []byte(answer), []byte(text)))
}

func (p proxied) fail(ctx context.Context) error {
	_, err := p.ask(p.to(ctx), "fail")
	return failed(
		refused(err, codes.FailedPrecondition, "asked to fail"),
		explains(err, "ASKED_TO_FAIL", "testing", nil),
	)
}

func (p proxied) deadline(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	_, err := p.ask(p.to(soon), "wait")
	return equal("the code", status.Code(err), codes.DeadlineExceeded)
}

func (p proxied) cancel(ctx context.Context) error {
	return givesUp(ctx, func(ctx context.Context, text string) (string, error) {
		return p.ask(p.to(ctx), text)
	})
}

func (p proxied) unknownMethod(ctx context.Context) error {
	err := p.connection.Invoke(p.to(ctx), "/testing.Echo/Missing", &echo.Message{}, &echo.Message{})
	return equal("the code", status.Code(err), codes.Unimplemented)
}

func (p proxied) unknownApp(ctx context.Context) error {
	_, err := p.ask(with(ctx, "dapr-app-id", "nobody"), "x")
	return equal("the code", status.Code(err), codes.Unknown)
}

func (p proxied) noAppID(ctx context.Context) error {
	_, err := p.ask(with(ctx), "x")
	return refused(err, codes.Unknown, "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata")
}
