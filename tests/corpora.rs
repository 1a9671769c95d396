//! What fuzzers have found worth keeping, run as tests: every input of every corpus, and altered ones, most of which must get
//! somewhere.

use patrol_tests::fuzzing::{Feed, SEEN, TARGETS, WITHIN_SHARE, corpora, feed};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const SEED: u64 = 30;
const COUNT: usize = 2_000;

#[test]
fn no_input_of_a_corpus_breaks_a_promise() {
    for (name, run) in TARGETS {
        let folder = corpora().join(name);
        let inputs = std::fs::read_dir(&folder).expect("a corpus for each target");
        let mut ran = 0;
        for input in inputs {
            let path = input.expect("a file").path();
            run(&std::fs::read(&path).expect("a file"));
            ran += 1;
        }
        assert!(ran > 2, "{name} has no corpus");
    }
}

#[test]
fn no_altered_input_breaks_a_promise_and_every_target_is_reached_within() {
    for target in TARGETS {
        let inputs = Feed::of(target, SEED).expect("a corpus for each target");
        let share = feed(target, inputs.take(COUNT));
        assert!(
            share.is_ok_and(|share| share >= WITHIN_SHARE),
            "{}",
            target.0
        );
    }
    let seen = [
        &SEEN.let_in,
        &SEEN.rebuilt,
        &SEEN.forged,
        &SEEN.opened,
        &SEEN.not_unpacked,
        &SEEN.judged,
        &SEEN.adopted,
    ];
    assert!(seen.iter().all(|tally| tally.count() > 0), "{SEEN:?}");
}

#[test]
fn noise_is_found_to_show_too_little_but_of_programs() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let noise: Vec<Vec<u8>> = (0..COUNT)
        .map(|_| (0..rng.random_range(0..96)).map(|_| rng.random()).collect())
        .collect();
    for target in TARGETS {
        let share = feed(target, noise.iter().cloned());
        assert_eq!(
            share.is_ok(),
            target.0 == "admission",
            "{}: {share:?}",
            target.0
        );
    }
}
