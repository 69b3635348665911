use super::super::tests::{eventually, me};
use super::*;

struct Root {
    directory: tempfile::TempDir,
}

impl Root {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn registry(&self) -> Registry {
        Registry::new(self.directory.path().to_owned())
    }

    /// A file as another process would write it; dead once dropped.
    fn other(&self, app_id: &str, pid: u32, port: u16) -> (PathBuf, File) {
        let directory = app_directory(self.directory.path(), app_id, "default");
        let path = directory.join(format!("{pid}.json"));
        let entry = Entry {
            app_id: app_id.to_owned(),
            namespace: "default".to_owned(),
            address: format!("127.0.0.1:{port}"),
            http_port: 1,
            grpc_port: 2,
            pid,
            start_time: 0,
        };
        let file = write(&path, &entry).unwrap();
        (path, file)
    }
}

fn none(app_id: &str) -> Result<Vec<String>, ResolveError> {
    Err(ResolveError::NoService(app_id.to_owned()))
}

#[tokio::test]
async fn a_sidecar_is_listed_until_it_withdraws() {
    let root = Root::new();
    let registry = root.registry();
    assert_eq!(registry.lookup("cart", "default"), none("cart"));
    let registration = Registration::start(root.directory.path(), &me("cart")).unwrap();
    assert_eq!(
        registry.lookup("cart", "default").unwrap(),
        ["127.0.0.1:50002"]
    );
    assert_eq!(registry.lookup("cart", "other"), none("cart"));
    let path = root
        .directory
        .path()
        .join(format!("default/cart/{}.json", std::process::id()));
    let text: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (key, value) in [
        ("appId", "\"cart\""),
        ("namespace", "\"default\""),
        ("address", "\"127.0.0.1:50002\""),
        ("httpPort", "3500"),
        ("grpcPort", "50001"),
    ] {
        assert_eq!(text[key].to_string(), value, "{key}");
    }
    assert_eq!(text["pid"], std::process::id());
    assert!(text["startTime"].as_u64().unwrap() > 1_700_000_000);
    registration.withdraw().await;
    assert!(!path.exists());
    assert_eq!(registry.lookup("cart", "default"), none("cart"));
}

#[test]
fn files_of_dead_processes_are_removed() {
    let root = Root::new();
    let (live_path, _live) = root.other("cart", 1, 10);
    let (dead_path, dead) = root.other("cart", 2, 20);
    let registry = root.registry();
    let mut both = registry.lookup("cart", "default").unwrap();
    both.sort();
    assert_eq!(both, ["127.0.0.1:10", "127.0.0.1:20"]);
    drop(dead);
    assert_eq!(
        registry.lookup("cart", "default").unwrap(),
        ["127.0.0.1:10"]
    );
    assert!(live_path.exists() && !dead_path.exists());
}

#[test]
fn unreadable_files_do_not_hide_the_others() {
    let root = Root::new();
    let (_, _live) = root.other("cart", 1, 10);
    let (path, mut broken) = root.other("cart", 2, 20);
    broken.write_all(b"}").unwrap();
    fs::write(path.with_extension("new"), "{").unwrap();
    fs::create_dir(path.with_file_name("3.json")).unwrap();
    assert_eq!(
        root.registry().lookup("cart", "default").unwrap(),
        ["127.0.0.1:10"]
    );
}

#[tokio::test]
async fn a_file_taken_away_is_put_back() {
    let root = Root::new();
    let registration = Registration::start(root.directory.path(), &me("cart")).unwrap();
    fs::remove_dir_all(root.directory.path().join("default")).unwrap();
    let registry = root.registry();
    eventually("the file is back", || {
        registry.lookup("cart", "default").is_ok()
    })
    .await;
    registration.withdraw().await;
}

#[test]
fn no_id_leaves_the_directory() {
    let root = Path::new("/run");
    for (app_id, namespace, path) in [
        ("cart", "default", "/run/default/cart"),
        ("../../etc", "", "/run/%/..%2F..%2Fetc"),
        ("..", ".", "/run/%2E/%2E%2E"),
        ("a.b-c_d", "%", "/run/%25/a.b-c_d"),
    ] {
        assert_eq!(app_directory(root, app_id, namespace), Path::new(path));
    }
}
