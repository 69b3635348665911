package sdk;

import com.google.protobuf.Empty;
import io.dapr.v1.AppCallbackGrpc;
import io.dapr.v1.AppCallbackHealthCheckGrpc;
import io.dapr.v1.CommonProtos.InvokeRequest;
import io.dapr.v1.CommonProtos.InvokeResponse;
import io.dapr.v1.DaprAppCallbackProtos.HealthCheckResponse;
import io.dapr.v1.DaprAppCallbackProtos.ListInputBindingsResponse;
import io.dapr.v1.DaprAppCallbackProtos.ListTopicSubscriptionsResponse;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;

/** An app that Dapr calls over gRPC, with the SDK's generated callback service. */
public final class GrpcServer {
  private static final Metadata.Key<String> IN = key("x-in");
  private static final Metadata.Key<String> ECHO = key("x-echo");
  private static final Metadata.Key<String> CALLER = key("x-caller");
  private static final Metadata.Key<String> CALLER_APP = key("dapr-caller-app-id");
  private static final Metadata.Key<String> SEEN = key("x-seen");
  private static final Metadata.Key<String> TRACE_IN = key("traceparent");
  private static final Metadata.Key<String> TRACE = key("x-traceparent");
  private static final Metadata.Key<String> TOKEN = key("dapr-api-token");

  private GrpcServer() {}

  public static void main(String[] args) throws Exception {
    int port = Integer.parseInt(System.getenv("APP_PORT"));
    ServerInterceptor headers = new Headers(System.getenv("APP_API_TOKEN"));
    Grpc.newServerBuilderForPort(port, InsecureServerCredentials.create())
        .addService(ServerInterceptors.intercept(new Callback(), headers))
        .addService(ServerInterceptors.intercept(new EchoService(), headers))
        // Probes come without a token.
        .addService(new Health())
        .build()
        .start()
        .awaitTermination();
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static final class Callback extends AppCallbackGrpc.AppCallbackImplBase {
    @Override
    public void onInvoke(InvokeRequest request, StreamObserver<InvokeResponse> answer) {
      switch (request.getMethod()) {
        case "echo" -> {
          answer.onNext(InvokeResponse.newBuilder()
              .setData(request.getData())
              .setContentType(request.getContentType())
              .build());
          answer.onCompleted();
        }
        case "fail" -> answer.onError(Status.NOT_FOUND.withDescription("no luck").asRuntimeException());
        default -> answer.onError(
            Status.UNIMPLEMENTED.withDescription("no method " + request.getMethod()).asRuntimeException());
      }
    }

    @Override
    public void listTopicSubscriptions(Empty request, StreamObserver<ListTopicSubscriptionsResponse> answer) {
      answer.onNext(ListTopicSubscriptionsResponse.getDefaultInstance());
      answer.onCompleted();
    }

    @Override
    public void listInputBindings(Empty request, StreamObserver<ListInputBindingsResponse> answer) {
      answer.onNext(ListInputBindingsResponse.getDefaultInstance());
      answer.onCompleted();
    }
  }

  private static final class Health extends AppCallbackHealthCheckGrpc.AppCallbackHealthCheckImplBase {
    @Override
    public void healthCheck(Empty request, StreamObserver<HealthCheckResponse> answer) {
      answer.onNext(HealthCheckResponse.getDefaultInstance());
      answer.onCompleted();
    }
  }

  /** Repeats what the request said in the metadata of the answer, and refuses a wrong token. */
  private record Headers(String token) implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, A> call, Metadata request, ServerCallHandler<Q, A> next) {
      if (token != null && !token.isEmpty() && !token.equals(request.get(TOKEN))) {
        call.close(Status.UNAUTHENTICATED.withDescription("wrong token"), new Metadata());
        return new ServerCall.Listener<>() {};
      }
      ServerCall<Q, A> repeating = new SimpleForwardingServerCall<>(call) {
        @Override
        public void sendHeaders(Metadata answer) {
          copy(request, IN, answer, ECHO);
          copy(request, CALLER_APP, answer, CALLER);
          copy(request, TRACE_IN, answer, TRACE);
          answer.put(SEEN, String.join(",", request.keys()));
          super.sendHeaders(answer);
        }
      };
      return next.startCall(repeating, request);
    }

    private static void copy(Metadata from, Metadata.Key<String> key, Metadata to, Metadata.Key<String> as) {
      String value = from.get(key);
      if (value != null) {
        to.put(as, value);
      }
    }
  }
}
