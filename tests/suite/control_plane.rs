//! Operator, sentry and injector against a real API server without nodes.

mod bare;
mod chart;
mod operator;
mod sentry;
