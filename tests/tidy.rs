//! The laws of the house that a compiler cannot check. Each is a function over files, so that each test can also show it a
//! counterexample: a law that cannot fail guards nothing.
//!
//! What a law finds is a list of sentences, one for each breach. Nothing here runs the program.

mod doors;
mod form;
mod limits;
mod names;
mod packages;
mod purity;
mod schemas;
mod signatures;
mod sizes;
mod source;
mod tables;

/// Breaches of a law, a sentence each.
type Breaches = Vec<String>;

/// What a law says of a made-up tree.
fn of(files: &[(&str, &str)], law: impl Fn(&[source::Source]) -> Breaches) -> Breaches {
    let files: Vec<source::Source> = files
        .iter()
        .map(|(path, text)| source::Source::new(path, text))
        .collect();
    law(&files)
}
