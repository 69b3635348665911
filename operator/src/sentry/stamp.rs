//! Whether a file has changed, without reading it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Changes when a file does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(Option<(u64, i64, i64, u64)>);

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        let metadata = std::fs::metadata(path).ok();
        Self(metadata.map(|data| (data.ino(), data.mtime(), data.mtime_nsec(), data.size())))
    }
}
