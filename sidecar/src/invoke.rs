//! One invocation from a front to an answer: who is meant, how it is tried,
//! and what is said when it fails.

mod attempts;
mod error;
mod execute;
mod outgoing;
mod proxied;
mod replay;
mod resilient;
mod target;
mod tries;

pub(crate) use error::InvokeError;
pub(crate) use execute::{Call, Invoker};
pub(crate) use proxied::Proxied;
pub(crate) use target::Target;
