//! What only the last check of a document finds, after admission has let it pass: it keeps nothing else, wherever it comes from.
//!
//! Nothing is known that would be so. The check here is the tests' own, and takes certain words for what Automerge cannot load.

use std::sync::Arc;

use patrol_core::doc::document::{self, Unloadable};
use patrol_core::doc::ledger::{Ledger, Link};
use patrol_core::doc::parse::chunk_hash;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::wire::Fate;
use patrol_server::app::App;
use patrol_server::intake::{Carriage, take_in_by};
use patrol_server::office::{self, Deed, Rejection};
use patrol_server::review::Decision;
use patrol_server::{check, relic};
use patrol_tests::clock::Machine;
use patrol_tests::pushing::{change_of, entry_of, frame, ledger_of, push};
use patrol_tests::settling::settle_all;
use patrol_tests::world::{Phone, World, city};

use super::bounds::{last_of, opening};
use super::hostile_phone::{begun, village_of};
use super::late_work::end_posts;
use super::settled_late::{boxed, relic_of, take_in};

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";
pub(super) const POISON: &str = "毒";
const REFUSED: Fate = Fate::Refused(Refusal::Poison);

fn without_poison(ledger: &Ledger) -> Result<(), Unloadable> {
    let is_poison = |link: &Link| {
        let entry = link.entry.as_ref();
        entry.is_some_and(|(_, entry)| entry.body.words.as_deref() == Some(POISON))
    };
    if ledger.links().iter().any(is_poison) {
        return Err(Unloadable);
    }
    document::verify(ledger)
}

/// The server with that check.
pub(super) fn checking(world: &World) -> Arc<App> {
    let machine = Arc::new(Machine::new(&world.clock, 70));
    let mut app = App::open(world.store.clone(), machine).unwrap();
    app.last_check = without_poison;
    Arc::new(app)
}

/// A note with these words, on top of the ledger, which then holds it.
pub(super) fn said(
    phone: &Phone,
    ledger: &mut Ledger,
    n: u64,
    words: &str,
) -> (DocumentId, Vec<u8>) {
    let mut entry = entry_of(phone, ledger, Action::Note.code(), village_of(ledger), n);
    entry.body.words = Some(words.to_owned());
    ledger.push(change_of(phone, ledger, &entry, &[])).unwrap();
    last_of(ledger)
}

pub(super) fn lines(world: &World, case: DocumentId) -> usize {
    let view = office::view(&world.app, world.person(DISPATCHER), case);
    view.unwrap().reading.lines.len()
}

#[test]
fn of_a_frame_only_what_does_not_load_is_refused() {
    let mut world = World::new(601);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let (other, _) = phone.report(world.villages(INSPECTOR)[0], "另一件");
    phone.sync().unwrap();
    let (app, mut of_other) = (checking(&world), ledger_of(phone, other));
    let mut new = opening(&world, phone, 9, 10);
    let (known, opened) = (last_of(&ledger), last_of(&new));
    let before = said(phone, &mut ledger, 11, "之前");
    let poison = said(phone, &mut ledger, 12, POISON);
    let after = said(phone, &mut ledger, 13, "之后");
    let missing = Fate::Missing(vec![chunk_hash(&poison.1)]);
    let items = [
        opened,
        said(phone, &mut new, 14, POISON),
        known,
        before,
        poison,
        after,
        said(phone, &mut of_other, 15, "另外"),
    ];
    let fates = vec![
        Fate::Ok,
        REFUSED,
        Fate::Dup,
        Fate::Ok,
        REFUSED,
        missing,
        Fate::Ok,
    ];
    assert_eq!(push(&app, phone, &items), Ok(fates));
    assert_eq!(
        [case, other, new.document()].map(|id| lines(&world, id)),
        [2, 2, 1]
    );
    let findings = check::check(world.app.store.as_ref()).unwrap().findings;
    assert_eq!(findings, [] as [String; 0]);
    phone.sync().unwrap();
    assert_eq!(phone.stage(new.document()), "reported");
    let alone = said(phone, &mut of_other, 16, POISON);
    assert_eq!(push(&app, phone, &[alone]), Ok(vec![REFUSED]));
}

#[test]
fn what_is_held_and_does_not_load_can_only_be_refused() {
    let mut world = World::new(602);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let poison = said(phone, &mut ledger, 2, POISON);
    end_posts(&world, INSPECTOR);
    let app = checking(&world);
    assert_eq!(push(&app, phone, &[poison]), Ok(vec![Fate::Review]));
    app.put_directory(city()).unwrap();
    let (person, hash) = (world.person(DISPATCHER), world.held()[0].hash);
    let settle = |decision| settle_all(&app, person, case, hash, decision, "看过");
    let released = settle(Decision::Release);
    let is_refused = matches!(released, Err(Rejection::Refused(Refusal::Poison)));
    assert!(is_refused, "{released:?}");
    assert_eq!(world.held().len(), 1);
    settle(Decision::Refuse).unwrap();
    assert_eq!((lines(&world, case), world.held().len()), (1, 0));
}

#[test]
fn what_was_refused_is_not_judged_again_because_it_comes_in_a_bundle() {
    let mut world = World::new(605);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let poison = frame(phone, &[said(phone, &mut ledger, 2, POISON)], (2, 2));
    for app in [&checking(&world), &world.app] {
        let outcome = take_in_by(app, phone.device(), &poison, Carriage::Carried);
        assert_eq!(outcome.unwrap().fates, Ok(vec![REFUSED]));
    }
    assert_eq!(lines(&world, case), 1);
}

#[test]
fn what_was_refused_and_a_lost_server_had_let_in_was_settled_by_nobody() {
    let mut world = World::new(606);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let poison = said(phone, &mut ledger, 2, POISON);
    let app = checking(&world);
    let poison = [poison];
    assert_eq!(push(&app, phone, &poison), Ok(vec![REFUSED]));
    let before = boxed(&world, phone, &poison[0].1);
    let relic = relic_of(&world, &poison, world.clock.now());
    assert_eq!(take_in(&world, &relic), Ok(vec![Fate::Ok]));
    assert_eq!(boxed(&world, phone, &poison[0].1), before);
    assert_eq!(lines(&world, case), 2);
}

#[test]
fn what_the_office_does_and_does_not_load_is_refused() {
    let mut world = World::new(603);
    let (case, _) = begun(&mut world);
    let (app, person) = (checking(&world), world.person(DISPATCHER));
    let mut note = |words: &str| {
        let deed = Deed {
            action: Action::Note,
            body: Body {
                words: Some(words.to_owned()),
                ..Body::default()
            },
            fields: Vec::new(),
            on: Vec::new(),
            seen: Vec::new(),
            key: world.key(),
            acted_at: world.clock.now(),
        };
        office::act(&app, person, case, &deed)
    };
    let noted = note(POISON);
    let is_refused = matches!(noted, Err(Rejection::Refused(Refusal::Poison)));
    assert!(is_refused, "{noted:?}");
    note("回访过").unwrap();
    assert_eq!(lines(&world, case), 2);
}

#[test]
fn what_a_relic_brings_and_does_not_load_keeps_nothing_else_of_it() {
    let mut world = World::new(604);
    let (case, mut ledger) = begun(&mut world);
    let phone = &world.phones[INSPECTOR];
    let (other, _) = phone.report(world.villages(INSPECTOR)[0], "另一件");
    phone.sync().unwrap();
    let (app, mut of_other) = (checking(&world), ledger_of(phone, other));
    let brought = [
        last_of(&ledger),
        said(phone, &mut ledger, 11, "之前"),
        said(phone, &mut ledger, 12, POISON),
        said(phone, &mut of_other, 13, "另外"),
    ];
    let relic = relic_of(&world, &brought, world.clock.now());
    let outcome = relic::take_in(&app, phone.device(), &relic.encode()).unwrap();
    let fates = vec![Fate::Dup, REFUSED, REFUSED, Fate::Ok];
    assert_eq!(outcome.fates, Ok(fates));
    assert_eq!([case, other].map(|id| lines(&world, id)), [1, 2]);
}
