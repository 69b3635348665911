//! Calls of any service, forwarded by `dapr-app-id` metadata.

mod carry;
mod ends;
mod limits;
mod refuse;
mod targets;
mod trust;
