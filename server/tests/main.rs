//! The server from outside: its binary and its URLs. One test binary; this is the list of everything in it.

mod commands;
#[path = "support/http.rs"]
mod http;
#[path = "support/program.rs"]
mod program;
mod stop;
