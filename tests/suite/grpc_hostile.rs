//! Somebody hostile on the gRPC API port, or on the internal port with an
//! SVID in order: everyone else goes on without an error, and memory stays.

mod floods;
pub(crate) mod frames;
mod malformed;
mod messages;
mod stalling;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tests::grpc_app::wire::GrpcStatus;
use tests::grpc_app::{Listen, kinds};
use tests::{GrpcApp, GrpcCall, GrpcClient, GrpcRequest, Svid};

use crate::grpc_streams::{Stage, call_of};
use frames::Wire;

/// What an attack may cost each sidecar.
const BUDGET: u64 = 8 << 20;
/// Bytes of a large answer.
const LARGE: u32 = 2 << 20;
/// Calls somebody else makes meanwhile, at least.
const CALLS: usize = 200;

/// A port under attack.
struct Victim {
    name: &'static str,
    port: u16,
    /// Of the attacker, where TLS is spoken.
    svid: Option<Svid>,
}

/// Both ports in turn.
const PORTS: [usize; 2] = [0, 1];

/// The API port of the caller and the internal port of the callee.
fn victims(stage: &Stage) -> [Victim; 2] {
    [
        Victim {
            name: "API port",
            port: stage.caller.grpc(),
            svid: None,
        },
        Victim {
            name: "internal port",
            port: stage.callee.internal(),
            svid: Some(stage.mesh.ca().app("stranger")),
        },
    ]
}

impl Victim {
    /// A connection on which nothing has been said above TLS.
    fn connect(&self) -> Wire {
        Wire::connect(self.port, self.svid.as_ref()).unwrap()
    }

    /// A connection with preface and empty settings.
    fn open(&self) -> Wire {
        let mut wire = self.connect();
        wire.preface(&[]).unwrap();
        wire
    }

    /// A well-behaved client.
    fn client(&self) -> GrpcClient {
        match &self.svid {
            None => GrpcClient::connect(self.port),
            Some(svid) => GrpcClient::tls(self.port, Some(svid)),
        }
        .unwrap()
    }
}

/// A call that both ports forward to the app.
fn request(method: &str) -> GrpcRequest {
    GrpcRequest::new(&format!("/testing.Kinds/{method}")).metadata("dapr-callee-app-id", "callee")
}

/// Attacks each port, while another connection calls the app behind both.
fn withstands(what: &str, attack: impl Fn(&Victim)) {
    withstands_beside(CALLS, what, attack);
}

/// [`withstands`], with so many calls meanwhile.
fn withstands_beside(calls: usize, what: &str, attack: impl Fn(&Victim)) {
    let listen = Listen {
        forgets: true,
        ..Listen::default()
    };
    for port in PORTS {
        // What one attack leaves in memory would hide what the next costs.
        let stage = Stage::new(GrpcApp::listening(listen.clone(), app));
        let victim = &victims(&stage)[port];
        let neighbour = stage.client();
        for _ in 0..100 {
            one_call(&neighbour).unwrap();
        }
        let before = stage.rss();
        let (over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            let calling = scope.spawn(|| {
                while !over.load(Ordering::SeqCst) || made.load(Ordering::SeqCst) < calls {
                    one_call(&neighbour)?;
                    made.fetch_add(1, Ordering::SeqCst);
                }
                Ok::<_, String>(())
            });
            let end = Finally(&over);
            attack(victim);
            drop(end);
            let result = calling.join().unwrap();
            let made = made.load(Ordering::SeqCst);
            assert_eq!(
                result,
                Ok(()),
                "{what}, {}: after {made} calls",
                victim.name
            );
        });
        let grown = stage.peak_growth(before);
        println!(
            "{what}, {}: {} calls beside it, caller grew by {} KiB, callee by {} KiB",
            victim.name,
            made.load(Ordering::SeqCst),
            grown[0] / 1024,
            grown[1] / 1024
        );
        assert!(
            grown.iter().all(|grown| *grown < BUDGET),
            "{what}, {}: {grown:?}",
            victim.name
        );
        for sidecar in stage.sidecars() {
            assert!(sidecar.exited().is_none(), "{} ended", sidecar.app_id());
            let output = sidecar.stdout() + &sidecar.stderr();
            assert!(!output.contains("panicked"), "{output}");
        }
    }
}

/// The scripted service, and `Large`: an answer above all windows.
async fn app(mut call: GrpcCall) {
    if call.method() != "Large" {
        return kinds(call).await;
    }
    let piece = vec![b'x'; 64 * 1024];
    for _ in 0..LARGE as usize / piece.len() {
        call.send(&piece).await;
    }
    call.end(&GrpcStatus::ok());
}

fn one_call(client: &GrpcClient) -> Result<(), String> {
    let answer = client
        .call(&call_of("Unary"), &["x"])
        .map_err(|broken| broken.to_string())?;
    if answer.status.as_ref().is_some_and(|end| end.code == 0) && answer.texts() == ["x"] {
        Ok(())
    } else {
        Err(format!("{answer:?}"))
    }
}

/// Ends the calls beside an attack, also when it fails.
struct Finally<'a>(&'a AtomicBool);

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
