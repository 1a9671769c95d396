//! The words of the field and its rules, as plain data and pure functions.
//!
//! Nothing here knows about Automerge, databases, sockets or clocks, and nothing here can fail because of the outside
//! world: time, randomness and ids are arguments.

pub mod action;
pub mod capability;
pub mod case;
pub mod component;
pub mod directory;
pub mod entry;
pub mod fold;
pub mod grams;
pub mod id;
pub mod limits;
pub mod offers;
pub mod place;
pub mod refusal;
pub mod rules;
pub mod stage;
pub mod tally;
pub mod time;
