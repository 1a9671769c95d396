//! What the office ended while somebody, unseen, did something else.

use super::*;

/// A case that was closed on a passed check; the dispatch, the result, the check, the closing.
fn closed() -> (Story, EntryId, EntryId, EntryId, EntryId) {
    let (mut story, sent, result) = Story::resolved();
    let passed = story.add(check(Verdict::Passed, sent, WATER, result));
    let closing = story.add(deed(Action::Close));
    (story, sent, result, passed, closing)
}

#[test]
fn a_failed_check_of_the_result_on_which_the_closing_rests_reopens() {
    let (mut story, sent, result, _, closing) = closed();
    let failed = story.add(
        check(Verdict::Failed, sent, WATER, result)
            .by(WANG)
            .on(&[result]),
    );
    assert_eq!(story.standing(), Standing::REWORK);
    assert_eq!(story.reason(failed), None);
    assert_eq!(story.workflow().reworks, 1);
    let of_case: Vec<Conflict> = story
        .conflicts()
        .into_iter()
        .filter(|conflict| conflict.track == Track::Case)
        .collect();
    assert_eq!(of_case.len(), 1);
    assert!(of_case[0].entries.contains(&closing) && of_case[0].entries.contains(&failed));
}

#[test]
fn the_dispatcher_settles_a_contested_closing_either_way() {
    for (chooses_closing, stage) in [(true, Stage::Closed), (false, Stage::Dispatched)] {
        let (mut story, sent, result, _, closing) = closed();
        let failed = story.add(
            check(Verdict::Failed, sent, WATER, result)
                .by(WANG)
                .on(&[result]),
        );
        let chosen = if chooses_closing { closing } else { failed };
        let settled = story.add(reconcile(chosen));
        assert_eq!(story.reason(settled), None);
        assert_eq!(story.stage(), stage);
        let about_the_case = story
            .conflicts()
            .into_iter()
            .filter(|conflict| conflict.track == Track::Case);
        assert_eq!(about_the_case.count(), 0, "{stage:?}");
    }
}

#[test]
fn work_goes_on_at_once_after_a_contested_closing_and_the_flag_stays() {
    let (mut story, sent, result, _, _) = closed();
    story.add(
        check(Verdict::Failed, sent, WATER, result)
            .by(WANG)
            .on(&[result]),
    );
    let again = story.add(resolve(sent, WATER));
    assert_eq!(story.reason(again), None);
    assert_eq!(story.stage(), Stage::Resolved);
    assert!(story.is_flagged());
    let passed = story.add(check(Verdict::Passed, sent, WATER, again));
    assert_eq!(story.reason(passed), None);
    story.add(deed(Action::Close));
    assert_eq!(story.stage(), Stage::Closed);
    assert!(story.is_flagged());
}

#[test]
fn a_failed_check_of_an_older_result_does_not_reopen() {
    let (mut story, sent, old) = Story::resolved();
    let failed = story.add(check(Verdict::Failed, sent, WATER, old));
    let new = story.add(resolve(sent, WATER).on(&[failed]));
    story.add(check(Verdict::Passed, sent, WATER, new).on(&[new]));
    story.add(deed(Action::Close));
    let late = story.add(check(Verdict::Failed, sent, WATER, old).by(WANG).on(&[old]));
    assert_eq!(story.stage(), Stage::Closed);
    assert_eq!(story.reason(late), Some(Refusal::OldResult));
    assert!(!story.is_flagged());
    assert_eq!(story.workflow().reworks, 1);
}

#[test]
fn a_failed_check_that_had_seen_the_closing_is_an_anomaly() {
    let (mut story, sent, result, _, _) = closed();
    let late = story.add(check(Verdict::Failed, sent, WATER, result).by(WANG));
    assert_eq!(story.reason(late), Some(Refusal::WrongStage));
    assert_eq!(story.stage(), Stage::Closed);
}

#[test]
fn a_passed_check_of_the_same_result_says_what_the_closing_says() {
    let (mut story, sent, result, _, _) = closed();
    story.add(
        check(Verdict::Passed, sent, WATER, result)
            .by(WANG)
            .on(&[result]),
    );
    assert_eq!(story.stage(), Stage::Closed);
    assert!(!story.is_flagged());
}

#[test]
fn anything_else_at_the_same_time_is_flagged_and_leaves_the_ending() {
    let (mut story, sent, result, _, _) = closed();
    story.add(
        check(Verdict::Unchecked, sent, WATER, result)
            .by(WANG)
            .on(&[result]),
    );
    assert_eq!(story.stage(), Stage::Closed);
    assert!(story.is_flagged());

    let (mut story, sent) = Story::dispatched();
    story.add(deed(Action::Cancel).on(&[sent]));
    let solved = story.add(resolve(sent, WATER).on(&[sent]));
    assert_eq!(story.stage(), Stage::Cancelled);
    assert_eq!(story.reason(solved), None);
    assert!(story.conflicts()[0].entries.contains(&solved));

    for ending in [Action::Decline, Action::Cancel] {
        let mut story = Story::default();
        let reported = story.add(report());
        let ended = story.add(deed(ending).on(&[reported]));
        let ended_at = story.stage();
        let withdrawn = story.add(deed(Action::Withdraw).on(&[reported]));
        let accepted = story.add(deed(Action::Accept).on(&[reported]));
        assert_eq!(story.stage(), ended_at);
        let mut all = vec![ended, withdrawn, accepted];
        all.sort_unstable();
        assert_eq!(story.conflicts()[0].entries, all);
    }
}

#[test]
fn a_failed_check_also_counts_against_a_cancelling() {
    let (mut story, sent, result) = Story::resolved();
    story.add(deed(Action::Cancel).on(&[result]));
    assert_eq!(story.stage(), Stage::Cancelled);
    story.add(check(Verdict::Failed, sent, WATER, result).on(&[result]));
    assert_eq!(story.standing(), Standing::REWORK);
    assert!(story.is_flagged());
}

#[test]
fn a_passed_check_against_a_cancelling_is_flagged() {
    let (mut story, sent, result) = Story::resolved();
    story.add(deed(Action::Cancel).on(&[result]));
    story.add(check(Verdict::Passed, sent, WATER, result).on(&[result]));
    assert_eq!(story.stage(), Stage::Cancelled);
    assert!(story.is_flagged());
}

#[test]
fn of_two_endings_the_safer_is_shown() {
    let (mut story, sent, result) = Story::resolved();
    let passed = story.add(check(Verdict::Passed, sent, WATER, result));
    let closing = story.add(deed(Action::Close).on(&[passed]));
    let cancelling = story.add(deed(Action::Cancel).on(&[passed]));
    assert_eq!(story.stage(), Stage::Closed);
    assert_eq!(story.conflicts()[0].candidates, [closing, cancelling]);
    story.add(reconcile(cancelling));
    assert_eq!(story.stage(), Stage::Cancelled);
    assert!(!story.is_flagged());
}

#[test]
fn a_reopening_that_had_not_seen_the_failed_check_stands() {
    let (mut story, sent, result, _, closing) = closed();
    let reopened = story.add(deed(Action::Reopen).on(&[closing]));
    let failed = story.add(
        check(Verdict::Failed, sent, WATER, result)
            .by(WANG)
            .on(&[result]),
    );
    assert_eq!((story.reason(reopened), story.reason(failed)), (None, None));
    assert!(story.stage().is_open());
    assert!(story.is_flagged());
}

#[test]
fn a_note_at_the_same_time_is_no_conflict() {
    let (mut story, _, result, _, _) = closed();
    let note = story.add(deed(Action::Note).by(WANG).on(&[result]));
    assert_eq!(story.reason(note), None);
    assert!(!story.is_flagged());
    assert_eq!(story.stage(), Stage::Closed);
}

#[test]
fn an_assisting_unit_that_goes_on_working_is_flagged_and_leaves_the_closing() {
    let mut story = Story::default();
    story.add(report());
    story.add(deed(Action::Accept));
    story.add(deed(Action::Register));
    let sent = story.add(
        deed(Action::Dispatch)
            .body(|body| body.assign = vec![(WATER, Part::Main), (ROADS, Part::Assisting)]),
    );
    let result = story.add(resolve(sent, WATER));
    story.add(check(Verdict::Passed, sent, WATER, result));
    story.add(deed(Action::Close));
    let late = story.add(resolve(sent, ROADS).on(&[sent]));
    assert_eq!(story.stage(), Stage::Closed);
    assert!(story.conflicts()[0].entries.contains(&late));
}

/// The reconcile rests on a result that the closing's author had not seen, and a failed check takes only the reconcile away.
#[test]
fn where_a_choice_is_contested_the_closing_that_it_chose_stands_and_is_flagged() {
    let (mut story, sent, _, _, closing) = closed();
    let late = story.add(resolve(sent, WATER).by(HE).on(&[sent]));
    let settled = story.add(reconcile(closing).on(&[late, closing]));
    assert!(!story.is_flagged());
    let failed = story.add(
        check(Verdict::Failed, sent, WATER, late)
            .by(WANG)
            .on(&[late]),
    );
    assert_eq!(story.stage(), Stage::Closed);
    let conflicts = story.conflicts();
    assert_eq!(conflicts.len(), 1);
    for contradicting in [closing, settled, failed] {
        assert!(conflicts[0].entries.contains(&contradicting));
    }
    story.add(reconcile(failed));
    assert_eq!(story.standing(), Standing::REWORK);
    assert!(!story.is_flagged());
}
