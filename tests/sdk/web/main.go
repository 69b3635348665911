// An app of Go's standard library: `https`, `https-h2` or `h2c` on a port of
// its own, which it prints. It answers with what it saw.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/dapr/config" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Seen", fmt.Sprintf("%s %s %s", r.Proto, r.Method, r.URL.RequestURI()))
	w.Header().Set("X-Caller", r.Header.Get("Dapr-Caller-App-Id"))
	io.Copy(w, r.Body)
}

func main() {
	kind, certificate, key := os.Args[1], os.Args[2], os.Args[3]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port)
	protocols := new(http.Protocols)
	server := &http.Server{Handler: http.HandlerFunc(answer), Protocols: protocols}
	switch kind {
	case "https":
		// As most servers in Go: both versions of HTTP.
		protocols.SetHTTP1(true)
		protocols.SetHTTP2(true)
	case "https-h2":
		protocols.SetHTTP2(true)
		server.TLSConfig = &tls.Config{NextProtos: []string{"h2"}}
	case "h2c":
		protocols.SetUnencryptedHTTP2(true)
		log.Fatal(server.Serve(listener))
	}
	log.Fatal(server.ServeTLS(listener, certificate, key))
}
