// Checkout is the caller: it sends orders to its own sidecar, which finds the
// callee by its app id.
package main

import (
	"cmp"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	log.SetFlags(0)
	host := cmp.Or(os.Getenv("DAPR_HOST"), "http://localhost")
	url := host + ":" + cmp.Or(os.Getenv("DAPR_HTTP_PORT"), "3500") + "/orders"
	for orderID := 1; orderID <= 20; orderID++ {
		status, result, err := send(url, fmt.Sprintf(`{"orderId":%d}`, orderID))
		switch {
		case err != nil:
			log.Fatal(err)
		case status != http.StatusOK:
			log.Printf("Order failed: %d %s", status, result)
		default:
			log.Printf("Order passed: %s", result)
		}
	}
}

// send posts an order and gives the status and body of the answer.
func send(url, order string) (int, []byte, error) {
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader(order))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("dapr-app-id", "order-processor")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	result, err := io.ReadAll(answer.Body)
	return answer.StatusCode, result, err
}
