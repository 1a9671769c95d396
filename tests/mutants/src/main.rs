//! Asks of every condition, comparison and statement of some files whether any test would fail without it.
//!
//! All mutants lie in one program, each chosen by a number, so that none needs a build of its own: a copy of the last commit is sown with them,
//! what does not compile is taken out again, and each mutant meets the tests that reach it, the quick ones first, until one fails. What is left
//! has a reason in `left.txt`; anything else fails the run. It changes nothing outside its folder. It knows nothing of equivalence.

mod hunt;
mod left;
mod places;
mod programs;
mod sow;
mod weave;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

/// What went wrong, in words for who runs it.
type Fault = Box<dyn std::error::Error>;

/// What is asked for.
struct Options {
    /// Where the copy, its build and the results are kept.
    folder: PathBuf,
    /// How long the tests that a mutant meets may take in all, as they take without one.
    budget: Duration,
    /// The files, from the top of the project; those of `places.rs`, where none is named.
    files: Vec<String>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Fault> {
    let mut words = std::env::args().skip(1);
    let folder = words
        .next()
        .ok_or("patrol-mutants FOLDER [SECONDS [FILE…]], at the top of the project")?;
    let seconds = words.next().map_or(Ok(60), |word| word.parse())?;
    let mut files: Vec<String> = words.collect();
    if files.is_empty() {
        files = places::FILES
            .iter()
            .map(|file| (*file).to_owned())
            .collect();
    }
    Ok(Options {
        folder: std::path::absolute(folder)?,
        budget: Duration::from_secs(seconds),
        files,
    })
}

/// Whether nothing is left that has no reason.
fn run(options: &Options) -> Result<bool, Fault> {
    let copy = options.folder.join("copy");
    copy_of_last_commit(&copy)?;
    let mut mutants = Vec::new();
    for file in &options.files {
        let text = std::fs::read_to_string(copy.join(file))?;
        mutants.extend(sow::sow(file, &text, mutants.len())?);
    }
    let sown = mutants.len();
    let build = options.folder.join("build");
    weave::until_it_compiles(&copy, &build, &mut mutants)?;
    println!(
        "{} mutants of {} files; {} more do not compile",
        mutants.len(),
        options.files.len(),
        sown - mutants.len()
    );
    let tests = programs::tests(&copy, &build)?;
    let reached = programs::reached(&tests, &options.folder)?;
    let fates = hunt::hunt(&mutants, &tests, &reached, options.budget)?;
    left::table(&mutants, &fates, &options.folder.join("fates.tsv"))?;
    let reasons = Path::new("tests/mutants/left.txt");
    left::report(&mutants, &fates, &options.files, reasons)
}

fn copy_of_last_commit(copy: &Path) -> Result<(), Fault> {
    if copy.exists() {
        std::fs::remove_dir_all(copy)?;
    }
    std::fs::create_dir_all(copy)?;
    let archive = copy.with_extension("tar");
    let mut git = Command::new("git");
    git.args(["archive", "--output"]).arg(&archive).arg("HEAD");
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(&archive).arg("-C").arg(copy);
    for mut command in [git, tar] {
        if !command.status()?.success() {
            return Err("the last commit could not be copied".into());
        }
    }
    Ok(())
}
