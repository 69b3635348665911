//! DNS of a cluster: the headless Service `<app-id>-dapr` lists the pods.
//!
//! Names are asked for with a trailing dot, so that the search list of the
//! pod costs nothing. There is no cache below ours.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::read_system_conf;

use super::settings::Settings;
use super::{Me, ResolveError, hosts};

const CLUSTER_DOMAIN: &str = "cluster.local";
/// One try; a lost packet is asked for again once.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;

/// Why the resolver cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KubernetesError {
    /// The template has an action other than a plain field we know.
    #[error(
        "unsupported action {0} in configuration.template: use {{{{.ID}}}}, {{{{.Namespace}}}} and {{{{.Port}}}}"
    )]
    Action(String),
    /// An action without its end.
    #[error("unclosed action in configuration.template")]
    Unclosed,
    /// `/etc/resolv.conf` is unusable.
    #[error("failed to read DNS configuration: {0}")]
    Dns(#[source] NetError),
}

/// Looks Services up.
#[derive(Debug)]
pub(super) struct Kubernetes {
    dns: Dns,
    template: Vec<Part>,
    /// Ours; all sidecars of a cluster use the same.
    port: u16,
}

struct Dns(TokioResolver);

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dns")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Id,
    Namespace,
    Port,
}

impl Kubernetes {
    /// Uses the name servers of `/etc/resolv.conf`.
    pub(super) fn new(settings: Settings<'_>, me: &Me) -> Result<Self, KubernetesError> {
        let (config, _) = read_system_conf().map_err(KubernetesError::Dns)?;
        Self::with_dns(settings, me, config)
    }

    /// Uses the given name servers.
    pub(super) fn with_dns(
        settings: Settings<'_>,
        me: &Me,
        config: ResolverConfig,
    ) -> Result<Self, KubernetesError> {
        let template = match settings.text(&["template"]).filter(|text| !text.is_empty()) {
            Some(template) => parse(&template)?,
            None => default_template(
                &settings
                    .text(&["clusterDomain"])
                    .filter(|domain| !domain.is_empty())
                    .unwrap_or_else(|| CLUSTER_DOMAIN.to_owned()),
            ),
        };
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options();
        Ok(Self {
            dns: Dns(builder.build().map_err(KubernetesError::Dns)?),
            template,
            port: me.internal_port,
        })
    }

    /// One address per A and AAAA record.
    pub(super) async fn lookup(
        &self,
        app_id: &str,
        namespace: &str,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let address = self.render(app_id, namespace);
        let failed = |host: &str, reason: String, absent| ResolveError::Host {
            host: host.to_owned(),
            reason,
            absent,
        };
        let Some((host, port)) = hosts::split(&address) else {
            return Err(failed(&address, "missing port in address".to_owned(), true));
        };
        if let Ok(ip) = host.parse() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let name = format!("{}.", host.trim_end_matches('.'));
        match self.dns.0.lookup_ip(name).await {
            Ok(answer) => Ok(answer.iter().map(|ip| SocketAddr::new(ip, port)).collect()),
            Err(error) if error.is_no_records_found() => {
                Err(failed(host, "no such host".to_owned(), true))
            }
            Err(error) => Err(failed(host, error.to_string(), false)),
        }
    }

    fn render(&self, app_id: &str, namespace: &str) -> String {
        let mut address = String::new();
        for part in &self.template {
            match part {
                Part::Text(text) => address.push_str(text),
                Part::Id => address.push_str(app_id),
                Part::Namespace => address.push_str(namespace),
                Part::Port => address.push_str(&self.port.to_string()),
            }
        }
        address
    }
}

fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = TIMEOUT;
    options.attempts = ATTEMPTS;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    // Long lists of pods do not fit into one datagram.
    options.try_tcp_on_error = true;
    options.cache_size = 0;
    options.positive_max_ttl = Some(Duration::ZERO);
    options.negative_max_ttl = Some(Duration::ZERO);
    options
}

/// `<app-id>-dapr.<namespace>.svc.<domain>:<port>`
fn default_template(domain: &str) -> Vec<Part> {
    vec![
        Part::Id,
        Part::Text("-dapr.".to_owned()),
        Part::Namespace,
        Part::Text(format!(".svc.{domain}:")),
        Part::Port,
    ]
}

/// Go's template language as far as addresses need it.
fn parse(template: &str) -> Result<Vec<Part>, KubernetesError> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, tail) = after.split_once("}}").ok_or(KubernetesError::Unclosed)?;
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        parts.push(match action.trim() {
            ".ID" => Part::Id,
            ".Namespace" => Part::Namespace,
            ".Port" => Part::Port,
            _ => return Err(KubernetesError::Action(format!("{{{{{action}}}}}"))),
        });
        rest = tail;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str) -> Result<String, String> {
        let value = serde_json::json!({ "template": template });
        let me = crate::resolve::tests::me("caller");
        let settings = Settings::new(&value);
        let config = ResolverConfig::from_name_servers(Vec::new());
        Kubernetes::with_dns(settings, &me, config)
            .map(|kubernetes| kubernetes.render("cart", "shop"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn templates_know_three_fields() {
        assert_eq!(
            rendered("").unwrap(),
            "cart-dapr.shop.svc.cluster.local:50002"
        );
        assert_eq!(
            rendered("{{.ID}}.{{ .Namespace }}.example:{{.Port}}").unwrap(),
            "cart.shop.example:50002"
        );
        assert_eq!(rendered("fixed:7").unwrap(), "fixed:7");
        assert_eq!(
            rendered("{{.Data.region}}:7").unwrap_err(),
            "unsupported action {{.Data.region}} in configuration.template: use {{.ID}}, {{.Namespace}} and {{.Port}}"
        );
        assert_eq!(
            rendered("{{.ID").unwrap_err(),
            "unclosed action in configuration.template"
        );
    }
}
