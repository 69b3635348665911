//! Who we are: SPIFFE ids, SVIDs, trust anchors, TLS configurations, connections
//! to control-plane services, and the client that asks the certificate authority
//! for an identity.
//!
//! **Invariant:** no HTTP routes, no Kubernetes objects, no issuer keys.

mod accept;
mod anchors;
pub mod channel;
pub mod client;
mod identity;
mod key;
mod leaf;
mod own_app;
pub mod pem;
mod provider;
mod renew;
mod spiffe;
mod svid;
mod tls;
mod token;
mod verify;

pub use accept::{AcceptError, accept};
pub use anchors::{TrustAnchors, TrustAnchorsError};
pub use client::{RequestSvidError, SentryClient, SentrySettings, SvidRequest};
pub use identity::Identity;
pub use key::{KeyError, KeyKind, WorkloadKey};
pub use leaf::LeafError;
pub use own_app::own_app_client;
pub use provider::{crypto_provider, install_crypto_provider};
pub use renew::{renew, renew_with};
pub use spiffe::{AppIdentity, MalformedIdentity, SpiffeId, SpiffeIdError, TrustDomain};
pub use svid::{Svid, SvidError};
pub use tls::{AlpnMissing, H2, peer_identity, peer_name, require_h2, verified_peer, web_client};
pub use token::{Mode, POD_TOKENS, TokenError, TokenSource};
pub use verify::handshake_error_text;

/// Scope of our log lines.
const SCOPE: &str = "dapr.runtime.security";
