//! Random histories of one document by several devices: our index and Automerge agree, order does not matter, and no
//! bytes make the reader panic.

#![expect(clippy::indexing_slicing, reason = "tests panic to fail")]

#[path = "hostile/chunk.rs"]
#[expect(dead_code, reason = "each test program uses a part of it")]
mod chunk;
#[expect(dead_code, reason = "shared with other test programs")]
#[path = "people/people.rs"]
mod people;

use automerge::legacy::OpId;
use automerge::{ActorId, Change, ExpandedChange};
use people::*;
use proptest::prelude::*;

use patrol_core::doc::admit::{RightCheck, Signer, admit};
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document;
use patrol_core::doc::key::ServerName;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{Parsed, parse, parse_admitted, parse_by_automerge};
use patrol_core::doc::register::{FieldValue, encode_scopes, encode_text, encode_uint};
use patrol_core::domain::action::Where;
use patrol_core::domain::id::{Actor, ChangeHash, PersonId, UnitId};
use patrol_core::domain::place::Scope;

/// Who writes: people with one or two installs, and the server (Zhao's device is the server's).
fn actors() -> Vec<Actor> {
    vec![
        actor_of(LI, 1),
        actor_of(LI, 2),
        actor_of(WANG, 1),
        actor_of(GUO, 1),
        actor_of(ZHAO, 0),
    ]
}

/// A document that Li reported, and a step for each seed: somebody writes something on something that he had seen.
fn history(seeds: &[u64]) -> Ledger {
    let mut ledger = Ledger::new(DOCUMENT);
    record(&mut ledger, actor_of(LI, 1), &[], &report(LI, 1), fields(0));
    for (number, seed) in (2..).zip(seeds) {
        let mut dice = Dice(*seed);
        let actor = dice.pick(&actors()).expect("some");
        let deps = some_deps(&ledger, actor, &mut dice);
        let content = if actor == actor_of(ZHAO, 0) {
            server_content(&mut dice)
        } else if let Some(copied) = copied(&ledger, &deps, &mut dice) {
            copied
        } else {
            person_content(actor, number, &mut dice)
        };
        let change = compose(&ledger, actor, &deps, &content).expect("known dependencies");
        ledger.push(change).expect("known dependencies");
    }
    ledger
}

/// All heads, or some changes; always with the actor's own last one among the ancestors.
fn some_deps(ledger: &Ledger, actor: Actor, dice: &mut Dice) -> Vec<ChangeHash> {
    if dice.chance(40) {
        return ledger.head_hashes();
    }
    let mut places: Vec<usize> = (0..=dice.below(3))
        .map(|_| dice.below(ledger.len()))
        .collect();
    places.extend(ledger.last_of(actor).map(|(place, _)| place));
    places.sort_unstable();
    places.dedup();
    places
        .into_iter()
        .filter_map(|place| ledger.hash(place))
        .collect()
}

fn server_content(dice: &mut Dice) -> Content {
    let mut values = Vec::new();
    if dice.chance(40) {
        let number = encode_text(&format!("2026-{}", dice.below(3)));
        values.push((ServerName::Number, number));
    }
    if dice.chance(40) {
        let scopes = [
            Scope::Village(village()),
            Scope::Unit(UnitId(dice.below(3) as u64)),
        ];
        values.push((ServerName::Scopes, encode_scopes(&scopes)));
    }
    if dice.chance(20) {
        values.push((ServerName::Fold, encode_uint(1)));
    }
    Content::server(values)
}

fn person_content(actor: Actor, n: u64, dice: &mut Dice) -> Content {
    let person = EVERYBODY
        .into_iter()
        .find(|person| device_of(*person) == actor.device());
    let person = person.expect("one of them");
    let all = [
        place(dice.below(3) as u64),
        category(dice.below(3) as u64),
        words(["垃圾", "积水", "路灯"][dice.below(3)]),
    ];
    let fields: Vec<FieldValue> = all.into_iter().filter(|_| dice.chance(50)).collect();
    let content = Content::person(&amend(person, n), fields);
    match content {
        // What a newer program wrote: this one cannot read it, and keeps it.
        Content::Person { mut entry, fields } if dice.chance(15) => {
            entry[2] = 2;
            Content::Person { entry, fields }
        }
        content => content,
    }
}

/// Now and then an entry of another change that is no ancestor, as a copied phone or a re-made change has it.
fn copied(ledger: &Ledger, deps: &[ChangeHash], dice: &mut Dice) -> Option<Content> {
    if !dice.chance(15) {
        return None;
    }
    let deps = ledger.places_of(deps).expect("known dependencies");
    let is_seen = |place: usize| {
        deps.iter()
            .any(|dep| *dep == place || ledger.is_ancestor(place, *dep))
    };
    let candidates: Vec<&Parsed> = ledger
        .links()
        .iter()
        .enumerate()
        .filter(|(place, _)| !is_seen(*place))
        .map(|(_, link)| &link.change)
        .filter(|change| change.actor != actor_of(ZHAO, 0))
        .collect();
    let content = dice.pick(&candidates).and_then(Content::of)?;
    let id = content.entry_id(ledger.document());
    let seen = ledger
        .links()
        .iter()
        .enumerate()
        .filter(|(place, _)| is_seen(*place));
    let is_new = seen
        .into_iter()
        .all(|(_, link)| Content::of(&link.change).and_then(|c| c.entry_id(DOCUMENT)) != id);
    is_new.then_some(content)
}

/// The same changes in another order in which each follows its dependencies.
fn reordered(ledger: &Ledger, dice: &mut Dice) -> Ledger {
    let mut left: Vec<Parsed> = ledger
        .links()
        .iter()
        .map(|link| link.change.clone())
        .collect();
    let mut other = Ledger::new(ledger.document());
    while !left.is_empty() {
        let ready: Vec<usize> = (0..left.len())
            .filter(|place| other.places_of(&left[*place].deps).is_ok())
            .collect();
        let next = dice.pick(&ready).expect("some change is ready");
        other.push(left.swap_remove(next)).expect("ready");
    }
    other
}

/// The bytes of a change with some bytes of its body altered, and the length and checksum that belong to them.
fn mutated(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    let head = 9
        + bytes[9..]
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .expect("a length")
        + 1;
    let mut body = bytes[head..].to_vec();
    for _ in 0..=dice.below(3) {
        let place = dice.below(body.len());
        if body.is_empty() {
            break;
        }
        let byte = u8::try_from(dice.below(256)).expect("a byte");
        match dice.below(6) {
            0 => body[place] ^= 1 << dice.below(8),
            1 => body[place] = byte,
            2 => body[place] = body[place].wrapping_add(1),
            3 => body.insert(place, byte),
            4 => drop(body.remove(place)),
            _ => body.truncate(place.max(1)),
        }
    }
    chunk::sealed(1, &body)
}

fn signer_of(actor: Actor) -> (Option<PersonId>, Where) {
    let person = EVERYBODY
        .into_iter()
        .find(|person| device_of(*person) == actor.device());
    match person {
        Some(ZHAO) => (None, Where::Office),
        person => (person, Where::Anywhere),
    }
}

/// If a change is admitted, the document loads with it, and reads alike.
fn admitted_means_loadable(ledger: &Ledger, change: Parsed) -> Result<bool, TestCaseError> {
    let rows = holdings();
    let (person, place) = signer_of(change.actor);
    let signer = Signer {
        device: change.actor.device(),
        person,
        place,
        right: RightCheck::Judge,
        holdings: &rows,
        now: NOW,
    };
    if admit(ledger, &change, &signer).is_err() {
        return Ok(false);
    }
    let mut with = ledger.clone();
    with.push(change).expect("its dependencies were admitted");
    prop_assert_eq!(document::verify(&with), Ok(()));
    prop_assert_eq!(document::agrees_with_automerge(&with), Ok(true));
    Ok(true)
}

/// A change that might come next, with something in its sequence, dependencies or predecessors altered.
fn next_altered(ledger: &Ledger, dice: &mut Dice) -> Vec<u8> {
    let actor = dice.pick(&actors()).expect("some");
    let deps = some_deps(ledger, actor, dice);
    let content = if actor == actor_of(ZHAO, 0) {
        server_content(dice)
    } else {
        person_content(actor, 99, dice)
    };
    let next = compose(ledger, actor, &deps, &content).expect("known dependencies");
    let mut expanded = Change::from_bytes(next.bytes).expect("a change").decode();
    expanded.hash = None;
    for _ in 0..dice.below(3) {
        alter(&mut expanded, ledger, dice);
    }
    Change::from(expanded).raw_bytes().to_vec()
}

fn alter(change: &mut ExpandedChange, ledger: &Ledger, dice: &mut Dice) {
    let other = &ledger.links()[dice.below(ledger.len())].change;
    let start_op = change.start_op.get();
    let steps = dice.below(5) as u64;
    let op = dice.below(change.operations.len());
    match dice.below(7) {
        0 => change.deps = vec![automerge::ChangeHash(other.hash.0)],
        1 => change.deps.push(automerge::ChangeHash(other.hash.0)),
        2 => drop(change.deps.pop()),
        3 => change.seq = (change.seq + steps).saturating_sub(2).max(1),
        4 => {
            let moved = (start_op + steps).saturating_sub(2).max(1);
            change.start_op = moved.try_into().expect("from 1");
        }
        5 => change.actor_id = ActorId::from(other.actor.0),
        _ => {
            let pred = OpId(1 + dice.below(40) as u64, ActorId::from(other.actor.0));
            if let Some(op) = change.operations.get_mut(op) {
                let mut preds: Vec<OpId> = op.pred.iter().cloned().collect();
                if dice.chance(50) {
                    preds.push(pred);
                } else {
                    preds.pop();
                }
                op.pred = preds.into();
            }
        }
    }
}

fn seeds(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(any::<u64>(), len)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn automerge_and_the_ledger_see_the_same_document(seeds in seeds(0..24)) {
        let ledger = history(&seeds);
        prop_assert_eq!(document::verify(&ledger), Ok(()));
        prop_assert_eq!(document::agrees_with_automerge(&ledger), Ok(true));
    }

    #[test]
    fn what_is_composed_is_read_as_it_was_written(seeds in seeds(0..24)) {
        let ledger = history(&seeds);
        for link in ledger.links() {
            prop_assert_eq!(parse(&link.change.bytes), Ok(link.change.clone()));
            prop_assert_eq!(parse_admitted(&link.change.bytes), Ok(link.change.clone()));
            prop_assert_eq!(parse_by_automerge(&link.change.bytes), Ok(link.change.clone()));
        }
        let chunks = ledger.links().iter().map(|link| link.change.bytes.as_slice());
        let loaded = document::load(DOCUMENT, chunks).expect("admitted before");
        prop_assert_eq!(loaded.head_hashes(), ledger.head_hashes());
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(seeds in seeds(0..24), order in any::<u64>()) {
        let ledger = history(&seeds);
        let other = reordered(&ledger, &mut Dice(order));
        prop_assert_eq!(other.head_hashes(), ledger.head_hashes());
        prop_assert_eq!(document::read(&other, |_| None), document::read(&ledger, |_| None));
        prop_assert_eq!(document::verify(&other), Ok(()));
        prop_assert_eq!(document::scopes(&other).0, document::scopes(&ledger).0);
    }

    #[test]
    fn what_honest_devices_compose_is_admitted(seeds in seeds(0..16)) {
        let ledger = history(&seeds);
        let mut server = Ledger::new(DOCUMENT);
        let rows = holdings();
        for link in ledger.links() {
            let (person, place) = signer_of(link.change.actor);
            let device = link.change.actor.device();
            let signer = Signer { device, person, place, right: RightCheck::Judge, holdings: &rows, now: NOW };
            let answer = admit(&server, &link.change, &signer);
            let is_form = !matches!(answer, Err(patrol_core::doc::admit::Objection::Refused(
                refusal)) if refusal.number() <= 9);
            prop_assert!(is_form, "{:?}", answer);
            server.push(link.change.clone()).expect("in order");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_admitted_loads_again(seeds in seeds(3..16), alteration in any::<u64>()) {
        let ledger = history(&seeds);
        let mut dice = Dice(alteration);
        for _ in 0..8 {
            if let Ok(change) = parse(&next_altered(&ledger, &mut dice)) {
                admitted_means_loadable(&ledger, change)?;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(seeds in seeds(3..6), mutation in any::<u64>()) {
        let ledger = history(&seeds);
        let mut dice = Dice(mutation);
        for link in ledger.links() {
            for _ in 0..8 {
                let bytes = mutated(&link.change.bytes, &mut dice);
                if let Ok(change) = parse(&bytes) {
                    prop_assert_eq!(&change.bytes, &bytes);
                    prop_assert_eq!(parse_admitted(&bytes), Ok(change.clone()));
                    if ledger.place(&change.hash).is_none() {
                        admitted_means_loadable(&ledger, change)?;
                    }
                }
                let damaged = dice.below(bytes.len());
                drop(parse(&bytes[..damaged]));
            }
        }
    }
}

/// Three changes as Automerge 0.12 writes them. The stored form outlives the library: if one of these alters, the new
/// library is not taken up.
#[test]
fn the_bytes_of_a_change_are_these_for_ever() {
    let mut ledger = Ledger::new(DOCUMENT);
    let (opening, _) = record(&mut ledger, actor_of(LI, 1), &[], &report(LI, 1), fields(1));
    let scopes = [Scope::Village(village()), Scope::Person(LI)];
    let of_server = record_scopes(&mut ledger, &scopes);
    record(
        &mut ledger,
        actor_of(GUO, 1),
        &[opening.hash],
        &amend(GUO, 1),
        vec![words("积水")],
    );
    let heads = ledger.head_hashes();
    let (merging, _) = record(
        &mut ledger,
        actor_of(WANG, 1),
        &heads,
        &amend(WANG, 1),
        fields(2),
    );
    let hex = |change: &Parsed| {
        let bytes: String = change
            .bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{} {bytes}", change.hash)
    };
    insta::assert_snapshot!(hex(&opening), @"5cceaf046d9e16b42b2e0b04392545db9f0522c97ce68e75b749da6c335f762e 856f4a835cceaf0401e1010010010203040000000001010101010101010101000000061535340142025609577a70027c18652f377330696a49316e2d686c324168654e34354672526707662f706c6163650a662f63617465676f727907662f776f7264730404017cf7069705b701f701a90001010102486c692d2d2d2d2d2d03480102030400000000048201000501068007a1001b000001a3185c500009a100667265706f7274a6001b000000668a120228011a4386aea0021a0d3b738003010401056ce6a1a5e5a4b4e4b89ce4bea7a3001a00074671010202016ee69ab4e99cb2e59e83e59cbe20310400");
    insta::assert_snapshot!(hex(&of_server), @"d7e61f77dd1837783d7955f892fe707092b0f8a9aa503a64dd70fe28003c855f 856f4a83d7e61f77016d015cceaf046d9e16b42b2e0b04392545db9f0522c97ce68e75b749da6c335f762e1001020304000000020000000000000000010500000006150a340142025603571770027f08732f73636f706573017f017ff7028282011b000000668a12022882031b6c692d2d2d2d2d2d7f00");
    insta::assert_snapshot!(hex(&merging), @"39c5f847bbea52e6b72f4db0dda9c4d1c883fc266bc81dd63a94abdd0f6c1d2e 856f4a8339c5f84701d9020285b88715cb67d41ccc6e246e8c31afd181401ecf3971acfe848ed965f5e0e6b0d7e61f77dd1837783d7955f892fe707092b0f8a9aa503a64dd70fe28003c855f10010203040000000101010101010101010107000002100102030400000000010101010101010110010203040000000301010101010101010815353401420256095781017004710473047c18652f30473865486f654a546953514461452d5f48522d4e4107662f706c6163650a662f63617465676f727907662f776f7264730404017ce7079705b701f701a900010103024877616e672d2d2d2d034801020304000000010482021b000000668a1202280501068007a1001b000001a3185c500009a10065616d656e64a6001b000000668a120228011a4386aea0021a0d3b738003010402056ce6a1a5e5a4b4e4b89ce4bea7a3001a00074671010202026ee69ab4e99cb2e59e83e59cbe20327f00030102017f027d020103");
}
