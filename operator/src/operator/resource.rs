//! The objects sidecars are told about: kept as the JSON they are sent as, with
//! a feed of changes for everyone who listens.

mod change;
mod hub;
mod kind;
mod secrets;

#[cfg(test)]
mod tests;

pub(super) use hub::{Hub, HubMirror, Subscription};
pub(super) use kind::{Kind, Object};
pub(super) use secrets::Secrets;
