//! What must hold between rows and columns by themselves: lengths, ranges, what names what. A rule counts the rows that break it.
//!
//! Nothing is decoded here; what follows from changes and bodies is `check`'s.

use rusqlite::Connection;

use crate::store::Result;

/// A table, how to count its rows that break a rule, and what is wrong with them.
type Rule = (&'static str, &'static str, &'static str);

const RULES: &[Rule] = &[
    ("counters", "SELECT count(*) <> 1 FROM counters", "it is not one row"),
    (
        "documents",
        "SELECT count(*) <> coalesce(max(no), 0) FROM documents",
        "`no` is not 1, 2, 3 …",
    ),
    (
        "scopes",
        "SELECT count(*) <> coalesce(max(number), 0) FROM scopes",
        "`number` is not 1, 2, 3 …",
    ),
    ("boxed", "SELECT count(*) <> coalesce(max(no), 0) FROM boxed", "`no` is not 1, 2, 3 …"),
    ("batches", "SELECT count(*) <> coalesce(max(no), 0) FROM batches", "`no` is not 1, 2, 3 …"),
    (
        "directories",
        "SELECT count(*) <> coalesce(max(no), 0) FROM directories",
        "`no` is not 1, 2, 3 …",
    ),
    (
        "directories",
        "SELECT count(*) FROM directories WHERE by_leave NOT IN (0, 1)",
        "`by_leave` is neither 0 nor 1",
    ),
    (
        "directories",
        "SELECT count(*) FROM directories WHERE (said IS NULL) <> (leaves IS NULL)",
        "`said` and `leaves` are there in part",
    ),
    (
        "component_imports",
        "SELECT count(*) <> coalesce(max(no), 0) FROM component_imports",
        "`no` is not 1, 2, 3 …",
    ),
    (
        "boxed",
        "SELECT count(*) FROM boxed WHERE (settled_by IS NULL) + (settled_at IS NULL) + (settled_words IS NULL)
           + (released IS NULL) NOT IN (0, 4)",
        "the `settled_` columns and `released` are there in part",
    ),
    (
        "boxed",
        "SELECT count(*) FROM boxed WHERE released NOT IN (0, 1)",
        "`released` is neither 0 nor 1",
    ),
    (
        "boxed",
        "SELECT count(*) FROM boxed WHERE device NOT IN (SELECT id FROM devices)",
        "`device` is no device",
    ),
    (
        "notices",
        "SELECT count(*) FROM notices WHERE device NOT IN (SELECT id FROM devices)",
        "`device` is no device",
    ),
    (
        "notices",
        "SELECT count(*) FROM notices n LEFT JOIN notice_heads h ON h.device = n.device
         WHERE n.number < 1 OR h.last IS NULL OR n.number > h.last",
        "`number` is beyond the last of `notice_heads`",
    ),
    (
        "notice_heads",
        "SELECT count(*) FROM notice_heads WHERE device NOT IN (SELECT id FROM devices)",
        "`device` is no device",
    ),
    ("notice_heads", "SELECT count(*) FROM notice_heads WHERE last < 0", "`last` is below 0"),
    (
        "devices",
        "SELECT count(*) FROM devices WHERE length(token) <> 32",
        "`token` is not 32 bytes",
    ),
    (
        "devices",
        "SELECT count(*) FROM devices WHERE revoked_empty NOT IN (0, 1)",
        "`revoked_empty` is neither 0 nor 1",
    ),
    (
        "devices",
        "SELECT count(*) FROM devices WHERE revoked_at IS NULL AND revoked_empty <> 0",
        "`revoked_empty` is set and it is not revoked",
    ),
    (
        "devices",
        "SELECT count(*) FROM devices WHERE revoked_bytes < 0 OR (revoked_at IS NULL AND revoked_bytes <> 0)",
        "`revoked_bytes` is counted and it is not revoked",
    ),
    (
        "enrol_codes",
        "SELECT count(*) FROM enrol_codes WHERE length(code) <> 32 OR length(person) <> 8",
        "`code` is not 32 bytes or `person` not 8",
    ),
    (
        "accounts",
        "SELECT count(*) FROM accounts WHERE length(person) <> 8 OR login = '' OR password_hash = ''",
        "`person` is not 8 bytes, or `login` or `password_hash` empty",
    ),
    (
        "sessions",
        "SELECT count(*) FROM sessions WHERE length(token) <> 32 OR person NOT IN (SELECT person FROM accounts)",
        "`token` is not 32 bytes or `person` has no account",
    ),
    (
        "setup_code",
        "SELECT count(*) FROM setup_code WHERE length(code) <> 32 OR EXISTS (SELECT 1 FROM accounts)",
        "`code` is not 32 bytes, or somebody has an account",
    ),
    (
        "folder",
        "SELECT count(*) FROM folder WHERE length(places) <> 32 OR length(people) <> 32",
        "`places` or `people` is not 32 bytes",
    ),
    (
        "terminals",
        "SELECT count(*) FROM terminals WHERE village NOT BETWEEN 100000000000 AND 999999999999 OR length(registered_by) <> 8",
        "`village` is no village's code or `registered_by` not 8 bytes",
    ),
    (
        "component_preparing",
        "SELECT count(*) FROM component_preparing WHERE is_open NOT IN (0, 1) OR turn < (SELECT count(*) FROM component_imports)",
        "`is_open` is neither 0 nor 1, or `turn` is below the number of imports",
    ),
    (
        "component_imports",
        "SELECT count(*) FROM component_imports WHERE NOT EXISTS (SELECT 1 FROM component_preparing)",
        "no import was prepared",
    ),
];

/// Tells each rule that is broken, and by how many rows; and rows that name a document or a scope that is not there.
pub(super) fn disagreements(connection: &Connection, tell: &mut dyn FnMut(String)) -> Result<()> {
    for (table, sql, what) in RULES {
        let rows: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        if rows > 0 {
            tell(format!("{table}: {what} ({rows})"));
        }
    }
    let mut select = connection.prepare(
        "SELECT \"table\", \"parent\", count(*) FROM pragma_foreign_key_check GROUP BY 1, 2",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (table, parent, count): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        tell(format!(
            "{table}: rows name what `{parent}` does not have ({count})"
        ));
    }
    Ok(())
}
