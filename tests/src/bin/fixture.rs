//! Records what this release leaves behind for later ones: `fixture tests/fixtures/v2`. Once, before it is released.

use std::path::PathBuf;

use clap::Parser;

#[derive(Parser)]
struct Options {
    /// A folder that is not there yet.
    folder: PathBuf,
}

fn main() {
    patrol_tests::fixture::record(&Options::parse().folder);
}
