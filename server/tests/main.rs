//! The server from outside: its binary and its URLs. One test binary; this is the list of everything in it.

#![expect(clippy::indexing_slicing, reason = "tests panic to fail")]
#![expect(clippy::too_many_lines, reason = "a corpus is a list")]

mod bad_input;
mod cancel;
mod commands;
mod connections;
mod description;
mod files;
mod folder;
#[path = "support/http.rs"]
mod http;
mod imports;
mod leave;
mod links;
#[path = "support/office.rs"]
mod office;
mod passwords;
#[path = "support/program.rs"]
mod program;
mod remains;
mod reviews;
mod settings;
mod setup;
mod sign_in;
mod stop;
mod tls;
mod untouched;
mod villages;
mod watching;
