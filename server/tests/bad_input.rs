//! Every malformed, oversized, replayed, foreign or forbidden request gets a named code and leaves the state as it was.

mod deeds;
pub(crate) mod ground;
mod once;
mod requests;
mod routes;
