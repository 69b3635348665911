package main

import (
	"context"
	"fmt"
	"math/rand"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

const failBody = `{"errorCode":"MY_CODE","message":"no luck"}`

// callee is an app and the ways to it.
type callee struct {
	client dapr.Client
	// bare sends the metadata of a call's context.
	bare   dapr.Client
	app    string
	server string
}

// invoke checks service invocation.
func invoke(c callee) {
	behaviours := []behaviour{
		{"invoke-body", c.body},
		{"invoke-custom", c.custom},
		{"invoke-empty", c.empty},
		{"get-body", c.getBody},
		{"headers", c.headers},
		{"content-type", c.contentType},
		{"binary", c.binary},
		{"large", c.large},
		{"too-large", c.tooLarge},
		{"error", c.fail},
	}
	if c.server == "http" {
		behaviours = append(behaviours, []behaviour{
			{"query", c.query},
			{"verbs", c.verbs},
			{"unknown-method", c.unknownMethod},
		}...)
	}
	if c.isOwn() {
		behaviours = append(behaviours, c.own()...)
	}
	for _, one := range behaviours {
		check(fmt.Sprintf("%s/grpc-%s", one.name, c.server), one.holds)
	}
}

// post sends text.
func (c callee) post(ctx context.Context, method, body string) ([]byte, error) {
	return c.client.InvokeMethodWithContent(ctx, c.app, method, "post", &dapr.DataContent{
		Data:        []byte(body),
		ContentType: "text/plain",
	})
}

func (c callee) body(ctx context.Context) error {
	answer, err := c.post(ctx, "echo", "naïve ✓")
	return failed(err, equalBytes("the answer", answer, []byte("naïve ✓")))
}

func (c callee) custom(ctx context.Context) error {
	order := map[string]int{"orderId": 1}
	answer, err := c.client.InvokeMethodWithCustomContent(ctx, c.app, "echo", "post", "application/json", order)
	return failed(err, equalBytes("the answer", answer, []byte(`{"orderId":1}`)))
}

func (c callee) empty(ctx context.Context) error {
	answer, err := c.client.InvokeMethod(ctx, c.app, "echo", "post")
	return failed(err, equalBytes("the answer", answer, nil))
}

func (c callee) getBody(ctx context.Context) error {
	content := &dapr.DataContent{Data: []byte("x"), ContentType: "text/plain"}
	answer, err := c.client.InvokeMethodWithContent(ctx, c.app, "echo", "get", content)
	return failed(err, equalBytes("the answer", answer, []byte("x")))
}

// headers checks what the SDK's own methods do not show of an answer.
func (c callee) headers(ctx context.Context) error {
	own, err := c.client.GetMetadata(ctx)
	if err != nil {
		return err
	}
	header, _, err := c.around(ctx)
	if err := failed(
		err,
		equal("x-echo", header.Get("x-echo"), []string{"from the client"}),
		equal("x-caller", header.Get("x-caller"), []string{own.ID}),
	); err != nil || c.server == "grpc" {
		return err
	}
	return equal("dapr-http-status", header.Get("dapr-http-status"), []string{"200"})
}

// around is the metadata before and after an answer.
func (c callee) around(ctx context.Context) (header, trailer metadata.MD, err error) {
	ctx = with(ctx, "x-in", "from the client")
	request := c.request("echo", &anypb.Any{Value: []byte("x")})
	_, err = c.bare.GrpcClient().InvokeService(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))
	return header, trailer, err
}

func (c callee) request(method string, data *anypb.Any) *runtimev1.InvokeServiceRequest {
	return &runtimev1.InvokeServiceRequest{
		Id: c.app,
		Message: &commonv1.InvokeRequest{
			Method:        method,
			Data:          data,
			ContentType:   "text/plain",
			HttpExtension: &commonv1.HTTPExtension{Verb: commonv1.HTTPExtension_POST},
		},
	}
}

func (c callee) contentType(ctx context.Context) error {
	for _, wanted := range []string{"text/plain", "application/json", "application/vnd.order+json; v=1"} {
		request := c.request("echo", &anypb.Any{Value: []byte("{}")})
		request.Message.ContentType = wanted
		response, err := c.bare.GrpcClient().InvokeService(with(ctx), request)
		if err := failed(err, equal("the answer's", response.GetContentType(), wanted)); err != nil {
			return err
		}
	}
	return nil
}

func (c callee) query(ctx context.Context) error {
	answer, err := c.client.InvokeMethod(ctx, c.app, "verb?a=1&b=x%20y&a=2", "get")
	return failed(err, equalBytes("the answer", answer, []byte("GET a=1&b=x%20y&a=2")))
}

func (c callee) verbs(ctx context.Context) error {
	for _, verb := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
		answer, err := c.client.InvokeMethod(ctx, c.app, "verb", verb)
		if err := failed(err, equalBytes("the answer", answer, []byte(verb+" "))); err != nil {
			return err
		}
	}
	answer, err := c.client.InvokeMethod(ctx, c.app, "verb", "BREW")
	if c.server == "http" {
		return failed(
			equal("the code", status.Code(err), codes.Internal),
			contains("the message", status.Convert(err).Message(), "failed to invoke, id: "+c.app+", err: "),
		)
	}
	return failed(err, equalBytes("the answer", answer, []byte("NONE ")))
}

func (c callee) binary(ctx context.Context) error {
	all := make([]byte, 256)
	for value := range all {
		all[value] = byte(value)
	}
	content := &dapr.DataContent{Data: all, ContentType: "application/octet-stream"}
	answer, err := c.client.InvokeMethodWithContent(ctx, c.app, "echo", "post", content)
	return failed(err, equalBytes("the answer", answer, all))
}

func (c callee) large(ctx context.Context) error {
	data := make([]byte, 1<<20)
	rand.New(rand.NewSource(1)).Read(data)
	content := &dapr.DataContent{Data: data, ContentType: "application/octet-stream"}
	answer, err := c.client.InvokeMethodWithContent(ctx, c.app, "echo", "post", content)
	return failed(err, equalBytes("the answer", answer, data))
}

func (c callee) tooLarge(ctx context.Context) error {
	content := &dapr.DataContent{Data: make([]byte, 5<<20), ContentType: "application/octet-stream"}
	_, err := c.client.InvokeMethodWithContent(ctx, c.app, "echo", "post", content)
	return equal("the code", status.Code(err), codes.ResourceExhausted)
}

func (c callee) fail(ctx context.Context) error {
	_, err := c.post(ctx, "fail", "x")
	if c.server == "grpc" {
		return refused(err, codes.NotFound, "no luck")
	}
	return failed(
		refused(err, codes.Unavailable, "Service Unavailable"),
		explains(err, "Service Unavailable", "dapr.io", map[string]string{
			"http.code":          "503",
			"http.error_message": failBody,
		}),
	)
}

func (c callee) unknownMethod(ctx context.Context) error {
	_, err := c.post(ctx, "missing", "x")
	if c.server == "grpc" {
		return refused(err, codes.Unknown, "method not implemented: missing")
	}
	return refused(err, codes.NotFound, "Not Found")
}

func unknownApp(client dapr.Client) {
	check("unknown-app/grpc", func(ctx context.Context) error {
		_, err := client.InvokeMethod(ctx, "nobody", "echo", "post")
		return failed(
			equal("the code", status.Code(err), codes.Internal),
			contains("the message", status.Convert(err).Message(), "failed to invoke, id: nobody, err: "),
		)
	})
}
