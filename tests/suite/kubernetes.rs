//! The whole way on a cluster that runs pods: installed with Helm, injected,
//! called. `cargo xtask test --only kubernetes` brings the cluster up;
//! `KUBECONFIG` names another. Tests that disturb the control plane have the
//! cluster for themselves ([`stage::alone`]), the others share it.

mod away;
mod footprint;
mod grpc;
mod home;
mod identity;
mod injector;
mod install;
mod jobs;
mod pages;
mod policies;
mod refusals;
mod rollout;
mod stage;
