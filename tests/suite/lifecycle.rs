//! How a sidecar starts, tells others about itself, and ends.

mod drain;
mod logs;
mod metadata;
mod routes;
mod shutdown;
mod start;
