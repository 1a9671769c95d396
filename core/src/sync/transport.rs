//! What a round asks of a network: one request, one response whose body comes in pieces.
//!
//! Implementations decide nothing: no retries, no interpretation. `http` is the real one; simulations bring their own.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

/// A future that may be sent between threads.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Reads.
    Get,
    /// Writes.
    Post,
}

/// A request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// How to ask.
    pub method: Method,
    /// Scheme, host and port; without a final slash.
    pub server_url: String,
    /// With a leading slash.
    pub path: Cow<'static, str>,
    /// Sent as a bearer token.
    pub token: Option<String>,
    /// Of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no response, or no more of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unreachable;

/// A response.
pub trait Response: Send {
    /// HTTP status.
    fn status(&self) -> u16;
    /// Content type, without parameters.
    fn content_type(&self) -> &str;
    /// The server's `Retry-After`, in milliseconds.
    fn retry_after_ms(&self) -> Option<u64>;
    /// The next piece of the body; none at its end.
    fn piece(&mut self) -> Waiting<'_, Result<Option<Vec<u8>>, Unreachable>>;
}

/// A way to the server.
pub trait Transport: Send + Sync {
    /// Sends a request and waits for the head of the response.
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>>;
}
