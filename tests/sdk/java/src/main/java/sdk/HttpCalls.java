package sdk;

import static sdk.Report.contains;
import static sdk.Report.same;
import static sdk.Report.thrown;

import io.dapr.client.DaprClient;
import io.dapr.client.DaprHttp;
import io.dapr.client.DaprHttp.HttpMethods;
import io.dapr.client.DaprHttpBuilder;
import io.dapr.client.domain.HttpExtension;
import io.dapr.client.domain.InvokeMethodRequest;
import io.dapr.config.Properties;
import io.dapr.exceptions.DaprException;
import io.dapr.utils.TypeRef;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import reactor.util.context.Context;

/** {@code DaprClient.invokeMethod}, which speaks HTTP to the sidecar. */
record HttpCalls(Report report, DaprClient client, String app) {
  private record Order(int id, String what) {}

  void toHttp() {
    calls("http-http");
    own("http-http");
    report.check("query/http-http", () -> same("answer", "GET a%26b=x+y%2B%C3%BC", ask(new HttpExtension(
        HttpMethods.GET, Map.of("a&b", List.of("x y+ü")), Map.of()))));
    report.check("verbs/http-http", () -> {
      for (HttpMethods verb : List.of(
          HttpMethods.GET, HttpMethods.POST, HttpMethods.PUT, HttpMethods.DELETE, HttpMethods.OPTIONS)) {
        same("answer", verb + " a=1", ask(new HttpExtension(verb, Map.of("a", List.of("1")), Map.of())));
      }
      // No answer has a body here; that there is no error says enough.
      client.invokeMethod(app, "verb", null, HttpExtension.HEAD, TypeRef.BYTE_ARRAY).block();
    });
    report.check("error/http-http", () -> {
      DaprException error = failure("fail");
      same("code", "MY_CODE", error.getErrorCode());
      same("status", 503, error.getHttpStatusCode());
      contains("message", "no luck", error.getMessage());
      DaprException missing = failure("no/such/method");
      same("status of an unknown method", 404, missing.getHttpStatusCode());
    });
  }

  void toGrpc() {
    calls("http-grpc");
    own("http-grpc");
    report.check("error/http-grpc", () -> {
      DaprException error = failure("fail");
      same("code", "NOT_FOUND", error.getErrorCode());
      same("status", 404, error.getHttpStatusCode());
      contains("message", "no luck", error.getMessage());
      DaprException missing = failure("no/such/method");
      same("status of an unknown method", 501, missing.getHttpStatusCode());
    });
  }

  void toNobody() {
    report.check("unknown-app/http-http", () -> {
      DaprException error = failure("echo");
      same("code", "ERR_DIRECT_INVOKE", error.getErrorCode());
      same("status", 500, error.getHttpStatusCode());
      contains("message", "failed to invoke, id: " + app, error.getMessage());
    });
  }

  private void calls(String way) {
    report.check("invoke-body/" + way, () -> {
      Order order = new Order(7, "tea for two ☕");
      same("object", order, client.invokeMethod(app, "echo", order, HttpExtension.POST, Order.class).block());
      same("text", "plain", client.invokeMethod(app, "echo", "plain", HttpExtension.PUT, String.class).block());
    });
    report.check("invoke-empty/" + way, () -> same("answer", null,
        client.invokeMethod(app, "echo", null, HttpExtension.POST, TypeRef.STRING).block()));
    report.check("binary/" + way, () -> same("answer", Bodies.binary(), echo(Bodies.binary())));
    report.check("large/" + way, () -> same("answer", Bodies.large(), echo(Bodies.large())));
    report.check("headers/" + way, () -> {
      DaprHttp.Response answer = answer(Map.of("x-in", "from the caller"));
      same("x-echo", "from the caller", answer.getHeaders().get("x-echo"));
      same("x-caller", client.getMetadata().block().getId(), answer.getHeaders().get("x-caller"));
    });
    report.check("content-type/" + way, () -> {
      String type = "application/vnd.testing+json";
      same("content type", type, answer(Map.of("content-type", type)).getHeaders().get("content-type"));
    });
  }

  /** What only the servers beside this client tell. */
  private void own(String way) {
    report.checkIfOwn("seen/" + way, () -> answer(Map.of()).getHeaders().get("x-seen"), seen -> {
      same("the SDK's own header", true, seen.contains("x-daprrequestid"));
      same("dapr-app-id", false, seen.contains("dapr-app-id"));
    });
    String trace = "00-0af7651916cd43dd8448eb211c80319c";
    Context context = Context.of("traceparent", trace + "-b7ad6b7169203331-01");
    report.checkIfOwn("trace/" + way, () -> answer(Map.of(), context).getHeaders().get("x-traceparent"),
        came -> contains("traceparent", trace, came.get(0)));
  }

  private byte[] echo(byte[] body) {
    InvokeMethodRequest request = new InvokeMethodRequest(app, "echo")
        .setBody(body)
        .setContentType("application/octet-stream")
        .setHttpExtension(HttpExtension.POST);
    return client.invokeMethod(request, TypeRef.BYTE_ARRAY).block();
  }

  private String ask(HttpExtension how) {
    return new String(client.invokeMethod(app, "verb", null, how, TypeRef.BYTE_ARRAY).block());
  }

  private DaprException failure(String method) {
    return thrown(DaprException.class,
        () -> client.invokeMethod(app, method, "{}", HttpExtension.POST, TypeRef.STRING).block());
  }

  /** {@code invokeMethod} gives the body only; the client below it gives the headers as well. */
  private DaprHttp.Response answer(Map<String, String> headers) throws Exception {
    return answer(headers, Context.empty());
  }

  private DaprHttp.Response answer(Map<String, String> headers, Context context) throws Exception {
    List<String> path = new ArrayList<>(List.of(DaprHttp.API_VERSION, "invoke", app, "method", "echo"));
    try (DaprHttp http = new DaprHttpBuilder().build(new Properties())) {
      return http.invokeApi(HttpMethods.POST.name(), path.toArray(new String[0]), Map.of(), "{}", headers,
          context).block();
    }
  }
}
