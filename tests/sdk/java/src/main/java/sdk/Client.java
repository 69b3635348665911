package sdk;

import io.dapr.client.DaprClient;
import io.dapr.client.DaprClientBuilder;

/** Calls other apps, and its own sidecar, in every way the SDK offers. */
public final class Client {
  static final String UNKNOWN_APP = "no-such-app";

  private Client() {}

  public static void main(String[] args) throws Exception {
    String http = System.getenv("TARGET_HTTP");
    String grpc = System.getenv("TARGET_GRPC");
    Report report = new Report();
    try (DaprClient client = new DaprClientBuilder().build()) {
      SidecarCalls.waits(report, client);
      if (!http.isEmpty()) {
        new HttpCalls(report, client, http).toHttp();
        new HttpProxyCalls(report, http).toHttp();
        new GrpcCalls(report, client, http).toHttp();
      }
      if (!grpc.isEmpty()) {
        new HttpCalls(report, client, grpc).toGrpc();
        new HttpProxyCalls(report, grpc).toGrpc();
        new GrpcCalls(report, client, grpc).toGrpc();
        new ProxyCalls(report, client, grpc).all();
        new ProxyCalls(report, client, grpc).own();
      }
      new HttpCalls(report, client, UNKNOWN_APP).toNobody();
      new HttpProxyCalls(report, UNKNOWN_APP).toNobody();
      new GrpcCalls(report, client, UNKNOWN_APP).toNobody();
      new ProxyCalls(report, client, UNKNOWN_APP).toNobody();
      SidecarCalls.metadata(report, client);
      SidecarCalls.otherApi(report, client);
    }
    if (System.getenv("DAPR_API_TOKEN") != null) {
      SidecarCalls.token(report);
    }
    SidecarCalls.shutdown(report);
    // The SDK's HTTP client keeps threads.
    System.exit(report.failed() ? 1 : 0);
  }
}
