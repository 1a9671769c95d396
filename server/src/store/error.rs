//! Why an operation on the database could not be done, by what the caller can do about it.
//!
//! What a client hears of it is the API's business.

/// Why an operation could not be done.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// A document has grown since it was read: read again and try again.
    Stale,
    /// No room left: more must be made.
    Full,
    /// The disk takes nothing more though it may have room: a quota, a disk that may only be read or that fails.
    Unwritable(String),
    /// A page of the file is not as it was written. What is whole can be read; nothing is written any more.
    Damaged(String),
    /// The file is not where it was opened, so what is written into it would not be found again.
    Moved,
    /// The database was made by a newer program.
    Newer {
        /// Its version.
        found: u32,
    },
    /// The database was made by an older program and must be upgraded first.
    Older {
        /// Its version.
        found: u32,
    },
    /// Anything else: logged, answered as "not now".
    Broken(String),
}

impl StoreError {
    /// The word for it where it is the disk: then what is to be written must wait, and what can be read may still be read.
    pub fn of_the_disk(&self) -> Option<&'static str> {
        match self {
            Self::Full => Some("full"),
            Self::Unwritable(_) => Some("unwritable"),
            Self::Damaged(_) => Some("damaged"),
            Self::Moved => Some("moved"),
            Self::Stale | Self::Newer { .. } | Self::Older { .. } | Self::Broken(_) => None,
        }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stale => f.write_str("a document has grown in the meantime"),
            Self::Full => f.write_str("no room left"),
            Self::Unwritable(what) => write!(f, "the database cannot be written: {what}"),
            Self::Damaged(what) => write!(f, "the database is damaged: {what}"),
            Self::Moved => f.write_str("the database is not where it was any more"),
            Self::Newer { found } => write!(
                f,
                "the database has version {found}, which this program does not know: use the newer program"
            ),
            Self::Older { found } => write!(
                f,
                "the database has version {found}: `patrol-server upgrade` brings it up to date, and so does serving"
            ),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for StoreError {}
