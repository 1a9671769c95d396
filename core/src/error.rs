//! Why something could not be done on the phone, by what the caller can do about it.
//!
//! Codes, not sentences; the app words them.

use rusqlite::ErrorCode;

use crate::domain::refusal::Refusal;

/// Why something could not be done.
#[derive(Debug)]
pub enum Error {
    /// The rules say no; nothing was recorded.
    Refused(Refusal),
    /// There is no such thing here.
    NotFound,
    /// No connection, or it died; try again later. What had arrived is kept.
    Offline {
        /// Come back no sooner than after so many milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The server does not know this phone's token, or has revoked it: enrol again, in a file of its own. Nothing here is lost: go on with
    /// `sync` while anything is in the outbox; what is recorded later goes by a rescue bundle.
    SignedOut,
    /// The enrolment code is wrong, used or too old.
    BadCode,
    /// Not a rescue bundle for this phone's server, or too large for one: fetch the file again.
    BadBundle,
    /// This file is not enrolled yet.
    NotEnrolled,
    /// This file holds an enrolment already; another one needs a file of its own. No code was used.
    AlreadyEnrolled,
    /// A newer program is needed: the file or the server is newer than this one.
    UpdateNeeded,
    /// No room left on the device; nothing was recorded.
    Full,
    /// The file may only be read, or its disk fails: nothing was recorded; what is here can be shown.
    Unwritable,
    /// A page of the file is damaged: close it and open it again, which moves it aside, keeps it and begins a new one; then enrol again.
    Damaged,
    /// Another program syncs on this file and has come further: it catches up, or the next call does. What had arrived is kept.
    Overtaken,
    /// The caller cancelled; what had arrived is kept.
    Cancelled,
    /// Of a document in this file something is spoilt that could not be mended: a person should look.
    Spoilt,
    /// The two ends disagree in a way that a person should look at: the code of the check that failed.
    Disagreement(&'static str),
    /// The file could not be read or written.
    Storage(String),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::NotFound => f.write_str("not found"),
            Self::Offline { .. } => f.write_str("offline"),
            Self::SignedOut => f.write_str("signed out"),
            Self::BadCode => f.write_str("bad enrolment code"),
            Self::BadBundle => f.write_str("bad rescue bundle"),
            Self::NotEnrolled => f.write_str("not enrolled"),
            Self::AlreadyEnrolled => f.write_str("already enrolled"),
            Self::UpdateNeeded => f.write_str("update needed"),
            Self::Full => f.write_str("no room left"),
            Self::Unwritable => f.write_str("may not be written"),
            Self::Damaged => f.write_str("damaged"),
            Self::Overtaken => f.write_str("overtaken"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Spoilt => f.write_str("spoilt"),
            Self::Disagreement(check) => write!(f, "disagreement: {check}"),
            Self::Storage(what) => write!(f, "storage: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => {
                Self::Unwritable
            }
            _ => Self::Storage(error.to_string()),
        }
    }
}

/// Result of an operation on the phone.
pub type Result<T> = std::result::Result<T, Error>;
