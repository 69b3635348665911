//! One file, foreign sidecars on both sides of it.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use rusqlite::Connection;
use tests::{FakePeer, Mesh, Names, RawApp, Reply, holds};

use super::insert;
use crate::fidelity::refusal;

/// The tables as a real sidecar creates them.
const TABLES: &str = "
    CREATE TABLE metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL);
    INSERT INTO metadata (key, value) VALUES ('nr-migrations', '1');
    CREATE TABLE hosts (
        registration_id TEXT NOT NULL PRIMARY KEY,
        address TEXT NOT NULL,
        app_id TEXT NOT NULL,
        namespace TEXT NOT NULL,
        last_update INTEGER NOT NULL
    );
    CREATE UNIQUE INDEX hosts_address_idx ON hosts (address);
    CREATE INDEX hosts_last_update_idx ON hosts (last_update);
";

#[derive(Debug)]
struct Row {
    registration_id: String,
    address: String,
    namespace: String,
    age: i64,
}

fn rows(connection: &Connection, app_id: &str) -> Vec<Row> {
    let mut statement = connection
        .prepare("SELECT registration_id, address, namespace, unixepoch() - last_update FROM hosts WHERE app_id = ?1")
        .unwrap();
    let rows = statement
        .query_map([app_id], |row| {
            Ok(Row {
                registration_id: row.get(0)?,
                address: row.get(1)?,
                namespace: row.get(2)?,
                age: row.get(3)?,
            })
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn our_row_is_one_a_foreign_sidecar_reads() {
    let mesh = Mesh::plain();
    let sidecar = mesh.sidecar("Listed").run();
    let names = mesh.names().open();
    let found = rows(&names, "Listed");
    let [row] = &found[..] else {
        panic!("one row: {found:?}");
    };
    assert_eq!(row.address, format!("127.0.0.1:{}", sidecar.internal()));
    assert_eq!(row.namespace, "");
    assert!(!row.registration_id.is_empty());
    assert!((0..5).contains(&row.age), "{row:?}");
    sidecar.signal(Signal::SIGTERM);
    sidecar.wait_for_code(0);
    assert!(
        rows(&names, "Listed").is_empty(),
        "the row outlived its sidecar"
    );
}

#[test]
fn our_tables_are_those_of_a_foreign_sidecar() {
    let mesh = Mesh::plain();
    let _sidecar = mesh.sidecar("creator").run();
    let names = mesh.names().open();
    let migrations: String = names
        .query_row(
            "SELECT value FROM metadata WHERE key = 'nr-migrations'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(migrations, "1");
    let columns = |table: &str| -> Vec<(String, String, bool, bool)> {
        let mut statement = names
            .prepare(&format!("PRAGMA table_info({table})"))
            .unwrap();
        let rows = statement
            .query_map([], |row| {
                Ok((
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get::<_, i64>(5)? > 0,
                ))
            })
            .unwrap();
        rows.map(Result::unwrap).collect()
    };
    let reference = Connection::open_in_memory().unwrap();
    reference.execute_batch(TABLES).unwrap();
    let hosts = columns("hosts");
    let expected = [
        ("registration_id", "TEXT", true),
        ("address", "TEXT", false),
        ("app_id", "TEXT", false),
        ("namespace", "TEXT", false),
        ("last_update", "INTEGER", false),
    ];
    assert_eq!(hosts.len(), expected.len(), "{hosts:?}");
    for ((name, kind, not_null, primary), (wanted, wanted_kind, wanted_primary)) in
        hosts.iter().zip(expected)
    {
        assert_eq!(
            (name.as_str(), kind.to_uppercase().as_str(), *primary),
            (wanted, wanted_kind, wanted_primary)
        );
        assert!(*not_null, "{name} may be null");
    }
    let indexed = |unique: bool| -> BTreeSet<String> {
        let mut statement = names
            .prepare("SELECT ii.name FROM pragma_index_list('hosts') AS il, pragma_index_info(il.name) AS ii WHERE il.\"unique\" = ?1 AND il.origin = 'c'")
            .unwrap();
        let rows = statement.query_map([unique], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    assert_eq!(indexed(true), ["address".to_owned()].into());
    assert_eq!(indexed(false), ["last_update".to_owned()].into());
}

#[test]
fn a_foreign_row_in_foreign_tables_is_found() {
    let names = Names::new();
    names.open().execute_batch(TABLES).unwrap();
    let peer = FakePeer::plain(|_| Reply::status(7, "found you"));
    insert(
        &names.open(),
        "foreign",
        &format!("127.0.0.1:{}", peer.port()),
        "",
    );
    let caller = tests::sidecar("caller").names(&names).run();
    let answer = caller.invoke("foreign", "x");
    answer.expect(
        403,
        &refusal(
            "foreign",
            "rpc error: code = PermissionDenied desc = found you",
        ),
    );
    assert_eq!(peer.calls().len(), 1);
}

#[test]
fn a_foreign_file_is_left_as_it_is() {
    let names = Names::new();
    let connection = names.open();
    connection.execute_batch(TABLES).unwrap();
    let schema = || -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let before = schema();
    let _sidecar = tests::sidecar("guest").names(&names).run();
    assert_eq!(rows(&connection, "guest").len(), 1);
    assert_eq!(schema(), before);
}

#[test]
fn a_row_that_was_not_renewed_is_dead() {
    let mesh = Mesh::plain();
    let caller = mesh.sidecar("caller").run();
    let peer = FakePeer::plain(|_| Reply::status(13, "never"));
    let names = mesh.names().open();
    insert(&names, "stale", &format!("127.0.0.1:{}", peer.port()), "");
    names
        .execute(
            "UPDATE hosts SET last_update = unixepoch() - 60 WHERE app_id = 'stale'",
            [],
        )
        .unwrap();
    caller
        .invoke("stale", "x")
        .expect(500, &refusal("stale", "no host found with the given ID"));
    assert_eq!(peer.connections(), 0);
}

#[test]
fn our_row_is_renewed_and_comes_back_when_lost() {
    let mesh = Mesh::plain();
    let sidecar = mesh.sidecar("lasting").run();
    let names = mesh.names().open();
    names
        .execute(
            "UPDATE hosts SET last_update = 1 WHERE app_id = 'lasting'",
            [],
        )
        .unwrap();
    holds("the row is renewed", || {
        rows(&names, "lasting").iter().any(|row| row.age < 5)
    });
    names.execute("DELETE FROM hosts", []).unwrap();
    holds("the row is back", || rows(&names, "lasting").len() == 1);
    assert!(sidecar.exited().is_none());
}

#[test]
fn a_new_process_at_an_old_address_replaces_its_row() {
    let mesh = Mesh::plain();
    let port = tests::ports::reserve();
    let first = mesh.sidecar("former").internal_port(port).run();
    first.kill();
    let names = mesh.names().open();
    assert_eq!(rows(&names, "former").len(), 1);
    let _second = mesh.sidecar("latter").internal_port(port).run();
    assert_eq!(rows(&names, "former").len(), 0);
    assert_eq!(rows(&names, "latter").len(), 1);
}

#[test]
fn several_instances_have_a_row_each() {
    let mesh = Mesh::plain();
    let app = RawApp::scripted();
    let _first = mesh.sidecar("many").app(&app).run();
    let _second = mesh.sidecar("many").app(&app).run();
    assert_eq!(rows(&mesh.names().open(), "many").len(), 2);
}

#[test]
fn other_table_names_are_honoured() {
    let names = Names::new();
    let spec = names.spec().replace(tests::mesh::FRESH, "").replace(
        "configuration: {",
        "configuration: {tableName: peers, metadataTableName: facts, updateInterval: 3s, ",
    );
    let app = RawApp::scripted();
    let _callee = tests::sidecar("callee").app(&app).spec(&spec).run();
    let caller = tests::sidecar("caller").spec(&spec).run();
    caller.invoke("callee", "x").expect(200, "ok");
    let count: i64 = names
        .open()
        .query_row("SELECT count(*) FROM peers", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 2);
}
