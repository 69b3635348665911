//! One invocation from a front to an answer: who is meant, how it is tried,
//! and what is said when it fails.

mod attempts;
mod error;
mod execute;
mod outgoing;
mod replay;
mod resilient;
mod target;

pub(crate) use error::InvokeError;
pub(crate) use execute::{Invoker, Limits};
pub(crate) use target::Target;
