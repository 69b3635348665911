package main

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Longer than any call here takes; shorter than the test waits.
const patience = 10 * time.Second

// missed is whether a behaviour was.
var missed bool

type behaviour struct {
	name  string
	holds func(context.Context) error
}

// check runs one behaviour and prints a line for it.
func check(name string, holds func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := holds(ctx); err != nil {
		missed = true
		fmt.Printf("FAIL %s: %s\n", name, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	fmt.Printf("ok %s\n", name)
}

func equal[T any](what string, got, wanted T) error {
	if reflect.DeepEqual(got, wanted) {
		return nil
	}
	return fmt.Errorf("%s: %.300q was expected, %.300q came", what, fmt.Sprint(wanted), fmt.Sprint(got))
}

func equalBytes(what string, got, wanted []byte) error {
	if bytes.Equal(got, wanted) {
		return nil
	}
	return fmt.Errorf("%s: %d bytes %.300q were expected, %d bytes %.300q came", what, len(wanted), wanted, len(got), got)
}

func contains(what, text, part string) error {
	if strings.Contains(text, part) {
		return nil
	}
	return fmt.Errorf("%s: %q was expected in it, %q came", what, part, text)
}

// failed is the first of these that is an error.
func failed(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// refused wants a gRPC status of this code and message.
func refused(err error, code codes.Code, message string) error {
	return failed(
		equal("the code", status.Code(err), code),
		equal("the message", status.Convert(err).Message(), message),
	)
}

// info is the one detail of a gRPC status.
func info(err error) (*errdetails.ErrorInfo, error) {
	details := status.Convert(err).Details()
	if len(details) == 1 {
		if detail, ok := details[0].(*errdetails.ErrorInfo); ok {
			return detail, nil
		}
	}
	return nil, fmt.Errorf("the details: one ErrorInfo was expected, %v came", details)
}

// explains wants a gRPC status with this one detail.
func explains(err error, reason, domain string, metadata map[string]string) error {
	detail, missing := info(err)
	if missing != nil {
		return missing
	}
	return failed(
		equal("the reason", detail.GetReason(), reason),
		equal("the domain", detail.GetDomain(), domain),
		equal("the detail's metadata", detail.GetMetadata(), metadata),
	)
}

// eventually repeats a condition until it holds.
func eventually(ctx context.Context, what string, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not in time", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// givesUp cancels the call `wait` when it has reached the app, and waits until
// the app knows.
func givesUp(ctx context.Context, call func(context.Context, string) (string, error)) error {
	waiting := func(wanted string) func() bool {
		return func() bool {
			count, err := call(ctx, "waiting")
			return err == nil && count == wanted
		}
	}
	given, giveUp := context.WithCancel(ctx)
	defer giveUp()
	ended := make(chan error, 1)
	go func() {
		_, err := call(given, "wait")
		ended <- err
	}()
	if err := eventually(ctx, "the call reaches the app", waiting("1")); err != nil {
		return err
	}
	giveUp()
	return failed(
		equal("the code", status.Code(<-ended), codes.Canceled),
		eventually(ctx, "the app's call ends", waiting("0")),
	)
}
