//! What fuzzers have found worth keeping, run as tests: every input of every corpus, and random ones of the same kinds.

use patrol_tests::fuzzing::{TARGETS, corpora};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const SEED: u64 = 30;

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
fn no_random_input_breaks_a_promise() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    for _ in 0..2_000 {
        let data: Vec<u8> = (0..rng.random_range(0..96)).map(|_| rng.random()).collect();
        for (_, run) in TARGETS {
            run(&data);
        }
    }
}
