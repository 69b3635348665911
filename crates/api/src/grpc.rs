//! gRPC failures: codes, how they travel, and what they are over HTTP.

mod code;
mod details;
mod status;

pub use code::Code;
pub use status::Status;
