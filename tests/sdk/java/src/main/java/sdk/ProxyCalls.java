package sdk;

import static sdk.Report.same;
import static sdk.Report.thrown;

import com.google.rpc.ErrorInfo;
import io.dapr.client.DaprClient;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import testing.EchoGrpc;
import testing.Message;

/** The app's own gRPC service, called by a stub that the SDK gives its channel and the header of the app. */
record ProxyCalls(Report report, DaprClient client, String app) {
  private static final long PATIENCE_SECONDS = 20;

  void all() {
    report.check("proxy-unary/grpc-grpc", () ->
        same("answer", "hello", stub().unary(EchoService.text("hello")).getText()));
    report.check("proxy-gzip/grpc-grpc", () -> {
      String text = "hello ".repeat(1000);
      same("answer", text, stub().withCompression("gzip").unary(EchoService.text(text)).getText());
    });
    report.check("proxy-error/grpc-grpc", () -> {
      StatusRuntimeException error =
          thrown(StatusRuntimeException.class, () -> stub().unary(EchoService.text("fail")));
      same("code", Status.Code.FAILED_PRECONDITION, error.getStatus().getCode());
      same("message", "asked to fail", error.getStatus().getDescription());
      ErrorInfo info = StatusProto.fromThrowable(error).getDetails(0).unpack(ErrorInfo.class);
      same("reason", "ASKED_TO_FAIL", info.getReason());
    });
    report.check("proxy-server-stream/grpc-grpc", () -> {
      Iterator<Message> answers =
          stub().serverStream(Message.newBuilder().setText("number").setCount(3).build());
      List<String> texts = new ArrayList<>();
      answers.forEachRemaining(answer -> texts.add(answer.getText()));
      same("answers", List.of("number 0", "number 1", "number 2"), texts);
    });
    report.check("proxy-client-stream/grpc-grpc", () -> {
      for (EchoGrpc.EchoStub stub : streaming()) {
        Answers answers = new Answers();
        StreamObserver<Message> requests = stub.clientStream(answers);
        for (String text : List.of("a", "b", "c")) {
          requests.onNext(EchoService.text(text));
        }
        requests.onCompleted();
        same("answer", Optional.of("a,b,c"), answers.next());
        same("end", Optional.empty(), answers.next());
      }
    });
    report.check("proxy-bidi/grpc-grpc", () -> {
      for (EchoGrpc.EchoStub stub : streaming()) {
        Answers answers = new Answers();
        StreamObserver<Message> requests = stub.bidi(answers);
        // One at a time: each answer has to come before the next request goes.
        for (String text : List.of("a", "b", "c")) {
          requests.onNext(EchoService.text(text));
          same("answer", Optional.of(text), answers.next());
        }
        requests.onCompleted();
        same("end", Optional.empty(), answers.next());
      }
    });
  }

  /** What only the servers beside this client tell. */
  void own() {
    report.checkIfOwn("seen/proxy-grpc", () -> {
      AtomicReference<Metadata> headers = new AtomicReference<>();
      stub().withInterceptors(MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()))
          .unary(EchoService.text("hello"));
      return headers.get().get(key("x-seen"));
    }, seen -> {
      same("dapr-app-id", false, seen.contains("dapr-app-id"));
      same("dapr-caller-app-id", true, seen.contains("dapr-caller-app-id"));
      same("dapr-callee-app-id", true, seen.contains("dapr-callee-app-id"));
    });
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  void toNobody() {
    report.check("unknown-app/proxy-grpc", () -> {
      StatusRuntimeException error =
          thrown(StatusRuntimeException.class, () -> stub().unary(EchoService.text("hello")));
      same("code", Status.Code.UNKNOWN, error.getStatus().getCode());
    });
  }

  private EchoGrpc.EchoBlockingStub stub() {
    return client.newGrpcStub(app, EchoGrpc::newBlockingStub);
  }

  /** Without and with word to the sidecar that policies end where the stream begins. */
  private List<EchoGrpc.EchoStub> streaming() {
    Metadata stream = new Metadata();
    stream.put(key("dapr-stream"), "true");
    EchoGrpc.EchoStub stub = client.newGrpcStub(app, EchoGrpc::newStub);
    return List.of(stub, stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(stream)));
  }

  /** The answers of a stream, one by one. */
  private static final class Answers implements StreamObserver<Message> {
    private final BlockingQueue<Object> events = new LinkedBlockingQueue<>();

    /** The next text; none at the end. */
    Optional<String> next() throws Exception {
      Object event = events.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
      if (event instanceof Message message) {
        return Optional.of(message.getText());
      }
      if (event instanceof Exception failure) {
        throw failure;
      }
      same("event", Optional.empty(), event);
      return Optional.empty();
    }

    @Override
    public void onNext(Message answer) {
      events.add(answer);
    }

    @Override
    public void onError(Throwable cause) {
      events.add(cause);
    }

    @Override
    public void onCompleted() {
      events.add(Optional.empty());
    }
  }
}
