//! What a client asks of its sidecar itself.

use std::env;

use dapr::Client;
use dapr::client::{ClientOptions, TonicClientWithAuth};
use sdk_rust::report::{Held, Report, contains, failure, same};
use sdk_rust::runtime::ShutdownRequest;
use tokio::net::TcpStream;
use tokio::time::{Duration, sleep};

use crate::invoke;

pub(crate) async fn metadata(report: &mut Report) -> Held {
    let mut client = Client::new().await?;
    report.check("metadata-get/grpc", get(&mut client)).await;
    report.check("metadata-set/grpc", set(&mut client)).await;
    Ok(())
}

async fn get(client: &mut Client<TonicClientWithAuth>) -> Held {
    let metadata = client.get_metadata().await?;
    same("id", "caller", &metadata.id)?;
    same(
        "version is given",
        false,
        metadata.runtime_version.is_empty(),
    )?;
    same("components", Vec::new(), metadata.registered_components)?;
    same("subscriptions", Vec::new(), metadata.subscriptions)?;
    same("endpoints", Vec::new(), metadata.http_endpoints)?;
    let runtime = metadata.actor_runtime.ok_or("no actor runtime")?;
    same("actors", Vec::new(), runtime.active_actors)?;
    let app = metadata
        .app_connection_properties
        .ok_or("no properties of the app")?;
    same("address of the app", "127.0.0.1", &app.channel_address)
}

async fn set(client: &mut Client<TonicClientWithAuth>) -> Held {
    client.set_metadata("language", "rust ü").await?;
    let extended = client.get_metadata().await?.extended_metadata;
    same(
        "value",
        Some(&"rust ü".to_owned()),
        extended.get("language"),
    )
}

pub(crate) async fn refusals(report: &mut Report) -> Held {
    let mut client = Client::new().await?;
    let other_api = async {
        let error = failure(client.get_state("store", "key", None).await)?.to_string();
        contains("error", "FailedPrecondition", &error)?;
        contains("error", "DAPR_STATE_NOT_CONFIGURED", &error)
    };
    report.check("error-other-api/grpc", other_api).await;
    let mut client = Client::new().await?;
    // The crate knows calls that the sidecar does not, and tells by this text.
    let unknown = async {
        let error = failure(client.list_collections_alpha1("store", None).await)?.to_string();
        contains("error", "Unknown", &error)?;
        contains("error", "failed to proxy request", &error)
    };
    report.check("unknown-rpc/grpc", unknown).await;
    Ok(())
}

/// The crate's client has no method for this; the generated one does.
pub(crate) async fn shutdown(report: &mut Report) -> Held {
    let port: u16 = env::var("SHUTDOWN_GRPC_PORT")?.parse()?;
    let check = async {
        let address = format!("http://127.0.0.1:{port}");
        let options = ClientOptions::from_env()?.with_address(address);
        let id = Client::from_options(options.clone())
            .await?
            .get_metadata()
            .await?
            .id;
        same("id", "victim", id.as_str())?;
        let mut victim = invoke::generated(&options).await?;
        victim.shutdown(ShutdownRequest {}).await?;
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    };
    report.check("shutdown/grpc", check).await;
    Ok(())
}
