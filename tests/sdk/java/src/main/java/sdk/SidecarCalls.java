package sdk;

import static sdk.Report.same;
import static sdk.Report.thrown;

import io.dapr.client.DaprClient;
import io.dapr.client.DaprClientBuilder;
import io.dapr.client.domain.DaprMetadata;
import io.dapr.client.domain.HttpExtension;
import io.dapr.config.Properties;
import io.dapr.exceptions.DaprErrorDetails.ErrorDetailType;
import io.dapr.exceptions.DaprException;
import io.dapr.utils.TypeRef;
import io.dapr.v1.DaprGrpc;
import io.dapr.v1.DaprProtos.SetMetadataRequest;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.List;

/** What a client asks of its sidecar itself. */
final class SidecarCalls {
  private static final int PATIENCE_MILLISECONDS = 20_000;

  private SidecarCalls() {}

  static void waits(Report report, DaprClient client) {
    report.check("health-wait/http", () -> client.waitForSidecar(PATIENCE_MILLISECONDS).block());
  }

  static void metadata(Report report, DaprClient client) {
    report.check("metadata-get/grpc", () -> {
      DaprMetadata metadata = client.getMetadata().block();
      same("id is given", false, metadata.getId().isEmpty());
      same("version is given", false, metadata.getRuntimeVersion().isEmpty());
      same("actors", List.of(), metadata.getActors());
      same("components", List.of(), metadata.getComponents());
      same("subscriptions", List.of(), metadata.getSubscriptions());
      same("endpoints", List.of(), metadata.getHttpEndpoints());
      same("address of the app", "127.0.0.1", metadata.getAppConnectionProperties().getChannelAddress());
    });
    // The client has no method for this; its channel and the generated stub do.
    report.check("metadata-set/grpc", () -> {
      client.newGrpcStub("", DaprGrpc::newBlockingStub)
          .setMetadata(SetMetadataRequest.newBuilder().setKey("language").setValue("java").build());
      same("value", "java", client.getMetadata().block().getAttributes().get("language"));
    });
  }

  static void otherApi(Report report, DaprClient client) {
    report.check("error-other-api/grpc", () -> {
      DaprException error =
          thrown(DaprException.class, () -> client.getState("store", "key", String.class).block());
      same("code", "FAILED_PRECONDITION", error.getErrorCode());
      same("reason", "DAPR_STATE_NOT_CONFIGURED",
          error.getErrorDetails().get(ErrorDetailType.ERROR_INFO, "reason", TypeRef.STRING));
    });
  }

  /** All other checks carry the right token, where there is one. */
  static void token(Report report) {
    report.check("token/http-http", () -> {
      try (DaprClient client = wrong()) {
        DaprException error = thrown(DaprException.class,
            () -> client.invokeMethod("any", "echo", null, HttpExtension.POST, String.class).block());
        same("status", 401, error.getHttpStatusCode());
      }
    });
    report.check("token/grpc-grpc", () -> {
      try (DaprClient client = wrong()) {
        DaprException error = thrown(DaprException.class, () -> client.getMetadata().block());
        same("code", "UNAUTHENTICATED", error.getErrorCode());
      }
    });
  }

  private static DaprClient wrong() {
    return new DaprClientBuilder().withPropertyOverride(Properties.API_TOKEN, "wrong").build();
  }

  static void shutdown(Report report) {
    int port = Integer.parseInt(System.getenv("SHUTDOWN_HTTP_PORT"));
    report.check("shutdown/grpc", () -> {
      try (DaprClient victim = new DaprClientBuilder()
          .withPropertyOverride(Properties.HTTP_PORT, String.valueOf(port))
          .withPropertyOverride(Properties.GRPC_PORT, System.getenv("SHUTDOWN_GRPC_PORT"))
          .build()) {
        same("id", "victim", victim.getMetadata().block().getId());
        victim.shutdown().block();
      }
      long end = System.nanoTime() + PATIENCE_MILLISECONDS * 1_000_000L;
      while (listens(port)) {
        same("patience is over", false, System.nanoTime() > end);
        Thread.sleep(50);
      }
    });
  }

  private static boolean listens(int port) {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return true;
    } catch (IOException refused) {
      return false;
    }
  }
}
