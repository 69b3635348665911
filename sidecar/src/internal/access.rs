//! Whether a peer may make a call, before anything of it reaches the app.

use api::{
    envelope::RequestHead,
    grpc::{Code, Status},
    verb::Verb,
};
use policy::access::{Caller as Peer, Denial, decodes_further};
use tracing::debug;

use super::{Caller, Internal};

const SCOPE: &str = "dapr.acl";

/// Judges a call of `method`, which is canonical.
///
/// # Errors
/// The access list denies it, or the peer's certificate names no app.
pub(super) fn authorize(server: &Internal, head: &RequestHead, method: &str) -> Result<(), Status> {
    // Without metadata there is no telling what the verb is worth.
    let verb = head
        .verb
        .filter(|verb| head.has_metadata && *verb != Verb::None);
    judge(server, method, verb)
}

/// Judges an rpc by its path, which is canonical.
///
/// # Errors
/// As [`authorize`].
pub(super) fn authorize_rpc(server: &Internal, path: &str) -> Result<(), Status> {
    judge(server, path, None)
}

fn judge(server: &Internal, method: &str, verb: Option<Verb>) -> Result<(), Status> {
    if let Caller::NoApp(malformed) = &server.peer
        && server.policies.has_access_list()
    {
        return Err(denied(malformed.to_string()));
    }
    let Some(list) = server.policies.guard() else {
        return Ok(());
    };
    let peer = match &server.peer {
        Caller::App(peer) => Some(&**peer),
        Caller::Unproven | Caller::NoApp(_) => None,
    };
    let caller = peer.map(|peer| Peer {
        trust_domain: peer.trust_domain.as_str(),
        namespace: &peer.namespace,
        app_id: &peer.app_id,
    });
    let verb = verb.filter(|_| list.is_http()).map(Verb::name);
    let decision = list.decide(caller, method, verb);
    // An HTTP app decodes the path once more: what was judged has to be what
    // it will see.
    let is_ambiguous = list.is_http() && decodes_further(method);
    if decision.is_allowed && !is_ambiguous {
        return Ok(());
    }
    let id = peer.map(ToString::to_string).unwrap_or_default();
    let denial = Denial {
        id: &id,
        operation: method,
        verb: verb.unwrap_or("NONE"),
    };
    debug!(target: SCOPE, scope = ?decision.scope, is_ambiguous, "{denial}");
    Err(denied(denial.to_string()))
}

fn denied(text: String) -> Status {
    Status::new(Code::PermissionDenied, text)
}
