//! Why an operation on the database could not be done, by what the caller can do about it.
//!
//! What a client hears of it is the API's business.

/// Why an operation could not be done.
#[derive(Clone, Debug)]
pub enum StoreError {
    /// A document has grown since it was read: read again and try again.
    Stale,
    /// No room left.
    Full,
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

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stale => f.write_str("a document has grown in the meantime"),
            Self::Full => f.write_str("no room left"),
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
