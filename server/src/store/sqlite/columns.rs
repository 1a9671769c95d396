//! How values stand in columns: unsigned numbers, lists, what SQLite says when something is wrong.
//!
//! It knows no table.

use rusqlite::types::Type;
use rusqlite::{ErrorCode, Row, ffi};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::SystemIoFailure) if is_of_room(&error) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(error.to_string())
            }
            // A page that the disk does not give back is as good as one that has changed.
            Some(ErrorCode::SystemIoFailure) if is_of_reading(&error) => {
                Self::Damaged(error.to_string())
            }
            Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                Self::Unwritable(error.to_string())
            }
            _ => Self::Broken(format!("the database: {error}")),
        }
    }
}

/// What lies in memory beside a log begins as a file of some blocks: where the disk has none left, SQLite has no other word for it.
fn is_of_room(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(ffi::SQLITE_IOERR_SHMSIZE)
}

fn is_of_reading(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        code,
        Some(ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS)
    )
}

/// A number that a list is bounded by; what is too large for a column is larger than everything in it.
pub(super) fn bound(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// An unsigned number.
pub(super) fn uint(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// An unsigned number that may be absent.
pub(super) fn uint_option(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    row.get::<_, Option<i64>>(column)
        .map(|value| value.map(i64::cast_unsigned))
}

/// A flag that is nothing but 0 or 1.
pub(super) fn flag(row: &Row<'_>, column: usize) -> rusqlite::Result<bool> {
    match row.get::<_, i64>(column)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(strange(column, "neither 0 nor 1")),
    }
}

/// A list or a tuple as a JSON array.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Broken(error.to_string()))
}

/// A list or a tuple from a JSON array.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    from_json(row.get_ref(column)?.as_str()?, column)
}

/// A list or a tuple that may be absent.
pub(super) fn json_option<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    row.get_ref(column)?
        .as_str_or_null()?
        .map(|text| from_json(text, column))
        .transpose()
}

fn from_json<T: DeserializeOwned>(text: &str, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}

/// A value that a row should not hold.
pub(super) fn strange(column: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Null, what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_for_which_there_is_no_room_is_a_full_disk() {
        let of =
            |code| StoreError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert!(matches!(of(ffi::SQLITE_FULL), StoreError::Full));
        assert!(matches!(of(ffi::SQLITE_IOERR_SHMSIZE), StoreError::Full));
        assert!(matches!(
            of(ffi::SQLITE_IOERR_WRITE),
            StoreError::Unwritable(_)
        ));
        assert!(matches!(of(ffi::SQLITE_IOERR_READ), StoreError::Damaged(_)));
    }
}
