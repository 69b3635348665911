//! The run registry: apps started side by side find each other without any
//! configuration. On networks of their own, where mDNS finds nobody.

use std::path::PathBuf;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tests::{RawApp, SidecarBuilder, holds, sidecar};

use crate::mdns::network::alone;

struct Registry(TempDir);

impl Registry {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn member(&self, app_id: &str) -> SidecarBuilder {
        sidecar(app_id).env("DAPR_RUN_REGISTRY", self.0.path().to_str().unwrap())
    }

    fn entries(&self, namespace: &str, app_id: &str) -> Vec<PathBuf> {
        let directory = self.0.path().join(namespace).join(app_id);
        std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "json")
            })
            .collect()
    }
}

#[test]
fn members_find_each_other() {
    alone(|| {
        let registry = Registry::new();
        let app = RawApp::scripted();
        let callee = registry.member("callee").app(&app).run();
        let caller = registry.member("caller").run();
        caller.invoke("callee", "x").expect(200, "ok");
        let entries = registry.entries("default", "callee");
        let [entry] = &entries[..] else {
            panic!("one entry: {entries:?}");
        };
        assert_eq!(
            entry.file_stem().unwrap().to_str().unwrap(),
            callee.pid().to_string()
        );
        let text = std::fs::read_to_string(entry).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(json.is_object(), "{text}");
        assert!(text.contains(&callee.internal().to_string()), "{text}");
    });
}

#[test]
fn a_member_that_ends_takes_its_entry_along() {
    alone(|| {
        let registry = Registry::new();
        let app = RawApp::scripted();
        let callee = registry.member("callee").app(&app).run();
        callee.signal(Signal::SIGTERM);
        callee.wait_for_code(0);
        assert_eq!(registry.entries("default", "callee"), [] as [PathBuf; 0]);
    });
}

#[test]
fn a_killed_member_is_no_longer_called() {
    alone(|| {
        let registry = Registry::new();
        let apps = [RawApp::scripted(), RawApp::scripted()];
        let dead = registry.member("callee").app(&apps[0]).run();
        let _alive = registry.member("callee").app(&apps[1]).run();
        let caller = registry.member("caller").run();
        dead.kill();
        for _ in 0..20 {
            caller.invoke("callee", "x").expect(200, "ok");
        }
        assert_eq!(apps[0].take().len(), 0);
    });
}

#[test]
fn instances_share_the_calls() {
    alone(|| {
        let registry = Registry::new();
        let apps = [RawApp::scripted(), RawApp::scripted()];
        let _replicas = [&apps[0], &apps[1]].map(|app| registry.member("callee").app(app).run());
        let caller = registry.member("caller").run();
        for _ in 0..100 {
            caller.invoke("callee", "x").expect(200, "ok");
        }
        let shares = [apps[0].take().len(), apps[1].take().len()];
        assert!(shares.iter().all(|&share| share >= 25), "{shares:?}");
    });
}

#[test]
fn a_member_that_starts_later_is_found() {
    alone(|| {
        let registry = Registry::new();
        let caller = registry.member("caller").run();
        assert_eq!(caller.invoke("late", "x").status, 500);
        let app = RawApp::scripted();
        let _late = registry.member("late").app(&app).run();
        holds("the new member is called", || {
            caller.invoke("late", "x").status == 200
        });
    });
}

#[test]
fn another_namespace_is_another_directory() {
    alone(|| {
        let registry = Registry::new();
        let app = RawApp::scripted();
        let _callee = registry.member("callee").namespace("north").app(&app).run();
        let caller = registry.member("caller").namespace("south").run();
        assert_eq!(registry.entries("north", "callee").len(), 1);
        caller.invoke("callee.north", "x").expect(200, "ok");
        assert_eq!(caller.invoke("callee", "x").status, 500);
    });
}
