//! Recording: counters are allotted where the deed is stored, so handles and threads on one file never use one twice; lists
//! never open a document.

use std::collections::BTreeSet;

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::document;
use patrol_core::doc::key::ServerName;
use patrol_core::doc::register::encode_uint;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::fold::FOLD_VERSION;
use patrol_core::domain::id::{Actor, DeviceId, DocumentId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::error::Error;
use patrol_core::replica::{Deed, Replica};
use patrol_core::store::{changes, documents, enrolment};
use patrol_core::sync::wire::SPOILT;

use super::phone::*;

/// The bodies of a document's changes.
fn bodies(replica: &Replica, case: DocumentId) -> Vec<Vec<u8>> {
    let rows = replica.store().read(|connection| {
        let state = documents::state(connection, case)?.expect("the document is here");
        changes::of_document(connection, state.number)
    });
    rows.expect("a look")
        .into_iter()
        .map(|row| row.body)
        .collect()
}

#[test]
fn two_handles_on_one_file_share_its_counters_and_its_actor() {
    const EACH: usize = 15;
    let folder = Folder::new();
    let first = phone(&folder.file(), 1);
    let (case, _) = first.begin(&report("井盖破损")).expect("it is recorded");
    let second = open(&folder.file(), Machine::new(2));
    // Two programs (the app and its background task), each with two threads, in one document and in new ones.
    std::thread::scope(|scope| {
        for (number, replica) in [&first, &second, &first, &second].into_iter().enumerate() {
            scope.spawn(move || {
                for turn in 0..EACH {
                    let words = format!("{number}之{turn}");
                    note(replica, case, &words).expect("a note is recorded");
                    replica
                        .begin(&report(&words))
                        .expect("a report is recorded");
                }
            });
        }
    });
    let deeds = 1 + 4 * EACH as u64 * 2;
    let mut counters = BTreeSet::new();
    let all = first.store().read(documents::all).expect("a look");
    assert_eq!(all.len(), 1 + 4 * EACH);
    for id in all {
        let ledger =
            document::load(id, bodies(&first, id).iter().map(Vec::as_slice)).expect("it loads");
        assert_eq!(document::verify(&ledger), Ok(()));
        let mut chain = BTreeSet::new();
        for link in ledger.links() {
            assert!(
                chain.insert((link.change.actor, link.change.seq)),
                "a forked actor"
            );
            let (_, entry) = link.entry.as_ref().expect("an entry");
            assert!(counters.insert(entry.n), "n {} twice", entry.n);
        }
    }
    assert_eq!(counters, (1..=deeds).collect());
    assert_eq!(second.status().expect("a look").n, deeds);
}

#[test]
fn a_deed_that_is_not_stored_takes_no_counter() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let (case, _) = replica.begin(&report("井盖破损")).expect("it is recorded");
    let refused = note(&replica, case, &"字".repeat(1_001));
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let unknown = note(&replica, DocumentId([5; 16]), "不在");
    assert!(matches!(unknown, Err(Error::NotFound)), "{unknown:?}");
    note(&replica, case, "在").expect("it is recorded");
    assert_eq!(replica.status().expect("a look").n, 2);
}

#[test]
fn a_copied_file_repeats_counters_which_only_the_server_can_see() {
    let folder = Folder::new();
    let copied = Folder::new();
    let original = phone(&folder.file(), 1);
    let (case, _) = original.begin(&report("井盖破损")).expect("it is recorded");
    drop(original);
    std::fs::copy(folder.file(), copied.file()).expect("the file is copied");
    let last = |path: &Folder, words: &str| {
        let replica = open(&path.file(), Machine::new(3));
        note(&replica, case, words).expect("it is recorded");
        let body = bodies(&replica, case).pop().expect("a change");
        patrol_core::doc::parse::parse(&body).expect("a sound change")
    };
    let (one, other) = (last(&folder, "原机"), last(&copied, "副本"));
    assert_eq!((one.actor, one.seq), (other.actor, other.seq));
    assert_ne!(one.hash, other.hash);
}

#[test]
fn a_list_never_opens_a_document() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let cases: Vec<DocumentId> = (0..5)
        .map(|number| {
            replica
                .begin(&report(&format!("第{number}号")))
                .expect("it is recorded")
                .0
        })
        .collect();
    let before = replica.list("case", 0, 10).expect("a list");
    assert_eq!(before.len(), 5);
    replica
        .store()
        .write(|transaction| Ok(transaction.execute("UPDATE changes SET body = x'00'", [])?))
        .expect("every body is spoilt");
    assert_eq!(replica.list("case", 0, 10).expect("a list"), before);
    assert_eq!(
        replica.list("case", 1, 2).expect("a page of it"),
        before[1..3]
    );
    assert_eq!(replica.status().expect("a look").outbox, 5);
    // Opening one does: nothing of any can be read, and that is said.
    let opened = replica.case(cases[0]).expect("a look");
    assert!(opened.reading.lines.is_empty());
    let boxed = replica.boxed().expect("a look");
    assert!(boxed.len() == 5 && boxed.iter().all(|change| change.code == SPOILT));
}

#[test]
fn an_install_keeps_its_actor() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let (case, _) = replica.begin(&report("井盖破损")).expect("it is recorded");
    drop(replica);
    for start in 2..6 {
        let replica = open(&folder.file(), Machine::new(start));
        note(&replica, case, "又启动了").expect("it is recorded");
    }
    let replica = open(&folder.file(), Machine::new(9));
    let bodies = bodies(&replica, case);
    let ledger = document::load(case, bodies.iter().map(Vec::as_slice)).expect("it loads");
    let actors: BTreeSet<_> = ledger
        .links()
        .iter()
        .map(|link| link.change.actor)
        .collect();
    assert_eq!((ledger.len(), actors.len()), (5, 1));
}

#[test]
fn a_document_of_a_newer_fold_allows_a_note_and_nothing_else() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let (case, _) = replica.begin(&report("井盖破损")).expect("it is recorded");
    // The server says that this document is to be read by rules that this program does not know.
    let ledger =
        document::load(case, bodies(&replica, case).iter().map(Vec::as_slice)).expect("it loads");
    let newer = Content::server(vec![(ServerName::Fold, encode_uint(FOLD_VERSION + 1))]);
    let server = Actor::new(DeviceId([1; 8]), [2; 8]);
    let change = compose(&ledger, server, &ledger.head_hashes(), &newer).expect("known heads");
    let put = replica.store().write(|transaction| {
        let state = documents::state(transaction, case)?.expect("the document is here");
        changes::put_local(transaction, state.number, change.hash, &change.bytes)
    });
    put.expect("the store takes it");
    assert_eq!(replica.case(case).expect("it opens").reading.lines.len(), 1);
    let withdrawn = replica.act(case, &Deed::new(Action::Withdraw, Body::default()));
    assert!(
        matches!(withdrawn, Err(Error::Refused(Refusal::UpdateNeeded))),
        "{withdrawn:?}"
    );
    let noted = note(&replica, case, "照样记下").expect("a note is always recorded");
    let view = replica.case(case).expect("it opens");
    let line = view
        .reading
        .lines
        .iter()
        .find(|line| line.id == noted)
        .expect("the note");
    assert!(
        line.entry.on.is_empty(),
        "it says nothing about a stage that cannot be known"
    );
}

#[test]
fn one_file_holds_one_enrolment() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let row = replica.store().read(enrolment::enrolled).expect("a look");
    let second = replica
        .store()
        .write(|transaction| enrolment::put(transaction, &row));
    assert!(matches!(second, Err(Error::Storage(_))), "{second:?}");
}
