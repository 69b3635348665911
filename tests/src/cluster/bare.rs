//! A control plane without nodes: etcd and kube-apiserver on loopback, with
//! RBAC, admission and our CRDs. Nothing schedules or runs pods; objects are
//! what tests make them. Starts in three seconds, needs no privileges.

use std::fs;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use tempfile::TempDir;

use super::api::{Api, STARTING};
use super::pki::{ADMIN, Pki, Subject};
use super::{assets, kept};
use crate::binaries::checkout;
use crate::ports::reserve;
use crate::process::Process;
use crate::wait::within;

/// A running control plane.
#[derive(Debug)]
pub struct Bare {
    api: Api,
    pki: Pki,
    server: String,
    _processes: [Process; 2],
    _folder: TempDir,
}

impl Bare {
    /// One of its own, for tests that change what all namespaces share.
    #[track_caller]
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        let pki = Pki::new(folder.path());
        let (etcd, port) = (reserve(), reserve());
        let server = format!("https://127.0.0.1:{port}");
        pki.certificate(&Subject {
            file: "server",
            name: "kube-apiserver",
            group: "",
            names: &["localhost", "kubernetes.default.svc"],
            addresses: &[Ipv4Addr::LOCALHOST],
        });
        pki.certificate(&ADMIN);
        let kubeconfig = pki.kubeconfig(&ADMIN, &server);
        let mut processes = [
            kept("etcd", start_etcd(folder.path(), etcd)),
            kept("kube-apiserver", start_server(&pki, etcd, port)),
        ];
        within(STARTING, "kube-apiserver listens", || {
            for process in &processes {
                assert!(process.exited().is_none(), "{}", process.stderr());
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
        });
        let api = Api::new(&kubeconfig);
        // Once they run, a failing test is not about them.
        processes.iter_mut().for_each(Process::keep_quiet);
        api.must(&[
            "apply",
            "--server-side",
            "-f",
            &crds().display().to_string(),
        ]);
        Self {
            api,
            pki,
            server,
            _processes: processes,
            _folder: folder,
        }
    }

    /// The one that all tests of this process share; each works in a
    /// namespace of its own. Ends with the process.
    #[track_caller]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Bare> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Its administrator.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// A new namespace whose name begins with `prefix`.
    #[track_caller]
    pub fn namespace(&self, prefix: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.api.namespace(&name);
        // No controller makes it here, and pods are refused without.
        self.account(&name, "default");
        name
    }

    /// A kubeconfig with the rights of a service account, which is made if
    /// there is none.
    #[track_caller]
    pub fn kubeconfig(&self, namespace: &str, account: &str) -> PathBuf {
        self.account(namespace, account);
        let token = self.api.token(namespace, account, "", None);
        let file = format!("{namespace}.{account}");
        self.pki.kubeconfig_with_token(&file, &token, &self.server)
    }

    fn account(&self, namespace: &str, name: &str) {
        self.api.apply(&format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        ));
    }

    /// One of our programs with the rights of a service account, as the chart
    /// would start it in `namespace`; flags are added by the test.
    #[track_caller]
    pub fn program(&self, program: &Path, namespace: &str, account: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("NAMESPACE", namespace)
            // Tests in containers are root.
            .env("DAPR_UNSAFE_SKIP_CONTAINER_UID_GID_CHECK", "true")
            .arg("--kubeconfig")
            .arg(self.kubeconfig(namespace, account));
        command
    }

    /// Makes a Service that leads to `port` of this machine, so that the API
    /// server can call a webhook by its Service. The program behind it must
    /// listen on all addresses: a Service leads nowhere on loopback.
    #[track_caller]
    pub fn route(&self, namespace: &str, service: &str, service_port: u16, port: u16) {
        let ports = json!([{ "name": "https", "port": port }]);
        let documents = [
            json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": { "name": service, "namespace": namespace },
                "spec": { "ports": [{ "name": "https", "port": service_port, "targetPort": port }] },
            }),
            json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "name": service, "namespace": namespace,
                    "labels": { "kubernetes.io/service-name": service },
                },
                "addressType": "IPv4", "ports": ports,
                "endpoints": [{ "addresses": [own_address()], "conditions": { "ready": true } }],
            }),
        ];
        for document in documents {
            self.api.apply(&document.to_string());
        }
    }
}

fn start_etcd(folder: &Path, port: u16) -> Command {
    let client = format!("http://127.0.0.1:{port}");
    let peer = format!("http://127.0.0.1:{}", reserve());
    let mut command = Command::new(assets::program("etcd"));
    command
        .arg("--data-dir")
        .arg(folder.join("etcd"))
        .args([
            "--unsafe-no-fsync",
            "--logger",
            "zap",
            "--log-level",
            "error",
        ])
        .args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ])
        .args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ])
        .arg(format!("--initial-cluster=default={peer}"));
    command
}

fn start_server(pki: &Pki, etcd: u16, port: u16) -> Command {
    let mut command = Command::new(assets::program("kube-apiserver"));
    let file = |name: &str| pki.file(name).display().to_string();
    let flags = [
        ("etcd-servers", format!("http://127.0.0.1:{etcd}")),
        ("bind-address", "127.0.0.1".to_owned()),
        ("secure-port", port.to_string()),
        // The Service `kubernetes` refuses loopback.
        ("advertise-address", own_address()),
        ("tls-cert-file", file("server.crt")),
        ("tls-private-key-file", file("server.key")),
        ("client-ca-file", file("ca.crt")),
        ("service-account-issuer", ISSUER.to_owned()),
        ("service-account-key-file", file("accounts.pub")),
        ("service-account-signing-key-file", file("accounts.key")),
        ("service-cluster-ip-range", "10.96.0.0/16".to_owned()),
        ("authorization-mode", "RBAC".to_owned()),
        // Webhooks are called at their endpoints: no proxy leads there.
        ("enable-aggregator-routing", "true".to_owned()),
        ("allow-privileged", "true".to_owned()),
        ("v", "0".to_owned()),
    ];
    for (name, value) in flags {
        command.arg(format!("--{name}={value}"));
    }
    command
}

/// Who signs the tokens of service accounts.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

fn crds() -> PathBuf {
    let folder = checkout().join("crds");
    let any = fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
    assert!(any, "no CRDs in {}", folder.display());
    folder
}

/// An address of this machine that is not loopback.
fn own_address() -> String {
    // Nothing is sent: connecting only chooses a route.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    socket
        .connect((Ipv4Addr::new(192, 0, 2, 1), 9))
        .expect("this machine has an address besides loopback");
    let address = socket.local_addr().expect("it is bound");
    address.ip().to_string()
}
