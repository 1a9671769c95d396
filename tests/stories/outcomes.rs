//! What is held comes to its end although a copy of its phone heard the outcome, the answer was lost, or its phone had handed in everything; and
//! nothing else keeps work on a phone: a directory that cannot be had, a document that is spoilt in its file.

use futures_util::FutureExt as _;
use patrol_core::domain::entry::Part;
use patrol_core::domain::id::{DocumentId, EntryId, Epoch};
use patrol_core::domain::time::DAY_MS;
use patrol_core::error::Error;
use patrol_core::replica::Cancel;
use patrol_core::sync::transport::{Request, Response, Transport, Unreachable, Waiting};
use patrol_core::sync::wire::Fate;
use patrol_server::office;
use patrol_server::review::Decision;
use patrol_tests::link::Link;
use patrol_tests::pushing::{ledger_of, push};
use patrol_tests::settling::settle_all;
use patrol_tests::world::{Phone, World, city};

use super::late_work::end_posts;
use super::spoilt_on_a_phone::restore;
use super::standing::made_again_elsewhere;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// A case that the server has, and two notes on it that only the phone has.
pub(super) fn two_notes(world: &mut World) -> (DocumentId, [EntryId; 2]) {
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let (case, _) = phone.report(village, "渠水发黑");
    phone.sync().unwrap();
    (
        case,
        ["一", "二"].map(|words| phone.note(case, words).unwrap()),
    )
}

/// Both are held, and a copy of the phone has heard that the first was refused: it was told, and has said so, and nobody else is.
pub(super) fn heard_by_a_copy(world: &World, case: DocumentId) -> Phone {
    end_posts(world, INSPECTOR);
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    let twin = world.twin(phone, phone.replica.store().copy().unwrap(), 9);
    settle_first(world, case, Decision::Refuse);
    for _ in 0..3 {
        twin.sync().unwrap();
    }
    assert_eq!(codes(&twin), ["review", "reviewed_away"]);
    twin
}

/// The first of what is held of a case is refused, or released.
pub(super) fn settle_first(world: &World, case: DocumentId, decision: Decision) {
    let hash = world.held()[0].hash;
    let person = world.person(DISPATCHER);
    settle_all(&world.app, person, case, hash, decision, "看过").unwrap();
}

pub(super) fn codes(phone: &Phone) -> Vec<String> {
    let boxed = phone.replica.boxed().unwrap();
    let mut codes: Vec<String> = boxed.into_iter().map(|change| change.code).collect();
    codes.sort_unstable();
    codes
}

/// Whether the server's document has an entry.
pub(super) fn stands(world: &World, case: DocumentId, entry: EntryId) -> bool {
    let view = office::view(&world.app, world.person(DISPATCHER), case).unwrap();
    view.reading.lines.iter().any(|line| line.id == entry)
}

#[test]
fn a_phone_asks_after_a_day_what_a_copy_of_it_has_heard() {
    let mut world = World::new(101);
    let (case, [_, second]) = two_notes(&mut world);
    heard_by_a_copy(&world, case);
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    assert_eq!(codes(phone), ["review", "review"]);

    world.app.put_directory(city()).unwrap();
    world.clock.advance_ms(DAY_MS);
    for _ in 0..2 {
        phone.sync().unwrap();
    }
    assert_eq!(codes(phone), ["reviewed_away"]);
    let status = phone.replica.status().unwrap();
    assert_eq!((status.outbox, status.held), (0, 0));
    assert!(stands(&world, case, second));
}

#[test]
fn what_is_held_is_asked_about_once_a_day_and_stays_held() {
    let mut world = World::new(102);
    two_notes(&mut world);
    end_posts(&world, INSPECTOR);
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    let pushed = |phone: &Phone| {
        phone.link.take_fates();
        phone.sync().unwrap();
        phone.link.take_fates().values().sum::<usize>()
    };
    assert_eq!(pushed(phone), 0);
    let rows = kept(&world);
    world.clock.advance_ms(DAY_MS);
    assert_eq!([pushed(phone), pushed(phone)], [2, 0]);
    assert_eq!(codes(phone), ["review", "review"]);
    assert_eq!(kept(&world), rows, "nothing more is kept of it");
}

/// How much is kept of frames, fates and notices.
pub(super) fn kept(world: &World) -> [usize; 3] {
    let mut counts = [0; 3];
    let read = world.app.store.read(&mut |snapshot| {
        snapshot.all_batches(&mut |_| {
            counts[0] += 1;
            Ok(())
        })?;
        snapshot.all_fates(&mut |_| {
            counts[1] += 1;
            Ok(())
        })?;
        snapshot.all_notices(&mut |_| {
            counts[2] += 1;
            Ok(())
        })
    });
    read.unwrap();
    counts
}

#[test]
fn what_followed_a_refused_deed_is_made_again_although_the_first_answer_was_lost() {
    let mut world = World::new(103);
    let (case, [_, second]) = two_notes(&mut world);
    end_posts(&world, INSPECTOR);
    let phone = &world.phones[INSPECTOR];
    phone.link.cut_after(1);
    phone.sync().unwrap_err();
    assert_eq!(world.held().len(), 2);
    settle_first(&world, case, Decision::Refuse);
    world.app.put_directory(city()).unwrap();
    for _ in 0..2 {
        phone.sync().unwrap();
    }
    assert_eq!(codes(phone), ["reviewed_away"]);
    assert!(stands(&world, case, second));
}

#[test]
fn a_revoked_phone_that_had_handed_in_everything_hands_in_what_it_makes_again() {
    let mut world = World::new(104);
    let (case, [_, second]) = two_notes(&mut world);
    let phone = &world.phones[INSPECTOR];
    let now = world.clock.now();
    world.app.store.revoke(phone.device(), now).unwrap();
    for _ in 0..2 {
        phone.sync_revoked();
    }
    let has_emptied = || {
        let mut found = None;
        let read = world.app.store.read(&mut |snapshot| {
            found = snapshot.device(phone.device())?;
            Ok(())
        });
        read.unwrap();
        found.unwrap().revoked_empty
    };
    assert!(has_emptied());
    settle_first(&world, case, Decision::Refuse);
    assert!(!has_emptied(), "the office waits for it");
    for _ in 0..3 {
        phone.sync_revoked();
    }
    assert_eq!(codes(phone), ["review", "reviewed_away"]);
    assert!(has_emptied());
    settle_first(&world, case, Decision::Release);
    assert!(stands(&world, case, second));
}

#[test]
fn a_revoked_phone_that_had_handed_in_everything_comes_to_rest_with_a_server_that_went_back() {
    let mut world = World::new(110);
    let (case, _) = two_notes(&mut world);
    let device = world.phones[INSPECTOR].device();
    let now = world.clock.now();
    world.app.store.revoke(device, now).unwrap();
    for _ in 0..2 {
        world.phones[INSPECTOR].sync_revoked();
    }
    let before = world.store.inner().fork();
    restore(&mut world, before, Epoch([9; 4]));
    for _ in 0..2 {
        world.phones[INSPECTOR].sync_revoked();
    }
    let phone = &world.phones[INSPECTOR];
    let status = phone.replica.status().unwrap();
    assert_eq!((status.outbox, status.held), (0, 2));
    settle_first(&world, case, Decision::Refuse);
    for _ in 0..3 {
        phone.sync_revoked();
    }
    assert_eq!(codes(phone), ["review", "reviewed_away"]);
}

#[test]
fn work_that_rests_on_a_refused_copy_of_a_deed_that_stands_is_not_set_aside() {
    let mut world = World::new(105);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (case, _) = world.phone(INSPECTOR).report(village, "井盖破损");
    world.phone(INSPECTOR).sync().unwrap();
    world.dispatch(DISPATCHER, case, &[(village.unit(), Part::Main)]);
    world.phone(&cadre).sync().unwrap();
    let phone = &world.phones[&cadre];
    let before = ledger_of(phone, case);
    phone.resolve(case).unwrap();
    let resting = phone.note(case, "修好之后又看过").unwrap();
    let last = ledger_of(phone, case);
    let first = last.links()[before.len()].change.clone();
    let again = made_again_elsewhere(phone, &before, &first);
    assert_eq!(
        push(&world.app, phone, &[(case, again)]),
        Ok(vec![Fate::Ok])
    );
    end_posts(&world, &cadre);
    phone.sync().unwrap();
    assert_eq!(world.held().len(), 2);
    world.app.put_directory(city()).unwrap();
    phone.sync().unwrap();
    settle_first(&world, case, Decision::Refuse);
    for _ in 0..2 {
        phone.sync().unwrap();
    }
    assert_eq!(codes(phone), ["reviewed_away"]);
    assert!(stands(&world, case, resting));
}

/// A line on which the directory cannot be had.
struct WithoutDirectory<'l>(&'l Link);

impl Transport for WithoutDirectory<'_> {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        if request.path == "/v1/directory" {
            return Box::pin(std::future::ready(Err(Unreachable)));
        }
        self.0.send(request)
    }
}

#[test]
fn a_directory_that_cannot_be_had_keeps_no_work_here() {
    let mut world = World::new(106);
    let (case, [_, second]) = two_notes(&mut world);
    let phone = &world.phones[INSPECTOR];
    let words = "很长的一段说明".repeat(100);
    for _ in 0..80 {
        phone.note(case, &words).unwrap();
    }
    let mut directory = city().clone();
    directory.beats[0].name += "（新）";
    world.app.put_directory(&directory).unwrap();
    let cancel = Cancel::default();
    let line = WithoutDirectory(&phone.link);
    let synced = phone.replica.sync(&line, &cancel, &|_| ()).now_or_never();
    assert!(
        matches!(synced, Some(Err(Error::Offline { .. }))),
        "{synced:?}"
    );
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
    assert!(stands(&world, case, second));
    phone.sync().unwrap();
    let here = phone.replica.directory().unwrap();
    assert_eq!(here.beats[0].name, directory.beats[0].name);
}

#[test]
fn a_document_that_is_spoilt_in_a_phones_file_keeps_no_other_work_here() {
    let mut world = World::new(107);
    let (spoilt, _) = two_notes(&mut world);
    let village = world.villages(INSPECTOR)[0];
    let phone = &world.phones[INSPECTOR];
    let spoil = "UPDATE changes SET body = zeroblob(length(body))
         WHERE place = 0 AND document = (SELECT no FROM documents WHERE id = ?1)";
    let spoil = phone
        .replica
        .store()
        .write(|transaction| Ok(transaction.execute(spoil, [spoilt.0])?));
    assert_eq!(spoil.unwrap(), 1);
    let (other, report) = phone.report(village, "路灯不亮");
    phone.sync().unwrap();
    assert!(stands(&world, other, report));
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
    let notes = office::view(&world.app, world.person(DISPATCHER), spoilt).unwrap();
    assert_eq!(notes.reading.lines.len(), 3);
}

#[test]
fn a_revoked_phone_that_asks_in_vain_syncs_and_hands_in_what_it_carries() {
    let mut world = World::new(108);
    two_notes(&mut world);
    let village = world.villages("巡查员02")[0];
    let other = world.enrol("巡查员02");
    let (case, report) = other.report(village, "占道堆物");
    let bundle = other.replica.rescue_bundle().unwrap();
    let phone = &world.phones[INSPECTOR];
    let now = world.clock.now();
    world.app.store.revoke(phone.device(), now).unwrap();
    for _ in 0..2 {
        phone.sync_revoked();
    }
    world.clock.advance_ms(DAY_MS);
    phone.sync_revoked();
    assert_eq!(codes(phone), ["review", "review"]);
    world.clock.advance_ms(DAY_MS);
    phone.replica.carry(&bundle).unwrap();
    phone.sync_revoked();
    assert!(stands(&world, case, report));
}

#[test]
fn what_followed_a_deed_is_made_again_also_where_each_is_asked_about_by_itself() {
    let mut world = World::new(109);
    let (case, [_, second]) = two_notes(&mut world);
    heard_by_a_copy(&world, case);
    let phone = &world.phones[INSPECTOR];
    world.app.put_directory(city()).unwrap();
    world.clock.advance_ms(DAY_MS);
    // The first was asked about a moment ago, before it was settled.
    let now = world.clock.now();
    let asked = "UPDATE boxed SET asked_at = ?1 WHERE id = (SELECT min(id) FROM boxed)";
    let store = phone.replica.store();
    let asked = store.write(|transaction| Ok(transaction.execute(asked, [now.0])?));
    assert_eq!(asked.unwrap(), 1);
    for _ in 0..2 {
        phone.sync().unwrap();
    }
    assert_eq!(codes(phone), ["reviewed_away"]);
    assert!(stands(&world, case, second));
    for boxed in phone.replica.boxed().unwrap() {
        phone.replica.dismiss(boxed.id).unwrap();
    }
    world.clock.advance_ms(DAY_MS);
    phone.sync().unwrap();
}

#[test]
fn a_held_change_whose_place_a_copy_has_taken_is_made_again() {
    let mut world = World::new(110);
    let (case, _) = two_notes(&mut world);
    let phone = &world.phones[INSPECTOR];
    let twin = world.twin(phone, phone.replica.store().copy().unwrap(), 9);
    let here = phone.note(case, "三").unwrap();
    let there = twin.note(case, "另一个三").unwrap();
    end_posts(&world, INSPECTOR);
    phone.sync().unwrap();
    twin.sync().unwrap();
    settle_first(&world, case, Decision::Release);
    world.app.put_directory(city()).unwrap();
    // Whoever calls first is told; the other asks.
    for _ in 0..3 {
        world.clock.advance_ms(DAY_MS);
        phone.sync().unwrap();
        twin.sync().unwrap();
    }
    for phone in [phone, &twin] {
        assert_eq!(codes(phone), [] as [String; 0]);
    }
    assert!(stands(&world, case, here) && stands(&world, case, there));
}

#[test]
fn a_held_change_that_is_spoilt_in_a_phones_file_keeps_no_other_outcome_from_being_heard() {
    let mut world = World::new(111);
    let (case, _) = two_notes(&mut world);
    end_posts(&world, INSPECTOR);
    let phone = &world.phones[INSPECTOR];
    phone.sync().unwrap();
    let spoil =
        "UPDATE boxed SET body = zeroblob(length(body)) WHERE id = (SELECT max(id) FROM boxed)";
    let store = phone.replica.store();
    let spoilt = store.write(|transaction| Ok(transaction.execute(spoil, [])?));
    assert_eq!(spoilt.unwrap(), 1);
    settle_first(&world, case, Decision::Refuse);
    phone.sync().unwrap();
    assert_eq!(codes(phone), ["review", "reviewed_away"]);
}
