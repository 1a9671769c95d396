//! Puts mutants into the copy's sources, and takes out those with which it does not compile.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::sow::Mutant;
use crate::{Fault, places as given};

/// A file with its mutants in it, and where each one's own text lies in it.
struct Woven {
    text: String,
    own: Vec<(Range<usize>, usize)>,
    /// What each encloses, its own text included.
    whole: Vec<(Range<usize>, usize)>,
}

/// The compiler stops at the first kind of fault: it is asked until it finds none.
pub fn until_it_compiles(
    copy: &Path,
    build: &Path,
    mutants: &mut Vec<Mutant>,
) -> Result<(), Fault> {
    let mut sources = BTreeMap::new();
    for mutant in mutants.iter() {
        let text = std::fs::read_to_string(copy.join(&mutant.file))?;
        sources.entry(mutant.file.clone()).or_insert(text);
    }
    std::fs::write(copy.join("core/src/mutants.rs"), given::CHOICE)?;
    let root = copy.join("core/src/lib.rs");
    let text = std::fs::read_to_string(&root)?;
    std::fs::write(&root, format!("{text}\npub mod mutants;\n"))?;
    loop {
        let mut woven = BTreeMap::new();
        for (file, text) in &sources {
            let of_file: Vec<&Mutant> = mutants.iter().filter(|one| one.file == *file).collect();
            let result = weave(text, &of_file);
            std::fs::write(copy.join(file), &result.text)?;
            woven.insert(file.clone(), result);
        }
        let faults = faults(copy, build)?;
        if faults.is_empty() {
            return Ok(());
        }
        let mut spoilt = BTreeSet::new();
        for places in &faults {
            let mut named = places
                .iter()
                .filter_map(|(file, place)| woven.get(file)?.at(place));
            match named.next() {
                Some(number) => spoilt.extend([number]),
                None => spoilt.extend(between(places, &woven, mutants)),
            }
        }
        if spoilt.is_empty() {
            return Err(format!("does not compile, and no mutant is why: {faults:?}").into());
        }
        println!("{} do not compile", spoilt.len());
        mutants.retain(|mutant| !spoilt.contains(&mutant.number));
    }
}

impl Woven {
    /// The mutant to whose text a fault's first byte belongs; failing that, the innermost one that encloses it; failing that, the outermost one
    /// within the fault.
    fn at(&self, fault: &Range<usize>) -> Option<usize> {
        let around = |among: &[(Range<usize>, usize)]| {
            let around = among
                .iter()
                .filter(|(range, _)| range.contains(&fault.start));
            around
                .min_by_key(|(range, _)| range.len())
                .map(|(_, number)| *number)
        };
        let is_within = |range: &Range<usize>| fault.start <= range.start && range.end <= fault.end;
        let within = || {
            let within = self.whole.iter().filter(|(range, _)| is_within(range));
            within
                .max_by_key(|(range, _)| range.len())
                .map(|(_, number)| *number)
        };
        around(&self.own)
            .or_else(|| around(&self.whole))
            .or_else(within)
    }
}

/// Statements that leave, between the places of a fault that lie in one file: without one of them something is used that had gone.
fn between(places: &[Place], woven: &BTreeMap<String, Woven>, mutants: &[Mutant]) -> Vec<usize> {
    let Some((file, first)) = places.first() else {
        return Vec::new();
    };
    let here = places.iter().filter(|(other, _)| other == file);
    let around = here.fold(first.clone(), |around, (_, place)| {
        around.start.min(place.start)..around.end.max(place.end)
    });
    let leaves = |number: &usize| {
        let mut of = mutants.iter().filter(|mutant| mutant.number == *number);
        let starts = ["continue", "break", "return"];
        of.any(|mutant| {
            mutant.after.is_empty() && starts.iter().any(|word| mutant.before.starts_with(word))
        })
    };
    let whole = woven.get(file).map_or(&[][..], |woven| &woven.whole);
    whole
        .iter()
        .filter(|(range, _)| around.start <= range.start && range.end <= around.end)
        .map(|(_, number)| *number)
        .filter(leaves)
        .collect()
}

fn weave(text: &str, mutants: &[&Mutant]) -> Woven {
    // Of those that begin or end together the longer one is outside; of those of one place the first.
    let mut order: Vec<&Mutant> = mutants.to_vec();
    order.sort_by_key(|one| {
        (
            one.range.start,
            std::cmp::Reverse(one.range.end),
            one.number,
        )
    });
    let mut inserted: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (place, mutant) in order.iter().enumerate() {
        inserted
            .entry(mutant.range.start)
            .or_default()
            .1
            .push(place);
        inserted.entry(mutant.range.end).or_default().0.push(place);
    }
    let mut woven = Woven {
        text: String::new(),
        own: Vec::new(),
        whole: Vec::new(),
    };
    let mut starts = vec![0; order.len()];
    let mut done = 0;
    for (at, (ending, beginning)) in inserted {
        woven.text.push_str(text.get(done..at).unwrap_or_default());
        done = at;
        for place in ending.into_iter().rev() {
            let mutant = order[place];
            let from = woven.text.len();
            woven.text.push_str(&mutant.suffix);
            woven.own.push((from..woven.text.len(), mutant.number));
            woven
                .whole
                .push((starts[place]..woven.text.len(), mutant.number));
        }
        for place in beginning {
            let mutant = order[place];
            starts[place] = woven.text.len();
            woven.text.push_str(&mutant.prefix);
            woven
                .own
                .push((starts[place]..woven.text.len(), mutant.number));
        }
    }
    woven.text.push_str(text.get(done..).unwrap_or_default());
    woven
}

/// A place that the compiler names: a file, and bytes of it.
type Place = (String, Range<usize>);

/// What the compiler finds, each with the places that it names, the chief ones first.
fn faults(copy: &Path, build: &Path) -> Result<Vec<Vec<Place>>, Fault> {
    let output = Command::new("cargo")
        .args(["check", "--workspace", "--message-format=json", "--quiet"])
        .env("CARGO_TARGET_DIR", build)
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(copy)
        .output()?;
    let mut found = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        let message = &message["message"];
        if message["level"] == "error" {
            found.push(places(message));
        }
    }
    found.retain(|places| !places.is_empty());
    match (found.is_empty(), output.status.success()) {
        (true, false) => Err(String::from_utf8_lossy(&output.stderr).into()),
        _ => Ok(found),
    }
}

/// The places that a message names and, after them, those that its notes do.
fn places(message: &Value) -> Vec<Place> {
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
    let mut spans = list(&message["spans"]);
    spans.sort_by_key(|span| span["is_primary"] != true);
    let number = |of: &Value| usize::try_from(of.as_u64().unwrap_or(0)).unwrap_or(0);
    let place = |span: &Value| {
        let file = span["file_name"].as_str().unwrap_or_default().to_owned();
        (file, number(&span["byte_start"])..number(&span["byte_end"]))
    };
    let mut found: Vec<Place> = spans.iter().map(place).collect();
    found.extend(list(&message["children"]).iter().flat_map(places));
    found
}

#[cfg(test)]
mod tests {
    use super::weave;
    use crate::sow::{Mutant, sow};

    const SOURCE: &str = "fn f(a: u8, b: bool) -> bool {\n    g(a);\n    a < 3 && !b\n}\n";

    fn of(mutants: &[Mutant]) -> Vec<&Mutant> {
        mutants.iter().collect()
    }

    #[test]
    fn each_mutant_alone_gives_what_it_says() {
        let mutants = sow("server/src/f.rs", SOURCE, 7).expect("parses");
        let says: Vec<(usize, &str, &str)> = mutants
            .iter()
            .map(|one| (one.number, one.before.as_str(), one.after.as_str()))
            .collect();
        assert_eq!(
            says,
            [
                (7, "the whole function", "return true"),
                (8, "the whole function", "return false"),
                (9, "g(a);", ""),
                (10, "a < 3", "true"),
                (11, "!b", "true"),
                (12, "a < 3", "a <= 3"),
                (13, "!b", "b"),
            ]
        );
        let alone = weave(SOURCE, &of(&mutants[5..6]));
        let is = "patrol_core::mutants::is(12)";
        let woven = SOURCE.replace("a < 3", &format!("(if {is} {{ a <= 3 }} else {{ a < 3 }})"));
        assert_eq!(alone.text, woven);
    }

    #[test]
    fn all_together_parse_and_without_any_chosen_say_what_the_source_says() {
        let mutants = sow("core/src/f.rs", SOURCE, 0).expect("parses");
        let woven = weave(SOURCE, &of(&mutants));
        syn::parse_file(&woven.text).expect("parses");
        let mut plain = woven.text.clone();
        let mut own = woven.own.clone();
        own.sort_by_key(|(range, _)| range.start);
        for (range, _) in own.iter().rev() {
            plain.replace_range(range.clone(), "");
        }
        assert_eq!(plain, SOURCE);
    }

    #[test]
    fn a_fault_is_of_the_mutant_in_whose_text_it_lies() {
        let mutants = sow("core/src/f.rs", SOURCE, 0).expect("parses");
        let woven = weave(SOURCE, &of(&mutants));
        let at = woven.text.find("a <= 3").expect("is there");
        assert_eq!(woven.at(&(at..at + 6)), Some(5));
        let at = woven.text.find("else { !b").expect("is there") + "else { ".len();
        assert_eq!(woven.at(&(at..at + 2)), Some(6));
        let body = woven.text.find('{').expect("is there")..woven.text.len();
        assert_eq!(woven.at(&body), Some(0));
    }
}
