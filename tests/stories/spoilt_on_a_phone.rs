//! A phone in whose file a bit of a document was flipped where no look at the file's structure sees it: what the server has comes back, what
//! only the phone has goes up, and what nobody can read any more is said.
//!
//! Damaged pages that SQLite sees are in `salvaged.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use patrol_core::domain::id::{DocumentId, EntryId, Epoch};
use patrol_core::domain::refusal::Refusal;
use patrol_core::replica::{Replica, SyncState};
use patrol_core::store::{Fault, Store, documents};
use patrol_core::sync::wire::SPOILT;
use patrol_server::check;
use patrol_server::review::Decision;
use patrol_server::store::NewEpoch;
use patrol_server::store::memory::MemoryStore;
use patrol_tests::clock::Machine;
use patrol_tests::link::Link;
use patrol_tests::pushing::ledger_of;
use patrol_tests::served::Folder;
use patrol_tests::settling::settle_all;
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World, city, enrol_into};

use super::late_work::end_posts;
use super::phone_calls::Ear;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// What is flipped, and of which of a document's seven changes: four placed, one acknowledged, two in the outbox.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flip {
    Body(usize),
    Hash(usize),
    /// The state of one becomes this.
    State(usize, i64),
    /// The last placed one stands further on.
    Place,
    /// The number of placed changes in the document's own row.
    More,
    Fewer,
}

const FLIPS: [Flip; 18] = [
    Flip::Body(0),
    Flip::Body(2),
    Flip::Body(3),
    Flip::Body(4),
    Flip::Body(5),
    Flip::Body(6),
    Flip::Hash(0),
    Flip::Hash(2),
    Flip::Hash(4),
    Flip::Hash(5),
    Flip::Hash(6),
    Flip::State(0, 1),
    Flip::State(3, 2),
    Flip::State(5, 3),
    Flip::State(6, 0),
    Flip::Place,
    Flip::More,
    Flip::Fewer,
];

pub(super) struct Scene {
    pub(super) world: World,
    pub(super) cadre: String,
    pub(super) case: DocumentId,
    sound: DocumentId,
    /// Own entries of the case: twice placed, acknowledged, twice in the outbox.
    pub(super) own: [EntryId; 5],
    /// The server before it had any of the case but its report.
    pub(super) before: MemoryStore,
}

pub(super) fn scene() -> Scene {
    let mut world = World::new(83);
    let village = world.villages(INSPECTOR)[0];
    let cadre = world.cadre_of(village);
    let (case, report) = world.phone(INSPECTOR).report(village, "要坏的");
    let (sound, _) = world.phone(INSPECTOR).report(village, "好的");
    sync(&world, INSPECTOR);
    world.phone(&cadre);
    sync(&world, &cadre);
    let before = world.store.inner().fork();
    let placed = note(&world, INSPECTOR, case, "到了");
    sync(&world, INSPECTOR);
    sync(&world, &cadre);
    note(&world, &cadre, case, "还没清");
    sync(&world, &cadre);
    sync(&world, INSPECTOR);
    let acknowledged = note(&world, INSPECTOR, case, "去看了");
    let phone = &world.phones[INSPECTOR];
    phone.link.cut_after(2);
    phone.sync().expect_err("the page did not come");
    let own = [
        report,
        placed,
        acknowledged,
        note(&world, INSPECTOR, case, "一"),
        note(&world, INSPECTOR, case, "二"),
    ];
    assert_eq!(states(phone, case), [0, 0, 0, 0, 1, 2, 2]);
    Scene {
        world,
        cadre,
        case,
        sound,
        own,
        before,
    }
}

/// The server is one again that has nothing of the case but its report.
pub(super) fn go_back(scene: &mut Scene) {
    let before = scene.before.fork();
    restore(&mut scene.world, before, Epoch([9; 4]));
}

/// The server is that copy of itself from now on.
pub(super) fn restore(world: &mut World, copy: MemoryStore, epoch: Epoch) {
    let new = NewEpoch {
        epoch,
        suffix: [9; 8],
        number_block: "9".to_owned(),
        since: world.clock.now(),
    };
    world.restore(copy, &new);
}

pub(super) fn sync(world: &World, name: &str) {
    world.phones[name].sync().expect("the server answers");
}

pub(super) fn note(world: &World, name: &str, case: DocumentId, words: &str) -> EntryId {
    let noted = world.phones[name].note(case, words);
    noted.expect("it is recorded")
}

pub(super) fn states(phone: &Phone, case: DocumentId) -> Vec<i64> {
    let read = phone.replica.store().read(|connection| {
        let number = documents::state(connection, case)?
            .expect("it is here")
            .number;
        let sql = "SELECT state FROM changes WHERE document = ?1 ORDER BY place";
        let mut statement = connection.prepare(sql)?;
        let states = statement.query_map([number], |row| row.get(0))?;
        Ok(states.collect::<rusqlite::Result<_>>()?)
    });
    read.expect("a look")
}

pub(super) fn flip(phone: &Phone, case: DocumentId, flip: Flip) {
    let (set, of) = match flip {
        Flip::Body(of) => (
            "body = CAST(substr(body, 1, 60) || x'ff' || substr(body, 62) AS BLOB)",
            Some(of),
        ),
        Flip::Hash(of) => (
            "hash = CAST(substr(hash, 1, 31) || x'ff' AS BLOB)",
            Some(of),
        ),
        Flip::State(of, 0) => ("state = 0", Some(of)),
        Flip::State(of, 1) => ("state = 1", Some(of)),
        Flip::State(of, 2) => ("state = 2", Some(of)),
        Flip::State(of, _) => ("state = 3", Some(of)),
        Flip::Place => ("place = place + 4", Some(3)),
        Flip::More => ("placed = placed + 1", None),
        Flip::Fewer => ("placed = placed - 1", None),
    };
    let write = phone.replica.store().write(|transaction| {
        let number = documents::state(transaction, case)?.expect("it is here").number;
        let sql = match of {
            Some(of) => format!(
                "UPDATE changes SET {set} WHERE document = {number} AND place =
                   (SELECT place FROM changes WHERE document = {number} ORDER BY place LIMIT 1 OFFSET {of})"
            ),
            None => format!("UPDATE documents SET {set} WHERE no = {number}"),
        };
        Ok(transaction.execute(&sql, [])?)
    });
    assert_eq!(write.expect("it is written"), 1, "{flip:?}");
}

pub(super) fn changes(phone: &Phone, case: DocumentId) -> Vec<Vec<u8>> {
    let ledger = ledger_of(phone, case);
    let bytes = ledger.links().iter().map(|link| link.change.bytes.clone());
    bytes.collect()
}

pub(super) fn codes(phone: &Phone) -> Vec<String> {
    let boxed = phone.replica.boxed().expect("a look");
    boxed.into_iter().map(|change| change.code).collect()
}

/// Own entries of which nobody has the bytes any more.
fn lost(scene: &Scene, flip: Flip) -> Vec<EntryId> {
    match flip {
        Flip::Body(of @ 5..) => vec![scene.own[of - 2]],
        _ => Vec::new(),
    }
}

/// Everything that can be read is with the server, and both phones hold what it holds; the one whose file was spoilt says what is lost.
pub(super) fn is_whole(scene: &Scene, lost: &[EntryId], which: &str) {
    let Scene {
        world,
        cadre,
        case,
        sound,
        own,
        ..
    } = scene;
    let (phone, other) = (&world.phones[INSPECTOR], &world.phones[cadre]);
    let report = check::check(world.app.store.as_ref()).expect("a look");
    assert_eq!(report.findings, [] as [String; 0], "{which}");
    let there = audit::entries_of_sound(&world.app).expect("feeds and documents are sound");
    for entry in own {
        assert_eq!(there.contains(entry), !lost.contains(entry), "{which}");
    }
    for document in [*case, *sound] {
        assert_eq!(
            changes(phone, document),
            changes(other, document),
            "{which}"
        );
    }
    let status = phone.replica.status().expect("a look");
    assert_eq!((status.outbox, status.last_error), (0, None), "{which}");
    assert_eq!(codes(phone), vec![SPOILT; lost.len()], "{which}");
    let shown = phone.replica.case(*case).expect("it is here").sync.state;
    let listed = phone.replica.safety(&[*case]).expect("a look");
    assert_eq!([shown], *listed, "{which}");
    assert_eq!(shown == SyncState::Refused, !lost.is_empty(), "{which}");
    let told = patrol_server::devices::list(&world.app).expect("a list");
    let told = serde_json::to_value(&told).expect("it is plain");
    let spoilt = told.as_array().expect("a list").iter();
    let spoilt = spoilt.filter(|device| device["last_error"] == SPOILT);
    assert_eq!(spoilt.count(), lost.len(), "{which}");
}

#[test]
fn somebody_else_goes_on_with_what_a_phone_has_spoilt() {
    for which in FLIPS {
        for is_raw in [false, true] {
            let scene = scene();
            let phone = &scene.world.phones[INSPECTOR];
            flip(phone, scene.case, which);
            let raw = "UPDATE enrolment SET raw_pages = ?1";
            let store = phone.replica.store();
            let raw = store.write(|transaction| Ok(transaction.execute(raw, [is_raw])?));
            assert_eq!(raw.expect("it is written"), 1);
            for document in [scene.case, scene.sound] {
                note(&scene.world, &scene.cadre, document, "又看了");
            }
            for name in [&scene.cadre, INSPECTOR, INSPECTOR, &scene.cadre] {
                sync(&scene.world, name);
            }
            is_whole(&scene, &lost(&scene, which), &format!("{which:?} {is_raw}"));
        }
    }
}

#[test]
fn a_person_goes_on_with_what_his_phone_has_spoilt() {
    for which in FLIPS {
        let scene = scene();
        let phone = &scene.world.phones[INSPECTOR];
        flip(phone, scene.case, which);
        let at = format!("{which:?}");
        phone.replica.case(scene.case).expect(&at);
        if let Flip::Body(0) = which {
            // Without its beginning there is nothing to go on with.
            let refused = phone.note(scene.case, "三");
            let refused = refused.expect_err("it waits for its beginning");
            assert_eq!(refused.to_string(), "refused: held_document");
            sync(&scene.world, INSPECTOR);
        }
        let more = note(&scene.world, INSPECTOR, scene.case, "三");
        for name in [INSPECTOR, INSPECTOR, &scene.cadre] {
            sync(&scene.world, name);
        }
        is_whole(&scene, &lost(&scene, which), &at);
        let there = audit::entries_of_sound(&scene.world.app).expect("they are sound");
        assert!(there.contains(&more), "{at}");
    }
}

#[test]
fn a_server_that_went_back_meets_a_phone_with_what_is_spoilt() {
    for which in FLIPS {
        let mut scene = scene();
        flip(&scene.world.phones[INSPECTOR], scene.case, which);
        go_back(&mut scene);
        for _ in 0..3 {
            sync(&scene.world, INSPECTOR);
            sync(&scene.world, &scene.cadre.clone());
        }
        let mut lost = lost(&scene, which);
        if let Flip::Body(4) = which {
            // The server had taken it, and is gone too. What is placed comes from the other phone.
            lost.push(scene.own[2]);
        }
        is_whole(&scene, &lost, &format!("{which:?}"));
    }
}

#[test]
fn a_held_deed_is_heard_of_where_its_document_is_spoilt() {
    for (decision, is_opened) in [
        (Decision::Refuse, false),
        (Decision::Refuse, true),
        (Decision::Release, false),
    ] {
        let scene = scene();
        let Scene { world, case, .. } = &scene;
        end_posts(world, INSPECTOR);
        sync(world, INSPECTOR);
        world.app.put_directory(city()).expect("it is kept");
        let phone = &world.phones[INSPECTOR];
        assert_eq!(phone.replica.status().expect("a look").held, 2);
        flip(phone, *case, Flip::Body(0));
        let person = world.person(DISPATCHER);
        let first = world.held()[0].hash;
        settle_all(&world.app, person, *case, first, decision, "看过").expect("it is held");
        if is_opened {
            // Mended before the call, and the line dies before anything has been listed.
            phone.replica.case(*case).expect("a look");
            phone.link.cut_after(1);
            phone.sync().expect_err("the line dies");
        }
        for _ in 0..3 {
            sync(world, INSPECTOR);
        }
        let expected = match decision {
            Decision::Refuse => vec![Refusal::ReviewedAway.code()],
            Decision::Release => vec![],
        };
        assert_eq!(codes(phone), expected, "{decision:?} {is_opened}");
        assert_eq!(phone.replica.status().expect("a look").outbox, 0);
        let there = audit::entries_of_sound(&world.app).expect("they are sound");
        assert!(there.contains(&scene.own[4]), "{decision:?} {is_opened}");
    }
}

#[test]
fn a_spoilt_document_that_is_not_his_any_more_goes() {
    let scene = scene();
    let Scene {
        world, case, cadre, ..
    } = &scene;
    sync(world, cadre);
    let phone = &world.phones[cadre];
    flip(phone, *case, Flip::Body(2));
    phone.replica.case(*case).expect("a look");
    end_posts(world, cadre);
    for _ in 0..2 {
        sync(world, cadre);
    }
    let here = phone.replica.store().read(documents::all);
    assert_eq!(here.expect("a look"), []);
}

#[test]
fn what_is_sound_stays_as_it_is_beside_what_is_mended() {
    let scene = scene();
    let phone = &scene.world.phones[INSPECTOR];
    let before = states(phone, scene.sound);
    let screen = Arc::new(Ear::default());
    phone.replica.watch(screen.clone());
    flip(phone, scene.case, Flip::Body(0));
    phone.replica.case(scene.case).expect("a look");
    assert_eq!(screen.0.load(Ordering::Relaxed), 1, "a screen is told");
    assert_ne!(states(phone, scene.case)[0], 0);
    let outbox = phone.replica.status().expect("a look").outbox;
    assert_eq!(outbox, 2, "what the server has is not pushed again");
    assert_eq!(states(phone, scene.sound), before);
}

#[test]
fn a_phone_without_room_hands_in_what_is_not_spoilt() {
    for fault in [Fault::Full, Fault::Unwritable] {
        let scene = scene();
        let Scene {
            world, case, sound, ..
        } = &scene;
        let noted = note(world, INSPECTOR, *sound, "还好");
        let phone = &world.phones[INSPECTOR];
        flip(phone, *case, Flip::Body(0));
        let store = phone.replica.store();
        store.set_faults(Some(Box::new(move || Some(fault))));
        phone.sync().expect_err("nothing can be noted");
        store.set_faults(None);
        let there = audit::entries_of_sound(&world.app).expect("they are sound");
        assert!(there.contains(&noted));
        for name in [INSPECTOR, INSPECTOR, &scene.cadre] {
            sync(world, name);
        }
        is_whole(&scene, &[], "once there is room");
    }
}

#[test]
fn a_revoked_phone_hands_in_what_can_be_read() {
    let scene = scene();
    let Scene { world, case, .. } = &scene;
    let phone = &world.phones[INSPECTOR];
    flip(phone, *case, Flip::Body(3));
    let now = world.clock.now();
    world
        .app
        .store
        .revoke(phone.device(), now)
        .expect("it is kept");
    for _ in 0..2 {
        drop(phone.sync());
    }
    assert_eq!(world.held().len(), 2);
}

#[test]
fn what_is_here_under_a_wrong_name_goes_into_a_bundle() {
    let mut scene = scene();
    let phone = &scene.world.phones[INSPECTOR];
    flip(phone, scene.case, Flip::Hash(5));
    let bundle = phone.replica.rescue_bundle().expect("a bundle");
    let carrier = scene.world.phone("巡查员02");
    carrier.replica.carry(&bundle).expect("it is whole");
    carrier.sync().expect("the server answers");
    let there = audit::entries_of_sound(&scene.world.app).expect("they are sound");
    assert!(scene.own.iter().all(|entry| there.contains(entry)));
}

/// A flip in the file itself leaves the index of the outbox as it was, and the checksum of no page: SQLite has none.
#[test]
fn what_a_flip_takes_out_of_the_outbox_goes_up_and_is_asked_for_no_more() {
    let folder = Folder::new("flipped_in_the_file").expect("a folder");
    let (world, file) = (World::new(84), folder.file("phone.db"));
    let person = world.person(INSPECTOR);
    let phone = || {
        let machine = Arc::new(Machine::new(&world.clock, 5));
        let store = Store::open(&file, world.clock.now())
            .expect("it opens")
            .store;
        Phone {
            replica: Replica::on(store, machine.clone()),
            machine,
            link: Link::new(Arc::clone(&world.app), 5),
            person,
        }
    };
    let first = phone();
    enrol_into(
        &world.app,
        first.replica.store(),
        &first.machine,
        person,
        INSPECTOR,
    );
    let (case, _) = first.report(world.villages(INSPECTOR)[0], "路灯不亮");
    first.sync().expect("the server answers");
    let noted = first.note(case, "还没修").expect("it is recorded");
    let hash = ledger_of(&first, case)
        .links()
        .last()
        .expect("the note")
        .change
        .hash;
    drop(first);
    let mut bytes = std::fs::read(&file).expect("it is there");
    let at = bytes
        .windows(32)
        .position(|window| window == hash.0)
        .expect("its row")
        + 32;
    assert_eq!(bytes[at], 2, "it waits in the outbox");
    bytes[at] = 0;
    std::fs::write(&file, bytes).expect("it is written");

    let phone = phone();
    for _ in 0..2 {
        phone.sync().expect("the server answers");
    }
    assert_eq!(phone.replica.status().expect("a look").outbox, 0);
    let there = audit::entries_of_sound(&world.app).expect("they are sound");
    assert!(there.contains(&noted));
}
