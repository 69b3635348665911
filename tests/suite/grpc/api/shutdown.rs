//! `Shutdown`: answered first, then done.

use api::runtime::v1::ShutdownRequest;
use prost::Message;
use tests::sidecar;

use super::{ask, rpc};
use crate::table::Table;

#[test]
fn it_ends_in_good_order() {
    let sidecar = sidecar("ending").run();
    let answer = ask(&sidecar, "Shutdown", &ShutdownRequest {});
    answer.expect(0, "");
    assert_eq!(answer.messages.len(), 1);
    sidecar.wait_for_code(0);
    let log = sidecar.stdout();
    for line in ["Shutdown requested via API", "Daprd shutdown gracefully"] {
        assert!(log.contains(line), "{log}");
    }
}

#[test]
fn by_force_it_just_ends() {
    let mut table = Table::default();
    for values in [&["true"][..], &["TRUE"], &["no", "true"]] {
        table.row(&format!("{values:?}"), || {
            let sidecar = sidecar("forced").run();
            let request = values.iter().fold(rpc("Shutdown"), |request, value| {
                request.metadata("dapr-force-shutdown", value)
            });
            let message = ShutdownRequest {}.encode_to_vec();
            request.send(sidecar.grpc(), &[message]).expect(0, "");
            sidecar.wait_for_code(1);
        });
    }
    table.row("no force", || {
        let sidecar = sidecar("asked").run();
        let request = rpc("Shutdown").metadata("dapr-force-shutdown", "false");
        let message = ShutdownRequest {}.encode_to_vec();
        request.send(sidecar.grpc(), &[message]).expect(0, "");
        sidecar.wait_for_code(0);
    });
}
