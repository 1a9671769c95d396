//! Who carries others' bundles: when their pieces are handed in, and what a piece that is not taken costs him.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse;
use patrol_core::domain::id::{DeviceId, DocumentId, Epoch};
use patrol_core::domain::limits;
use patrol_core::error::Error;
use patrol_core::replica::Replica;
use patrol_core::store::changes;
use patrol_core::sync::rescue::{Bundle, Piece};
use patrol_core::sync::wire::{Fate, Form, PushHead, Unread};
use patrol_server::bundle::{self, Handed};
use patrol_server::devices;
use patrol_tests::link::Mishap;
use patrol_tests::pushing::{ledger_of, push};
use patrol_tests::world::{Phone, World};

use super::followers::{begun, forge};
use super::spoilt_on_a_phone::restore;
use super::standing::made_again_elsewhere;

const INSPECTOR: &str = "巡查员01";
const CARRIER: &str = "巡查员02";

/// A bundle of many pieces, which the other carries. Returns how many.
fn carried(world: &mut World) -> u64 {
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    for number in 0..400 {
        phone.report(village, &format!("第{number}件{}", "长".repeat(200)));
    }
    let file = phone.replica.rescue_bundle().unwrap();
    world.phone(CARRIER).replica.carry(&file).unwrap().pieces
}

fn waiting(phone: &Phone) -> u64 {
    phone.replica.carried().unwrap()[0].waiting
}

fn handed(world: &World, file: &[u8]) -> Handed {
    bundle::hand_in(&world.app, file).unwrap().unwrap()
}

/// The answer to a request is lost, after so many others.
fn lose_answer(phone: &Phone, after: usize) {
    (0..after).for_each(|_| phone.link.expect(Mishap::None));
    phone.link.expect(Mishap::ResponseLost);
}

#[test]
fn calls_without_a_network_put_nothing_off() {
    let mut world = World::new(401);
    let pieces = carried(&mut world);
    let carrier = &world.phones[CARRIER];
    for _ in 0..20 {
        carrier.link.expect(Mishap::Unreachable);
        carrier.sync().unwrap_err();
        world.clock.advance_ms(60_000);
    }
    assert_eq!(waiting(carrier), pieces);
    carrier.sync().unwrap();
    assert_eq!(waiting(carrier), 0);
}

#[test]
fn ones_own_comes_first_and_is_not_spoilt_by_what_becomes_of_a_piece() {
    let mut world = World::new(402);
    let pieces = carried(&mut world);
    let carrier = &world.phones[CARRIER];
    let village = carrier.replica.villages().unwrap()[0];
    let (own, _) = carrier.report(village, "井盖松动");
    lose_answer(carrier, 1);
    carrier.sync().unwrap();
    assert_eq!(world.stage(own), "reported");
    assert_eq!(waiting(carrier), pieces);
}

#[test]
fn pieces_whose_answer_was_lost_go_one_by_one() {
    let mut world = World::new(403);
    let pieces = carried(&mut world);
    assert!(pieces >= 4, "{pieces}");
    let carrier = &world.phones[CARRIER];
    lose_answer(carrier, 1);
    carrier.sync().unwrap();
    world.clock.advance_ms(limits::RETRY_FIRST_MS);
    // The second of them is lost again; it keeps the others waiting no longer than this call.
    let carrier = &world.phones[CARRIER];
    lose_answer(carrier, 2);
    carrier.sync().unwrap();
    assert_eq!(waiting(carrier), pieces - 1);
    let before = carrier.link.requests.load(Ordering::Relaxed);
    carrier.sync().unwrap();
    let requests = carrier.link.requests.load(Ordering::Relaxed) - before;
    // Each alone, behind one's own round.
    assert_eq!(requests as u64, 1 + (pieces - 2));
    assert_eq!(waiting(carrier), 1);
    world.clock.advance_ms(limits::RETRY_FIRST_MS);
    let carrier = &world.phones[CARRIER];
    carrier.sync().unwrap();
    assert_eq!(waiting(carrier), 0);
}

#[test]
fn what_the_server_refuses_is_kept_until_it_is_given_up() {
    let mut world = World::new(404);
    carried(&mut world);
    let file = world.phones[INSPECTOR].replica.rescue_bundle().unwrap();
    let mut bundle = Bundle::decode(&file).unwrap();
    bundle.pieces.truncate(1);
    bundle.pieces[0][40] ^= 1;
    let file = bundle.encode();
    let carrier = &world.phones[CARRIER];
    let id = carrier.replica.carry(&file).unwrap().id;
    carrier.sync().unwrap();
    let of = |phone: &Phone| {
        let all = phone.replica.carried().unwrap();
        all.into_iter().find(|bundle| bundle.id == id)
    };
    let refused = of(carrier).unwrap();
    assert_eq!(refused.refused, Some((1, "signature".to_owned())));
    assert_eq!(refused.waiting, 0);
    // The same file once more: it is tried once more, so it must still be here.
    assert_eq!(carrier.replica.carry(&file).unwrap().waiting, 1);
    carrier.sync().unwrap();
    assert_eq!(of(carrier).unwrap().refused, refused.refused);
    carrier.replica.discard_carried(id).unwrap();
    assert_eq!(of(carrier), None);
    let again = carrier.replica.discard_carried(id);
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
}

#[test]
fn the_number_of_a_bundle_or_piece_that_was_given_up_is_never_anothers() {
    let mut world = World::new(406);
    carried(&mut world);
    let carrier = &world.phones[CARRIER];
    let highest = || {
        let sql = "SELECT max(id) FROM pieces";
        let read = carrier
            .replica
            .store()
            .read(|connection| Ok(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?));
        read.unwrap()
    };
    let (id, before) = (carrier.replica.carried().unwrap()[0].id, highest());
    carrier.replica.discard_carried(id).unwrap();
    // What is heard of the old ones may still come.
    let file = world.phones[INSPECTOR].replica.rescue_bundle().unwrap();
    let again = carrier.replica.carry(&file).unwrap();
    assert!(again.id > id);
    assert_eq!(highest(), before + again.pieces as i64);
}

/// The first piece of a bundle that the other carries, opened.
fn opened(world: &mut World) -> Piece {
    carried(world);
    let phone = &world.phones[INSPECTOR];
    let bundle = Bundle::decode(&phone.replica.rescue_bundle().unwrap()).unwrap();
    let identity = &world.app.identity;
    Piece::open(&bundle.pieces[0], identity.server, &identity.rescue_key).unwrap()
}

/// What is told of a piece that was sealed for the server.
fn told(world: &World, piece: &Piece) -> Result<Fate, Unread> {
    let identity = &world.app.identity;
    let key = patrol_core::sync::rescue::public_key(&identity.rescue_key);
    let sealed = piece.seal(identity.server, &key, [9; 32]).unwrap();
    let carrier = world.phones[CARRIER].device();
    bundle::take_in_carried(&world.app, carrier, &sealed).unwrap()
}

#[test]
fn a_piece_under_the_card_of_another_phone_or_of_none_is_none() {
    let mut world = World::new(407);
    let mut piece = opened(&mut world);
    let author = piece.card.device;
    piece.card.device = world.phones[CARRIER].device();
    assert_eq!(told(&world, &piece), Err(Unread::Malformed));
    piece.card.device = DeviceId([9; 8]);
    assert_eq!(told(&world, &piece), Err(Unread::Signature));
    piece.card.device = author;
    assert_eq!(told(&world, &piece), Ok(Fate::Ok));
}

#[test]
fn a_piece_of_a_phone_that_comes_back_by_itself_meanwhile_is_taken_in() {
    let mut world = World::new(408);
    let before = world.store.inner().fork();
    let piece = opened(&mut world);
    restore(&mut world, before, Epoch([9; 4]));
    let card = piece.card.clone();
    let app = Arc::clone(&world.app);
    let comes_back = move || assert!(devices::take_back(&app, &card).unwrap());
    world.store.before_commit(Box::new(comes_back));
    assert_eq!(told(&world, &piece), Ok(Fate::Ok));
    assert!(!world.held().is_empty());
}

#[test]
fn a_piece_whose_frame_is_not_raw_is_none() {
    let mut world = World::new(405);
    let mut piece = opened(&mut world);
    let (head, ..) = PushHead::decode(&piece.frame).unwrap();
    // Without its changes the signature is wrong; of a frame that is not raw nobody looks so far.
    for (form, unread) in [
        (Form::Raw, Unread::Signature),
        (Form::Stripped, Unread::Malformed),
    ] {
        piece.frame = PushHead {
            form,
            ..head.clone()
        }
        .encode(0, &[]);
        assert_eq!(told(&world, &piece), Err(unread));
    }
}

#[test]
fn work_of_a_lost_phone_that_its_copy_had_not_is_refused_and_said_to_be_so() {
    let mut world = World::new(406);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "桥头垃圾");
    world.phones[INSPECTOR].sync().unwrap();
    let phone = &world.phones[INSPECTOR];
    let machine = phone.machine.clone();
    let copy = phone.replica.store().copy().unwrap();
    // Both go on in the same place of the same actor.
    phone.note(case, "在旧手机上").unwrap();
    let file = phone.replica.rescue_bundle().unwrap();
    let lost = phone.replica.store().copy().unwrap();
    world.phones.get_mut(INSPECTOR).unwrap().replica = Replica::on(copy, machine);
    let phone = &world.phones[INSPECTOR];
    phone.note(case, "在复制品上").unwrap();
    phone.sync().unwrap();
    let first = handed(&world, &file);
    assert_eq!(
        (first.refused, first.known, first.taken),
        (1, 0, 0),
        "{first:?}"
    );
    // It was found after all, and has made it again.
    let found = world.twin(&world.phones[INSPECTOR], lost, 9);
    for _ in 0..2 {
        found.sync().unwrap();
    }
    let again = handed(&world, &file);
    assert_eq!(
        (again.refused, again.known, again.taken),
        (0, 1, 0),
        "{again:?}"
    );
}

/// Hands in a bundle of two notes of a lost phone, whose first a copy of it has made again. Returns how many notes the case has then.
fn after_the_first_was_made_again(world: &mut World, case: DocumentId, before: &Ledger) -> usize {
    let phone = &world.phones[INSPECTOR];
    phone.note(case, "一").unwrap();
    phone.note(case, "二").unwrap();
    let file = phone.replica.rescue_bundle().unwrap();
    let unplaced = phone.replica.store().read(changes::unplaced).unwrap();
    let first = parse::parse(&unplaced[unplaced.len() - 2].2).unwrap();
    let again = made_again_elsewhere(phone, before, &first);
    assert_eq!(
        push(&world.app, phone, &[(case, again)]),
        Ok(vec![Fate::Ok])
    );
    let carrier = world.phone(CARRIER);
    carrier.replica.carry(&file).unwrap();
    carrier.sync().unwrap();
    assert_eq!(waiting(carrier), 0);
    let dispatcher = world.person("受理派遣员01");
    let view = patrol_server::office::view(&world.app, dispatcher, case).unwrap();
    assert!(view.reading.anomalies.is_empty());
    view.reading.lines.len() - 1
}

#[test]
fn work_of_a_lost_phone_brings_in_what_it_builds_on_though_its_copy_has_made_that_again() {
    let mut world = World::new(407);
    let case = begun(&mut world);
    let before = ledger_of(&world.phones[INSPECTOR], case);
    assert_eq!(after_the_first_was_made_again(&mut world, case, &before), 2);
}

#[test]
fn work_of_a_lost_phone_that_builds_on_a_refused_deed_waits_for_nothing() {
    let mut world = World::new(408);
    let case = begun(&mut world);
    let before = ledger_of(&world.phones[INSPECTOR], case);
    forge(&world.phones[INSPECTOR], &world, case);
    assert_eq!(after_the_first_was_made_again(&mut world, case, &before), 1);
    let known = handed(
        &world,
        &world.phones[INSPECTOR].replica.rescue_bundle().unwrap(),
    );
    assert_eq!(
        (known.refused, known.known, known.waiting),
        (2, 1, 0),
        "{known:?}"
    );
}
