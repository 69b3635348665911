package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"strconv"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"sdk/methods"
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
		{"answer-empty", c.emptyAnswer},
		{"headers", c.headers},
		{"content-type", c.contentType},
		{"any", c.any},
		{"trace", c.trace},
		{"query", c.query},
		{"verb", c.verb},
		{"binary", c.binary},
		{"large", c.large},
		{"error", c.fail},
		{"error-handler", c.broken},
		{"unknown-method", c.unknownMethod},
	}
	switch c.server {
	case "grpc":
		behaviours = append(behaviours, behaviour{"error-details", c.failDetails})
	case "http":
		behaviours = append(behaviours, behaviour{"cancel", c.cancel})
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

// seen is what the app's handler is given.
func seen(answer []byte, err error) (methods.Seen, error) {
	var seen methods.Seen
	if err != nil {
		return seen, err
	}
	return seen, json.Unmarshal(answer, &seen)
}

func (c callee) body(ctx context.Context) error {
	answer, err := c.post(ctx, "echo", "naïve ✓")
	return failed(err, equalBytes("the answer", answer, []byte("naïve ✓")))
}

func (c callee) custom(ctx context.Context) error {
	order := map[string]int{"orderId": 1}
	answer, err := c.client.InvokeMethodWithCustomContent(ctx, c.app, "seen", "post", "application/json", order)
	seen, err := seen(answer, err)
	return failed(
		err,
		equal("the content type", seen.ContentType, "application/json"),
		equalBytes("the body", seen.Body, []byte(`{"orderId":1}`)),
	)
}

func (c callee) empty(ctx context.Context) error {
	answer, err := c.client.InvokeMethod(ctx, c.app, "seen", "post")
	seen, err := seen(answer, err)
	return failed(
		err,
		equalBytes("the body", seen.Body, nil),
		equal("the content type", seen.ContentType, ""),
	)
}

func (c callee) emptyAnswer(ctx context.Context) error {
	answer, err := c.client.InvokeMethod(ctx, c.app, "nothing", "get")
	return failed(err, equalBytes("the answer", answer, nil))
}

func (c callee) headers(ctx context.Context) error {
	own, err := c.client.GetMetadata(ctx)
	if err != nil {
		return err
	}
	ctx = with(ctx, "x-in", "from the client", "x-many", "one", "x-many", "two")
	answer, err := c.bare.InvokeMethod(ctx, c.app, "seen", "post")
	seen, err := seen(answer, err)
	if err := failed(
		err,
		equal("x-in", seen.Metadata.Get("x-in"), []string{"from the client"}),
		equal("x-many", seen.Metadata.Get("x-many"), []string{"one", "two"}),
		equal("the caller", seen.Metadata.Get("dapr-caller-app-id"), []string{own.ID}),
		equal("the callee", seen.Metadata.Get("dapr-callee-app-id"), []string{c.app}),
	); err != nil {
		return err
	}
	return c.answerHeaders(ctx, own.ID)
}

// answerHeaders checks what the SDK's own methods do not show.
func (c callee) answerHeaders(ctx context.Context, caller string) error {
	var header, trailer metadata.MD
	request := c.request("echo", &anypb.Any{Value: []byte("x")})
	_, err := c.bare.GrpcClient().InvokeService(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))
	if err := failed(
		err,
		equal("x-echo", header.Get("x-echo"), []string{"from the client"}),
		equal("x-caller", header.Get("x-caller"), []string{caller}),
	); err != nil {
		return err
	}
	if c.server == "http" {
		return equal("dapr-http-status", header.Get("dapr-http-status"), []string{"200"})
	}
	return equal("x-trailer", trailer.Get("x-trailer"), []string{"from the client"})
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
		content := &dapr.DataContent{Data: []byte("{}"), ContentType: wanted}
		answer, err := c.client.InvokeMethodWithContent(ctx, c.app, "seen", "put", content)
		seen, err := seen(answer, err)
		if err := failed(err, equal("the request's", seen.ContentType, wanted)); err != nil {
			return err
		}
	}
	response, err := c.bare.GrpcClient().InvokeService(with(ctx), c.request("echo", &anypb.Any{Value: []byte("x")}))
	return failed(err, equal("the answer's", response.GetContentType(), "text/plain"))
}

// any checks data that names its type.
func (c callee) any(ctx context.Context) error {
	const typeURL = "type.googleapis.com/testing.Message"
	data := &anypb.Any{TypeUrl: typeURL, Value: []byte("\x0a\x01x")}
	response, err := c.bare.GrpcClient().InvokeService(with(ctx), c.request("seen", data))
	seen, err := seen(response.GetData().GetValue(), err)
	if err := failed(err, equalBytes("the body", seen.Body, data.GetValue())); err != nil {
		return err
	}
	if c.server == "http" {
		return equal("the content type", seen.ContentType, "application/x-protobuf")
	}
	return equal("the type", seen.TypeURL, typeURL)
}

func (c callee) trace(ctx context.Context) error {
	const traceID = "0af7651916cd43dd8448eb211c80319c"
	ctx = with(c.bare.WithTraceID(ctx, "00-"+traceID+"-b7ad6b7169203331-01"))
	answer, err := c.bare.InvokeMethod(ctx, c.app, "seen", "get")
	seen, err := seen(answer, err)
	return failed(err, contains("traceparent", fmt.Sprint(seen.Metadata.Get("traceparent")), traceID))
}

func (c callee) query(ctx context.Context) error {
	answer, err := c.client.InvokeMethod(ctx, c.app, "verb?a=1&b=x%20y&a=2", "get")
	return failed(err, equalBytes("the answer", answer, []byte("GET a=1&b=x%20y&a=2")))
}

func (c callee) verb(ctx context.Context) error {
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

func (c callee) failDetails(ctx context.Context) error {
	_, err := c.post(ctx, "fail-details", "x")
	return failed(
		refused(err, codes.NotFound, "no luck"),
		explains(err, "NO_LUCK", "testing", nil),
	)
}

// broken is an error that is no status.
func (c callee) broken(ctx context.Context) error {
	_, err := c.post(ctx, "broken", "x")
	if c.server == "grpc" {
		return refused(err, codes.Unknown, "broken on purpose")
	}
	return failed(
		refused(err, codes.Unknown, "Internal Server Error"),
		explains(err, "Internal Server Error", "dapr.io", map[string]string{
			"http.code":          "500",
			"http.error_message": "broken on purpose\n",
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

// cancel checks that the app learns that its caller has given up.
func (c callee) cancel(ctx context.Context) error {
	before, err := c.cancelled(ctx)
	if err != nil {
		return err
	}
	soon, cancel := context.WithCancel(ctx)
	time.AfterFunc(200*time.Millisecond, cancel)
	_, err = c.client.InvokeMethod(soon, c.app, "wait", "get")
	return failed(
		equal("the code", status.Code(err), codes.Canceled),
		eventually(ctx, "the app's call ends", func() bool {
			now, err := c.cancelled(ctx)
			return err == nil && now > before
		}),
	)
}

func (c callee) cancelled(ctx context.Context) (int, error) {
	answer, err := c.client.InvokeMethod(ctx, c.app, "cancelled", "get")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(answer))
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
