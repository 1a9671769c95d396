//! A share of the simulation in every test run: that it holds, and that its oracle can fail. The long runs are `make sim`.

use patrol_tests::simulation::coverage::{Coverage, REQUIRED};
use patrol_tests::simulation::{Mutation, run};

#[test]
fn random_days_lose_nothing_and_end_equal() {
    for seed in 1..=20 {
        let (_, held) = run(seed, Mutation::None);
        assert_eq!(held, Ok(()), "replay with: make sim SEED={seed}");
    }
}

#[test]
fn a_seed_replays_exactly() {
    assert_eq!(run(7, Mutation::None), run(7, Mutation::None));
}

/// What the oracle says of each break; it must be that which notices, not chance.
const FOUND_BY: [(Mutation, &[&str]); 9] = [
    (
        Mutation::SkipPage,
        &["disagreed", "lacks document", "reads document", "sums of"],
    ),
    (Mutation::AckBeforeCommit, &["lost: entry"]),
    (
        Mutation::DropFate,
        &[
            "lost: entry",
            "disagreed",
            "still waits",
            "which is not his",
            "has not come",
        ],
    ),
    (Mutation::ReuseSeq, &["lost: entry"]),
    (Mutation::MakeTwice, &["doubled: entry"]),
    (Mutation::ForgetRelic, &["lost: entry", "reads document"]),
    (Mutation::ForgetPiece, &["lost: entry"]),
    (Mutation::ThinBundle, &["leaves out change"]),
    (Mutation::HalfBundle, &["leaves out change"]),
];

#[test]
fn every_deliberate_break_of_the_protocol_is_noticed_for_what_it_is() {
    assert_eq!(FOUND_BY.map(|(mutation, _)| mutation), Mutation::BREAKS);
    for (mutation, signs) in FOUND_BY {
        let caught = (1..=2_000).find_map(|seed| Some((seed, run(seed, mutation).1.err()?)));
        let (seed, what) = caught.unwrap_or_else(|| panic!("{mutation:?} goes unnoticed"));
        assert!(
            signs.iter().any(|sign| what.contains(sign)),
            "{mutation:?}: {what}"
        );
        // The same course without the break holds: it is the break that was found.
        assert_eq!(run(seed, Mutation::None).1, Ok(()), "seed {seed}");
    }
}

/// A new epoch excuses only what a relic or a piece has brought back.
#[test]
fn what_is_made_twice_is_noticed_also_where_a_server_was_lost() {
    let caught = (1..=100).find_map(|seed| {
        let (coverage, held) = run(seed, Mutation::MakeTwice);
        let lost = coverage.counts().keys();
        let mut lost = lost.filter(|what| LOSSES.contains(&what.as_str()));
        held.err().filter(|_| lost.next().is_some())
    });
    let what = caught.expect("one of them is noticed");
    assert!(what.contains("doubled: entry"), "{what}");
}

const LOSSES: [&str; 2] = [
    "server restored from a backup",
    "a copy that lagged behind took over",
];

#[test]
fn a_course_has_phones_villages_deeds_and_faults_enough_and_says_what_never_occurred() {
    let (coverage, _) = run(3, Mutation::None);
    let faults: usize = coverage
        .counts()
        .iter()
        .filter(|(what, _)| is_fault(what))
        .map(|(_, count)| count)
        .sum();
    assert!(faults >= 10, "{faults}");
    // One seed cannot see everything, and the report says so.
    assert!(!coverage.missing().is_empty());
    assert_eq!(Coverage::default().missing().len(), REQUIRED.len());
}

fn is_fault(what: &str) -> bool {
    ["phone ", "server ", "right ", "device "]
        .iter()
        .any(|kind| what.starts_with(kind))
}
