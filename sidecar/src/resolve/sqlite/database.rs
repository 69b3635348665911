//! The statements. Table names are checked identifiers, values are bound.

use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::{Config, Row, SqliteError};

/// An open file and how it is used.
#[derive(Debug)]
pub(super) struct Database {
    connection: Mutex<Connection>,
    config: Config,
}

/// Row of the metadata table that counts migrations; a real daprd that does
/// not find it tries to create the tables again.
const LEVEL_KEY: &str = "nr-migrations";

impl Database {
    pub(super) fn open(config: Config) -> Result<Self, SqliteError> {
        let connection = connect(&config).map_err(SqliteError::Open)?;
        let database = Self {
            connection: Mutex::new(connection),
            config,
        };
        database.migrate()?;
        Ok(database)
    }

    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    fn migrate(&self) -> Result<(), SqliteError> {
        let mut connection = self.connection.lock();
        // The usual case needs no lock.
        if let Ok(Some(level)) = self.level(&connection)
            && is_migrated(&level)?
        {
            return Ok(());
        }
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)
            .map_err(SqliteError::Migrate)?;
        let metadata = &self.config.metadata;
        transaction
            .execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS {metadata} (
                    key text NOT NULL PRIMARY KEY,
                    value text NOT NULL
                )"
            ))
            .map_err(SqliteError::Migrate)?;
        let level = self.level(&transaction).map_err(SqliteError::Migrate)?;
        if !level.as_deref().map_or(Ok(false), is_migrated)? {
            self.create_hosts(&transaction)
                .map_err(SqliteError::Migrate)?;
        }
        transaction.commit().map_err(SqliteError::Migrate)
    }

    fn level(&self, connection: &Connection) -> rusqlite::Result<Option<String>> {
        let metadata = &self.config.metadata;
        connection
            .query_row(
                &format!("SELECT value FROM {metadata} WHERE key = ?"),
                [LEVEL_KEY],
                |row| row.get(0),
            )
            .optional()
    }

    fn create_hosts(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Config {
            hosts, metadata, ..
        } = &self.config;
        connection.execute_batch(&format!(
            "CREATE TABLE {hosts} (
                registration_id TEXT NOT NULL PRIMARY KEY,
                address TEXT NOT NULL,
                app_id TEXT NOT NULL,
                namespace TEXT NOT NULL,
                last_update INTEGER NOT NULL
            );
            CREATE UNIQUE INDEX {hosts}_address_idx ON {hosts} (address);
            CREATE INDEX {hosts}_last_update_idx ON {hosts} (last_update);"
        ))?;
        let level = format!("REPLACE INTO {metadata} (key, value) VALUES (?, '1')");
        connection.execute(&level, [LEVEL_KEY]).map(|_| ())
    }

    /// Takes our address over from whoever had it before.
    pub(super) fn register(&self, row: &Row) -> rusqlite::Result<()> {
        let hosts = &self.config.hosts;
        let statement = format!(
            "REPLACE INTO {hosts} (registration_id, address, app_id, namespace, last_update)
             VALUES (?, ?, ?, '', unixepoch(CURRENT_TIMESTAMP))"
        );
        let values = params![row.registration_id, row.address, row.app_id];
        self.connection
            .lock()
            .execute(&statement, values)
            .map(|_| ())
    }

    /// `false` when the row is gone.
    pub(super) fn refresh(&self, row: &Row) -> rusqlite::Result<bool> {
        let hosts = &self.config.hosts;
        let statement = format!(
            "UPDATE {hosts} SET last_update = unixepoch(CURRENT_TIMESTAMP)
             WHERE registration_id = ? AND address = ?"
        );
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached(&statement)?;
        let changed = statement.execute(params![row.registration_id, row.address])?;
        Ok(changed > 0)
    }

    /// `false` when there was no such row.
    pub(super) fn deregister(&self, row: &Row) -> rusqlite::Result<bool> {
        let hosts = &self.config.hosts;
        let statement = format!("DELETE FROM {hosts} WHERE registration_id = ? AND address = ?");
        let values = params![row.registration_id, row.address];
        self.connection
            .lock()
            .execute(&statement, values)
            .map(|rows| rows > 0)
    }

    /// Addresses whose row was refreshed lately.
    pub(super) fn live(&self, app_id: &str) -> rusqlite::Result<Vec<String>> {
        let hosts = &self.config.hosts;
        let statement = format!(
            "SELECT address FROM {hosts}
             WHERE app_id = ? AND unixepoch(CURRENT_TIMESTAMP) - last_update < ?"
        );
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached(&statement)?;
        let values = params![app_id, seconds(self.config.update_interval)];
        let rows = statement.query_map(values, |row| row.get(0))?;
        rows.collect()
    }

    /// Deletes expired rows unless another sidecar did so within the
    /// cleanup interval.
    pub(super) fn clean_up(&self) -> rusqlite::Result<()> {
        let Config {
            hosts, metadata, ..
        } = &self.config;
        let claim = format!(
            "INSERT INTO {metadata} (key, value) VALUES ('nr-last-cleanup', CURRENT_TIMESTAMP)
             ON CONFLICT (key) DO UPDATE SET value = CURRENT_TIMESTAMP
             WHERE unixepoch(CURRENT_TIMESTAMP) - unixepoch(value) > ?"
        );
        let delete =
            format!("DELETE FROM {hosts} WHERE unixepoch(CURRENT_TIMESTAMP) - last_update > ?");
        let connection = self.connection.lock();
        let claimed = connection.execute(&claim, [seconds(self.config.cleanup_interval)])?;
        if claimed > 0 {
            connection.execute(&delete, [seconds(self.config.update_interval)])?;
        }
        Ok(())
    }
}

fn is_migrated(level: &str) -> Result<bool, SqliteError> {
    level
        .parse()
        .map(|level: u32| level >= 1)
        .map_err(|_| SqliteError::Level(level.to_owned()))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn connect(config: &Config) -> rusqlite::Result<Connection> {
    let text = &config.connection;
    let is_uri = text
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("file:"));
    let uri = if is_uri {
        text.clone()
    } else {
        format!("file:{text}")
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(config.busy_timeout)?;
    // The table is tiny: 64 KiB of cached pages are plenty.
    connection.pragma_update(None, "cache_size", -64)?;
    let journal = match config.write_ahead {
        _ if config.is_memory() => "MEMORY",
        true => "WAL",
        false => "DELETE",
    };
    connection.pragma_update(None, "journal_mode", journal)?;
    // With a write-ahead log this stays safe against corruption, and losing
    // the last seconds to a power cut loses nothing: no refresh waits for
    // the disk.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}
