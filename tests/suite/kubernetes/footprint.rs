//! What it weighs: memory of the idle programs, and images.

use tests::{Api, Request};

use super::home::{Home, app};
use super::stage::{self, SYSTEM, name};

/// Resident bytes of each part of the control plane.
const CONTROL_PLANE: u64 = 20_000_000;
/// Resident bytes of a sidecar.
const SIDECAR: u64 = 14_000_000;
/// Bytes of an image on the node.
const IMAGE: u64 = 20_000_000;

#[test]
fn idle_programs_and_images_are_small() {
    let stage = stage::alone();
    let home = Home::new(&stage, "idle");
    home.run(&[app("callee")]);
    let mut rows = Vec::new();
    for component in ["dapr-operator", "dapr-sentry", "dapr-sidecar-injector"] {
        let pod = stage.pod(SYSTEM, &format!("app={component}"));
        let resident = resident(stage.api(), SYSTEM, name(&pod));
        rows.push((component.to_owned(), resident, CONTROL_PLANE));
    }
    let pod = home.pod("callee");
    let sidecar = resident(stage.api(), home.name(), name(&pod));
    rows.push(("sidecar".to_owned(), sidecar, SIDECAR));
    for program in ["daprd", "operator", "sentry", "injector"] {
        if let Some(size) = size(stage.api(), &stage::image(program)) {
            rows.push((format!("image {program}"), size, IMAGE));
        }
    }
    for (what, bytes, bound) in &rows {
        let tenths = |bytes: u64| format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
        println!(
            "{what:<24} {:>6} MB of {:>5}",
            tenths(*bytes),
            tenths(*bound)
        );
    }
    let heavy: Vec<_> = rows
        .iter()
        .filter(|(_, bytes, bound)| bytes > bound)
        .collect();
    assert!(heavy.is_empty(), "over the bound: {heavy:?}");
}

/// Resident memory as a pod's program measures itself.
fn resident(api: &Api, namespace: &str, pod: &str) -> u64 {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:9090/proxy/metrics");
    let answer = api.send(&Request::get(&path));
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = answer.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    let value = line.unwrap_or_else(|| panic!("{pod} has no such metric:\n{text}"));
    let whole = value.split('.').next().unwrap_or_default();
    whole.trim().parse().expect("a number")
}

/// What an image takes on a node.
fn size(api: &Api, image: &str) -> Option<u64> {
    let nodes = api.list("/api/v1/nodes");
    let images = nodes.first()?["status"]["images"].as_array()?.clone();
    let found = images.into_iter().find(|one| {
        let names = one["names"].as_array().into_iter().flatten();
        names.into_iter().any(|known| known == image)
    })?;
    found["sizeBytes"].as_u64()
}
