package sdk;

import static sdk.Report.contains;
import static sdk.Report.same;
import static sdk.Report.thrown;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.ErrorInfo;
import io.dapr.client.DaprClient;
import io.dapr.v1.CommonProtos.HTTPExtension;
import io.dapr.v1.CommonProtos.InvokeRequest;
import io.dapr.v1.CommonProtos.InvokeResponse;
import io.dapr.v1.DaprGrpc;
import io.dapr.v1.DaprProtos.InvokeServiceRequest;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import testing.Message;

/** {@code InvokeService} by the SDK's generated stub, on the channel of its client. */
record GrpcCalls(Report report, DaprClient client, String app) {
  void toHttp() {
    calls("grpc-http");
    report.check("query/grpc-http", () -> same("answer", "GET a=1&b=x%20y", text(verb("GET", "a=1&b=x%20y"))));
    report.check("verbs/grpc-http", () -> {
      for (String verb : List.of("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")) {
        same("answer", verb + " a=1", text(verb(verb, "a=1")));
      }
    });
    report.check("error/grpc-http", () -> {
      StatusRuntimeException error = thrown(StatusRuntimeException.class, () -> call(request("fail")));
      same("code", Status.Code.UNAVAILABLE, error.getStatus().getCode());
      same("message", "Service Unavailable", error.getStatus().getDescription());
      ErrorInfo info = StatusProto.fromThrowable(error).getDetails(0).unpack(ErrorInfo.class);
      same("domain", "dapr.io", info.getDomain());
      same("http.code", "503", info.getMetadataOrDefault("http.code", null));
      contains("http.error_message", "MY_CODE", info.getMetadataOrDefault("http.error_message", null));
    });
  }

  void toGrpc() {
    calls("grpc-grpc");
    report.check("error/grpc-grpc", () -> {
      StatusRuntimeException error = thrown(StatusRuntimeException.class, () -> call(request("fail")));
      same("code", Status.Code.NOT_FOUND, error.getStatus().getCode());
      same("message", "no luck", error.getStatus().getDescription());
      StatusRuntimeException missing =
          thrown(StatusRuntimeException.class, () -> call(request("no-such-method")));
      same("code of an unknown method", Status.Code.UNIMPLEMENTED, missing.getStatus().getCode());
    });
  }

  void toNobody() {
    report.check("unknown-app/grpc-http", () -> {
      StatusRuntimeException error = thrown(StatusRuntimeException.class, () -> call(request("echo")));
      same("code", Status.Code.INTERNAL, error.getStatus().getCode());
      contains("message", "failed to invoke, id: " + app, error.getStatus().getDescription());
    });
  }

  private void calls(String way) {
    report.check("invoke-body/" + way, () -> {
      same("bytes", "tea for two ☕", text(call(with("tea for two ☕".getBytes("utf-8")))));
      Message message = EchoService.text("packed");
      InvokeResponse answer = call(request("echo").setData(Any.pack(message)));
      same("message", message, Message.parseFrom(answer.getData().getValue()));
    });
    report.check("invoke-empty/" + way, () -> {
      InvokeResponse answer = call(request("echo"));
      same("data", true, answer.hasData());
      same("answer", "", text(answer));
    });
    report.check("binary/" + way, () -> same("answer", Bodies.binary(), bytes(call(with(Bodies.binary())))));
    report.check("large/" + way, () -> same("answer", Bodies.large(), bytes(call(with(Bodies.large())))));
    report.check("headers/" + way, () -> {
      Metadata request = new Metadata();
      request.put(key("x-in"), "from the caller");
      Metadata answer = headers(request);
      same("x-echo", "from the caller", answer.get(key("x-echo")));
      same("x-caller", client.getMetadata().block().getId(), answer.get(key("x-caller")));
      if (way.equals("grpc-http")) {
        same("dapr-http-status", "200", answer.get(key("dapr-http-status")));
      }
    });
    report.check("content-type/" + way, () -> {
      String type = "application/vnd.testing+json";
      same("content type", type, call(with("{}".getBytes()).setContentType(type)).getContentType());
    });
  }

  private InvokeRequest.Builder request(String method) {
    return InvokeRequest.newBuilder()
        .setMethod(method)
        .setHttpExtension(HTTPExtension.newBuilder().setVerb(HTTPExtension.Verb.POST));
  }

  private InvokeRequest.Builder with(byte[] body) {
    return request("echo").setData(Any.newBuilder().setValue(ByteString.copyFrom(body)));
  }

  private InvokeResponse verb(String verb, String query) {
    return call(request("verb").setHttpExtension(HTTPExtension.newBuilder()
        .setVerb(HTTPExtension.Verb.valueOf(verb))
        .setQuerystring(query)));
  }

  private InvokeResponse call(InvokeRequest.Builder request) {
    return call(stub(), request);
  }

  private Metadata headers(Metadata request) {
    AtomicReference<Metadata> headers = new AtomicReference<>();
    call(stub().withInterceptors(
        MetadataUtils.newAttachHeadersInterceptor(request),
        MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>())), request("echo"));
    return headers.get();
  }

  private InvokeResponse call(DaprGrpc.DaprBlockingStub stub, InvokeRequest.Builder request) {
    return stub.invokeService(InvokeServiceRequest.newBuilder().setId(app).setMessage(request).build());
  }

  private DaprGrpc.DaprBlockingStub stub() {
    return client.newGrpcStub(app, DaprGrpc::newBlockingStub);
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static byte[] bytes(InvokeResponse answer) {
    return answer.getData().getValue().toByteArray();
  }

  private static String text(InvokeResponse answer) {
    return answer.getData().getValue().toStringUtf8();
  }
}
