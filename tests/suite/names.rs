//! Names: the SQLite file shared with foreign sidecars in both directions,
//! several instances, the run registry, and names made from a pattern.

mod pattern;
mod registry;
mod sqlite;

use rusqlite::Connection;

/// Adds a row as a foreign sidecar writes it, fresh for as long as a test runs.
pub(crate) fn insert(connection: &Connection, app_id: &str, address: &str, namespace: &str) {
    connection
        .execute(
            "INSERT OR REPLACE INTO hosts (registration_id, address, app_id, namespace, last_update) VALUES (?1, ?2, ?3, ?4, unixepoch() + 3600)",
            (format!("test-{address}"), address, app_id, namespace),
        )
        .unwrap();
}
