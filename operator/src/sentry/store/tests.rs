use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn paths(directory: &Path) -> Paths {
    Paths {
        anchors: directory.join("ca.crt"),
        certificate: directory.join("issuer.crt"),
        key: directory.join("issuer.key"),
    }
}

fn made(mark: &str) -> Files {
    Files {
        anchors: format!("anchors {mark}").into(),
        certificate: format!("certificate {mark}").into(),
        key: format!("key {mark}").into(),
    }
}

fn load(paths: &Paths, mark: &str) -> (Files, Origin) {
    load_or_create::<Infallible>(paths, || Ok(made(mark))).unwrap()
}

#[test]
fn files_are_private_and_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let paths = paths(directory.path());
    assert_eq!(load(&paths, "1"), (made("1"), Origin::Created));
    assert_eq!(load(&paths, "2"), (made("1"), Origin::Loaded));
    for path in [&paths.anchors, &paths.certificate, &paths.key] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    let temporary = fs::read_dir(directory.path())
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().ends_with(".tmp")
        })
        .count();
    assert_eq!(temporary, 0);
}

#[test]
fn an_incomplete_set_is_replaced_as_a_whole() {
    for missing in ["ca.crt", "issuer.crt", "issuer.key"] {
        let directory = tempfile::tempdir().unwrap();
        let paths = paths(directory.path());
        load(&paths, "1");
        fs::remove_file(directory.path().join(missing)).unwrap();
        assert_eq!(load(&paths, "2"), (made("2"), Origin::Created), "{missing}");
        assert_eq!(load(&paths, "3"), (made("2"), Origin::Loaded), "{missing}");
    }
}

#[test]
fn a_complete_set_needs_no_writable_directory() {
    // /proc refuses new files even to root.
    let directory = tempfile::tempdir().unwrap();
    let complete = paths(directory.path());
    load(&complete, "1");
    let paths = Paths {
        key: PathBuf::from("/proc/self/environ"),
        ..complete
    };
    let (files, origin) = load(&paths, "2");
    assert_eq!((files.anchors, origin), (made("1").anchors, Origin::Loaded));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let error = load_or_create::<Infallible>(&paths(Path::new("/proc/none")), || Ok(made("1")));
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("failed to write /proc/none"), "{error}");
}
