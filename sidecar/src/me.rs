//! Who this sidecar serves.

/// App id and namespace, as peers and configuration name them.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    /// App id.
    pub(crate) app_id: String,
    /// Namespace.
    pub(crate) namespace: String,
}
