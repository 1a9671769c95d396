//! The hostile device beside honest phones, a share of `proof hostile`: everything is answered by its code and counted, nothing of it stays.
//!
//! How long honest rounds take beside it is asked there, not here: this runs on machines that do other things too.

use patrol_tests::bench::Figure;
use patrol_tests::proof::hostile::{Size, measure};

#[test]
fn every_blow_is_answered_and_counted_and_nothing_of_it_stays() {
    let size = Size {
        cases: 40,
        phones: 2,
        pace_ms: 50,
        slow: 4,
        // Longer than a busy machine lets the foe wait for his turn.
        stall_ms: 8_000,
        junk: 2_000,
        windows: (0, 0),
        rounds: 10,
    };
    let figures = measure(size, 7).unwrap();
    let value = |name: &str| {
        let figure = figures.iter().find(|figure| figure.name.contains(name));
        figure.map_or(0.0, |figure| figure.value)
    };
    for told in [
        "code=\"signed_out\"",
        "code=\"too_large\"",
        "code=\"stalled\"",
        "code=\"signature\"",
        "code=\"carried\"",
        "code=\"foreign_actor\"",
        "code=\"foreign_person\"",
        "code=\"not_permitted\"",
        "code=\"not_first\"",
        "code=\"grammar\"",
        "streams left within",
        "fate=\"missing\"",
        "fate=\"dup\"",
        "that owed: Head",
        "that owed: Taking",
    ] {
        assert!(value(told) >= 1.0, "{told}: {figures:?}");
    }
    assert!(value("junk changes") >= 2_000.0, "{figures:?}");
    for kind in ["Bytes", "Grammar", "Right", "Place"] {
        assert!(value(&format!("the same: {kind}")) >= 200.0, "{figures:?}");
    }
    let memory = |figure: &&Figure| figure.name == "the server's highest memory";
    let memory = figures.iter().find(memory).and_then(Figure::is_ok);
    assert_eq!(memory, Some(true), "{figures:?}");
}
