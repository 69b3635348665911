//! The applications behind the proxies, run as processes of their own so that their CPU time is nobody else's.

pub(crate) mod echo;
