package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
	_, err := seen(c.client.InvokeMethod(ctx, c.app, "seen", "get"))
	return err == nil
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
