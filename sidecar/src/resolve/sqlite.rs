//! A table of live sidecars in one SQLite file.
//!
//! The file may be shared with real Dapr sidecars, in both directions: the
//! tables, the row that counts migrations and the meaning of every column
//! mirror components-contrib nameresolution/sqlite. Statements block for a
//! few microseconds, at worst for the busy timeout; they run on the control
//! thread only.

mod database;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use self::database::Database;
use super::settings::{SettingError, Settings};
use super::{Me, ResolveError};

/// Pause before a failed refresh is tried again; the row must not expire.
const RETRY: Duration = Duration::from_millis(250);
/// Several sidecars starting on a new file lock each other out for moments.
const OPEN_TRIES: u32 = 20;

/// Why the table cannot be used. Texts without a source are upstream's.
#[derive(Debug, thiserror::Error)]
pub(super) enum SqliteError {
    #[error("missing connection string")]
    NoConnectionString,
    #[error("invalid value for 'timeout': must be greater than 1s")]
    Timeout,
    #[error("invalid identifier for table name: {0}")]
    TableName(String),
    #[error("invalid identifier for metadata table name: {0}")]
    MetadataTableName(String),
    #[error("update interval must not contain fractions of seconds")]
    Fraction,
    #[error("update interval must be at least 1s greater than timeout")]
    Interval,
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("failed to create connection: {0}")]
    Open(#[source] rusqlite::Error),
    #[error("failed to perform migrations: {0}")]
    Migrate(#[source] rusqlite::Error),
    #[error("failed to perform migrations: invalid migration level {0}")]
    Level(String),
    #[error("failed to register host: {0}")]
    Register(#[source] rusqlite::Error),
}

/// What the user set, checked.
#[derive(Debug, Clone)]
struct Config {
    connection: String,
    hosts: String,
    metadata: String,
    update_interval: Duration,
    timeout: Duration,
    busy_timeout: Duration,
    cleanup_interval: Duration,
    write_ahead: bool,
}

impl Config {
    fn new(settings: Settings<'_>) -> Result<Self, SqliteError> {
        let text = |keys: &[&str], default: &str| match settings.text(keys) {
            Some(text) if !text.is_empty() => text,
            _ => default.to_owned(),
        };
        let seconds =
            |keys: &[&'static str], default| settings.duration(keys, Duration::from_secs(default));
        let config = Self {
            connection: text(&["connectionString", "url"], ""),
            hosts: text(&["tableName"], "hosts"),
            metadata: text(&["metadataTableName"], "metadata"),
            update_interval: seconds(&["updateInterval"], 5)?,
            timeout: seconds(&["timeout", "timeoutInSeconds"], 1)?,
            busy_timeout: settings.duration(&["busyTimeout"], Duration::from_millis(800))?,
            cleanup_interval: seconds(&["cleanupInterval", "cleanupIntervalInSeconds"], 3600)?,
            write_ahead: !settings.is_on(&["disableWAL"]),
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), SqliteError> {
        let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let second = Duration::from_secs(1);
        match () {
            () if self.connection.is_empty() => Err(SqliteError::NoConnectionString),
            () if self.timeout < second => Err(SqliteError::Timeout),
            () if !word(&self.hosts) => Err(SqliteError::TableName(self.hosts.clone())),
            () if !word(&self.metadata) => {
                Err(SqliteError::MetadataTableName(self.metadata.clone()))
            }
            () if self.update_interval.subsec_nanos() != 0 => Err(SqliteError::Fraction),
            () if self.update_interval < self.timeout + second => Err(SqliteError::Interval),
            () => Ok(()),
        }
    }

    fn is_memory(&self) -> bool {
        let lower = self.connection.to_ascii_lowercase();
        lower.starts_with(":memory:") || lower.starts_with("file::memory:")
    }

    fn refresh_interval(&self) -> Duration {
        self.update_interval.saturating_sub(self.timeout)
    }
}

/// The reading side.
#[derive(Debug)]
pub(super) struct Sqlite {
    database: Arc<Database>,
}

impl Sqlite {
    /// Opens the file, makes the tables if needed and registers this sidecar.
    pub(super) async fn start(
        settings: Settings<'_>,
        me: &Me,
    ) -> Result<(Self, Registration), SqliteError> {
        let config = Config::new(settings)?;
        if config.is_memory() {
            warn!(
                target: "dapr.contrib",
                "Configuring name resolution with an in-memory SQLite database. Service invocation across different apps will not work."
            );
        } else {
            let path = config.connection.split('?').next().unwrap_or_default();
            info!(target: "dapr.contrib", "Configuring SQLite name resolution with path {path}");
        }
        let row = Row::new(me);
        let database = Arc::new(open(&config, &row).await?);
        let refresh = lifecycle::spawn(
            "sqlite registration",
            refresh(Arc::clone(&database), row.clone()),
        );
        let registration = Registration {
            database: Arc::clone(&database),
            row,
            refresh,
        };
        Ok((Self { database }, registration))
    }

    /// Addresses of all live sidecars of the app. The namespace does not
    /// count: upstream stores none.
    pub(super) fn lookup(&self, app_id: &str) -> Result<Vec<String>, ResolveError> {
        match self.database.live(app_id) {
            Ok(addresses) if addresses.is_empty() => Err(ResolveError::NoHost),
            Ok(addresses) => Ok(addresses),
            Err(error) => Err(ResolveError::LookUp(error.to_string())),
        }
    }
}

/// Opens and registers, again while others hold the lock.
async fn open(config: &Config, row: &Row) -> Result<Database, SqliteError> {
    let mut tries = 1;
    loop {
        let opened = Database::open(config.clone()).and_then(|database| {
            database.register(row).map_err(SqliteError::Register)?;
            Ok(database)
        });
        match opened {
            Err(error) if tries < OPEN_TRIES && is_busy(&error) => {
                debug!(target: "dapr.contrib", "SQLite database is busy, trying again: {error}");
                tries += 1;
                tokio::time::sleep(Duration::from_millis(20 + fastrand::u64(..60))).await;
            }
            opened => return opened,
        }
    }
}

fn is_busy(error: &SqliteError) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    let (SqliteError::Open(source) | SqliteError::Migrate(source) | SqliteError::Register(source)) =
        error
    else {
        return false;
    };
    matches!(
        source.sqlite_error_code(),
        Some(DatabaseBusy | DatabaseLocked)
    )
}

/// What is stored about this sidecar.
#[derive(Debug, Clone)]
struct Row {
    registration_id: String,
    address: String,
    app_id: String,
}

impl Row {
    fn new(me: &Me) -> Self {
        Self {
            registration_id: random_uuid(),
            address: me.host_port(),
            app_id: me.app_id.clone(),
        }
    }
}

/// A version 4 UUID.
fn random_uuid() -> String {
    let mut bytes = fastrand::u128(..).to_be_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = format!("{:032x}", u128::from_be_bytes(bytes));
    for dash in [20, 16, 12, 8] {
        text.insert(dash, '-');
    }
    text
}

/// Our row, refreshed for as long as this lives.
#[derive(Debug)]
pub(crate) struct Registration {
    database: Arc<Database>,
    row: Row,
    refresh: lifecycle::Task<()>,
}

impl Registration {
    pub(super) async fn withdraw(self) {
        self.refresh.abort();
        // Ended, it cannot put the row back.
        let _ = self.refresh.await;
        match self.database.deregister(&self.row) {
            Ok(true) => {}
            Ok(false) => {
                warn!(target: "dapr.contrib", "failed to unregister host: no row deleted");
            }
            Err(error) => warn!(target: "dapr.contrib", "failed to unregister host: {error}"),
        }
    }
}

/// Keeps the row alive and now and then deletes rows of the dead.
async fn refresh(database: Arc<Database>, row: Row) {
    let interval = database.config().refresh_interval();
    let mut next_cleanup = tokio::time::Instant::now() + database.config().cleanup_interval;
    let mut pause = interval;
    loop {
        tokio::time::sleep(pause).await;
        pause = interval;
        match database.refresh(&row) {
            Ok(true) => {}
            // Upstream ends the process here; a lost row is written again.
            Ok(false) => {
                warn!(target: "dapr.contrib", "Host registration lost, registering again");
                if let Err(error) = database.register(&row) {
                    error!(target: "dapr.contrib", "Failed to update host registration: {error}");
                    pause = RETRY;
                }
            }
            Err(error) => {
                error!(target: "dapr.contrib", "Failed to update host registration: {error}");
                pause = RETRY;
            }
        }
        let now = tokio::time::Instant::now();
        if now >= next_cleanup {
            next_cleanup = now + database.config().cleanup_interval;
            if let Err(error) = database.clean_up() {
                warn!(target: "dapr.contrib", "Failed to delete expired hosts: {error}");
            }
        }
    }
}
