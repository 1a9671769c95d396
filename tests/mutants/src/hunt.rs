//! Lets each mutant meet the tests that reach it, the quick ones and those that reach little else first, until one fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::programs::{End, Reach, Test, in_turns};
use crate::sow::Mutant;
use crate::{Fault, places};

/// What became of a mutant.
pub enum Fate {
    /// A test fails with it, or does not end: its name.
    Caught(String),
    /// So many tests that reach it pass all the same, and so many more would take longer than was allowed.
    Left {
        /// Met and passed.
        passed: usize,
        /// Not met.
        not_met: usize,
    },
}

/// As long as a test may take with a mutant, beside ten times what it takes without: a busy machine is no catch.
const GRACE: Duration = Duration::from_secs(20);

/// What a first look may take of what is allowed: what is left of it is told while the rest goes on.
const FIRST_LOOK: u32 = 6;

/// A mutant and the tests that reach it, the next one first.
struct Chase<'m> {
    mutant: &'m Mutant,
    tests: Vec<Meeting>,
    passed: usize,
}

/// A test that a mutant meets.
struct Meeting {
    place: usize,
    /// What it takes without any mutant.
    time: Duration,
    /// What of that counts as spent: a scene of the mutant's own costs nothing.
    cost: Duration,
}

/// The fates of mutants, by their numbers.
pub fn hunt(
    mutants: &[Mutant],
    tests: &[Test],
    reached: &BTreeMap<usize, Reach>,
    budget: Duration,
) -> Result<BTreeMap<usize, Fate>, Fault> {
    let mut fates = BTreeMap::new();
    let chase = |mutant| Chase {
        mutant,
        tests: meeting(mutant, tests, reached),
        passed: 0,
    };
    let mut chases: Vec<Chase> = mutants.iter().map(chase).collect();
    for (look, budget) in [("first", budget / FIRST_LOOK), ("last", budget)] {
        chases = one_look(chases, tests, budget, &mut fates)?;
        println!("left after the {look} look: {}", chases.len());
        for Chase { mutant, .. } in &chases {
            let place = format!("{}:{} {}", mutant.file, mutant.line, mutant.function);
            println!("    {place}: {} => {}", mutant.before, mutant.after);
        }
    }
    for chase in chases {
        let (passed, not_met) = (chase.passed, chase.tests.len());
        fates.insert(chase.mutant.number, Fate::Left { passed, not_met });
    }
    Ok(fates)
}

/// The tests that reach a mutant.
fn meeting(mutant: &Mutant, tests: &[Test], reached: &BTreeMap<usize, Reach>) -> Vec<Meeting> {
    let is_scene = |place: usize| {
        let name = &tests[place].name;
        let mut scenes = places::SCENES.iter();
        scenes.any(|(words, scene)| mutant.before.contains(words) && name.ends_with(scene))
    };
    let reaching = reached
        .iter()
        .filter(|(_, reach)| reach.mutants.get(mutant.number) == Some(&true));
    let mut meetings: Vec<(f64, Meeting)> = reaching
        .map(|(place, reach)| {
            let reached = reach
                .mutants
                .iter()
                .filter(|is_reached| **is_reached)
                .count();
            let is_likely = f64::from(u32::try_from(reached).unwrap_or(u32::MAX)).sqrt();
            let (place, time) = (*place, reach.time);
            let cost = match is_scene(place) {
                true => Duration::ZERO,
                false => time,
            };
            let meeting = Meeting { place, time, cost };
            (cost.as_secs_f64() * is_likely, meeting)
        })
        .collect();
    meetings.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    meetings.into_iter().map(|(_, meeting)| meeting).collect()
}

/// Lets each meet tests for so long at most. Returns those that are left.
fn one_look<'m>(
    chases: Vec<Chase<'m>>,
    tests: &[Test],
    budget: Duration,
    fates: &mut BTreeMap<usize, Fate>,
) -> Result<Vec<Chase<'m>>, Fault> {
    let count = chases.len();
    let chases: Vec<Mutex<Chase>> = chases.into_iter().map(Mutex::new).collect();
    let done = AtomicUsize::new(0);
    let caught = Mutex::new(fates);
    in_turns(count, |place| {
        let mut chase = chases[place].lock().map_err(|_| "a thread ended")?;
        if let Some(test) = chase.go_on(tests, budget)? {
            let number = chase.mutant.number;
            let mut caught = caught.lock().map_err(|_| "a thread ended")?;
            caught.insert(number, Fate::Caught(test));
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(50) {
            println!("{done} of {count}");
        }
        Ok(())
    })?;
    let caught = caught.into_inner().map_err(|_| "a thread ended")?;
    let mut left = Vec::new();
    for chase in chases {
        let chase = chase.into_inner().map_err(|_| "a thread ended")?;
        if !caught.contains_key(&chase.mutant.number) {
            left.push(chase);
        }
    }
    Ok(left)
}

impl Chase<'_> {
    /// Meets further tests for so long at most, the first one however long it takes. Returns the one that failed.
    fn go_on(&mut self, tests: &[Test], budget: Duration) -> Result<Option<String>, Fault> {
        let chosen = OsString::from(self.mutant.number.to_string());
        let mut spent = Duration::ZERO;
        let mut not_met = Vec::new();
        for meeting in std::mem::take(&mut self.tests) {
            if !spent.is_zero() && spent + meeting.cost > budget {
                not_met.push(meeting);
                continue;
            }
            spent += meeting.cost;
            let test = &tests[meeting.place];
            let (end, _) = test.run(("MUTANT", &chosen), meeting.time * 10 + GRACE)?;
            if end != End::Passed {
                return Ok(Some(test.name.clone()));
            }
            self.passed += 1;
        }
        self.tests = not_met;
        Ok(None)
    }
}
