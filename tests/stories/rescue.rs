//! A phone that will never call again: its work comes in a bundle, by another phone or by the office, as its author's, once.

use patrol_core::domain::id::{DocumentId, Epoch};
use patrol_core::domain::limits;
use patrol_core::error::Error;
use patrol_core::replica::SyncState;
use patrol_core::store::Store;
use patrol_core::sync::rescue::Bundle;
use patrol_server::bundle::{self, Handed};
use patrol_server::check;
use patrol_server::store::faulty::{Break, Call};
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World, city};

use super::followers::forge;
use super::late_work::end_posts;
use super::spoilt_on_a_phone::restore;

const INSPECTOR: &str = "巡查员01";
const CARRIER: &str = "巡查员02";

/// A phone with a case that the server knows, a note on it and a case of its own that it does not.
fn offline(world: &mut World) -> (DocumentId, DocumentId) {
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let (old, _) = phone.report(village, "桥头垃圾");
    phone.sync().unwrap();
    phone.note(old, "还在").unwrap();
    let (new, _) = phone.report(village, "路灯不亮");
    phone.note(new, "两盏").unwrap();
    (old, new)
}

fn handed(world: &World, file: &[u8]) -> Handed {
    bundle::hand_in(&world.app, file).unwrap().unwrap()
}

fn lines(world: &World, case: DocumentId) -> usize {
    let dispatcher = world.person("受理派遣员01");
    let view = patrol_server::office::view(&world.app, dispatcher, case).unwrap();
    let author = world.person(INSPECTOR);
    assert!(
        view.reading
            .lines
            .iter()
            .all(|line| line.entry.person == author)
    );
    view.reading.lines.len()
}

fn is_sound(world: &World) {
    let report = check::check(world.app.store.as_ref()).unwrap();
    assert_eq!(report.findings, [] as [String; 0]);
    audit::entries_of_sound(&world.app).unwrap();
}

#[test]
fn another_phone_hands_in_what_it_cannot_read_and_the_author_hears_that_it_is_there() {
    let mut world = World::new(301);
    let (old, new) = offline(&mut world);
    let file = world.phones[INSPECTOR].replica.rescue_bundle().unwrap();
    assert!(!file.windows(12).any(|part| part == "路灯不亮".as_bytes()));
    let carrier = world.phone(CARRIER);
    let carried = carrier.replica.carry(&file).unwrap();
    assert_eq!(
        (carried.pieces, carried.waiting, carried.damaged),
        (1, 1, 0)
    );
    // Work of its own goes first.
    let (own, _) = carrier.report(carrier.replica.villages().unwrap()[0], "井盖松动");
    let summary = carrier.sync().unwrap();
    assert_eq!((summary.rounds, summary.pushed), (2, 1));
    let carried = &carrier.replica.carried().unwrap()[0];
    assert_eq!((carried.waiting, carried.refused.as_ref()), (0, None));
    assert!(carrier.replica.case(new).is_err(), "it is none of his");
    assert!(carrier.replica.case(own).is_ok());
    assert_eq!((lines(&world, old), lines(&world, new)), (2, 2));

    // The same again, by the same phone and by the office, changes nothing.
    let carrier = &world.phones[CARRIER];
    assert_eq!(carrier.replica.carry(&file).unwrap().waiting, 0);
    assert_eq!(carrier.sync().unwrap().rounds, 1);
    let expected = Handed {
        pieces: 1,
        known: 3,
        ..Handed::default()
    };
    assert_eq!(handed(&world, &file), expected);

    // The phone was not dead after all.
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    let status = phone.replica.status().unwrap();
    assert_eq!((status.outbox, status.refused, status.held), (0, 0, 0));
    assert_eq!(
        phone.replica.case(new).unwrap().sync.state,
        SyncState::Applied
    );
    assert_eq!((lines(&world, old), lines(&world, new)), (2, 2));
    assert_eq!(
        phone
            .replica
            .rescue_bundle()
            .map(|file| Bundle::decode(&file).unwrap().pieces.len())
            .unwrap(),
        0
    );
    is_sound(&world);
}

#[test]
fn work_of_one_who_lost_his_posts_or_his_phone_goes_to_review() {
    let mut world = World::new(302);
    let (old, _) = offline(&mut world);
    let file = world.phones[INSPECTOR].replica.rescue_bundle().unwrap();
    let device = world.phones[INSPECTOR].device();
    let now = world.clock.now();
    world.app.store.revoke(device, now).unwrap();
    assert_eq!(handed(&world, &file).held, 3);
    assert_eq!(world.held().len(), 3);
    assert_eq!(handed(&world, &file).held, 3, "held as before");
    assert_eq!(world.held().len(), 3);
    assert_eq!(lines(&world, old), 1);
    is_sound(&world);
}

#[test]
fn what_was_refused_and_what_rests_on_it_is_kept_at_the_office_too() {
    let mut world = World::new(303);
    let (old, _) = offline(&mut world);
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    forge(phone, &world, old);
    phone.note(old, "在伪造之后").unwrap();
    let file = phone.replica.rescue_bundle().unwrap();
    let handed_in = handed(&world, &file);
    assert_eq!((handed_in.refused, handed_in.waiting), (2, 0));
    // The phone hears of it by itself, and what did not rest on the forged entry is made again.
    phone.sync().unwrap();
    assert_eq!(phone.replica.status().unwrap().refused, 1);
    assert_eq!(phone.replica.notices().unwrap(), [], "it is no copy");
    assert_eq!(lines(&world, old), 3);
    let later = handed(&world, &phone.replica.rescue_bundle().unwrap());
    assert_eq!((later.refused, later.taken), (1, 0));
    // The first file once more: of what was made again the deed is there.
    let again = handed(&world, &file);
    assert_eq!((again.refused, again.known, again.taken), (1, 1, 0));
    is_sound(&world);
}

#[test]
fn what_a_phone_holds_of_others_since_a_server_was_lost_is_in_no_bundle_and_its_own_is_in_order() {
    let mut world = World::new(314);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (case, _) = world.phone(INSPECTOR).report(village, "桥头垃圾");
    world.phones[INSPECTOR].sync().unwrap();
    let before = world.store.inner().fork();
    let phone = &world.phones[INSPECTOR];
    for words in ["一", "二"] {
        phone.note(case, words).unwrap();
    }
    end_posts(&world, INSPECTOR);
    phone.sync().unwrap();
    world.app.put_directory(city()).unwrap();
    let other = world.phone(&cadre);
    other.sync().unwrap();
    other.note(case, "已派人").unwrap();
    other.sync().unwrap();
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    assert_eq!(phone.replica.status().unwrap().held, 2);
    assert_eq!(phone.replica.case(case).unwrap().reading.lines.len(), 2);
    restore(&mut world, before, Epoch([9; 4]));
    // It hears of the new server, and no page comes.
    let phone = &world.phones[INSPECTOR];
    phone.link.cut_after(1);
    phone.sync().unwrap_err();
    let handed = handed(&world, &phone.replica.rescue_bundle().unwrap());
    let expected = Handed {
        pieces: 1,
        taken: 2,
        known: 1,
        ..Handed::default()
    };
    assert_eq!(handed, expected);
}

#[test]
fn a_bundle_that_was_changed_or_is_another_servers_changes_nothing() {
    let mut world = World::new(304);
    offline(&mut world);
    let mut other = World::new(305);
    let file = world.phones[INSPECTOR].replica.rescue_bundle().unwrap();
    let foreign = other.phone(INSPECTOR).replica.rescue_bundle().unwrap();
    let carrier = world.phone(CARRIER);
    let mut large = file.clone();
    large.resize(limits::BUNDLE_BYTES_MAX, 0);
    assert_eq!(carrier.replica.carry(&large).unwrap().pieces, 1);
    large.push(0);
    for nonsense in [
        &b""[..],
        b"XCNB",
        b"PK\x03\x04",
        &file[..20],
        &foreign,
        &large,
    ] {
        assert!(matches!(
            carrier.replica.carry(nonsense),
            Err(Error::BadBundle)
        ));
    }
    assert!(bundle::hand_in(&other.app, &file).unwrap().is_err());
    // Cut within its only piece: the file is known by its head, nothing of it is whole.
    let cut = &file[..file.len() - 9];
    let carried = carrier.replica.carry(cut).unwrap();
    assert_eq!(
        (carried.pieces, carried.damaged, carried.waiting),
        (0, 1, 0)
    );
    // A piece that was changed with its sum: only the server can tell.
    let mut bundle = Bundle::decode(&file).unwrap();
    bundle.pieces[0][40] ^= 1;
    let changed = bundle.encode();
    assert_eq!(handed(&world, &changed).unread, 1);
    let carrier = &world.phones[CARRIER];
    carrier.replica.carry(&changed).unwrap();
    carrier.sync().unwrap();
    let carried = &carrier.replica.carried().unwrap()[0];
    assert_eq!(carried.refused, Some((1, "signature".to_owned())));
    assert_eq!(carrier.sync().unwrap().rounds, 1, "it is not tried again");
}

#[test]
fn a_phone_that_was_revoked_meanwhile_still_hands_in_what_it_carries() {
    let mut world = World::new(306);
    let (_, new) = offline(&mut world);
    let file = world.phones[INSPECTOR].replica.rescue_bundle().unwrap();
    let carrier = world.phone(CARRIER);
    carrier.replica.carry(&file).unwrap();
    let device = carrier.device();
    let now = world.clock.now();
    world.app.store.revoke(device, now).unwrap();
    world.phones[CARRIER].sync_revoked();
    let carried = &world.phones[CARRIER].replica.carried().unwrap()[0];
    assert_eq!((carried.waiting, &carried.refused), (0, &None));
    assert_eq!(world.stage(new), "reported");
}

#[test]
fn a_revoked_phone_that_has_said_its_last_and_goes_on_still_hands_in_what_it_carries() {
    let mut world = World::new(312);
    let (_, new) = offline(&mut world);
    let file = world.phones[INSPECTOR].replica.rescue_bundle().unwrap();
    let carrier = world.phone(CARRIER);
    let (device, village) = (carrier.device(), carrier.replica.villages().unwrap()[0]);
    let now = world.clock.now();
    world.app.store.revoke(device, now).unwrap();
    let carrier = &world.phones[CARRIER];
    carrier.sync_revoked();
    let (own, _) = carrier.report(village, "井盖松动");
    carrier.replica.carry(&file).unwrap();
    assert!(matches!(carrier.sync(), Err(Error::SignedOut)));
    assert_eq!(carrier.replica.carried().unwrap()[0].waiting, 0);
    assert_eq!(
        (world.stage(new), world.stage(own)),
        ("reported".into(), String::new())
    );
    // Its own waits there, and is told.
    let carrier = &world.phones[CARRIER];
    assert!(matches!(carrier.sync(), Err(Error::SignedOut)));
    assert_eq!(carrier.replica.status().unwrap().outbox, 1);
}

#[test]
fn what_a_revoked_phone_records_after_its_last_word_is_handed_in_by_somebody_else() {
    let mut world = World::new(313);
    let phone = world.phone(INSPECTOR);
    let (device, village) = (phone.device(), phone.replica.villages().unwrap()[0]);
    let now = world.clock.now();
    world.app.store.revoke(device, now).unwrap();
    for _ in 0..2 {
        // Its person is told, or he would go on for nothing.
        world.phones[INSPECTOR].sync_revoked();
    }
    let phone = &world.phones[INSPECTOR];
    phone.report(village, "不知道已停用");
    let file = phone.replica.rescue_bundle().unwrap();
    // Not by itself, nor by another that is revoked.
    let other = world.enrol_as(CARRIER, 2);
    world.app.store.revoke(other.device(), now).unwrap();
    for revoked in [&world.phones[INSPECTOR], &other] {
        revoked.replica.carry(&file).unwrap();
        assert!(matches!(revoked.sync(), Err(Error::SignedOut)));
        let carried = &revoked.replica.carried().unwrap()[0];
        assert_eq!(carried.refused, Some((1, "too_much".to_owned())));
    }
    assert_eq!(world.held().len(), 0);
    let carrier = world.phone(CARRIER);
    carrier.replica.carry(&file).unwrap();
    carrier.sync().unwrap();
    assert_eq!(carrier.replica.carried().unwrap()[0].waiting, 0);
    assert_eq!(world.held().len(), 1);
    // By the office too; and twice is no harm.
    let phone = &world.phones[INSPECTOR];
    phone.report(village, "还不知道");
    let file = phone.replica.rescue_bundle().unwrap();
    for _ in 0..2 {
        let handed = handed(&world, &file);
        assert_eq!((handed.held, handed.unread), (2, 0), "{handed:?}");
    }
    assert_eq!(world.held().len(), 2);
}

#[test]
fn a_cut_on_the_way_costs_a_carrier_nothing_but_the_piece_in_flight() {
    let mut world = World::new(307);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    for number in 0..400 {
        phone.report(village, &format!("第{number}件{}", "长".repeat(200)));
    }
    let file = phone.replica.rescue_bundle().unwrap();
    let pieces = Bundle::decode(&file).unwrap().pieces.len() as u64;
    assert!(pieces >= 4, "{pieces}");
    let carrier = world.phone(CARRIER);
    carrier.sync().unwrap();
    carrier.replica.carry(&file).unwrap();
    // Behind the welcome and the end of its own round the answer breaks off after the next welcome and two fates.
    carrier.link.cut_after(2 + 3);
    carrier.sync().unwrap();
    assert_eq!(carrier.replica.carried().unwrap()[0].waiting, pieces - 2);
    // Not again at once, and everything else goes on; nor with another bundle.
    let village = world.villages("巡查员03")[0];
    let third = world.enrol("巡查员03");
    third.report(village, "占道堆物");
    let other = third.replica.rescue_bundle().unwrap();
    let carrier = &world.phones[CARRIER];
    carrier.replica.carry(&other).unwrap();
    carrier.sync().unwrap();
    let carried = carrier.replica.carried().unwrap();
    let waiting: Vec<u64> = carried.iter().map(|bundle| bundle.waiting).collect();
    assert_eq!(waiting, [0, pieces - 2]);
    world.clock.advance_ms(60_000);
    let carrier = &world.phones[CARRIER];
    carrier.sync().unwrap();
    let carried = carrier.replica.carried().unwrap();
    assert!(carried.iter().all(|bundle| bundle.waiting == 0));
    assert_eq!(audit::entries_of_sound(&world.app).unwrap().len(), 401);
    assert_eq!(audit::entries_twice(&world.app).unwrap(), []);
}

#[test]
fn a_phone_that_a_restored_server_does_not_know_is_taken_back_by_its_bundle() {
    let mut world = World::new(308);
    let before = world.store.inner().fork();
    let (_, new) = offline(&mut world);
    let file = world.phones[INSPECTOR].replica.rescue_bundle().unwrap();
    let new_epoch = patrol_server::store::NewEpoch {
        epoch: Epoch([9; 4]),
        suffix: [7; 8],
        number_block: "B".to_owned(),
        since: world.clock.now(),
    };
    world.restore(before, &new_epoch);
    let first = handed(&world, &file);
    assert_eq!(
        (first.unread, first.held, first.waiting),
        (0, 2, 1),
        "{first:?}"
    );
    assert!(world.phones[INSPECTOR].is_revoked(&world.app));
    assert_eq!(world.stage(new), "");
    assert_eq!(world.held().len(), 2);
    // Its token is known again: it calls as the revoked phone that it may be.
    world.phones[INSPECTOR].sync_revoked();
    assert_eq!(handed(&world, &file).waiting, 0);
}

#[test]
fn a_phone_without_anything_unsent_makes_an_empty_bundle_and_one_that_is_not_enrolled_none() {
    let mut world = World::new(309);
    let phone = world.phone(INSPECTOR);
    phone.sync().unwrap();
    let file = phone.replica.rescue_bundle().unwrap();
    assert_eq!(Bundle::decode(&file).unwrap().pieces.len(), 0);
    let empty = World::new(310);
    let stranger: Phone = {
        let first = empty.enrol_as(INSPECTOR, 7);
        empty.twin(&first, Store::in_memory().unwrap(), 8)
    };
    let refused = stranger.replica.rescue_bundle();
    assert!(matches!(refused, Err(Error::NotEnrolled)), "{refused:?}");
    let refused = stranger.replica.carry(&file);
    assert!(matches!(refused, Err(Error::NotEnrolled)), "{refused:?}");
}

#[test]
fn a_file_made_to_hurt_stops_nothing_of_its_carriers() {
    let mut world = World::new(311);
    offline(&mut world);
    let file = world.phones[INSPECTOR].replica.rescue_bundle().unwrap();
    let carrier = world.phone(CARRIER);
    let mut bundle = Bundle::decode(&file).unwrap();
    let piece = bundle.pieces[0].clone();
    bundle.pieces = vec![vec![1; 7_000_000], vec![2; 1], piece];
    let carried = carrier.replica.carry(&bundle.encode()).unwrap();
    assert_eq!((carried.pieces, carried.damaged), (1, 2));
    bundle.pieces = vec![vec![3; 48]; 5_000];
    let carried = carrier.replica.carry(&bundle.encode()).unwrap();
    assert_eq!((carried.pieces, carried.damaged), (4_096, 904));
    let (own, _) = carrier.report(carrier.replica.villages().unwrap()[0], "井盖松动");
    carrier.sync().unwrap();
    assert_eq!(world.stage(own), "reported");
    // While the server fails on pieces, work of one's own goes on.
    world.clock.advance_ms(60_000);
    world.store.break_next(Call::Read, Break::Before);
    let carrier = &world.phones[CARRIER];
    drop(carrier.sync());
    let (next, _) = carrier.report(carrier.replica.villages().unwrap()[0], "路灯不亮");
    carrier.sync().unwrap();
    assert_eq!(world.stage(next), "reported");
}
