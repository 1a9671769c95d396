//! Two people on one phone: two files in one folder, each an enrolment of its own. Neither sees or touches what is the other's.

use std::path::Path;
use std::sync::Arc;

use patrol_core::domain::id::DocumentId;
use patrol_core::error::Error;
use patrol_core::replica::Replica;
use patrol_core::sync::rescue::Bundle;
use patrol_server::people::{self, Leaving};
use patrol_server::{bundle, check, devices};
use patrol_tests::clock::Machine;
use patrol_tests::link::Link;
use patrol_tests::served::Folder;
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World, enrol_into};

/// Walks the first beat.
const FIRST: &str = "巡查员01";
/// Walks another.
const SECOND: &str = "巡查员02";

/// One person's file on the phone, enrolled.
fn file_of(world: &World, file: &Path, name: &str, seed: u64) -> Phone {
    let machine = Arc::new(Machine::new(&world.clock, seed));
    let (replica, rescued) = Replica::open(file, machine.clone()).expect("a new file opens");
    assert_eq!(rescued, None);
    let person = world.person(name);
    enrol_into(&world.app, replica.store(), &machine, person, name);
    Phone {
        replica,
        machine,
        link: Link::new(Arc::clone(&world.app), seed),
        person,
    }
}

/// A case that the server has, a note on it and another case that it has not, and a draft.
fn offline(world: &World, phone: &Phone, name: &str, thing: &str) -> [DocumentId; 2] {
    let village = world.villages(name)[0];
    let (old, _) = phone.report(village, &format!("{thing}旧的"));
    phone.sync().expect("the server answers");
    phone.note(old, "还在").expect("it is recorded");
    let (new, _) = phone.report(village, &format!("{thing}新的"));
    let draft = phone.replica.keep_draft(None, None, thing.as_bytes());
    draft.expect("it is kept");
    [old, new]
}

/// Everything that a person sees of his own.
fn seen(phone: &Phone) -> String {
    let replica = &phone.replica;
    let list = replica.list("case", 0, 100).expect("a list");
    let drafts = replica.drafts().expect("a look");
    let status = replica.status().expect("a look");
    let entries = audit::entries_on_phone(replica.store());
    format!("{list:?} {drafts:?} {status:?} {entries:?}")
}

fn found(phone: &Phone, typed: &str) -> usize {
    let found = phone.replica.search("case", typed, 0, 100);
    found.expect("a search").len()
}

struct Shared {
    world: World,
    folder: Folder,
    first: (Phone, [DocumentId; 2]),
    second: (Phone, [DocumentId; 2]),
}

fn shared(seed: u64) -> Shared {
    let world = World::new(seed);
    let folder = Folder::new("shared").expect("a folder");
    let first = file_of(&world, &folder.file("first.db"), FIRST, 1);
    let second = file_of(&world, &folder.file("second.db"), SECOND, 2);
    let of_first = offline(&world, &first, FIRST, "井盖");
    let of_second = offline(&world, &second, SECOND, "路灯");
    Shared {
        world,
        folder,
        first: (first, of_first),
        second: (second, of_second),
    }
}

#[test]
fn neither_sees_the_others_cases_drafts_or_what_is_found() {
    let Shared { first, second, .. } = shared(401);
    for ((phone, own), (_, others), typed, not) in [
        (&first, &second, "井盖", "路灯"),
        (&second, &first, "路灯", "井盖"),
    ] {
        phone.sync().expect("the server answers");
        assert_eq!((found(phone, typed), found(phone, not)), (2, 0));
        for case in others {
            let case = phone.replica.case(*case);
            assert!(matches!(case, Err(Error::NotFound)), "{case:?}");
        }
        let listed = phone.replica.list("case", 0, 100).expect("a list");
        assert!(listed.iter().all(|row| own.contains(&row.id)));
        let drafts = phone.replica.drafts().expect("a look");
        assert_eq!(drafts.len(), 1);
        assert_eq!(drafts[0].form, typed.as_bytes());
        assert_eq!(phone.replica.status().expect("a look").outbox, 0);
    }
    assert_ne!(first.0.device(), second.0.device());
}

#[test]
fn who_leaves_takes_nothing_of_the_others_with_him() {
    let Shared {
        world,
        folder,
        first: (first, _),
        second: (second, _),
    } = shared(402);
    let before = seen(&second);
    let leave = Leaving {
        person: first.person,
        from: world.clock.now(),
        substitute: None,
    };
    people::leave(&world.app, leave).expect("he may leave");
    // What he had not handed in yet goes to review, and then his enrolment ends.
    first.sync().expect("the server answers");
    let status = first.replica.status().expect("a look");
    assert_eq!((status.outbox, status.held), (0, 2));
    assert_eq!(devices::revoke(&world.app, first.device()).ok(), Some(true));
    first.sync_revoked();
    let last = first.replica.rescue_bundle();
    assert!(last.is_ok());
    drop(first);
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(
            folder.file(&format!("first.db{suffix}")),
        ));
    }
    assert_eq!(seen(&second), before);
    second.sync().expect("the server answers");
    let status = second.replica.status().expect("a look");
    assert_eq!((status.outbox, status.held, status.refused), (0, 0, 0));
    assert_eq!((found(&second, "路灯"), found(&second, "井盖")), (2, 0));
    // It is there when its file is opened again, without the other's beside it.
    let (person, device) = (second.person, second.device());
    let after = seen(&second);
    drop(second.replica);
    let (replica, rescued) =
        Replica::open(&folder.file("second.db"), second.machine.clone()).expect("it opens");
    assert_eq!(rescued, None);
    let again = Phone {
        replica,
        machine: second.machine,
        link: second.link,
        person,
    };
    assert_eq!((seen(&again), again.device()), (after, device));
}

#[test]
fn each_ones_work_is_rescued_by_itself_and_the_other_may_carry_it() {
    let Shared {
        world,
        first: (first, of_first),
        second: (second, of_second),
        ..
    } = shared(403);
    let bundles = [&first, &second].map(|phone| {
        let file = phone.replica.rescue_bundle().expect("a bundle");
        let bundle = Bundle::decode(&file).expect("it is one");
        assert_eq!(bundle.device, phone.device());
        file
    });
    let before = seen(&second);
    let carried = second.replica.carry(&bundles[0]).expect("it is taken");
    assert_eq!((carried.device, carried.waiting), (first.device(), 1));
    assert_eq!(seen(&second), before);
    second.sync().expect("the server answers");
    let carried = &second.replica.carried().expect("a look")[0];
    assert_eq!((carried.waiting, carried.refused.as_ref()), (0, None));
    for case in of_first {
        assert!(matches!(second.replica.case(case), Err(Error::NotFound)));
        assert_eq!(world.stage(case), "reported");
    }
    // The office gets the other one's too, which its own phone has handed in already: twice is no harm.
    let handed = bundle::hand_in(&world.app, &bundles[1]).expect("the store answers");
    assert_eq!(handed.map(|handed| handed.waiting).ok(), Some(0));
    for (phone, cases) in [(&first, of_first), (&second, of_second)] {
        phone.sync().expect("the server answers");
        let status = phone.replica.status().expect("a look");
        assert_eq!((status.outbox, status.held, status.refused), (0, 0, 0));
        for case in cases {
            assert_eq!(phone.stage(case), "reported");
        }
    }
    let report = check::check(world.app.store.as_ref()).expect("the store answers");
    assert_eq!(report.findings, [] as [String; 0]);
    assert_eq!(audit::entries_twice(&world.app), Ok(Vec::new()));
}
