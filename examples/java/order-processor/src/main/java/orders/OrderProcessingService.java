package orders;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** The callee: takes orders over plain HTTP and knows nothing about Dapr. */
@RestController
@SpringBootApplication
public class OrderProcessingService {
  record Order(int orderId) {}

  public static void main(String[] args) {
    SpringApplication.run(OrderProcessingService.class, args);
  }

  @PostMapping("/orders")
  public String takeOrder(@RequestBody Order order) {
    System.out.println("Order received: " + order.orderId());
    return "CID" + order.orderId();
  }
}
