//! Drafts: they survive whatever happens to the program, and become a deed exactly once.

use patrol_core::domain::id::{DocumentId, DraftId};
use patrol_core::domain::limits;
use patrol_core::domain::refusal::Refusal;
use patrol_core::error::Error;
use patrol_core::replica::{Deed, Replica};
use patrol_core::store::Fault;

use super::phone::*;

fn forms(replica: &Replica) -> Vec<Vec<u8>> {
    let drafts = replica.drafts().expect("a look");
    drafts.into_iter().map(|draft| draft.form).collect()
}

fn report_of(draft: DraftId) -> Deed {
    Deed {
        draft: Some(draft),
        ..report("井盖破损")
    }
}

#[test]
fn what_was_written_last_is_there_when_the_file_is_opened_again() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let about = DocumentId([5; 16]);
    let first = replica.keep_draft(None, None, b"1").expect("kept");
    let second = replica.keep_draft(None, Some(about), b"2").expect("kept");
    assert_ne!(first, second);
    replica.keep_draft(Some(first), None, b"12").expect("kept");
    // The program is killed: nothing is closed.
    let again = open(&folder.file(), Machine::new(2));
    let drafts = again.drafts().expect("a look");
    let found: Vec<_> = drafts
        .iter()
        .map(|draft| (draft.id, draft.document, draft.form.as_slice()))
        .collect();
    assert_eq!(found.len(), 2);
    assert!(found.contains(&(first, None, b"12".as_slice())));
    assert!(found.contains(&(second, Some(about), b"2".as_slice())));
    again.discard_draft(second).expect("it is there");
    assert!(matches!(again.discard_draft(second), Err(Error::NotFound)));
    assert_eq!(forms(&replica), [b"12"]);
}

#[test]
fn a_draft_is_gone_with_the_deed_and_only_with_it() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let draft = replica.keep_draft(None, None, b"1").expect("kept");
    let mut refused = report_of(draft);
    refused.fields.clear();
    assert!(matches!(replica.begin(&refused), Err(Error::Refused(_))));
    assert_eq!(forms(&replica), [b"1"], "nothing was recorded");
    for fault in [Fault::CrashBefore, Fault::Full] {
        replica
            .store()
            .set_faults(Some(Box::new(move || Some(fault))));
        replica.begin(&report_of(draft)).expect_err("it breaks");
        replica.store().set_faults(None);
        assert_eq!(forms(&replica), [b"1"], "{fault:?}");
        assert_eq!(replica.status().expect("a look").outbox, 0);
    }
    let after = || Some(Fault::CrashAfter);
    replica.store().set_faults(Some(Box::new(after)));
    replica.begin(&report_of(draft)).expect_err("it breaks");
    replica.store().set_faults(None);
    assert_eq!(forms(&replica), [b""; 0]);
    assert_eq!(replica.status().expect("a look").outbox, 1);
    // Tapped twice, or kept once more too late: it stays one deed and no draft.
    let again = replica.begin(&report_of(draft));
    assert!(matches!(again, Err(Error::NotFound)), "{again:?}");
    let late = replica.keep_draft(Some(draft), None, b"12");
    assert!(matches!(late, Err(Error::NotFound)), "{late:?}");
    assert_eq!(forms(&replica), [b""; 0]);
    assert_eq!(replica.status().expect("a look").outbox, 1);
}

#[test]
fn a_draft_larger_than_one_may_be_is_refused_and_the_one_before_stays() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let most = vec![7; limits::DRAFT_BYTES_MAX];
    let draft = replica.keep_draft(None, None, &most).expect("kept");
    let more = vec![8; limits::DRAFT_BYTES_MAX + 1];
    let refused = replica.keep_draft(Some(draft), None, &more);
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::Malformed))),
        "{refused:?}"
    );
    assert_eq!(forms(&replica), [most]);
}
