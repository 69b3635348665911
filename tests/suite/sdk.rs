//! The official SDKs: programs written with each, unchanged packages from
//! their registries, in `tests/sdk/<language>`; callers and callees, through
//! our sidecars with mTLS.
//!
//! A program checks the SDK's answers itself and says of each behaviour
//! whether it held; what must be said is written down in its `expected`.

mod descriptors;
mod greeter;
mod matrix;
mod mesh;
mod pairs;
mod project;
mod report;
mod web;
