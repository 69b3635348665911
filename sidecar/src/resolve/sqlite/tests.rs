use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;

use super::super::tests::{eventually, me};
use super::*;

struct File {
    directory: tempfile::TempDir,
}

impl File {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("names.db")
    }

    async fn start(&self, me: &Me) -> (Sqlite, Registration) {
        start(&self.path(), me).await.unwrap()
    }

    fn open(&self) -> Connection {
        let connection = Connection::open(self.path()).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }
}

/// With the shortest intervals that are allowed.
async fn start(path: &Path, me: &Me) -> Result<(Sqlite, Registration), SqliteError> {
    let value = json!({"connectionString": path, "updateInterval": "2s", "cleanupInterval": "1s"});
    Sqlite::start(Settings::new(&value), me).await
}

fn texts(connection: &Connection, query: &str) -> Vec<String> {
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

/// What a real sidecar leaves in a new file, as its own tools show it.
const REAL: &str = "
    CREATE TABLE metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL);
    CREATE TABLE hosts (
        registration_id TEXT NOT NULL PRIMARY KEY,
        address TEXT NOT NULL,
        app_id TEXT NOT NULL,
        namespace TEXT NOT NULL,
        last_update INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX hosts_address_idx ON hosts (address);
    CREATE INDEX hosts_last_update_idx ON hosts (last_update);
    REPLACE INTO metadata (key, value) VALUES ('nr-migrations', '1');";

#[tokio::test]
async fn tables_are_those_of_a_real_sidecar() {
    let file = File::new();
    let (_sqlite, registration) = file.start(&me("cart")).await;
    let real = Connection::open_in_memory().unwrap();
    real.execute_batch(REAL).unwrap();
    for query in [
        "SELECT name || type || tbl_name FROM sqlite_master ORDER BY 1",
        "SELECT name || type || \"notnull\" || pk FROM pragma_table_info('hosts')",
        "SELECT name || type || \"notnull\" || pk FROM pragma_table_info('metadata')",
        "SELECT name || \"unique\" FROM pragma_index_list('hosts') ORDER BY 1",
        "SELECT name FROM pragma_index_info('hosts_address_idx')",
        "SELECT name FROM pragma_index_info('hosts_last_update_idx')",
        "SELECT key || value || typeof(value) FROM metadata",
    ] {
        assert_eq!(texts(&file.open(), query), texts(&real, query), "{query}");
    }
    let row =
        "SELECT address || '|' || app_id || '|' || namespace || '|' || length(registration_id)
        || '|' || typeof(last_update) || '|' || (unixepoch() - last_update <= 2) FROM hosts";
    assert_eq!(
        texts(&file.open(), row),
        ["127.0.0.1:50002|cart||36|integer|1"]
    );
    registration.withdraw().await;
    assert_eq!(texts(&file.open(), "SELECT address FROM hosts"), [""; 0]);
}

#[tokio::test]
async fn rows_of_real_sidecars_are_found_while_they_live() {
    let file = File::new();
    let real = file.open();
    real.execute_batch(REAL).unwrap();
    real.execute_batch(
        "INSERT INTO hosts VALUES
            ('a', '10.0.0.1:1', 'cart', '', unixepoch()),
            ('b', '10.0.0.2:2', 'cart', '', unixepoch() + 60),
            ('c', '10.0.0.3:3', 'cart', '', unixepoch() - 3),
            ('d', '10.0.0.4:4', 'other', '', unixepoch())",
    )
    .unwrap();
    let (sqlite, _registration) = file.start(&me("caller")).await;
    let mut found = sqlite.lookup("cart").unwrap();
    found.sort();
    assert_eq!(found, ["10.0.0.1:1", "10.0.0.2:2"]);
    assert_eq!(sqlite.lookup("CART"), Err(ResolveError::NoHost));
    // The row of a dead sidecar goes with the next cleanup.
    eventually("expired rows are deleted", || {
        !texts(&real, "SELECT registration_id FROM hosts").contains(&"c".to_owned())
    })
    .await;
    let kept = texts(
        &real,
        "SELECT registration_id FROM hosts WHERE registration_id = 'b'",
    );
    assert_eq!(kept, ["b"]);
}

#[tokio::test]
async fn the_row_is_kept_alive_and_put_back() {
    let file = File::new();
    let (sqlite, registration) = file.start(&me("cart")).await;
    let connection = file.open();
    connection
        .execute_batch("UPDATE hosts SET last_update = 1")
        .unwrap();
    assert_eq!(sqlite.lookup("cart"), Err(ResolveError::NoHost));
    eventually("the row is refreshed", || sqlite.lookup("cart").is_ok()).await;
    connection.execute_batch("DELETE FROM hosts").unwrap();
    eventually("the row is put back", || sqlite.lookup("cart").is_ok()).await;
    registration.withdraw().await;
    assert_eq!(sqlite.lookup("cart"), Err(ResolveError::NoHost));
}

#[tokio::test]
async fn an_address_belongs_to_the_last_who_registered_it() {
    let file = File::new();
    let (sqlite, _old) = file.start(&me("old")).await;
    let (_, _new) = file.start(&me("new")).await;
    assert_eq!(sqlite.lookup("old"), Err(ResolveError::NoHost));
    assert_eq!(sqlite.lookup("new").unwrap(), ["127.0.0.1:50002"]);
}

#[test]
fn many_sidecars_may_start_on_a_new_file_at_once() {
    let file = File::new();
    let start_one = |port| {
        let path = file.path();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let me = Me {
                internal_port: port,
                ..me("cart")
            };
            runtime.unwrap().block_on(start(&path, &me)).map(|_| ())
        })
    };
    let threads: Vec<_> = (1..=8).map(start_one).collect();
    for thread in threads {
        thread.join().unwrap().unwrap();
    }
    assert_eq!(texts(&file.open(), "SELECT address FROM hosts").len(), 8);
}

#[test]
fn settings_are_checked() {
    for (value, expected) in [
        (json!({}), "missing connection string"),
        (
            json!({"url": "a", "timeout": "500ms"}),
            "invalid value for 'timeout': must be greater than 1s",
        ),
        (
            json!({"url": "a", "tableName": "a b"}),
            "invalid identifier for table name: a b",
        ),
        (
            json!({"url": "a", "metadataTableName": "a;b"}),
            "invalid identifier for metadata table name: a;b",
        ),
        (
            json!({"url": "a", "updateInterval": "5500ms"}),
            "update interval must not contain fractions of seconds",
        ),
        (
            json!({"url": "a", "updateInterval": "2s", "timeout": "1500ms"}),
            "update interval must be at least 1s greater than timeout",
        ),
        (
            json!({"url": "a", "cleanupInterval": "never"}),
            r#"invalid value for 'cleanupInterval': time: invalid duration "never""#,
        ),
    ] {
        let error = Config::new(Settings::new(&value)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let value = json!({"URL": "file:/tmp/a.db?mode=rw", "TableName": "t", "disableWAL": "true"});
    let config = Config::new(Settings::new(&value)).unwrap();
    assert_eq!((config.hosts.as_str(), config.write_ahead), ("t", false));
    assert_eq!(config.refresh_interval(), Duration::from_secs(4));
}
