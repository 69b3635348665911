package checkout;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/** The caller: sends orders to its own sidecar, which finds the callee by its app id. */
public final class CheckoutService {
  private static final int ORDERS = 20;

  private static final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).connectTimeout(Duration.ofSeconds(10)).build();

  private CheckoutService() {}

  public static void main(String[] args) throws Exception {
    URI orders = URI.create("http://localhost:" + variable("DAPR_HTTP_PORT", "3500") + "/orders");
    double pause = Double.parseDouble(variable("ORDER_PAUSE_SECONDS", "1"));
    for (int orderId = 1; orderId <= ORDERS; orderId++) {
      HttpRequest request = HttpRequest.newBuilder(orders)
          .header("Content-Type", "application/json")
          .header("dapr-app-id", "order-processor")
          .POST(HttpRequest.BodyPublishers.ofString("{\"orderId\":" + orderId + "}"))
          .build();
      HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() == 200) {
        System.out.println("Order passed: " + orderId);
      } else {
        System.out.println("Order failed: " + orderId + ": " + response.statusCode() + " " + response.body());
      }
      Thread.sleep((long) (1000 * pause));
    }
  }

  private static String variable(String name, String otherwise) {
    return System.getenv().getOrDefault(name, otherwise);
  }
}
