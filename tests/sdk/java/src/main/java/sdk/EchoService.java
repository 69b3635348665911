package sdk;

import com.google.protobuf.Any;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.List;
import testing.EchoGrpc;
import testing.Message;

/** The plain gRPC service beside Dapr's own: one method of each kind. */
final class EchoService extends EchoGrpc.EchoImplBase {
  @Override
  public void unary(Message request, StreamObserver<Message> answer) {
    if (request.getText().equals("fail")) {
      answer.onError(StatusProto.toStatusRuntimeException(Status.newBuilder()
          .setCode(Code.FAILED_PRECONDITION_VALUE)
          .setMessage("asked to fail")
          .addDetails(Any.pack(ErrorInfo.newBuilder().setReason("ASKED_TO_FAIL").setDomain("testing").build()))
          .build()));
      return;
    }
    answer.onNext(text(request.getText()));
    answer.onCompleted();
  }

  @Override
  public void serverStream(Message request, StreamObserver<Message> answer) {
    for (int number = 0; number < request.getCount(); number++) {
      answer.onNext(text(request.getText() + " " + number));
    }
    answer.onCompleted();
  }

  @Override
  public StreamObserver<Message> clientStream(StreamObserver<Message> answer) {
    List<String> texts = new ArrayList<>();
    return new Requests(answer) {
      @Override
      public void onNext(Message request) {
        texts.add(request.getText());
      }

      @Override
      public void onCompleted() {
        answer.onNext(text(String.join(",", texts)));
        answer.onCompleted();
      }
    };
  }

  @Override
  public StreamObserver<Message> bidi(StreamObserver<Message> answer) {
    return new Requests(answer) {
      @Override
      public void onNext(Message request) {
        answer.onNext(request);
      }

      @Override
      public void onCompleted() {
        answer.onCompleted();
      }
    };
  }

  static Message text(String text) {
    return Message.newBuilder().setText(text).build();
  }

  /** A stream of requests; when the caller gives up, so does the answer. */
  private abstract static class Requests implements StreamObserver<Message> {
    private final StreamObserver<Message> answer;

    Requests(StreamObserver<Message> answer) {
      this.answer = answer;
    }

    @Override
    public void onError(Throwable cause) {
      answer.onError(io.grpc.Status.CANCELLED.withCause(cause).asRuntimeException());
    }
  }
}
