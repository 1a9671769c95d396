//! Rights are judged by where a document was before the change, never by where the change says that it is.

#[expect(dead_code, reason = "shared with other test programs")]
#[path = "people/people.rs"]
mod people;

use people::*;

use patrol_core::doc::admit::{Objection, RightCheck, Signer, admit};
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Where;
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::{Place, Scope, VillageCode};
use patrol_core::domain::refusal::Refusal;

/// The village beside that of the tests' people.
fn elsewhere() -> VillageCode {
    VillageCode::new(village().number() + 1).expect("twelve digits")
}

fn at(village: VillageCode) -> FieldValue {
    FieldValue::Place(Place::village(village))
}

/// What admission answers to a person who corrects where a case is.
fn moving(ledger: &Ledger, person: PersonId, to: VillageCode) -> Result<(), Objection> {
    let content = Content::person(&amend(person, 9), vec![at(to)]);
    let change = compose(ledger, actor_of(person, 1), &ledger.head_hashes(), &content);
    let rows = holdings();
    let signer = Signer {
        device: device_of(person),
        person: Some(person),
        place: Where::Anywhere,
        right: RightCheck::Judge,
        holdings: &rows,
        now: NOW,
    };
    admit(ledger, &change.expect("known heads"), &signer).map(drop)
}

/// A case that Li reported in a village.
fn reported_in(village: VillageCode) -> Ledger {
    let mut ledger = Ledger::new(DOCUMENT);
    let fields = vec![at(village), category(6_010), words("桥头垃圾")];
    record(&mut ledger, actor_of(LI, 1), &[], &report(LI, 1), fields);
    ledger
}

#[test]
fn nobody_moves_a_case_into_his_own_village_to_have_a_right_there() {
    let mut ledger = reported_in(elsewhere());
    // Before the server has written the scopes, and after.
    assert_eq!(
        moving(&ledger, WANG, village()),
        Err(Refusal::NotPermitted.into())
    );
    record_scopes(
        &mut ledger,
        &[Scope::Village(elsewhere()), Scope::Person(LI)],
    );
    assert_eq!(
        moving(&ledger, WANG, village()),
        Err(Refusal::NotPermitted.into())
    );
}

#[test]
fn an_inspector_moves_a_case_of_his_own_out_of_his_village() {
    let mut ledger = reported_in(village());
    assert_eq!(moving(&ledger, WANG, elsewhere()), Ok(()));
    record_scopes(&mut ledger, &[Scope::Village(village()), Scope::Person(LI)]);
    assert_eq!(moving(&ledger, WANG, elsewhere()), Ok(()));
}
