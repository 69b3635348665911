//! How each part of the cluster is set up.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

use super::ADDRESS;
use crate::cluster::pki::Subject;

/// A component and the flags it is started with.
pub(super) struct Component {
    pub(super) program: &'static str,
    pub(super) flags: Vec<String>,
}

const fn component(file: &'static str, name: &'static str) -> Subject<'static> {
    Subject {
        file,
        name,
        group: "",
        names: &[],
        addresses: &[],
    }
}

/// Those that talk to the API server under their own names.
pub(super) const SUBJECTS: [Subject<'static>; 4] = [
    component("kube-controller-manager", "system:kube-controller-manager"),
    component("kube-scheduler", "system:kube-scheduler"),
    component("kube-proxy", "system:kube-proxy"),
    Subject {
        file: "kubelet",
        name: "system:node:node",
        group: "system:nodes",
        names: &["node"],
        // The API server asks it for logs.
        addresses: &[ADDRESS],
    },
];

/// Before the API server answers.
pub(super) fn first(state: &Path) -> [Component; 3] {
    let pki = |name: &str| state.join("pki").join(name).display().to_string();
    let at = |name: &str| state.join(name).display().to_string();
    [
        Component {
            program: "etcd",
            flags: flags(&[
                ("data-dir", at("etcd")),
                ("unsafe-no-fsync", "true".into()),
                ("logger", "zap".into()),
                ("log-level", "error".into()),
                ("listen-client-urls", "http://127.0.0.1:2379".into()),
                ("advertise-client-urls", "http://127.0.0.1:2379".into()),
            ]),
        },
        Component {
            program: "containerd",
            flags: flags(&[("config", at("containerd.toml"))]),
        },
        Component {
            program: "kube-apiserver",
            flags: flags(&[
                ("etcd-servers", "http://127.0.0.1:2379".into()),
                ("advertise-address", ADDRESS.to_string()),
                ("tls-cert-file", pki("server.crt")),
                ("tls-private-key-file", pki("server.key")),
                ("client-ca-file", pki("ca.crt")),
                (
                    "service-account-issuer",
                    "https://kubernetes.default.svc.cluster.local".into(),
                ),
                ("service-account-key-file", pki("accounts.pub")),
                ("service-account-signing-key-file", pki("accounts.key")),
                ("kubelet-client-certificate", pki("admin.crt")),
                ("kubelet-client-key", pki("admin.key")),
                ("kubelet-certificate-authority", pki("ca.crt")),
                // Names of nodes are not in the DNS.
                ("kubelet-preferred-address-types", "InternalIP".into()),
                ("authorization-mode", "Node,RBAC".into()),
                ("enable-admission-plugins", "NodeRestriction".into()),
                ("service-cluster-ip-range", "10.96.0.0/16".into()),
                ("allow-privileged", "true".into()),
            ]),
        },
    ]
}

/// Once it does.
pub(super) fn second(state: &Path) -> [Component; 4] {
    let pki = |name: &str| state.join("pki").join(name).display().to_string();
    let at = |name: &str| state.join(name).display().to_string();
    [
        Component {
            program: "kube-controller-manager",
            flags: flags(&[
                ("kubeconfig", pki("kube-controller-manager.kubeconfig")),
                ("service-account-private-key-file", pki("accounts.key")),
                ("root-ca-file", pki("ca.crt")),
                ("cluster-signing-cert-file", pki("ca.crt")),
                ("cluster-signing-key-file", pki("ca.key")),
                ("use-service-account-credentials", "true".into()),
                ("leader-elect", "false".into()),
            ]),
        },
        Component {
            program: "kube-scheduler",
            flags: flags(&[
                ("kubeconfig", pki("kube-scheduler.kubeconfig")),
                ("leader-elect", "false".into()),
            ]),
        },
        Component {
            program: "kubelet",
            flags: flags(&[
                ("config", at("kubelet.json")),
                ("kubeconfig", pki("kubelet.kubeconfig")),
                ("hostname-override", "node".into()),
                ("node-ip", ADDRESS.to_string()),
                ("root-dir", at("kubelet")),
            ]),
        },
        Component {
            program: "kube-proxy",
            flags: flags(&[("config", at("proxy.json"))]),
        },
    ]
}

fn flags(values: &[(&str, String)]) -> Vec<String> {
    values
        .iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
}

/// The control group of everything that runs in pods.
pub(super) fn group(state: &Path) -> &str {
    let name = state.file_name().and_then(|name| name.to_str());
    name.expect("the folder has a name in ASCII")
}

/// Writes the files the flags name.
pub(super) fn write(state: &Path) -> io::Result<()> {
    let pki = state.join("pki");
    let kubelet = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki.join("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "tlsCertFile": pki.join("kubelet.crt"),
        "tlsPrivateKeyFile": pki.join("kubelet.key"),
        "containerRuntimeEndpoint": format!("unix://{}", state.join("containerd.sock").display()),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", group(state)),
        "failCgroupV1": false,
        "failSwapOn": false,
        "clusterDNS": ["10.96.0.10"],
        "clusterDomain": "cluster.local",
        // Nothing outside has a name.
        "resolvConf": "",
        "podLogsDir": state.join("pods"),
        // A developer's disk is often nearly full.
        "evictionHard": {
            "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%",
        },
        // A removed image could not be pulled again.
        "imageGCHighThresholdPercent": 100,
    });
    let proxy = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "hostnameOverride": "node",
        "clusterCIDR": "10.244.0.0/16",
        "clientConnection": { "kubeconfig": pki.join("kube-proxy.kubeconfig") },
        // The limit belongs to the whole machine.
        "conntrack": { "maxPerCore": 0 },
    });
    let network = json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{ "subnet": "10.244.0.0/24" }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                    "dataDir": state.join("addresses"),
                },
            },
        ],
    });
    fs::write(state.join("kubelet.json"), kubelet.to_string())?;
    fs::write(state.join("proxy.json"), proxy.to_string())?;
    fs::create_dir_all(state.join("network"))?;
    fs::write(state.join("network/pods.conflist"), network.to_string())?;
    fs::write(state.join("containerd.toml"), containerd(state))
}

fn containerd(state: &Path) -> String {
    let state = state.display();
    format!(
        r#"version = 2
root = "{state}/containerd"
state = "{state}/containerd.state"
[grpc]
address = "{state}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:1"
# Inside a container the score can only go up.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{state}/network"
"#
    )
}
