// Package methods has what the SDK's two servers serve alike.
package methods

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/dapr/go-sdk/service/common"
	"google.golang.org/grpc/metadata"
)

// Seen is what a handler of the SDK is given.
type Seen struct {
	Verb        string
	Query       string
	ContentType string
	TypeURL     string
	Body        []byte
	Metadata    metadata.MD
}

var waiting atomic.Int64

// Waiting is how many callers wait for an answer that never comes.
func Waiting() string {
	return fmt.Sprint(waiting.Load())
}

// Wait returns when the caller has given up.
func Wait(ctx context.Context) error {
	waiting.Add(1)
	defer waiting.Add(-1)
	<-ctx.Done()
	return ctx.Err()
}

// First is the first value of a key of the request's metadata, or nothing.
func First(ctx context.Context, key string) string {
	incoming, _ := metadata.FromIncomingContext(ctx)
	for _, value := range incoming.Get(key) {
		return value
	}
	return ""
}

// Add registers the methods.
func Add(service common.Service, echo common.ServiceInvocationHandler) {
	for name, handler := range map[string]common.ServiceInvocationHandler{
		"echo":    echo,
		"verb":    verb,
		"seen":    seen,
		"nothing": nothing,
		"broken":  broken,
		"wait":    wait,
		"waiting": countWaiting,
	} {
		if err := service.AddServiceInvocationHandler(name, handler); err != nil {
			log.Fatal(err)
		}
	}
	if err := service.AddHealthCheckHandler("healthz", healthy); err != nil {
		log.Fatal(err)
	}
}

// Echo answers with what came.
func Echo(_ context.Context, in *common.InvocationEvent) (*common.Content, error) {
	return &common.Content{Data: in.Data, ContentType: in.ContentType, DataTypeURL: in.DataTypeURL}, nil
}

func verb(_ context.Context, in *common.InvocationEvent) (*common.Content, error) {
	return text(fmt.Sprintf("%s %s", in.Verb, in.QueryString)), nil
}

func seen(ctx context.Context, in *common.InvocationEvent) (*common.Content, error) {
	incoming, _ := metadata.FromIncomingContext(ctx)
	answer, err := json.Marshal(Seen{
		Verb:        in.Verb,
		Query:       in.QueryString,
		ContentType: in.ContentType,
		TypeURL:     in.DataTypeURL,
		Body:        in.Data,
		Metadata:    incoming,
	})
	return &common.Content{Data: answer, ContentType: "application/json"}, err
}

func nothing(context.Context, *common.InvocationEvent) (*common.Content, error) {
	return nil, nil
}

func broken(context.Context, *common.InvocationEvent) (*common.Content, error) {
	return nil, errors.New("broken on purpose")
}

func wait(ctx context.Context, _ *common.InvocationEvent) (*common.Content, error) {
	return nil, Wait(ctx)
}

func countWaiting(context.Context, *common.InvocationEvent) (*common.Content, error) {
	return text(Waiting()), nil
}

func healthy(context.Context) error {
	return nil
}

func text(text string) *common.Content {
	return &common.Content{Data: []byte(text), ContentType: "text/plain"}
}
