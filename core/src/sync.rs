//! How a phone catches up.
#![doc = include_str!("sync/protocol.md")]

pub mod directory;
