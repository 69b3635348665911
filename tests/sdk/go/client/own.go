package main

import (
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"

	"sdk/methods"
)

// own is what only the servers beside this client answer.
func (c callee) own() []behaviour {
	behaviours := []behaviour{
		{"any", c.any},
		{"trace", c.trace},
		{"answer-empty", c.emptyAnswer},
		{"headers-request", c.requestHeaders},
		{"error-handler", c.broken},
	}
	if c.server == "http" {
		return append(behaviours, behaviour{"cancel", c.cancel})
	}
	return append(behaviours, []behaviour{
		{"query", c.query},
		{"verbs", c.verbs},
		{"unknown-method", c.unknownMethod},
		{"headers-answer", c.answerTrailers},
		{"error-details", c.failDetails},
	}...)
}

// isOwn is whether the app is one of the servers beside this client.
func (c callee) isOwn() bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seen, err := seen(c.client.InvokeMethod(ctx, c.app, "seen", "get"))
	return err == nil && seen.Verb == "GET"
}

// seen is what the app's handler is given.
func seen(answer []byte, err error) (methods.Seen, error) {
	var seen methods.Seen
	if err != nil {
		return seen, err
	}
	return seen, json.Unmarshal(answer, &seen)
}

func (c callee) emptyAnswer(ctx context.Context) error {
	answer, err := c.client.InvokeMethod(ctx, c.app, "nothing", "get")
	return failed(err, equalBytes("the answer", answer, nil))
}

func (c callee) answerTrailers(ctx context.Context) error {
	_, trailer, err := c.around(ctx)
	return failed(err, equal("x-trailer", trailer.Get("x-trailer"), []string{"from the client"}))
}

func (c callee) requestHeaders(ctx context.Context) error {
	own, err := c.client.GetMetadata(ctx)
	if err != nil {
		return err
	}
	ctx = with(ctx, "x-in", "from the client", "x-many", "one", "x-many", "two")
	answer, err := c.bare.InvokeMethod(ctx, c.app, "seen", "post")
	seen, err := seen(answer, err)
	return failed(
		err,
		equal("x-in", seen.Metadata.Get("x-in"), []string{"from the client"}),
		equal("x-many", seen.Metadata.Get("x-many"), []string{"one", "two"}),
		equal("the caller", seen.Metadata.Get("dapr-caller-app-id"), []string{own.ID}),
		equal("the callee", seen.Metadata.Get("dapr-callee-app-id"), []string{c.app}),
		equal("the content type", seen.ContentType, ""),
	)
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

// cancel checks that the app learns that its caller has given up.
func (c callee) cancel(ctx context.Context) error {
	return givesUp(ctx, func(ctx context.Context, method string) (string, error) {
		answer, err := c.client.InvokeMethod(ctx, c.app, method, "get")
		return string(answer), err
	})
}
