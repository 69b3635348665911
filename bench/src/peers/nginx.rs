//! A pair of nginx: plain HTTP/1.1 in, mutual TLS 1.3 between the two, plain HTTP/1.1 to the origin, keep-alive on all;
//! beside it, on other ports of the same processes, the same for gRPC with HTTP/2 on every leg.
//!
//! The yardstick of the bounds: what a good proxy pair costs on this machine. One process each (`master_process off`),
//! so that every cost is in one pid and ending that pid leaves nothing behind; the event loop is that of a worker.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

use super::{Peer, Setup};
use crate::child::Process;
use crate::ports::{self, Entry};
use crate::probe;

/// The name in tables.
pub(crate) const NAME: &str = "nginx";

/// Names in the two certificates; each side checks the other's chain, the caller also the callee's name.
const CALLER: &str = "caller.bench.internal";
const CALLEE: &str = "callee.bench.internal";

pub(crate) fn start(program: &Path, setup: Setup<'_>) -> anyhow::Result<Peer> {
    let folder = setup.folder.join(NAME);
    fs::create_dir_all(&folder)?;
    write_certificates(&folder).context("make the certificates of the nginx pair")?;
    let [http, grpc, between_http, between_grpc] = ports::free()?;
    let entry = Entry { http, grpc };
    let between = Entry {
        http: between_http,
        grpc: between_grpc,
    };
    let mut peer = Peer::new(
        NAME,
        format!("{}, 1 worker, TLS 1.3 AES-128-GCM, P-256", version(program)),
        entry,
    );
    // From the back to the front, so that a listening pair is a working pair.
    for (side, port, configuration) in [
        (
            "callee",
            between.http,
            callee_side(&folder, between, setup.origin),
        ),
        ("caller", entry.http, caller_side(&folder, entry, between)),
    ] {
        let process = launch(side, program, &folder, &configuration, port)?;
        peer.hops.insert(0, process);
    }
    Ok(peer)
}

fn launch(
    side: &str,
    program: &Path,
    folder: &Path,
    configuration: &str,
    port: u16,
) -> anyhow::Result<Process> {
    let file = folder.join(format!("{side}.conf"));
    fs::write(&file, configuration)?;
    let arguments = [
        "-p".to_owned(),
        folder.display().to_string(),
        "-c".to_owned(),
        file.display().to_string(),
        "-e".to_owned(),
        folder.join(format!("{side}.error")).display().to_string(),
    ];
    let mut process = Process::start(side, program, &arguments, &[], folder)?;
    probe::wait(&mut process, Duration::from_millis(5), || {
        std::net::TcpStream::connect(probe::loopback(port)).is_ok()
    })
    .with_context(|| format!("start the {side} nginx"))?;
    Ok(process)
}

fn caller_side(folder: &Path, listen: Entry, between: Entry) -> String {
    let upstreams = upstreams(between);
    let http = caller_tls("proxy", folder);
    let grpc = caller_tls("grpc", folder);
    around(
        "caller",
        &format!(
            "{upstreams}
    server {{
        listen 127.0.0.1:{};
        location / {{
            proxy_pass https://next;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
{http}
        }}
    }}
    server {{
        listen 127.0.0.1:{} http2;
        location / {{
            grpc_pass grpcs://next_grpc;
{grpc}
        }}
    }}",
            listen.http, listen.grpc
        ),
    )
}

/// How the caller side proves itself and checks the callee side; `module` is the one that forwards.
fn caller_tls(module: &str, folder: &Path) -> String {
    let folder = folder.display();
    [
        "ssl_protocols TLSv1.3".to_owned(),
        "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256".to_owned(),
        format!("ssl_certificate {folder}/caller.crt"),
        format!("ssl_certificate_key {folder}/caller.key"),
        format!("ssl_trusted_certificate {folder}/ca.crt"),
        "ssl_verify on".to_owned(),
        format!("ssl_name {CALLEE}"),
        "ssl_server_name on".to_owned(),
    ]
    .map(|line| format!("            {module}_{line};"))
    .join("\n")
}

fn callee_side(folder: &Path, listen: Entry, origin: Entry) -> String {
    let folder = folder.display();
    let upstreams = upstreams(origin);
    let tls = format!(
        "        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        ssl_certificate {folder}/callee.crt;
        ssl_certificate_key {folder}/callee.key;
        ssl_client_certificate {folder}/ca.crt;
        ssl_verify_client on;"
    );
    around(
        "callee",
        &format!(
            "{upstreams}
    server {{
        listen 127.0.0.1:{} ssl;
{tls}
        location / {{
            proxy_pass http://next;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
    server {{
        listen 127.0.0.1:{} ssl http2;
{tls}
        location / {{
            grpc_pass grpc://next_grpc;
        }}
    }}",
            listen.http, listen.grpc
        ),
    )
}

fn upstreams(to: Entry) -> String {
    [("next", to.http), ("next_grpc", to.grpc)]
        .map(|(name, port)| {
            format!(
                "    upstream {name} {{
        server 127.0.0.1:{port};
        keepalive 64;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}"
            )
        })
        .join("\n")
}

fn around(side: &str, http: &str) -> String {
    format!(
        "daemon off;
master_process off;
worker_processes 1;
pid {side}.pid;
error_log {side}.error warn;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {side}-body;
    proxy_temp_path {side}-proxy;
    fastcgi_temp_path {side}-fastcgi;
    uwsgi_temp_path {side}-uwsgi;
    scgi_temp_path {side}-scgi;
{http}
}}
"
    )
}

/// `ca.crt` and, for both sides, `<side>.crt` and `<side>.key`: ECDSA P-256, valid for this run's clock only by the CA.
fn write_certificates(folder: &Path) -> anyhow::Result<()> {
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "bench authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    fs::write(folder.join("ca.crt"), authority.pem())?;
    for (side, name) in [("caller", CALLER), ("callee", CALLEE)] {
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(vec![name.to_owned()])?;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let leaf = leaf.signed_by(&key, &authority)?;
        fs::write(folder.join(format!("{side}.crt")), leaf.pem())?;
        fs::write(folder.join(format!("{side}.key")), key.serialize_pem())?;
    }
    Ok(())
}

/// What `nginx -v` says, such as `nginx/1.22.1`.
fn version(program: &Path) -> String {
    let output = Command::new(PathBuf::from(program)).arg("-v").output();
    output
        .ok()
        .map(|output| String::from_utf8_lossy(&output.stderr).into_owned())
        .and_then(|text| text.trim().rsplit(' ').next().map(str::to_owned))
        .unwrap_or_else(|| "nginx".to_owned())
}
