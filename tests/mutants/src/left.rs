//! What is left of a run, beside the reasons that are known for it.
//!
//! A reason names a mutant by its file, its function, what stands there and what then does, so that it outlives a move within the file. Several
//! that are alike in all of that have one reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::Fault;
use crate::hunt::Fate;
use crate::sow::Mutant;

/// What became of each mutant, one on a line: number, place, what stands there, what then does, the test that failed; columns with tabs.
pub fn table(mutants: &[Mutant], fates: &BTreeMap<usize, Fate>, file: &Path) -> Result<(), Fault> {
    let mut text = String::new();
    for mutant in mutants {
        let fate = match fates.get(&mutant.number) {
            Some(Fate::Caught(test)) => test.clone(),
            Some(Fate::Left { passed, not_met }) => format!("- ({passed} pass, {not_met} not met)"),
            None => "not asked".to_owned(),
        };
        let place = format!("{}:{}", mutant.file, mutant.line);
        let [before, after] = [&mutant.before, &mutant.after];
        let number = mutant.number;
        text.push_str(&format!("{number}\t{place}\t{before}\t{after}\t{fate}\n"));
    }
    Ok(std::fs::write(file, text)?)
}

/// Says what is left; whether each of it has a reason.
pub fn report(
    mutants: &[Mutant],
    fates: &BTreeMap<usize, Fate>,
    files: &[String],
    reasons: &Path,
) -> Result<bool, Fault> {
    let reasoned = reasoned(&std::fs::read_to_string(reasons)?)?;
    let mut used = BTreeSet::new();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut without = 0;
    for mutant in mutants {
        let count = counts.entry(&mutant.file).or_default();
        count.0 += 1;
        let Some(Fate::Left { passed, not_met }) = fates.get(&mutant.number) else {
            continue;
        };
        count.1 += 1;
        let name = name(mutant);
        if !reasoned.contains(&name) {
            without += 1;
            let (line, number) = (mutant.line, mutant.number);
            println!(
                "left: {name}\n    line {line}, number {number}; {passed} tests pass, {not_met} not met"
            );
        }
        used.insert(name);
    }
    for name in &reasoned {
        let is_asked = files
            .iter()
            .any(|file| name.starts_with(&format!("{file} ")));
        if is_asked && !used.contains(name) {
            println!("a reason for what is not left: {name}");
        }
    }
    for (file, (all, left)) in &counts {
        println!("{file}: {all} mutants, {left} left");
    }
    let all: usize = counts.values().map(|(all, _)| all).sum();
    let left: usize = counts.values().map(|(_, left)| left).sum();
    println!(
        "{all} mutants, {} caught, {left} left, {without} of them without a reason",
        all - left
    );
    Ok(without == 0)
}

fn name(mutant: &Mutant) -> String {
    let after = if mutant.after.is_empty() {
        "nothing"
    } else {
        &mutant.after
    };
    format!(
        "{} {}: {} => {after}",
        mutant.file, mutant.function, mutant.before
    )
}

/// The names in the list; a line that begins with `# ` is the reason for those below it.
fn reasoned(text: &str) -> Result<BTreeSet<String>, Fault> {
    let mut names = BTreeSet::new();
    let mut has_reason = false;
    for line in text.lines().filter(|line| !line.is_empty()) {
        match (line.starts_with("# "), has_reason) {
            (true, _) => has_reason = true,
            (false, true) => {
                names.insert(line.to_owned());
            }
            (false, false) => return Err(format!("a mutant without a reason: {line}").into()),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{name, reasoned, report};
    use crate::hunt::Fate;
    use crate::sow::{Mutant, sow};

    fn one() -> Mutant {
        let mut mutants = sow("core/src/f.rs", "fn f() { g(); }\n", 0).expect("parses");
        mutants.remove(1)
    }

    #[test]
    fn what_is_left_needs_a_reason_and_what_is_caught_none() {
        let mutant = one();
        assert_eq!(name(&mutant), "core/src/f.rs f: g(); => nothing");
        let left = Fate::Left {
            passed: 3,
            not_met: 0,
        };
        let caught = Fate::Caught("a_test".to_owned());
        let reasons = format!("# Nobody would see it.\n{}\n", name(&mutant));
        let file = std::env::temp_dir().join(format!("left-{}", std::process::id()));
        for (fate, reasons, is_well) in [
            (&left, reasons.as_str(), true),
            (&left, "", false),
            (&caught, "", true),
        ] {
            std::fs::write(&file, reasons).expect("can be written");
            let fate = match fate {
                Fate::Left { .. } => Fate::Left {
                    passed: 3,
                    not_met: 0,
                },
                Fate::Caught(test) => Fate::Caught(test.clone()),
            };
            let fates = BTreeMap::from([(1, fate)]);
            let mutants = [one()];
            let files = ["core/src/f.rs".to_owned()];
            assert_eq!(
                report(&mutants, &fates, &files, &file).expect("reads"),
                is_well
            );
        }
        std::fs::remove_file(&file).expect("is there");
    }

    #[test]
    fn a_name_without_a_reason_is_refused() {
        assert!(reasoned("core/src/f.rs f: g(); => nothing\n").is_err());
    }
}
