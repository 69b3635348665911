//! One invocation from a front to an answer: who is meant, how it is tried,
//! and what is said when it fails.

mod error;
mod execute;
mod replay;
mod target;

pub(crate) use error::InvokeError;
pub(crate) use execute::{Invoker, Limits};
pub(crate) use target::Target;
