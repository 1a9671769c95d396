//! How a phone catches up: the messages that both ends share, and the session without a socket.
#![doc = include_str!("sync/protocol.md")]

pub mod backoff;
pub mod components;
pub mod directory;
pub mod frame;
#[cfg(feature = "device")]
pub mod http;
pub mod rescue;
pub mod seal;
pub mod session;
pub mod strip;
#[cfg(feature = "device")]
pub mod transport;
pub mod wire;
