//! The policies in force: whom the own app answers, and how its calls are
//! tried.
//!
//! Built from the Configuration and all Resiliency objects; a change swaps
//! everything at once. Nothing here knows where the objects come from.

mod breakers;
mod convert;

#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use policy::{
    access::{AccessList, InvalidSpec},
    resiliency::{Merge, Resiliency},
};
use serde_json::Value;
use tracing::{debug, error, info, warn};

pub(crate) use breakers::Permit;

use crate::resources::AccessControl;
use breakers::Breakers;

const SCOPE: &str = "dapr.runtime";

/// Everything that is decided by policy, at one moment.
#[derive(Clone, Debug, Default)]
struct Policies {
    /// `None`: every call is allowed.
    access: Option<Arc<AccessList>>,
    /// `None`: there is no Resiliency.
    resiliency: Option<Arc<Resiliency>>,
    /// Names of the objects it was made of.
    names: Vec<String>,
}

/// The policies of this process; shared by all workers.
#[derive(Debug)]
pub(crate) struct Live {
    app_id: String,
    /// The own app speaks HTTP.
    is_http: bool,
    policies: ArcSwap<Policies>,
    /// One change at a time.
    changing: Mutex<()>,
    /// Calls by peers with a name may be denied.
    guarded: AtomicBool,
    /// There is a Resiliency.
    resilient: AtomicBool,
    breakers: Breakers,
}

impl Live {
    /// The policies a sidecar starts with. `protocol` is the app's;
    /// `resiliencies` are whole objects in the order they count.
    ///
    /// # Errors
    /// The access list does not say whom it is about. A Resiliency that is
    /// wrong is logged and left out.
    pub(crate) fn new(
        app_id: &str,
        protocol: &str,
        access: Option<&AccessControl>,
        resiliencies: &[Value],
    ) -> Result<Self, InvalidSpec> {
        let live = Self {
            app_id: app_id.to_owned(),
            is_http: matches!(protocol, "http" | "https" | "h2c"),
            policies: ArcSwap::default(),
            changing: Mutex::new(()),
            guarded: AtomicBool::new(false),
            resilient: AtomicBool::new(false),
            breakers: Breakers::default(),
        };
        let access = live.access_list(access)?;
        let (resiliency, names) = live.merged(resiliencies);
        live.store(Policies {
            access,
            resiliency,
            names,
        });
        Ok(live)
    }

    /// Takes over another state. An access list that cannot be used leaves
    /// the one in force, with an error in the log.
    pub(crate) fn reload(&self, access: Option<&AccessControl>, resiliencies: &[Value]) {
        let _alone = self.changing.lock();
        let access = self.access_list(access).unwrap_or_else(|invalid| {
            error!(target: SCOPE, "{invalid}; the access control list in force stays");
            self.policies.load().access.clone()
        });
        let (resiliency, names) = self.merged(resiliencies);
        self.store(Policies {
            access,
            resiliency,
            names,
        });
    }

    /// The list calls of peers are judged by, unless nobody with a name can
    /// be denied.
    pub(crate) fn guard(&self) -> Option<Arc<AccessList>> {
        if !self.guarded.load(Ordering::Acquire) {
            return None;
        }
        self.policies.load().access.clone()
    }

    /// Whether there is a list at all, also one that allows everybody.
    pub(crate) fn has_access_list(&self) -> bool {
        self.policies.load().access.is_some()
    }

    /// How calls are tried; `None` costs one look.
    pub(crate) fn resiliency(&self) -> Option<Arc<Resiliency>> {
        if !self.resilient.load(Ordering::Acquire) {
            return None;
        }
        self.policies.load().resiliency.clone()
    }

    /// Names of the Resiliency objects in force.
    pub(crate) fn resiliency_names(&self) -> Vec<String> {
        self.policies.load().names.clone()
    }

    /// The circuit breakers; they outlive every change.
    pub(crate) fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    fn store(&self, policies: Policies) {
        let guarded = policies
            .access
            .as_ref()
            .is_some_and(|list| !list.allows_everything());
        let resilient = policies.resiliency.is_some();
        self.policies.store(Arc::new(policies));
        self.guarded.store(guarded, Ordering::Release);
        self.resilient.store(resilient, Ordering::Release);
    }

    fn access_list(
        &self,
        access: Option<&AccessControl>,
    ) -> Result<Option<Arc<AccessList>>, InvalidSpec> {
        let Some(access) = access else {
            return Ok(None);
        };
        let parsed = AccessList::parse(&convert::access(access), self.is_http)?;
        for warning in parsed.warnings {
            warn!(target: "dapr.acl", "{warning}");
        }
        Ok(parsed.list.map(Arc::new))
    }

    /// All objects in one name space; one that is wrong disables itself only.
    fn merged(&self, objects: &[Value]) -> (Option<Arc<Resiliency>>, Vec<String>) {
        let mut merge = Merge::default();
        let mut names = Vec::new();
        for object in objects {
            if !convert::is_in_scope(object, &self.app_id) {
                continue;
            }
            let name = convert::name(object);
            info!(target: SCOPE, "Loading Resiliency configuration: {name}");
            debug!(target: SCOPE, "Resiliency configuration ({name}): {object}");
            let added = convert::resiliency(object)
                .map_err(|error| error.to_string())
                .and_then(|spec| merge.add(&spec).map_err(|error| error.to_string()));
            match added {
                Ok(warnings) => {
                    names.push(name.to_owned());
                    for warning in warnings {
                        warn!(target: SCOPE, "{warning}");
                    }
                }
                Err(reason) => {
                    let full_name = convert::full_name(object);
                    error!(target: SCOPE, "Could not read resiliency policy {full_name}: {reason}");
                }
            }
        }
        let (resiliency, warnings) = merge.finish();
        for warning in warnings {
            warn!(target: SCOPE, "{warning}");
        }
        let resiliency = (!names.is_empty()).then(|| Arc::new(resiliency));
        (resiliency, names)
    }
}
