//! UIDs of the service accounts whose pods get a sidecar. Names decide nearly
//! always; the UIDs only serve requesters that show nothing else.

use std::collections::HashSet;
use std::time::Duration;

use kube::Client;
use serde_json::Value;
use tokio::time::sleep;

use crate::SCOPE;
use crate::cluster::{self, CallError};
use crate::requesters::Requesters;

/// Objects per answer: a cluster may have thousands.
const PAGE: usize = 500;
const RETRY: Duration = Duration::from_secs(30);

/// Lists them once; tries again while the API server is away.
pub(crate) async fn learn(client: Client, requesters: Requesters) {
    loop {
        match list(&client, &requesters).await {
            Ok(uids) => return requesters.know(uids),
            Err(error @ CallError::Refused { .. }) => {
                tracing::warn!(target: SCOPE, "failed to list service accounts, their names alone decide: {error}");
                return;
            }
            Err(error) => {
                tracing::debug!(target: SCOPE, "failed to list service accounts: {error}");
            }
        }
        sleep(RETRY).await;
    }
}

async fn list(client: &Client, requesters: &Requesters) -> Result<HashSet<String>, CallError> {
    let mut uids = HashSet::new();
    let mut next = String::new();
    loop {
        let path = format!("/api/v1/serviceaccounts?limit={PAGE}&continue={next}");
        let page = cluster::get(client, &path).await?;
        collect(&page, requesters, &mut uids);
        match page.pointer("/metadata/continue").and_then(Value::as_str) {
            Some(token) if !token.is_empty() => token.clone_into(&mut next),
            _ => return Ok(uids),
        }
    }
}

fn collect(page: &Value, requesters: &Requesters, uids: &mut HashSet<String>) {
    let items = page.get("items").and_then(Value::as_array);
    for account in items.into_iter().flatten() {
        let text = |key: &str| {
            account
                .pointer(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        if requesters.matches(namespace, name) {
            uids.insert(text("/metadata/uid").to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_listed_accounts_count() {
        let requesters = Requesters::new(&["a:b"]).unwrap();
        let account = |namespace, name, uid| json!({"metadata": {"namespace": namespace, "name": name, "uid": uid}});
        let page = json!({"items": [
            account("a", "b", "1"),
            account("a", "c", "2"),
            account("kube-system", "job-controller", "3"),
            {},
        ]});
        let mut uids = HashSet::new();
        collect(&page, &requesters, &mut uids);
        assert_eq!(uids, HashSet::from(["1".to_owned(), "3".to_owned()]));
    }
}
