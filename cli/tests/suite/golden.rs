//! Outputs that scripts parse, one a file in `tests/golden`.
//!
//! `GOLDEN=write` writes the files anew, to be looked at before they are
//! committed.

use std::fs;
use std::path::{Path, PathBuf};

/// Where a golden file is.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// The text is that of the golden file.
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path = path(name);
    if std::env::var("GOLDEN").is_ok_and(|value| value == "write") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "{} differs; this is the new text:\n{text}",
        path.display()
    );
}
