//! Our flags beside those every control-plane program has. Values are text
//! here; `config` gives them meaning.

use control_plane::Flag;

/// Sorted by name.
pub(super) const TABLE: &[Flag] = &[
    Flag::text(
        "config",
        "daprsystem",
        "Configuration: a name in Kubernetes mode, a file in standalone mode",
    ),
    Flag::text(
        "issuer-ca-filename",
        "ca.crt",
        "File with the trust anchors, relative to --issuer-credentials",
    ),
    Flag::text(
        "issuer-certificate-filename",
        "issuer.crt",
        "File with the issuer chain, relative to --issuer-credentials",
    ),
    Flag::text(
        "issuer-credentials",
        "/var/run/secrets/dapr.io/credentials",
        "Directory of the authority's files",
    ),
    Flag::text(
        "issuer-key-filename",
        "issuer.key",
        "File with the issuer key, relative to --issuer-credentials",
    ),
    Flag::boolean("jwt-enabled", "false", "Issue JWTs beside certificates"),
    Flag::text(
        "jwt-issuer",
        "",
        "Issuer claim of JWTs; needs --jwt-enabled",
    ),
    Flag::text(
        "jwt-key-filename",
        "jwt.key",
        "File with the JWT signing key",
    ),
    Flag::text("jwt-key-id", "", "Key id of JWTs"),
    Flag::text(
        "jwt-signing-algorithm",
        "RS256",
        "Signing algorithm of JWTs",
    ),
    Flag::text("jwt-ttl", "24h", "Life of JWTs"),
    Flag::text(
        "jwks-filename",
        "jwks.json",
        "File with the public JWT keys",
    ),
    Flag::text(
        "listen-address",
        "",
        "Address the authority listens on; empty for all",
    ),
    Flag::text("mode", "standalone", "standalone or kubernetes"),
    Flag::text("oidc-allowed-hosts", "", "Hosts the OIDC server answers to"),
    Flag::boolean("oidc-enabled", "false", "Serve OIDC discovery"),
    Flag::text(
        "oidc-jwks-uri",
        "",
        "Address of the JWKS in the discovery document",
    ),
    Flag::text("oidc-path-prefix", "", "Path in front of OIDC routes"),
    Flag::text(
        "oidc-server-listen-address",
        "localhost",
        "Address the OIDC server listens on",
    ),
    Flag::text("oidc-server-listen-port", "9080", "Port of the OIDC server"),
    Flag::text(
        "oidc-server-tls-cert-file",
        "",
        "Certificate of the OIDC server",
    ),
    Flag::boolean("oidc-server-tls-enabled", "true", "Serve OIDC over TLS"),
    Flag::text("oidc-server-tls-key-file", "", "Key of the OIDC server"),
    Flag::text("port", "50001", "Port of the authority"),
    Flag::text(
        "trust-domain",
        "localhost",
        "Trust domain of the control plane",
    ),
];

#[cfg(test)]
mod tests {
    use control_plane::Flags;

    use super::*;

    #[test]
    fn defaults_are_those_of_dapr() {
        let flags = Flags::parse(TABLE, std::iter::empty()).unwrap();
        for (name, default) in [
            ("config", "daprsystem"),
            ("issuer-credentials", "/var/run/secrets/dapr.io/credentials"),
            ("jwt-signing-algorithm", "RS256"),
            ("mode", "standalone"),
            ("oidc-server-listen-port", "9080"),
            ("trust-domain", "localhost"),
        ] {
            assert_eq!(flags.text(name), default);
        }
    }
}
