//! Which certificate the API server is shown.
//!
//! A new certificate may come from a new root, which the API server accepts
//! only once it is in `caBundle`; until then it is shown the one before.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use security::{Identity, Svid};

/// Cheap to clone; clones show the same.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Shown {
    identity: Identity,
    newest: Arc<dyn ResolvesServerCert>,
    /// The newest one that may be shown.
    approved: ArcSwapOption<Svid>,
    /// What the latest handshake under an approved one showed.
    held: ArcSwapOption<CertifiedKey>,
}

impl Serving {
    /// Shows the current certificate until told about another.
    pub(crate) fn new(identity: Identity) -> Self {
        let config = identity.web_server_config();
        let shown = Arc::new(Shown {
            approved: ArcSwapOption::new(Some(identity.svid())),
            held: ArcSwapOption::empty(),
            newest: Arc::clone(&config.cert_resolver),
            identity,
        });
        let mut config = ServerConfig::clone(&config);
        config.cert_resolver = Arc::clone(&shown) as Arc<dyn ResolvesServerCert>;
        Self {
            shown,
            config: Arc::new(config),
        }
    }

    /// TLS with the certificate of the moment.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Whether handshakes show `svid`, if it is the newest.
    pub(crate) fn approves(&self, svid: &Arc<Svid>) -> bool {
        let approved = self.shown.approved.load();
        approved
            .as_ref()
            .is_some_and(|approved| Arc::ptr_eq(approved, svid))
    }

    /// Shows `svid` from now on.
    pub(crate) fn approve(&self, svid: Arc<Svid>) {
        self.shown.approved.store(Some(svid));
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.identity.svid();
        let newest = self.newest.resolve(hello)?;
        let approved = self.approved.load();
        if approved
            .as_ref()
            .is_some_and(|approved| Arc::ptr_eq(approved, &current))
        {
            self.held.store(Some(Arc::clone(&newest)));
            return Some(newest);
        }
        // Becoming ready took a handshake, so there is one to fall back on.
        Some(self.held.load_full().unwrap_or(newest))
    }
}
