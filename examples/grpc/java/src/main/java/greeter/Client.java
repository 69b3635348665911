package greeter;

import helloworld.GreeterGrpc;
import helloworld.HelloReply;
import helloworld.HelloRequest;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Asks the app {@code server} for a greeting, through the sidecar on this machine; with {@code stream} for several. */
public final class Client {
  private static final String NAME = "Darth Tyrannus";

  private Client() {}

  public static void main(String[] args) throws Exception {
    boolean stream = Arrays.asList(args).contains("stream");

    // All that is different from a call without Dapr: whose port it is, and who is meant.
    String sidecar = "localhost:" + System.getenv().getOrDefault("DAPR_GRPC_PORT", "50007");
    Metadata metadata = new Metadata();
    metadata.put(Metadata.Key.of("dapr-app-id", Metadata.ASCII_STRING_MARSHALLER), "server");
    if (stream) {
      // The sidecar's timeouts and retries end where the stream has begun.
      metadata.put(Metadata.Key.of("dapr-stream", Metadata.ASCII_STRING_MARSHALLER), "true");
    }

    ManagedChannel channel = Grpc.newChannelBuilder(sidecar, InsecureChannelCredentials.create())
        .intercept(MetadataUtils.newAttachHeadersInterceptor(metadata))
        .build();
    try {
      if (stream) {
        oneForSeveral(channel);
        oneForEach(channel, "Darth Vader", "Darth Maul");
      } else {
        print(GreeterGrpc.newBlockingStub(channel).withDeadlineAfter(2, TimeUnit.SECONDS).sayHello(request(NAME)));
      }
    } finally {
      channel.shutdownNow();
    }
  }

  private static void oneForSeveral(ManagedChannel channel) {
    GreeterGrpc.newBlockingStub(channel)
        .withDeadlineAfter(2, TimeUnit.SECONDS)
        .sayHelloStream(request(NAME))
        .forEachRemaining(Client::print);
  }

  private static void oneForEach(ManagedChannel channel, String... names) throws Exception {
    Printer replies = new Printer();
    StreamObserver<HelloRequest> requests =
        GreeterGrpc.newStub(channel).withDeadlineAfter(2, TimeUnit.SECONDS).sayHellos(replies);
    for (String name : names) {
      requests.onNext(request(name));
    }
    requests.onCompleted();
    replies.end.get();
  }

  private static HelloRequest request(String name) {
    return HelloRequest.newBuilder().setName(name).build();
  }

  private static void print(HelloReply reply) {
    System.out.println("Greeting: " + reply.getMessage());
  }

  private static final class Printer implements StreamObserver<HelloReply> {
    private final CompletableFuture<Void> end = new CompletableFuture<>();

    @Override
    public void onNext(HelloReply reply) {
      print(reply);
    }

    @Override
    public void onError(Throwable cause) {
      end.completeExceptionally(cause);
    }

    @Override
    public void onCompleted() {
      end.complete(null);
    }
  }
}
