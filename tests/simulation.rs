//! A share of the simulation in every test run: that it holds, and that its oracle can fail. The long runs are `make sim`.

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

#[test]
fn every_deliberate_break_of_the_protocol_is_noticed() {
    for mutation in Mutation::BREAKS {
        let caught = (1..=2_000).find(|seed| run(*seed, mutation).1.is_err());
        assert!(caught.is_some(), "{mutation:?} goes unnoticed");
    }
}
