//! I1, I2, I7: the sums that both sides keep change by change are those that one would compute from nothing, at every step of a history;
//! feeds have no gaps and follow each document's graph.

use patrol_core::doc::document;
use patrol_core::domain::id::DocumentId;
use patrol_core::store::changes::ChangeState;
use patrol_core::store::{Store, changes, documents, feed};
use patrol_core::sync::seal::Digest;
use patrol_tests::simulation::{Mutation, Simulation, audit};

/// The sum over the members of a scope, from their placed changes alone.
fn from_nothing(store: &Store, scope: u64) -> Digest {
    let sum = store.read(|connection| {
        let mut statement = connection.prepare("SELECT document FROM members WHERE scope = ?1")?;
        let members: Vec<i64> = statement
            .query_map([scope.cast_signed()], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut sum = Digest::default();
        for number in members {
            let id: DocumentId = documents::id(connection, number)?;
            let rows = changes::of_document(connection, number)?;
            let placed = rows.iter().filter(|row| row.state == ChangeState::Placed);
            let ledger = document::load(id, placed.map(|row| row.body.as_slice()))
                .expect("a prefix is whole");
            if !ledger.is_empty() {
                sum = sum.with(Digest::of(id, &ledger.head_hashes()));
            }
        }
        Ok(sum)
    });
    sum.expect("a look")
}

#[test]
fn sums_kept_change_by_change_are_those_from_nothing() {
    for seed in 1..=3 {
        let mut course = Simulation::new(seed, Mutation::None);
        let mut compared = 0;
        for step in 0..260 {
            course.step();
            if step % 20 != 19 {
                continue;
            }
            for (number, phone) in course.phones().iter().enumerate() {
                let store = phone.replica.store();
                for scope in store.read(feed::scopes).expect("a look") {
                    assert_eq!(
                        scope.digest,
                        from_nothing(store, scope.number),
                        "seed {seed}, step {step}, phone {number}, {:?}",
                        scope.scope
                    );
                    compared += usize::from(scope.digest != Digest::default());
                }
            }
        }
        assert!(
            compared > 20,
            "seed {seed}: only {compared} sums to compare"
        );
    }
}

#[test]
fn feeds_have_no_gaps_and_follow_each_documents_graph_at_every_step() {
    for seed in 1..=3 {
        let mut course = Simulation::new(seed, Mutation::None);
        for step in 0..260 {
            course.step();
            if step % 20 == 19 {
                course.world().store.mend();
                let found = audit::entries_of_sound(&course.world().app);
                assert!(found.is_ok(), "seed {seed}, step {step}: {found:?}");
            }
        }
    }
}

#[test]
fn work_that_is_not_handed_in_adds_nothing_to_a_sum() {
    let course = Simulation::new(9, Mutation::None);
    let phone = &course.phones()[0];
    let village = course.world().villages("巡查员01")[0];
    phone.link.set_weather(patrol_tests::link::FAIR);
    let (case, _) = phone.report(village, "井盖破损");
    phone.sync().expect("the server answers");
    let sums = || -> Vec<Digest> {
        let scopes = phone.replica.store().read(feed::scopes).expect("a look");
        scopes.into_iter().map(|scope| scope.digest).collect()
    };
    let before = sums();
    phone.note(case, "还没有交").expect("a note is recorded");
    phone.report(village, "也没有交");
    assert_eq!(sums(), before);
    assert!(before.iter().any(|sum| *sum != Digest::default()));
}
