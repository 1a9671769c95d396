//! The whole system in one process. One test binary; this is the list of everything in it.

mod corpora;
mod crashes;
mod invariants;
mod simulation;
mod stories;
mod tidy;
mod walk;
