//! Who may talk to whom: every refusal stands beside the accepted twin that
//! differs in one thing only.

mod callee;
mod caller;
mod identity;
pub(crate) mod jwks;
mod tokens;
