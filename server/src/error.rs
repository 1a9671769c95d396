//! Why a request was not served, as HTTP: a status and a code; the translation layer words it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::office::Rejection;
use crate::people::LeaveFault;
use crate::round::RoundFault;
use crate::setup::SetupFault;
use crate::store::StoreError;
use crate::tries::TooMany;

/// Why a request was not served.
#[derive(Debug)]
pub enum ApiError {
    /// Not a request that this server understands: a code.
    BadRequest(&'static str),
    /// Nobody is signed in, or the token is unknown.
    Unauthorized,
    /// Not for this person: a code.
    Forbidden(&'static str),
    /// No such thing, or not for this person.
    NotFound,
    /// The rules say no: a code.
    Refused(&'static str),
    /// The URL is known, but not with this method.
    MethodNotAllowed,
    /// The body is not of the type that this URL takes.
    ContentType,
    /// Too large.
    TooLarge,
    /// The client kept still, or took too long, before it had sent all.
    Stalled,
    /// Too many wrong passwords or codes: in how many milliseconds the next may be tried.
    Wait(i64),
    /// More at once than one device may ask for.
    Busy,
    /// Not now; logged.
    Unavailable,
    /// Not now, as whoever watches over the server is told: a word for it.
    Unwell(&'static str),
}

/// The code of an error, told beside its response to whoever counts it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code(pub(crate) &'static str);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let wait = match self {
            Self::Wait(ms) => Some(HeaderValue::from(ms.max(1).cast_unsigned().div_ceil(1_000))),
            Self::Busy | Self::Unavailable | Self::Unwell(_) => {
                Some(HeaderValue::from_static("30"))
            }
            _ => None,
        };
        let (status, code) = match self {
            Self::BadRequest(code) => (StatusCode::BAD_REQUEST, code),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "signed_out"),
            Self::Forbidden(code) => (StatusCode::FORBIDDEN, code),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::Refused(code) => (StatusCode::CONFLICT, code),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::Stalled => (StatusCode::REQUEST_TIMEOUT, "stalled"),
            Self::Wait(_) => (StatusCode::TOO_MANY_REQUESTS, "too_many_tries"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Unwell(word) => (StatusCode::SERVICE_UNAVAILABLE, word),
        };
        let mut response = (
            status,
            Json(serde_json::json!({ "error": { "code": code } })),
        )
            .into_response();
        response.extensions_mut().insert(Code(code));
        response
            .headers_mut()
            .extend(wait.map(|wait| (header::RETRY_AFTER, wait)));
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed: {error}");
        error.of_the_disk().map_or(Self::Unavailable, Self::Unwell)
    }
}

impl From<RoundFault> for ApiError {
    fn from(fault: RoundFault) -> Self {
        match fault {
            RoundFault::Malformed => Self::BadRequest("malformed"),
            RoundFault::Store(error) => error.into(),
        }
    }
}

impl From<TooMany> for ApiError {
    fn from(TooMany(wait): TooMany) -> Self {
        Self::Wait(wait)
    }
}

impl From<SetupFault> for ApiError {
    fn from(fault: SetupFault) -> Self {
        match fault {
            SetupFault::BadCode => Self::Forbidden("bad_code"),
            SetupFault::Unnamed => Self::BadRequest("name"),
            SetupFault::NotAdministrator => Self::Refused("not_administrator"),
            SetupFault::Several => Self::Refused("several_of_that_name"),
            SetupFault::Leaves => Self::Refused("leaves_already"),
            SetupFault::Store(error) => error.into(),
        }
    }
}

impl From<LeaveFault> for ApiError {
    fn from(fault: LeaveFault) -> Self {
        match fault {
            LeaveFault::Unknown => Self::NotFound,
            LeaveFault::NoPost => Self::Refused("no_post"),
            LeaveFault::LeavesAlready | LeaveFault::LeavesThen | LeaveFault::EndsThen => {
                Self::Refused("leaves_already")
            }
            LeaveFault::Substitute => Self::BadRequest("substitute"),
            LeaveFault::LastAdministrator => Self::Refused("last_administrator"),
            LeaveFault::Store(error) => error.into(),
        }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Refused(refusal) => Self::Refused(refusal.code()),
            Rejection::NotFound => Self::NotFound,
            Rejection::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_takes_nothing_is_called_as_whoever_watches_calls_it() {
        let of = |error: StoreError| {
            let response = ApiError::from(error).into_response();
            let code = response.extensions().get::<Code>().map(|code| code.0);
            (response.status().as_u16(), code)
        };
        assert_eq!(of(StoreError::Full), (503, Some("full")));
        let unwritable = StoreError::Unwritable(String::new());
        assert_eq!(of(unwritable), (503, Some("unwritable")));
        assert_eq!(of(StoreError::Stale), (503, Some("unavailable")));
    }
}
