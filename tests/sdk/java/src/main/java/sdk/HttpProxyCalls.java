package sdk;

import static sdk.Report.contains;
import static sdk.Report.same;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Arrays;
import java.util.List;

/**
 * The JDK's HTTP client with the header {@code dapr-app-id}, as the quickstarts do it. It prefers HTTP/2, and so asks for
 * an upgrade with each new connection.
 */
record HttpProxyCalls(Report report, String app) {
  private static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();

  void toHttp() {
    calls("header-http");
    own("header-http");
    report.check("query/header-http", () ->
        same("answer", "GET a=1&b=x%20y%2Bz", text(send(request("verb?a=1&b=x%20y%2Bz").GET()))));
    report.check("verbs/header-http", () -> {
      for (String verb : List.of("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")) {
        same("answer", verb + " a=1",
            text(send(request("verb?a=1").method(verb, BodyPublishers.noBody()))));
      }
      same("status of HEAD", 200, send(request("verb").method("HEAD", BodyPublishers.noBody())).statusCode());
      HttpResponse<byte[]> get = send(request("echo").method("GET", BodyPublishers.ofString("a GET with a body")));
      same("answer to a GET with a body", "a GET with a body", text(get));
    });
    report.check("error/header-http", () -> {
      HttpResponse<byte[]> answer = send(request("fail"));
      same("status", 503, answer.statusCode());
      same("content type", "application/json", answer.headers().firstValue("content-type").orElse(null));
      contains("body", "\"errorCode\":\"MY_CODE\"", text(answer));
      same("status of an unknown method", 404, send(request("no/such/method")).statusCode());
    });
  }

  void toGrpc() {
    calls("header-grpc");
    own("header-grpc");
    report.check("error/header-grpc", () -> {
      HttpResponse<byte[]> answer = send(request("fail"));
      same("status", 404, answer.statusCode());
      contains("body", "no luck", text(answer));
    });
  }

  void toNobody() {
    report.check("unknown-app/header-http", () -> {
      HttpResponse<byte[]> answer = send(request("echo"));
      same("status", 500, answer.statusCode());
      contains("body", "ERR_DIRECT_INVOKE", text(answer));
    });
  }

  private void calls(String way) {
    report.check("invoke-body/" + way, () -> {
      byte[] body = "tea for two ☕".getBytes("utf-8");
      same("answer", body, send(post("echo", body)).body());
      // Its length unknown beforehand, this body goes out in chunks.
      BodyPublisher chunks = BodyPublishers.ofByteArrays(List.of(
          Arrays.copyOfRange(body, 0, 4), Arrays.copyOfRange(body, 4, body.length)));
      same("answer to chunks", body, send(request("echo").POST(chunks)).body());
    });
    report.check("invoke-empty/" + way, () -> {
      HttpResponse<byte[]> answer = send(request("echo").POST(BodyPublishers.noBody()));
      same("status", 200, answer.statusCode());
      same("answer", new byte[0], answer.body());
    });
    report.check("binary/" + way, () -> same("answer", Bodies.binary(), send(post("echo", Bodies.binary())).body()));
    report.check("large/" + way, () -> same("answer", Bodies.large(), send(post("echo", Bodies.large())).body()));
    report.check("headers/" + way, () -> {
      HttpResponse<byte[]> answer = send(request("echo").header("x-in", "from the caller"));
      same("x-echo", "from the caller", answer.headers().firstValue("x-echo").orElse(null));
    });
    report.check("content-type/" + way, () -> {
      String type = "application/vnd.testing+json";
      HttpResponse<byte[]> answer = send(post("echo", new byte[] {'{', '}'}, type));
      same("content type", type, answer.headers().firstValue("content-type").orElse(null));
    });
  }

  /** The upgrade is between this client and its sidecar. */
  private void own(String way) {
    HttpClient fresh = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();
    report.checkIfOwn("seen/" + way, () -> {
      HttpResponse<byte[]> answer = fresh.send(request("echo").GET().build(), BodyHandlers.ofByteArray());
      return answer.headers().firstValue("x-seen").orElse(null);
    }, seen -> {
      for (String name : List.of("dapr-app-id", "http2-settings", "upgrade", "dapr-upgrade")) {
        same(name, false, seen.contains(name));
      }
    });
  }

  private HttpRequest.Builder request(String path) {
    URI address = URI.create("http://localhost:" + System.getenv("DAPR_HTTP_PORT") + "/" + path);
    HttpRequest.Builder request = HttpRequest.newBuilder(address).header("dapr-app-id", app);
    String token = System.getenv("DAPR_API_TOKEN");
    return token == null ? request : request.header("dapr-api-token", token);
  }

  private HttpRequest.Builder post(String path, byte[] body) {
    return post(path, body, "application/octet-stream");
  }

  private HttpRequest.Builder post(String path, byte[] body, String type) {
    return request(path).header("content-type", type).POST(BodyPublishers.ofByteArray(body));
  }

  private static HttpResponse<byte[]> send(HttpRequest.Builder request) throws Exception {
    return CLIENT.send(request.build(), BodyHandlers.ofByteArray());
  }

  private static String text(HttpResponse<byte[]> answer) {
    return new String(answer.body());
  }
}
