// The HTTP server: the SDK's service on a router of its own, which does what
// the SDK's handlers cannot: answer with headers and a status.
package main

import (
	"io"
	"log"
	"net/http"
	"os"

	daprd "github.com/dapr/go-sdk/service/http"
	"github.com/go-chi/chi/v5"

	"sdk/methods"
)

func main() {
	router := chi.NewRouter()
	router.Use(answerHeaders)
	router.HandleFunc("/fail", fail)

	service := daprd.NewServiceWithMux("127.0.0.1:"+os.Getenv("APP_PORT"), router)
	methods.Add(service, methods.Echo)
	log.Fatal(service.Start())
}

// answerHeaders sends back what of the request's headers the client asks about.
func answerHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("X-In"))
		w.Header().Set("X-Caller", r.Header.Get("Dapr-Caller-App-Id"))
		next.ServeHTTP(w, r)
	})
}

func fail(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"errorCode":"MY_CODE","message":"no luck"}`)
}
