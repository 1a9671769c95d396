//! The whole system in one process. One test binary; this is the list of everything in it.

mod crashes;
mod simulation;
mod stories;
mod tidy;
