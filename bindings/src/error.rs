//! Why a call failed, by what an app can do about it.
//!
//! Codes, not sentences: the app's translation layer words them.

use std::fmt;

use patrol_core::error::Error;

/// Why a call failed, by what an app can do about it.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Error)]
pub enum PatrolError {
    /// The rules say no, and nothing was recorded. Show the words for the code.
    Refused {
        /// The refusal's code, such as `not_permitted` or `wrong_stage`.
        code: String,
    },
    /// There is no such thing on this phone.
    NotFound,
    /// No connection, or it died. What had arrived is kept; try again later.
    Offline {
        /// Come back no sooner than after so many milliseconds; give it to `next_round_in_ms`.
        retry_after_ms: Option<u64>,
    },
    /// The server does not know this enrolment any more, or has revoked it: enrol again in a new file. Nothing here is lost: go on with `sync`
    /// while anything is in the outbox; what is recorded here later goes by a rescue bundle, which the new enrolment may carry.
    SignedOut,
    /// The enrolment code is wrong, used or too old: ask for another.
    BadCode,
    /// Not a rescue bundle for this phone's server: fetch the file again.
    BadBundle,
    /// This file is not enrolled yet: show the enrolment screen.
    NotEnrolled,
    /// This file is enrolled already; another enrolment needs a file of its own. The code was not used.
    AlreadyEnrolled,
    /// The file or the server is newer than this program: update the app.
    UpdateNeeded,
    /// The phone is full, and nothing was recorded: make room.
    Full,
    /// The file may only be read, or its disk fails; nothing was recorded. What is here can be shown; restart the phone.
    Unwritable,
    /// A page of the file is damaged. Shut this object down and open the file again: it is moved aside and kept, and a new one begun. Then
    /// enrol again.
    Damaged,
    /// Another program of the app syncs on this file and has come further: it catches up, or the next call does. What had arrived is kept.
    Overtaken,
    /// The app cancelled. What had arrived is kept.
    Cancelled,
    /// The app passed something that is no such thing: a fault of the app.
    Invalid {
        /// Which argument or part of one.
        what: String,
    },
    /// The app has shut this object down: open the file again.
    ShutDown,
    /// The file, or what the two ends say of each other, is not as it must be: keep everything and report it.
    Broken {
        /// What failed, for the logs.
        reason: String,
    },
}

impl PatrolError {
    /// Something that is no such thing.
    pub(crate) fn invalid(what: &str) -> Self {
        Self::Invalid {
            what: what.to_owned(),
        }
    }
}

impl fmt::Display for PatrolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // For logs; screens word the variants.
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for PatrolError {}

impl From<Error> for PatrolError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::Refused {
                code: refusal.code().to_owned(),
            },
            Error::NotFound => Self::NotFound,
            Error::Offline { retry_after_ms } => Self::Offline { retry_after_ms },
            Error::SignedOut => Self::SignedOut,
            Error::BadCode => Self::BadCode,
            Error::BadBundle => Self::BadBundle,
            Error::NotEnrolled => Self::NotEnrolled,
            Error::AlreadyEnrolled => Self::AlreadyEnrolled,
            Error::UpdateNeeded => Self::UpdateNeeded,
            Error::Full => Self::Full,
            Error::Unwritable => Self::Unwritable,
            Error::Damaged => Self::Damaged,
            Error::Overtaken => Self::Overtaken,
            Error::Cancelled => Self::Cancelled,
            Error::Spoilt | Error::Disagreement(_) | Error::Storage(_) => Self::Broken {
                reason: error.to_string(),
            },
        }
    }
}

/// A callback of the app failed. The call that made it goes on without it.
#[derive(Clone, PartialEq, Eq, Debug, uniffi::Error)]
pub enum CallbackError {
    /// It threw.
    Thrown {
        /// What it threw, for the logs.
        reason: String,
    },
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for CallbackError {}

impl From<uniffi::UnexpectedUniFFICallbackError> for CallbackError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Thrown {
            reason: error.reason,
        }
    }
}
