//! I10: nothing of a document beyond a person's scopes is in any frame that comes down to him, and asking after one teaches nothing.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::doc::document;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part};
use patrol_core::domain::id::{DocumentId, UnitId};
use patrol_core::domain::place::Scope;
use patrol_core::store::feed;
use patrol_core::sync::wire::{Cursor, Fate, Hello, kind};
use patrol_server::grow::Growing;
use patrol_tests::link::Weather;
use patrol_tests::pushing::{
    answers, change_of, enrolment_of, entry_of, hello_of, ledger_of, push, respond,
};
use patrol_tests::world::World;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const PEOPLE: [&str; 2] = ["巡查员01", "巡查员31"];
const DISPATCHER: &str = "受理派遣员01";

/// Two inspectors of far beats, their cadres and a unit's worker, all at work; every frame that comes down is kept.
fn history(seed: u64) -> (World, Vec<String>, BTreeMap<String, Vec<Vec<u8>>>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::new(seed);
    let mut names: Vec<String> = PEOPLE.map(str::to_owned).to_vec();
    names.extend(PEOPLE.map(|name| world.cadre_of(world.villages(name)[0])));
    names.push("单位操作员101".to_owned());
    for name in &names {
        world.phone(name).link.set_weather(Weather {
            mishaps_percent: 20,
        });
        world.phone(name).link.listen();
    }
    let mut cases: Vec<DocumentId> = Vec::new();
    for step in 0..150 {
        world.clock.advance_ms(60_000);
        let name = names.choose(&mut rng).expect("people").clone();
        match rng.random_range(0..10) {
            0..2 => {
                let home = PEOPLE[rng.random_range(0..2)];
                let village = *world.villages(home).choose(&mut rng).expect("a village");
                let (case, _) = world
                    .phone(home)
                    .report(village, &format!("独有的话{seed}之{step:03}"));
                cases.push(case);
            }
            2..4 => {
                let rows = world
                    .phone(&name)
                    .replica
                    .list("case", 0, 50)
                    .expect("a list");
                if let Some(row) = rows.choose(&mut rng) {
                    let words = format!("独有的说明{seed}之{step:03}");
                    drop(world.phone(&name).note(row.id, &words));
                }
            }
            4..6 => at_the_desk(&mut world, &mut rng, &cases),
            _ => drop(world.phone(&name).sync()),
        }
    }
    let heard = names
        .iter()
        .map(|name| (name.clone(), world.phones[name].link.listen()))
        .collect();
    (world, names, heard)
}

fn at_the_desk(world: &mut World, rng: &mut ChaCha8Rng, cases: &[DocumentId]) {
    let Some(case) = cases.choose(rng) else {
        return;
    };
    let home = PEOPLE[rng.random_range(0..2)];
    let units = [world.villages(home)[0].unit(), UnitId(101)];
    let action = [
        Action::Accept,
        Action::Register,
        Action::Dispatch,
        Action::Note,
    ][rng.random_range(0..4)];
    let mut body = Body::default();
    if action == Action::Dispatch {
        body.assign = vec![(units[rng.random_range(0..2)], Part::Main)];
    }
    drop(world.office(DISPATCHER, *case, action, body));
}

/// Documents that have never been in a scope of these, and the marks by which one would know them: ids, hashes, words.
fn beyond(world: &World, scopes: &BTreeSet<Scope>) -> Vec<(DocumentId, Vec<Vec<u8>>)> {
    let mut beyond = Vec::new();
    let read = world.app.store.read(&mut |snapshot| {
        for id in snapshot.all_documents()? {
            let growing = Growing::load(snapshot, id)?;
            let (current, former) = document::scopes(&growing.ledger);
            if current
                .iter()
                .chain(&former)
                .any(|scope| scopes.contains(scope))
            {
                continue;
            }
            let mut marks = vec![id.0.to_vec()];
            for link in growing.ledger.links() {
                marks.push(link.change.hash.0.to_vec());
                marks.push(link.change.bytes.clone());
                if let Some((entry, written)) = &link.entry {
                    marks.push(entry.0.to_vec());
                    marks.extend(
                        written
                            .body
                            .words
                            .as_ref()
                            .map(|words| words.as_bytes().to_vec()),
                    );
                }
            }
            let words = growing.read().case.words;
            marks.extend(
                words
                    .iter()
                    .map(|written| written.value.as_bytes().to_vec()),
            );
            beyond.push((id, marks));
        }
        Ok(())
    });
    read.expect("the store answers");
    beyond
}

fn holds(frame: &[u8], mark: &[u8]) -> bool {
    frame.windows(mark.len()).any(|window| window == mark)
}

#[test]
fn nothing_of_a_document_out_of_scope_comes_down() {
    for seed in 1..=5 {
        let (world, names, heard) = history(seed);
        let (mut looked, mut seen) = (0, 0);
        for name in &names {
            let person = world.phones[name].person;
            let scopes = world
                .app
                .known()
                .directory
                .scopes_of(person, world.clock.now());
            let frames = &heard[name];
            for (id, marks) in beyond(&world, &scopes) {
                for (frame, mark) in frames
                    .iter()
                    .flat_map(|frame| marks.iter().map(move |mark| (frame, mark)))
                {
                    assert!(
                        !holds(frame, mark),
                        "seed {seed}: {name} learnt of document {id}"
                    );
                    looked += 1;
                }
            }
            // The test can see what it looks for: of one's own documents the marks are there.
            let own = world.phones[name]
                .replica
                .list("case", 0, 50)
                .expect("a list");
            seen += own
                .iter()
                .filter(|row| {
                    frames
                        .iter()
                        .any(|frame| holds(frame, row.words.as_bytes()))
                })
                .count();
        }
        assert!(
            looked > 5_000 && seen > 5,
            "seed {seed}: {looked} looks, {seen} sights"
        );
    }
}

/// A stranger who knows a document's id, and even what is in it, pushes into it.
#[test]
fn a_document_out_of_scope_answers_as_one_that_does_not_exist() {
    let mut world = World::new(3);
    let village = world.villages(PEOPLE[0])[0];
    let (case, _) = world.phone(PEOPLE[0]).report(village, "别人的事");
    world.phone(PEOPLE[0]).sync().unwrap();
    world.phone(PEOPLE[1]).sync().unwrap();
    let ledger = ledger_of(&world.phones[PEOPLE[0]], case);
    let stranger = &world.phones[PEOPLE[1]];
    let unit = world.villages(PEOPLE[1])[0].unit();
    let entry = entry_of(stranger, &ledger, Action::Note.code(), unit, 5);
    let known_deps = change_of(stranger, &ledger, &entry, &[]);
    let nowhere = DocumentId([8; 16]);

    let here = push(&world.app, stranger, &[(case, known_deps.bytes.clone())]).unwrap();
    assert_eq!(here, [Fate::Missing(known_deps.deps.clone())]);
    // The whole answers are alike too, down to the last frame.
    let here = respond(&world.app, stranger, &[(case, known_deps.bytes.clone())]);
    let there = respond(&world.app, stranger, &[(nowhere, known_deps.bytes)]);
    assert_eq!(here, there);
    assert!(world.phones[PEOPLE[1]].replica.case(case).is_err());
}

/// What a stranger is told who pushes the case's own changes, or one that only a newer server knows, into it or into a document that is none.
fn told_to_a_stranger(into: Option<DocumentId>) -> Vec<Fate> {
    let mut world = World::new(3);
    let village = world.villages(PEOPLE[0])[0];
    let (case, _) = world.phone(PEOPLE[0]).report(village, "别人的事");
    world.phone(PEOPLE[0]).note(case, "别人的话").unwrap();
    for name in PEOPLE {
        world.phone(name).sync().unwrap();
    }
    let ledger = ledger_of(&world.phones[PEOPLE[0]], case);
    let stranger = &world.phones[PEOPLE[1]];
    let unit = world.villages(PEOPLE[1])[0].unit();
    let newer = change_of(
        stranger,
        &ledger,
        &entry_of(stranger, &ledger, 4_000, unit, 6),
        &[],
    );
    let links = ledger.links().iter();
    let others = links.map(|link| link.change.bytes.clone());
    let mut fates = Vec::new();
    for bytes in others.chain([newer.bytes]) {
        let told = push(&world.app, stranger, &[(into.unwrap_or(case), bytes)]);
        fates.extend(told.unwrap());
    }
    fates
}

#[test]
fn what_is_wrong_with_a_change_by_itself_is_told_whether_or_not_its_document_exists() {
    let (here, there) = (
        told_to_a_stranger(None),
        told_to_a_stranger(Some(DocumentId([8; 16]))),
    );
    assert_eq!(here, there);
    assert!(here.len() > 2 && here.iter().all(|fate| *fate != Fate::Dup));
}

#[test]
fn a_cursor_for_a_scope_that_is_not_ones_own_is_ignored() {
    let mut world = World::new(4);
    let village = world.villages(PEOPLE[0])[0];
    let (case, _) = world.phone(PEOPLE[0]).report(village, "别人的事");
    for name in PEOPLE {
        world.phone(name).sync().unwrap();
    }
    let stranger = &world.phones[PEOPLE[1]];
    let hello = hello_of(stranger, &enrolment_of(stranger));
    let foreign = world.phones[PEOPLE[0]]
        .replica
        .store()
        .read(feed::cursors)
        .unwrap();
    let asked: Hello = Hello {
        cursors: foreign
            .iter()
            .map(|(number, _)| (*number, Cursor::Tail(0)))
            .collect(),
        ..hello.clone()
    };
    let frames = answers(&world.app, stranger, &[(kind::HELLO, asked.encode())]);
    assert!(!frames.iter().any(|(_, payload)| holds(payload, &case.0)));
}
