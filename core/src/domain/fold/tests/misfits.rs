//! What does not fit is kept, named, and moves nothing.

use super::*;

#[test]
fn a_misfit_does_not_move_the_stage_and_is_no_head() {
    let (mut story, sent, result) = Story::resolved();
    let before = story.workflow();
    let early = story.add(deed(Action::Close));
    assert_eq!(story.reason(early), Some(Refusal::WrongStage));
    assert_eq!(story.workflow(), before);
    // Who had seen the misfit is judged on what stood before it.
    let passed = story.add(check(Verdict::Passed, sent, WATER, result).on(&[early]));
    assert_eq!(story.reason(passed), None);
    assert_eq!(story.stage(), Stage::AwaitingClose);
    assert_eq!(story.workflow().heads, [passed]);
}

#[test]
fn each_misfit_is_named() {
    let (mut story, sent, result) = Story::resolved();
    for (deed, reason) in [
        (deed(Action::Accept), Refusal::WrongStage),
        (deed(Action::Withdraw), Refusal::WrongStage),
        (deed(Action::Report), Refusal::WrongStage),
        (resolve(EntryId([5; 16]), WATER), Refusal::NoAssignment),
        (
            unit_deed(Action::Reject, sent, WATER).with(Capability::Fix, ROADS),
            Refusal::ForeignAssignment,
        ),
        (
            check(Verdict::Passed, sent, WATER, result).by(GUO),
            Refusal::OwnResult,
        ),
        (
            check(Verdict::Passed, sent, WATER, sent),
            Refusal::OldResult,
        ),
        (dispatch(&[WATER]), Refusal::AlreadyAssigned),
        (reconcile(result), Refusal::NoConflict),
        (deed(Action::Dispatch), Refusal::EntryForm),
        (deed(Action::Count), Refusal::UnknownAction),
    ] {
        let name = deed.entry.action();
        let id = story.add(deed.on(&[result]));
        assert_eq!(story.reason(id), Some(reason), "{name:?}");
    }
    assert_eq!(story.stage(), Stage::Resolved);
    assert_eq!(story.workflow().heads, [result]);
}

#[test]
fn an_action_that_this_program_does_not_know_is_kept() {
    let (mut story, _, _) = Story::resolved();
    let mut unknown = deed(Action::Note);
    unknown.entry.kind = 4_000;
    let id = story.add(unknown);
    assert_eq!(story.reason(id), Some(Refusal::UnknownAction));
    assert_eq!(story.stage(), Stage::Resolved);
}

#[test]
fn nothing_fits_before_the_opening() {
    let mut story = Story::default();
    let orphan = story.add(deed(Action::Accept));
    assert_eq!(story.reason(orphan), Some(Refusal::NotOpened));
    assert_eq!(story.workflow().standing, None);
    assert_eq!(story.fits(&deed(Action::Note)), Ok(()));
}

#[test]
fn the_first_of_two_with_one_key_counts() {
    let (mut story, sent) = Story::dispatched();
    let first = story.add(resolve(sent, WATER).key(b"tap"));
    let same = story.add(resolve(sent, WATER).key(b"tap").on(&[first]));
    assert_eq!(story.reason(same), Some(Refusal::Repeated));
    assert_eq!(story.reason(first), None);
    let stranger = story.add(
        check(Verdict::Passed, sent, WATER, first)
            .key(b"tap")
            .on(&[first]),
    );
    assert_eq!(story.reason(stranger), None);
    assert_eq!(story.stage(), Stage::AwaitingClose);
}

#[test]
fn of_two_concurrent_ones_with_one_key_exactly_one_counts() {
    let (mut story, sent) = Story::dispatched();
    let mut lines = Vec::new();
    for deed in [resolve(sent, WATER), resolve(sent, WATER)] {
        let entry = story.entry(&deed.key(b"tap").on(&[sent]));
        let mut entry = entry;
        entry.n += lines.len() as u64;
        let id = entry_id(DocumentId([1; 16]), &encode(&entry));
        lines.push(Line {
            id,
            entry,
            received_at: None,
        });
    }
    let (smaller, larger) = (lines[0].id.min(lines[1].id), lines[0].id.max(lines[1].id));
    story.lines.extend(lines);
    assert_eq!(story.reason(smaller), None);
    assert_eq!(story.reason(larger), Some(Refusal::Repeated));
}

#[test]
fn an_amendment_fits_while_work_is_due() {
    let (mut story, sent, result) = Story::resolved();
    assert_eq!(story.fits(&deed(Action::Amend)), Ok(()));
    story.add(check(Verdict::Passed, sent, WATER, result));
    story.add(deed(Action::Close));
    assert_eq!(story.fits(&deed(Action::Amend)), Err(Refusal::WrongStage));
    assert_eq!(story.fits(&deed(Action::Urge)), Err(Refusal::WrongStage));
    assert_eq!(story.fits(&deed(Action::Note)), Ok(()));
}

#[test]
fn names_of_entries_that_are_not_here_count_for_nothing() {
    let (mut story, _, result) = Story::resolved();
    let blind = story.add(deed(Action::Close).on(&[EntryId([0xee; 16])]));
    assert_eq!(story.reason(blind), Some(Refusal::NotOpened));
    let partly = story.add(deed(Action::Cancel).on(&[result, EntryId([0xee; 16])]));
    assert_eq!(story.reason(partly), None);
    assert_eq!(story.stage(), Stage::Cancelled);
}

#[test]
fn the_timeline_follows_causality_then_receipt_and_the_unsent_come_last() {
    let (mut story, sent) = Story::dispatched();
    let late = story.add(resolve(sent, WATER).on(&[sent]));
    let early = story.add(resolve(sent, WATER).by(HE).on(&[sent]));
    let unsent = story.add(unit_deed(Action::SendBack, sent, WATER).on(&[sent]));
    for line in &mut story.lines {
        line.received_at = match line.id {
            id if id == late => Some(Timestamp(9)),
            id if id == unsent => None,
            _ => Some(Timestamp(5)),
        };
    }
    let timeline = Fold::of(DocumentKind::Case, &story.lines).timeline();
    assert_eq!(timeline.len(), 7);
    assert_eq!(timeline[4..], [early, late, unsent]);
}
