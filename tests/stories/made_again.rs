//! What a bundle brings of which the document has the deed already, in another change: what is let in by it, and what is not.

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{self, Parsed};
use patrol_core::domain::action::Action;
use patrol_core::domain::id::{Actor, DocumentId};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::wire::Fate;
use patrol_server::app::App;
use patrol_server::check;
use patrol_server::intake::{Carriage, take_in_by};
use patrol_server::review::Decision;
use patrol_tests::pushing::{Item, change_of, entry_of, frame, ledger_of, push, range_of};
use patrol_tests::world::{Phone, World, city, matter};

use super::bounds::{SLOW, boxed_today, last_of};
use super::hostile_phone::{begun, note, revoke, village_of};
use super::last_check::{POISON, checking, lines, said};
use super::late_work::end_posts;
use super::outcomes::settle_first;
use super::standing::{changes_of, let_in_again, made_again_elsewhere};

const INSPECTOR: &str = "巡查员01";

/// What becomes of changes that somebody else hands in for a phone.
fn handed_in(app: &App, phone: &Phone, items: &[Item]) -> Vec<Fate> {
    let frame = frame(phone, items, range_of(items));
    let outcome = take_in_by(app, phone.device(), &frame, Carriage::Vouched);
    outcome.unwrap().fates.unwrap()
}

fn is_sound(world: &World) {
    let findings = check::check(world.app.store.as_ref()).unwrap().findings;
    assert_eq!(findings, [] as [String; 0]);
}

#[test]
fn a_deed_that_writes_otherwise_does_not_stand_for_the_one_that_was_judged() {
    for count in [1, 2] {
        let mut world = World::new(421);
        let (case, mut ledger) = begun(&mut world);
        let phone = &world.phones[INSPECTOR];
        let before = ledger.clone();
        let entry = entry_of(phone, &ledger, Action::Amend.code(), village_of(&ledger), 2);
        let villages = world.villages(INSPECTOR);
        let judged = change_of(phone, &ledger, &entry, &matter(villages[0], "桥头"));
        let first = (case, judged.bytes.clone());
        assert_eq!(push(&world.app, phone, &[first]), Ok(vec![Fate::Ok]));

        // Its author has no post any more, and the same entry moves the case.
        end_posts(&world, INSPECTOR);
        let content = Content::person(&entry, matter(villages[1], "桥头"));
        let actor = Actor::new(phone.device(), [9; 8]);
        let moved = compose(&before, actor, &before.head_hashes(), &content).unwrap();
        let hash = moved.hash;
        ledger = before;
        ledger.push(moved).unwrap();
        let moved = last_of(&ledger);
        let items = [moved, (case, note(phone, &mut ledger, 3))];
        let fates = handed_in(&world.app, phone, &items[..count]);
        assert_eq!(fates, vec![Fate::Review; count]);
        assert_eq!(world.held().len(), count);
        is_sound(&world);
        // Nor does it for a review.
        settle_first(&world, case, Decision::Release);
        assert!(changes_of(&world, case).contains(&hash), "{count}");
        is_sound(&world);
    }
}

/// A note that stands in another change, as it was.
fn made_again(world: &World, case: DocumentId, ledger: &mut Ledger) -> Item {
    let phone = &world.phones[INSPECTOR];
    let mut there = ledger.clone();
    let first = (case, note(phone, ledger, 2));
    let_in_again(world, phone, &mut there, [&first.1]);
    first
}

#[test]
fn what_is_let_in_for_a_deed_that_is_refused_has_its_proof() {
    let mut world = World::new(422);
    let (case, mut ledger) = begun(&mut world);
    let first = made_again(&world, case, &mut ledger);
    let phone = &world.phones[INSPECTOR];
    let mut entry = entry_of(phone, &ledger, Action::Note.code(), village_of(&ledger), 3);
    entry.person = world.person("受理派遣员01");
    ledger.push(change_of(phone, &ledger, &entry, &[])).unwrap();
    let fates = handed_in(&world.app, phone, &[first, last_of(&ledger)]);
    assert_eq!(fates, [Fate::Dup, Fate::Refused(Refusal::ForeignPerson)]);
    assert_eq!(lines(&world, case), 2);
    is_sound(&world);
}

#[test]
fn what_is_let_in_stays_for_what_loads_where_something_else_does_not() {
    for poisoned in [1, 2] {
        let mut world = World::new(423);
        let (case, mut ledger) = begun(&mut world);
        let mut items = vec![made_again(&world, case, &mut ledger)];
        let phone = &world.phones[INSPECTOR];
        for at in [1, 2] {
            let words = if at == poisoned { POISON } else { "还在" };
            items.push(said(phone, &mut ledger, 2 + at, words));
        }
        let fates = handed_in(&checking(&world), phone, &items);
        let refused = Fate::Refused(Refusal::Poison);
        let stays = usize::from(poisoned == 2);
        assert_eq!(fates[0], Fate::Dup);
        assert_eq!(fates[usize::try_from(poisoned).unwrap()], refused);
        assert_eq!(fates[1] == Fate::Ok, stays == 1, "{fates:?}");
        assert_eq!(lines(&world, case), 2 + stays);
        // What was let in for what is refused is not there either.
        let there = changes_of(&world, case);
        assert_eq!(there.contains(&parse::chunk_hash(&items[0].1)), stays == 1);
        is_sound(&world);
    }
}

#[test]
fn what_its_author_may_do_no_more_is_held_with_what_builds_on_it() {
    for is_revoked in [false, true] {
        let mut world = World::new(424);
        let (case, mut ledger) = begun(&mut world);
        let first = made_again(&world, case, &mut ledger);
        let phone = &world.phones[INSPECTOR];
        let second = (case, note(phone, &mut ledger, 3));
        let items = [first, second];
        if is_revoked {
            revoke(&world, phone);
        } else {
            end_posts(&world, INSPECTOR);
        }
        let before = changes_of(&world, case);
        for first in [Fate::Dup, Fate::Review] {
            let fates = handed_in(&world.app, phone, &items);
            assert_eq!(fates, [first, Fate::Review], "{is_revoked}");
            assert_eq!(changes_of(&world, case), before);
            assert_eq!(world.held().len(), 2);
            is_sound(&world);
        }
        settle_first(&world, case, Decision::Release);
        assert_eq!((lines(&world, case), world.held().len()), (3, 0));
        is_sound(&world);
    }
}

#[test]
fn what_another_has_said_does_not_stand_for_ones_own_work() {
    let mut world = World::new(425);
    let (case, mut ledger) = begun(&mut world);
    let cadre = world.cadre_of(world.villages(INSPECTOR)[0]);
    let first = made_again(&world, case, &mut ledger);
    let other = world.enrol_as(&cadre, 20);
    other.sync().unwrap();
    let said = other.note(case, "别人的话").unwrap();
    other.sync().unwrap();
    let theirs = ledger_of(&other, case);
    let mut links = theirs.links().iter();
    let link = links.find(|link| link.entry.as_ref().is_some_and(|(id, _)| *id == said));
    let content = Content::of(&link.unwrap().change).unwrap();
    let phone = &world.phones[INSPECTOR];
    let actor = Actor::new(phone.device(), [8; 8]);
    let copied = compose(&ledger, actor, &ledger.head_hashes(), &content).unwrap();
    ledger.push(copied).unwrap();
    let copied = last_of(&ledger);
    let items = [first, copied, (case, note(phone, &mut ledger, 3))];
    revoke(&world, phone);
    let fates = handed_in(&world.app, phone, &items);
    assert_eq!(fates[1], Fate::Refused(Refusal::ForeignPerson), "{fates:?}");
    is_sound(&world);
}

/// A note with these words by another of the phone's actors, on top of the ledger.
pub(super) fn beside(phone: &Phone, ledger: &Ledger, n: u64, words: &str) -> Parsed {
    let mut entry = entry_of(phone, ledger, Action::Note.code(), village_of(ledger), n);
    entry.body.words = Some(words.to_owned());
    let content = Content::person(&entry, Vec::new());
    // The number of the entry makes it an actor of its own.
    let actor = Actor::new(phone.device(), n.to_be_bytes());
    compose(ledger, actor, &ledger.head_hashes(), &content).unwrap()
}

/// What is held on top of held work and of a deed that was made again, beside something that does not load.
fn held_beside_poison(stands: bool) {
    let mut world = World::new(426);
    let (case, mut ledger) = begun(&mut world);
    let before = ledger.clone();
    let first = made_again(&world, case, &mut ledger);
    let phone = &world.phones[INSPECTOR];
    let held = beside(phone, &before, 3, "前");
    end_posts(&world, INSPECTOR);
    let fates = push(&world.app, phone, &[(case, held.bytes.clone())]);
    assert_eq!(fates, Ok(vec![Fate::Review]));
    world.app.put_directory(city()).unwrap();
    ledger.push(held).unwrap();
    let on_both = (case, note(phone, &mut ledger, 4));
    // The one in between may stand in another change too.
    if stands {
        let mut there = before.clone();
        for (_, bytes) in [&first, &on_both] {
            let change = parse::parse(bytes).unwrap();
            let again = made_again_elsewhere(phone, &there, &change);
            there.push(parse::parse(&again).unwrap()).unwrap();
        }
        let again = last_of(&there);
        assert_eq!(push(&world.app, phone, &[again]), Ok(vec![Fate::Ok]));
    }
    let last = (case, note(phone, &mut ledger, 6));
    let poison = (case, beside(phone, &before, 5, POISON).bytes);
    let items = [first, on_both, last, poison];
    let fates = handed_in(&checking(&world), phone, &items);
    let between = if stands { Fate::Dup } else { Fate::Review };
    let refused = Fate::Refused(Refusal::Poison);
    assert_eq!(fates, [Fate::Dup, between, Fate::Review, refused]);
    is_sound(&world);
    settle_first(&world, case, Decision::Release);
    assert_eq!((lines(&world, case), world.held().len()), (5, 0));
    is_sound(&world);
}

#[test]
fn what_a_held_deed_builds_on_stays_where_something_else_does_not_load() {
    for stands in [false, true] {
        held_beside_poison(stands);
    }
}

#[test]
fn what_builds_on_a_deed_for_which_there_is_no_room_in_the_boxes_waits() {
    let mut world = World::new(427);
    let (case, mut ledger) = begun(&mut world);
    let mut there = ledger.clone();
    let phone = &world.phones[INSPECTOR];
    let items = [2, 3, 4].map(|n| (case, note(phone, &mut ledger, n)));
    let_in_again(&world, phone, &mut there, [&items[0].1, &items[1].1]);
    end_posts(&world, INSPECTOR);
    boxed_today(&world, phone, case, limits::BOXED_A_DAY_MAX);
    let fates = handed_in(&world.app, phone, &items);
    assert_eq!(fates, [Fate::Dup, Fate::Dup, SLOW]);
    assert_eq!(world.held(), []);
}

#[test]
fn what_builds_on_a_deed_comes_in_though_something_before_it_asked_in_vain() {
    let mut world = World::new(428);
    let (case, mut ledger) = begun(&mut world);
    let first = made_again(&world, case, &mut ledger);
    let missing = Fate::Missing(vec![parse::chunk_hash(&first.1)]);
    let phone = &world.phones[INSPECTOR];
    let early = beside(phone, &ledger, 4, "早");
    let late = note(phone, &mut ledger, 3);
    let items = [(case, early.bytes), first, (case, late)];
    let fates = handed_in(&world.app, phone, &items);
    assert_eq!(fates, [missing, Fate::Dup, Fate::Ok]);
    is_sound(&world);
}

#[test]
fn what_builds_on_held_work_by_a_deed_that_was_made_again_is_held() {
    let mut world = World::new(429);
    let (case, mut ledger) = begun(&mut world);
    let before = ledger.clone();
    let phone = &world.phones[INSPECTOR];
    let [first, second, third] = [2, 3, 4].map(|n| (case, note(phone, &mut ledger, n)));
    let change = parse::parse(&second.1).unwrap();
    let again = (case, made_again_elsewhere(phone, &before, &change));
    assert_eq!(push(&world.app, phone, &[again]), Ok(vec![Fate::Ok]));
    end_posts(&world, INSPECTOR);
    let fates = push(&world.app, phone, &[first]);
    assert_eq!(fates, Ok(vec![Fate::Review]));
    let fates = handed_in(&world.app, phone, &[second, third]);
    assert_eq!(fates, [Fate::Dup, Fate::Review]);
    assert_eq!(world.held().len(), 3);
    settle_first(&world, case, Decision::Release);
    assert_eq!((lines(&world, case), world.held().len()), (4, 0));
    is_sound(&world);
}

#[test]
fn a_deed_that_stands_under_another_devices_actor_is_that_devices_lie() {
    let mut world = World::new(430);
    let (case, ledger) = begun(&mut world);
    let mut there = ledger.clone();
    let phone = &world.phones[INSPECTOR];
    let first = note(phone, &mut there, 2);
    let fates = push(&world.app, phone, &[(case, first.clone())]);
    assert_eq!(fates, Ok(vec![Fate::Ok]));
    let content = Content::of(&parse::parse(&first).unwrap()).unwrap();
    let other = world.enrol_as("巡查员02", 20);
    let actor = Actor::new(other.device(), [7; 8]);
    let copied = compose(&ledger, actor, &ledger.head_hashes(), &content).unwrap();
    let fates = handed_in(&world.app, phone, &[(case, copied.bytes)]);
    assert_eq!(fates, [Fate::Refused(Refusal::ForeignActor)]);
    is_sound(&world);
}
