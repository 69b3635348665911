//! The run registry: one file per sidecar that `dapr run` started.
//!
//! `<directory>/<namespace>/<app-id>/<pid>.json`. Its writer holds an
//! exclusive lock on the file for life, so a file whose lock is free is left
//! over from a process that is gone; whoever notices removes it. Nothing is
//! sent over the network, which is why it works with any VPN or firewall.

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tracing::{error, warn};

use super::{Me, ResolveError};

/// How often the writer looks whether its file is still there.
const CHECK: Duration = Duration::from_secs(1);

/// Why a sidecar could not be registered.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistryError {
    /// The file could not be written or locked.
    #[error("failed to register in run registry {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// What a file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    app_id: String,
    namespace: String,
    /// `host:port` of the internal server.
    address: String,
    http_port: u16,
    grpc_port: u16,
    pid: u32,
    /// Seconds since the epoch.
    start_time: u64,
}

/// The reading side.
#[derive(Debug)]
pub(super) struct Registry {
    directory: PathBuf,
}

impl Registry {
    pub(super) const fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Addresses of all live sidecars of the app.
    pub(super) fn lookup(
        &self,
        app_id: &str,
        namespace: &str,
    ) -> Result<Vec<String>, ResolveError> {
        let directory = app_directory(&self.directory, app_id, namespace);
        let none = || ResolveError::NoService(app_id.to_owned());
        let files = match fs::read_dir(&directory) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
            Err(error) => {
                let path = directory.display();
                return Err(ResolveError::ReadRegistry(format!("{path}: {error}")));
            }
        };
        let live: Vec<String> = files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.extension() == Some(OsStr::new("json")))
            .filter_map(|path| live_address(&path))
            .collect();
        if live.is_empty() {
            Err(none())
        } else {
            Ok(live)
        }
    }
}

/// The address in the file if its writer lives; removes the file otherwise.
fn live_address(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Ok(()) => {
            // The name may meanwhile belong to a new process of the same id.
            if is_at(&file, path) {
                let _ = fs::remove_file(path);
            }
            return None;
        }
        Err(TryLockError::Error(error)) => {
            warn!(target: "dapr.runtime", "failed to read run registry {}: {error}", path.display());
            return None;
        }
    }
    match serde_json::from_reader::<_, Entry>(io::BufReader::new(&file)) {
        Ok(entry) => Some(entry.address),
        Err(error) => {
            warn!(target: "dapr.runtime", "failed to read run registry {}: {error}", path.display());
            None
        }
    }
}

/// Whether `path` still names the open file.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let open = file.metadata().map(identity);
    let named = fs::metadata(path).map(identity);
    matches!((open, named), (Ok(open), Ok(named)) if open == named)
}

/// Ids come from callers, so they are kept from leaving the directory.
fn app_directory(root: &Path, app_id: &str, namespace: &str) -> PathBuf {
    root.join(component(namespace)).join(component(app_id))
}

fn component(name: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
    match name {
        // Not a result of encoding, so it cannot be another id's.
        "" => "%".to_owned(),
        "." | ".." => name.replace('.', "%2E"),
        name => utf8_percent_encode(name, KEPT).to_string(),
    }
}

/// Our file, locked.
#[derive(Debug)]
pub(crate) struct Registration {
    path: PathBuf,
    watch: lifecycle::Task<()>,
}

impl Registration {
    /// Writes the file and puts it back whenever somebody takes it away.
    pub(super) fn start(directory: &Path, me: &Me) -> Result<Self, RegistryError> {
        let pid = std::process::id();
        let path = app_directory(directory, &me.app_id, &me.namespace).join(format!("{pid}.json"));
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let entry = Entry {
            app_id: me.app_id.clone(),
            namespace: me.namespace.clone(),
            address: me.host_port(),
            http_port: me.http_port,
            grpc_port: me.grpc_port,
            pid,
            start_time: since_epoch.map_or(0, |time| time.as_secs()),
        };
        let file = write(&path, &entry).map_err(|source| RegistryError::Write {
            path: path.clone(),
            source,
        })?;
        let watch = lifecycle::spawn("run registry", keep(path.clone(), entry, file));
        Ok(Self { path, watch })
    }

    pub(super) async fn withdraw(self) {
        self.watch.abort();
        // Ended, it cannot put the file back.
        let _ = self.watch.await;
        if let Err(error) = fs::remove_file(&self.path) {
            let path = self.path.display();
            warn!(target: "dapr.runtime", "failed to remove {path} from the run registry: {error}");
        }
    }
}

/// Writes and locks a file under another name, then moves it into place:
/// readers only ever see it complete and locked.
fn write(path: &Path, entry: &Entry) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let draft = path.with_extension("new");
    let mut file = File::create(&draft)?;
    file.lock()?;
    let mut text = serde_json::to_vec(entry)?;
    text.push(b'\n');
    file.write_all(&text)?;
    fs::rename(&draft, path)?;
    Ok(file)
}

async fn keep(path: PathBuf, entry: Entry, mut file: File) {
    let mut failing = false;
    loop {
        tokio::time::sleep(CHECK).await;
        if is_at(&file, &path) {
            continue;
        }
        match write(&path, &entry) {
            Ok(again) => {
                warn!(target: "dapr.runtime", "registered again in the run registry: {} was gone", path.display());
                (file, failing) = (again, false);
            }
            Err(error) if !failing => {
                error!(target: "dapr.runtime", "failed to register in run registry {}: {error}", path.display());
                failing = true;
            }
            Err(_) => {}
        }
    }
}
