//! What both ends of the patrol system agree on.
//!
//! Without features this crate is pure: it reads no clock, draws no randomness, touches no disk and no socket, and
//! the server uses nothing else. The feature `device` adds what a phone needs: its store, its transport and [`replica`].
//!
//! * [`domain`]: the words of the field and its rules: who may do what, what fits, where a case stands.
//! * [`doc`]: one Automerge document per case: its grammar, how a deed becomes a change, which changes are admitted.
//! * [`sync`]: how a phone catches up: the messages and the session, without a socket.

mod bits;
pub mod cbor;
pub mod doc;
pub mod domain;
pub mod sync;

#[cfg(feature = "device")]
pub mod error;
#[cfg(feature = "device")]
pub mod replica;
#[cfg(feature = "device")]
pub mod store;
