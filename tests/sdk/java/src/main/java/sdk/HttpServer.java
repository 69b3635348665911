package sdk;

import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.util.Collections;
import java.util.Locale;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestMethod;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;

/** An app that Dapr calls over HTTP, with the SDK's Spring Boot integration. */
@SpringBootApplication
public class HttpServer {
  public static void main(String[] args) {
    SpringApplication application = new SpringApplication(HttpServer.class);
    application.setDefaultProperties(Map.of(
        "server.port", System.getenv("APP_PORT"),
        "server.address", "127.0.0.1",
        "spring.main.banner-mode", "off",
        "logging.level.root", "warn"));
    application.run(args);
  }

  /** The methods other apps call. */
  @RestController
  static class Methods {
    private final String token = System.getenv("APP_API_TOKEN");

    @RequestMapping("/echo")
    ResponseEntity<byte[]> echo(HttpServletRequest request) throws IOException {
      check(request);
      HttpHeaders headers = new HttpHeaders();
      copy(request, HttpHeaders.CONTENT_TYPE, headers, HttpHeaders.CONTENT_TYPE);
      copy(request, "x-in", headers, "x-echo");
      copy(request, "dapr-caller-app-id", headers, "x-caller");
      copy(request, "traceparent", headers, "x-traceparent");
      headers.set("x-seen", String.join(",", Collections.list(request.getHeaderNames())).toLowerCase(Locale.ROOT));
      return new ResponseEntity<>(request.getInputStream().readAllBytes(), headers, HttpStatus.OK);
    }

    @RequestMapping("/fail")
    ResponseEntity<String> fail(HttpServletRequest request) {
      check(request);
      return ResponseEntity.status(HttpStatus.SERVICE_UNAVAILABLE)
          .contentType(MediaType.APPLICATION_JSON)
          .body("{\"errorCode\":\"MY_CODE\",\"message\":\"no luck\"}");
    }

    // Each verb by name: without them Spring answers OPTIONS itself.
    @RequestMapping(path = "/verb", method = {
        RequestMethod.GET, RequestMethod.HEAD, RequestMethod.POST, RequestMethod.PUT,
        RequestMethod.PATCH, RequestMethod.DELETE, RequestMethod.OPTIONS})
    ResponseEntity<String> verb(HttpServletRequest request) {
      check(request);
      String query = request.getQueryString();
      return ResponseEntity.ok()
          .contentType(MediaType.TEXT_PLAIN)
          .body(request.getMethod() + " " + (query == null ? "" : query));
    }

    private void check(HttpServletRequest request) {
      if (token != null && !token.isEmpty() && !token.equals(request.getHeader("dapr-api-token"))) {
        throw new ResponseStatusException(HttpStatus.UNAUTHORIZED);
      }
    }

    private static void copy(HttpServletRequest from, String name, HttpHeaders to, String as) {
      String value = from.getHeader(name);
      if (value != null) {
        to.set(as, value);
      }
    }
  }
}
