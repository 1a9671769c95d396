//! One Automerge document per case: its grammar, how a deed becomes a change, which changes are admitted, and how the
//! document reads.
//!
//! This is the only place that names Automerge; elsewhere a change is opaque bytes. It knows nothing of stages.
#![doc = include_str!("doc/format.md")]

pub mod admit;
mod chunk;
pub mod compose;
mod decode;
pub mod document;
pub mod entry;
pub mod key;
pub mod ledger;
pub mod parse;
pub mod register;
