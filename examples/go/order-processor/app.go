// Order-processor is the callee: it takes orders over plain HTTP and knows
// nothing about Dapr.
package main

import (
	"cmp"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	log.SetFlags(0)
	http.HandleFunc("/orders", takeOrder)
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("APP_PORT"), "6006"), nil))
}

func takeOrder(answer http.ResponseWriter, request *http.Request) {
	order, err := io.ReadAll(request.Body)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	log.Printf("Order received: %s", order)
	answer.Header().Set("content-type", "application/json")
	if _, err := answer.Write(order); err != nil {
		log.Print("Order not answered: ", err)
	}
}
