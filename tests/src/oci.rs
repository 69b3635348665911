//! Container images written without a container engine: some files in one
//! layer, as an archive that containerd, Docker and Podman load. The same
//! input gives the same bytes.
//!
//! The test cluster uses it for what runs beside the programs. `cargo xtask
//! images` includes this file for what ships: a dependency would make every
//! task wait for the whole harness. That is why the paths below are spelt out.

use std::io;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

#[path = "oci/tar.rs"]
mod tar;

/// An image of files, with no operating system below them.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// The whole name with its tag, for example `localhost/dapr/daprd:edge`.
    pub name: &'a str,
    /// `user:group` as numbers; empty for root.
    pub user: &'a str,
    /// The program and its first arguments; mostly empty, as pods name what
    /// they run.
    pub entrypoint: &'a [&'a str],
    /// What it contains.
    pub files: &'a [File<'a>],
}

/// A file of an image.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Absolute, at most 99 bytes.
    pub path: &'a str,
    /// What is in it.
    pub content: &'a [u8],
    /// Permissions, for example `0o755`.
    pub mode: u32,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// The image as an OCI layout in a tar file.
///
/// # Errors
/// A path that an archive cannot hold.
pub fn archive(image: &Image<'_>) -> io::Result<Vec<u8>> {
    let layer = Blob::new(LAYER, layer(image.files)?);
    let config = Blob::json(CONFIG, &config(image, &layer));
    let manifest = Blob::json(
        MANIFEST,
        &json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        }),
    );
    let mut listed = manifest.descriptor();
    listed["platform"] = json!({ "architecture": architecture(), "os": "linux" });
    // The first is what containerd names the image, the second Podman.
    listed["annotations"] = json!({
        "io.containerd.image.name": image.name,
        "org.opencontainers.image.ref.name": image.name,
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [listed],
    });
    // Docker before release 25 reads this file only.
    let docker = json!([{
        "Config": config.path(),
        "RepoTags": [image.name],
        "Layers": [layer.path()],
    }]);

    let mut out = tar::Writer::default();
    out.folder("blobs")?;
    out.folder("blobs/sha256")?;
    for blob in [&layer, &config, &manifest] {
        out.file(&blob.path(), &blob.bytes, 0o644)?;
    }
    out.file("index.json", index.to_string().as_bytes(), 0o644)?;
    out.file("manifest.json", docker.to_string().as_bytes(), 0o644)?;
    let layout = json!({ "imageLayoutVersion": "1.0.0" });
    out.file("oci-layout", layout.to_string().as_bytes(), 0o644)?;
    Ok(out.finish())
}

/// The file system: folders before what is in them, in the order of names.
fn layer(files: &[File<'_>]) -> io::Result<Vec<u8>> {
    let mut files = files.to_vec();
    files.sort_by_key(|file| file.path);
    let mut out = tar::Writer::default();
    let mut made = Vec::new();
    for file in files {
        let path = file.path.trim_start_matches('/');
        for (end, _) in path.match_indices('/') {
            let folder = path.split_at(end).0;
            if !made.contains(&folder) {
                out.folder(folder)?;
                made.push(folder);
            }
        }
        out.file(path, file.content, file.mode)?;
    }
    Ok(out.finish())
}

fn config(image: &Image<'_>, layer: &Blob) -> Value {
    let mut run = json!({ "WorkingDir": "/" });
    if !image.user.is_empty() {
        run["User"] = image.user.into();
    }
    if !image.entrypoint.is_empty() {
        run["Entrypoint"] = image.entrypoint.into();
    }
    json!({
        "architecture": architecture(),
        "os": "linux",
        "config": run,
        "rootfs": { "type": "layers", "diff_ids": [layer.digest()] },
    })
}

/// This machine's, in the words of container images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A part of an image, named by what is in it.
struct Blob {
    media_type: &'static str,
    bytes: Vec<u8>,
    hash: String,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let hash = format!("{:x}", Sha256::digest(&bytes));
        Self {
            media_type,
            bytes,
            hash,
        }
    }

    fn json(media_type: &'static str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    fn digest(&self) -> String {
        format!("sha256:{}", self.hash)
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.hash)
    }

    fn descriptor(&self) -> Value {
        json!({
            "mediaType": self.media_type,
            "digest": self.digest(),
            "size": self.bytes.len(),
        })
    }
}

#[cfg(test)]
#[path = "oci/tests.rs"]
mod tests;
