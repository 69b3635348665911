//! What operator, sentry and injector have in common: command lines, the
//! health and metrics servers, the connection to the cluster, and the identity
//! a control-plane service gets from sentry.
//!
//! **Invariant:** nothing that only one of the programs does.

pub mod app_id;
mod cluster;
mod error_chain;
mod flags;
mod grpc;
mod identity;
mod names;
mod program;
mod settings;
mod side;

pub use cluster::{ClusterError, client};
pub use error_chain::error_chain;
pub use flags::{Flag, FlagError, Flags};
pub use grpc::unknown_method;
pub use identity::{IdentityError, IdentitySettings, OwnIdentity, obtain_identity};
pub use lifecycle::bind::BindError;
pub use names::{LONGEST_NAME, is_object_name};
pub use program::Program;
pub use settings::{Listen, SettingError, bind, namespace, refuse_root};
pub use side::{Side, SideError};
