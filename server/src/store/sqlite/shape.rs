//! What a database looks like to those who use it: tables with their columns, indexes, triggers, whatever the words that made them.
//!
//! It says nothing of rows, nor of SQLite's own tables (an `ANALYZE` makes some).

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::schema;
use crate::store::Result;

const ASKED: &[&str] = &[
    "SELECT concat_ws(' ', 'table', name, type, ncol, wr, strict) FROM pragma_table_list
     WHERE schema = 'main' AND name NOT LIKE 'sqlite%'",
    "SELECT concat_ws(' ', 'column', t.name, c.cid, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk)
     FROM pragma_table_list AS t JOIN pragma_table_xinfo(t.name) AS c WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite%'",
    "SELECT concat_ws(' ', 'key', t.name, f.\"from\", f.\"table\", f.\"to\", f.on_delete)
     FROM pragma_table_list AS t JOIN pragma_foreign_key_list(t.name) AS f WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite%'",
    "SELECT concat_ws(' ', 'columns of', t.name, i.name, i.\"unique\", i.partial, x.seqno, x.name, x.\"desc\")
     FROM pragma_table_list AS t JOIN pragma_index_list(t.name) AS i JOIN pragma_index_xinfo(i.name) AS x WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite%'",
    "SELECT concat_ws(' ', type, name, sql) FROM sqlite_schema
     WHERE type IN ('trigger', 'view') OR (type = 'index' AND sql IS NOT NULL) OR sql LIKE 'CREATE VIRTUAL%'",
    "SELECT concat_ws(' ', 'version', user_version) FROM pragma_user_version",
];

/// The shape of a database, in lines that are equal where two look the same.
pub fn shape(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut shape = BTreeSet::new();
    for sql in ASKED {
        let mut select = connection.prepare(sql)?;
        let lines = select.query_map([], |row| row.get(0))?;
        shape.extend(lines.collect::<rusqlite::Result<Vec<String>>>()?);
    }
    Ok(shape)
}

/// Tells in what a database is not like a new one.
pub(super) fn disagreements(connection: &Connection, tell: &mut dyn FnMut(String)) -> Result<()> {
    let (found, due) = (shape(connection)?, shape(&schema::empty()?)?);
    let told = |tell: &mut dyn FnMut(String), line: &str, what: &str| {
        // What a trigger or an index says in full helps nobody here, and may be long.
        let name: Vec<&str> = line.split_whitespace().take(4).collect();
        tell(format!("schema: {} {what}", name.join(" ")));
    };
    for line in due.difference(&found) {
        told(tell, line, "is not there, or not so");
    }
    for line in found.difference(&due) {
        told(tell, line, "is there, and is not the program's");
    }
    Ok(())
}
