//! What a hostile or unlucky device may push, and that it gets the refusal it must get: in bounded time, without a
//! panic, and with the document as it was.

#![expect(clippy::indexing_slicing, reason = "tests panic to fail")]
#![expect(clippy::too_many_lines, reason = "a corpus is a list")]

#[path = "hostile/corpus.rs"]
mod corpus;
#[expect(dead_code, reason = "shared with other test programs")]
#[path = "people/people.rs"]
mod people;
#[path = "hostile/volume.rs"]
mod volume;

use corpus::{chunk, surgery};
use people::*;

use patrol_core::doc::admit::{Admitted, Objection, RightCheck, Signer, admit};
use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document;
use patrol_core::doc::key::ServerName;
use patrol_core::doc::ledger::Ledger;
use patrol_core::doc::parse::{Parsed, parse, parse_admitted};
use patrol_core::doc::register::encode_uint;
use patrol_core::domain::action::{Action, Where};
use patrol_core::domain::capability::{Capability, Holding};
use patrol_core::domain::entry::{Body, Entry};
use patrol_core::domain::id::{ChangeHash, EntryId, PersonId, UnitId};
use patrol_core::domain::limits;
use patrol_core::domain::place::Scope;
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::time::Timestamp;

/// A case that Li reported and the office accepted, with a note of Wang's; and what Wang's phone would push next.
struct Ground {
    ledger: Ledger,
    /// Wang's correction of all three registers.
    valid: Parsed,
    reported: EntryId,
}

fn ground() -> Ground {
    let mut ledger = Ledger::new(DOCUMENT);
    let (first, reported) = record(&mut ledger, actor_of(LI, 1), &[], &report(LI, 1), fields(1));
    record_scopes(&mut ledger, &[Scope::Village(village()), Scope::Person(LI)]);
    let mut accepted = entry(
        ZHAO,
        Action::Accept,
        right(Capability::Accept, UnitId::CITY),
        1,
    );
    accepted.on = vec![reported];
    let heads = ledger.head_hashes();
    record(
        &mut ledger,
        actor_of(ZHAO, 0),
        &heads,
        &accepted,
        Vec::new(),
    );
    let note = entry(
        WANG,
        Action::Note,
        right(Capability::Inspect, village().unit()),
        1,
    );
    record(
        &mut ledger,
        actor_of(WANG, 1),
        &[first.hash],
        &note,
        Vec::new(),
    );
    let content = Content::person(&amend(WANG, 2), fields(2));
    let heads = ledger.head_hashes();
    let valid = compose(&ledger, actor_of(WANG, 1), &heads, &content).expect("known heads");
    Ground {
        ledger,
        valid,
        reported,
    }
}

/// What admission answers to a person's device.
fn answer(ledger: &Ledger, person: PersonId, bytes: &[u8]) -> Result<Option<Admitted>, Objection> {
    answer_with(ledger, person, &holdings(), bytes)
}

fn answer_with(
    ledger: &Ledger,
    person: PersonId,
    holdings: &[Holding],
    bytes: &[u8],
) -> Result<Option<Admitted>, Objection> {
    let change = parse(bytes)?;
    let signer = Signer {
        device: device_of(person),
        person: Some(person),
        right: RightCheck::Judge,
        place: if person == ZHAO {
            Where::Office
        } else {
            Where::Anywhere
        },
        holdings,
        now: NOW,
    };
    admit(ledger, &change, &signer)
}

/// Composes a person's commit on the heads, without putting it into the ledger.
fn composed(ledger: &Ledger, person: PersonId, install: u8, entry: &Entry) -> Parsed {
    let content = Content::person(entry, Vec::new());
    let heads = ledger.head_hashes();
    compose(ledger, actor_of(person, install), &heads, &content).expect("known heads")
}

fn note(person: PersonId, n: u64) -> Entry {
    entry(
        person,
        Action::Note,
        right(Capability::Inspect, village().unit()),
        n,
    )
}

#[test]
fn a_dependency_that_is_named_twice_makes_no_other_change_and_is_never_let_in() {
    let Ground { ledger, valid, .. } = ground();
    let twice = [valid.deps.clone(), valid.deps.clone()].concat();
    let content = Content::of(&valid).expect("a person's");
    let composed = compose(&ledger, valid.actor, &twice, &content).expect("known heads");
    assert_eq!(composed, valid);
    // However it was read.
    let signer = Signer {
        device: device_of(WANG),
        person: Some(WANG),
        right: RightCheck::Judge,
        place: Where::Anywhere,
        holdings: &holdings(),
        now: NOW,
    };
    assert!(admit(&ledger, &valid, &signer).is_ok());
    let mut deps = twice;
    deps.sort_unstable();
    let bytes = surgery::altered(&valid, |change| {
        let deps = deps.iter().map(|dep| automerge::ChangeHash(dep.0));
        change.deps = deps.collect();
    });
    assert_eq!(parse(&bytes), Err(Refusal::NotCanonical));
    let read = Parsed { deps, ..valid };
    let refused = Err(Objection::Refused(Refusal::NotCanonical));
    assert_eq!(admit(&ledger, &read, &signer), refused);
}

#[test]
fn the_valid_change_is_admitted_and_the_document_loads_with_it() {
    let Ground {
        mut ledger, valid, ..
    } = ground();
    let admitted = answer(&ledger, WANG, &valid.bytes).expect("valid");
    assert_eq!(
        admitted.map(|admitted| admitted.entry),
        Some(amend(WANG, 2))
    );
    ledger.push(valid.clone()).expect("known dependencies");
    assert_eq!(document::verify(&ledger), Ok(()));
    assert_eq!(answer(&ledger, WANG, &valid.bytes), Err(Objection::Dup));
}

#[test]
fn every_hostile_change_gets_its_refusal() {
    let Ground { ledger, valid, .. } = ground();
    let mut wrong = Vec::new();
    for (name, bytes, refusal) in corpus::corpus(&ledger, &valid) {
        let attempt = || answer(&ledger, WANG, &bytes);
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt));
        match found {
            Ok(Err(Objection::Refused(found))) if found == refusal => {}
            Ok(other) => wrong.push(format!("{name}: {other:?}, not {refusal:?}")),
            Err(_) => wrong.push(format!("{name}: a panic, not {refusal:?}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A damaged file may hold anything.
#[test]
fn what_costs_automerge_too_much_is_refused_from_a_file_too() {
    let Ground { ledger, valid, .. } = ground();
    let bombs = corpus::that_harm_automerge(&ledger, &valid)
        .into_iter()
        .filter(|(name, _, refusal)| {
            (name.starts_with("H8 ") || name.starts_with("H9 ")) && *refusal == Refusal::Malformed
        });
    let mut bombs = bombs.peekable();
    assert!(bombs.peek().is_some());
    for (name, bytes, _) in bombs {
        let read = parse_admitted(&bytes).err();
        assert_eq!(read, Some(Refusal::Malformed), "{name}");
    }
}

#[test]
fn the_corpus_holds_every_case_of_the_notes() {
    let Ground { ledger, valid, .. } = ground();
    let all = corpus::corpus(&ledger, &valid);
    for number in 1..=11 {
        let label = format!("H{number} ");
        assert!(
            all.iter().any(|(name, _, _)| name.starts_with(&label)),
            "{label}"
        );
    }
}

#[test]
fn no_two_of_them_are_the_same_and_none_is_the_valid_one() {
    let Ground { ledger, valid, .. } = ground();
    let mut all: Vec<Vec<u8>> = corpus::corpus(&ledger, &valid)
        .into_iter()
        .map(|(_, bytes, _)| bytes)
        .collect();
    let count = all.len();
    all.push(valid.bytes);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count + 1);
}

#[test]
fn after_all_of_them_the_valid_change_is_still_welcome() {
    let Ground {
        mut ledger, valid, ..
    } = ground();
    for (_, bytes, _) in corpus::corpus(&ledger, &valid) {
        drop(answer(&ledger, WANG, &bytes));
    }
    assert!(answer(&ledger, WANG, &valid.bytes).is_ok());
    ledger.push(valid).expect("known dependencies");
    assert_eq!(document::verify(&ledger), Ok(()));
    assert_eq!(document::agrees_with_automerge(&ledger), Ok(true));
}

#[test]
fn what_slipped_past_admission_would_not_load_again() {
    let Ground { ledger, valid, .. } = ground();
    for (name, bytes, _) in corpus::that_harm_automerge(&ledger, &valid) {
        let poisons = ["H1", "H2", "H4", "H5", "H6", "H10", "H11"];
        if !poisons
            .iter()
            .any(|poison| name.starts_with(&format!("{poison} ")))
        {
            continue;
        }
        let Ok(change) = parse_admitted(&bytes) else {
            continue;
        };
        let mut poisoned = ledger.clone();
        poisoned.push(change).expect("known dependencies");
        assert!(document::verify(&poisoned).is_err(), "{name}");
        poisoned.truncate(ledger.len());
        assert_eq!(document::verify(&poisoned), Ok(()), "{name}");
    }
}

#[test]
fn a_dependency_that_is_not_here_is_named() {
    let Ground { ledger, valid, .. } = ground();
    let stranger = ChangeHash([0xaa; 32]);
    let bytes = surgery::altered(&valid, |change| {
        change.deps.push(automerge::ChangeHash(stranger.0));
    });
    let missing = Objection::Missing(vec![stranger]);
    assert_eq!(answer(&ledger, WANG, &bytes), Err(missing));
    let empty = Ledger::new(DOCUMENT);
    let deps = valid.deps.clone();
    assert_eq!(
        answer(&empty, WANG, &valid.bytes),
        Err(Objection::Missing(deps))
    );
}

#[test]
fn what_a_newer_program_made_waits() {
    let Ground { ledger, valid, .. } = ground();
    let unknown_kind = surgery::reworded(&valid, DOCUMENT, |entry| entry.kind = 4_000, |_| ());
    let unknown_right =
        surgery::reworded(&valid, DOCUMENT, |entry| entry.capability = 4_000, |_| ());
    let unknown_field = surgery::altered(&valid, |change| {
        change.operations[3].key = automerge::legacy::Key::Map("f/xyz".into());
        change.operations[3].pred = Vec::new().into();
    });
    // The category is of a kind that this program does not know.
    let unknown_value = surgery::altered(&valid, |change| {
        let value = [0xa3, 0, 1, 1, 3, 2, 1].to_vec();
        change.operations[2].action =
            automerge::legacy::OpType::Put(automerge::ScalarValue::Bytes(value));
    });
    for bytes in [unknown_kind, unknown_right, unknown_field, unknown_value] {
        assert_eq!(answer(&ledger, WANG, &bytes), Err(Objection::Newer));
    }
}

#[test]
fn an_entry_on_a_transition_that_is_no_ancestor_is_refused() {
    let Ground {
        ledger, reported, ..
    } = ground();
    let accepted = ledger.links()[2].entry.as_ref().expect("an entry").0;
    let first = ledger.links()[0].change.hash;
    let attempt = |on: EntryId| {
        let mut entry = note(GUO, 1);
        entry.capability = Capability::Report.code();
        entry.unit = UnitId::CITY;
        entry.on = vec![on];
        let content = Content::person(&entry, Vec::new());
        compose(&ledger, actor_of(GUO, 1), &[first], &content).expect("a known dependency")
    };
    assert_eq!(
        answer(&ledger, GUO, &attempt(accepted).bytes),
        Err(Refusal::UnknownOn.into())
    );
    assert_eq!(
        answer(&ledger, GUO, &attempt(reported).bytes),
        Err(Refusal::NotPermitted.into())
    );
}

#[test]
fn whoever_held_the_right_once_is_reviewed_and_who_never_did_is_refused() {
    let Ground { ledger, valid, .. } = ground();
    let mut ended = holdings();
    for holding in ended.iter_mut().filter(|holding| holding.person == WANG) {
        holding.until = Some(Timestamp(5));
    }
    assert_eq!(
        answer_with(&ledger, WANG, &ended, &valid.bytes),
        Err(Objection::Review)
    );
    assert_eq!(
        answer_with(&ledger, WANG, &[], &valid.bytes),
        Err(Refusal::NotPermitted.into())
    );
}

#[test]
fn whoever_could_reach_the_document_once_is_reviewed() {
    let Ground { mut ledger, .. } = ground();
    record_scopes(&mut ledger, &[Scope::Unit(WATER)]);
    let late = composed(&ledger, WANG, 1, &note(WANG, 2));
    assert_eq!(answer(&ledger, WANG, &late.bytes), Err(Objection::Review));
}

#[test]
fn the_server_writes_no_entry_without_a_person_and_a_device_nothing_of_the_servers() {
    let Ground { ledger, valid, .. } = ground();
    let content = Content::server(vec![(ServerName::Fold, encode_uint(1))]);
    let heads = ledger.head_hashes();
    let of_device = compose(&ledger, actor_of(WANG, 1), &heads, &content).expect("known heads");
    assert_eq!(
        answer(&ledger, WANG, &of_device.bytes),
        Err(Refusal::Grammar.into())
    );
    let merge = Content::server(Vec::new());
    let merge = compose(&ledger, actor_of(WANG, 1), &heads, &merge).expect("known heads");
    assert_eq!(
        answer(&ledger, WANG, &merge.bytes),
        Err(Refusal::Grammar.into())
    );
    let rows = holdings();
    let mut server = Signer {
        device: device_of(ZHAO),
        person: None,
        right: RightCheck::Judge,
        place: Where::Office,
        holdings: &rows,
        now: NOW,
    };
    let of_server = compose(&ledger, actor_of(ZHAO, 0), &heads, &content).expect("known heads");
    assert_eq!(admit(&ledger, &of_server, &server), Ok(None));
    server.device = device_of(WANG);
    assert_eq!(
        admit(&ledger, &valid, &server),
        Err(Refusal::Grammar.into())
    );
}

#[test]
fn the_office_acts_under_the_servers_device() {
    let Ground { ledger, .. } = ground();
    let mut filed = entry(
        ZHAO,
        Action::Register,
        right(Capability::Register, UnitId::CITY),
        2,
    );
    let accepted = ledger.links()[2].entry.as_ref().expect("an entry").0;
    filed.on = vec![accepted];
    let change = composed(&ledger, ZHAO, 0, &filed);
    assert!(answer(&ledger, ZHAO, &change.bytes).is_ok());
}

#[test]
fn a_document_is_opened_by_an_opening_action_with_a_place() {
    let empty = Ledger::new(DOCUMENT);
    let open = |entry: &Entry, fields| {
        let content = Content::person(entry, fields);
        let change = compose(&empty, actor_of(LI, 1), &[], &content).expect("no dependency");
        answer(&empty, LI, &change.bytes).map(|admitted| admitted.is_some())
    };
    assert_eq!(open(&report(LI, 1), fields(1)), Ok(true));
    assert_eq!(
        open(&report(LI, 1), vec![place(1)]),
        Err(Refusal::WrongFields.into())
    );
    assert_eq!(
        open(&note(LI, 1), Vec::new()),
        Err(Refusal::NotFirst.into())
    );
}

#[test]
fn an_inspector_opens_a_tally_in_his_own_village_only() {
    let empty = Ledger::new(DOCUMENT);
    let mut count = entry(
        LI,
        Action::Count,
        right(Capability::Count, village().unit()),
        1,
    );
    count.body = Body {
        count: Some((1, 3)),
        ..Body::default()
    };
    let open_with = |entry: &Entry, fields| {
        let content = Content::person(entry, fields);
        let change = compose(&empty, actor_of(LI, 1), &[], &content).expect("no dependency");
        answer(&empty, LI, &change.bytes).map(|admitted| admitted.is_some())
    };
    let open = |entry: &Entry| open_with(entry, vec![place(1)]);
    assert_eq!(open(&count), Ok(true));
    let nowhere = open_with(&count, Vec::new());
    assert_eq!(nowhere, Err(Refusal::WrongFields.into()));
    count.unit.0 += 1;
    assert_eq!(open(&count), Err(Refusal::NotPermitted.into()));
}

#[test]
fn a_tally_stays_within_reach_of_who_opened_it() {
    let mut ledger = Ledger::new(DOCUMENT);
    let mut count = entry(
        GUO,
        Action::Count,
        right(Capability::Report, UnitId::CITY),
        1,
    );
    count.body = Body {
        count: Some((1, 3)),
        ..Body::default()
    };
    record(&mut ledger, actor_of(GUO, 1), &[], &count, vec![place(1)]);
    let due = document::scopes_due(&document::read(&ledger, |_| None).case);
    assert_eq!(due, [Scope::Village(village()), Scope::Person(GUO)]);
    record_scopes(&mut ledger, &due);
    count.n = 2;
    let next = composed(&ledger, GUO, 1, &count);
    assert!(answer(&ledger, GUO, &next.bytes).is_ok());
}

#[test]
fn what_was_repaired_by_hand_is_still_what_it_was() {
    let Ground { valid, .. } = ground();
    assert_eq!(chunk::resealed(&valid.bytes), valid.bytes);
    assert_eq!(parse(&valid.bytes), Ok(valid));
}
