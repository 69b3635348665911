package greeter;

import helloworld.GreeterGrpc;
import helloworld.HelloReply;
import helloworld.HelloRequest;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;

/** Greets everybody who calls. Knows nothing of Dapr. */
public final class Server extends GreeterGrpc.GreeterImplBase {
  private static final int GREETINGS = 3;

  public static void main(String[] args) throws Exception {
    String port = System.getenv().getOrDefault("APP_PORT", "50051");
    Grpc.newServerBuilderForPort(Integer.parseInt(port), InsecureServerCredentials.create())
        .addService(new Server())
        .build()
        .start()
        .awaitTermination();
  }

  @Override
  public void sayHello(HelloRequest request, StreamObserver<HelloReply> replies) {
    replies.onNext(greet(request.getName()));
    replies.onCompleted();
  }

  @Override
  public void sayHelloStream(HelloRequest request, StreamObserver<HelloReply> replies) {
    for (int number = 1; number <= GREETINGS; number++) {
      replies.onNext(greet(request.getName() + " " + number));
    }
    replies.onCompleted();
  }

  @Override
  public StreamObserver<HelloRequest> sayHellos(StreamObserver<HelloReply> replies) {
    return new StreamObserver<>() {
      @Override
      public void onNext(HelloRequest request) {
        replies.onNext(greet(request.getName()));
      }

      @Override
      public void onError(Throwable cause) {
        replies.onError(Status.CANCELLED.withCause(cause).asRuntimeException());
      }

      @Override
      public void onCompleted() {
        replies.onCompleted();
      }
    };
  }

  private static HelloReply greet(String name) {
    System.out.println("Received: " + name);
    return HelloReply.newBuilder().setMessage("Hello " + name).build();
  }
}
