//! Several units at work on one case, and who may check what they did.

use super::*;

/// A case that was dispatched to the water unit and the roads unit, both leading.
fn shared() -> (Story, EntryId) {
    let mut story = Story::default();
    story.add(report());
    story.add(deed(Action::Accept));
    story.add(deed(Action::Register));
    let sent = story.add(dispatch(&[WATER, ROADS]));
    (story, sent)
}

#[test]
fn the_case_shows_where_the_unit_stands_that_has_most_left_to_do() {
    let (mut story, sent) = shared();
    let water = story.add(resolve(sent, WATER));
    assert_eq!(story.stage(), Stage::Dispatched);
    let roads = story.add(resolve(sent, ROADS));
    assert_eq!(story.stage(), Stage::Resolved);
    story.add(check(Verdict::Failed, sent, ROADS, roads));
    assert_eq!(story.standing(), Standing::REWORK);
    story.add(check(Verdict::Passed, sent, WATER, water));
    assert_eq!(story.standing(), Standing::REWORK);
    assert!(!story.is_flagged());
}

#[test]
fn it_awaits_closing_when_all_that_lead_do() {
    let (mut story, sent) = shared();
    let water = story.add(resolve(sent, WATER));
    let roads = story.add(resolve(sent, ROADS));
    story.add(check(Verdict::Passed, sent, WATER, water));
    assert_eq!(story.stage(), Stage::Resolved);
    assert_eq!(story.fits(&deed(Action::Close)), Err(Refusal::WrongStage));
    story.add(check(Verdict::Passed, sent, ROADS, roads));
    assert_eq!(story.stage(), Stage::AwaitingClose);
}

#[test]
fn who_assists_does_not_hold_up_the_closing() {
    let mut story = Story::default();
    story.add(report());
    story.add(deed(Action::Accept));
    story.add(deed(Action::Register));
    let sent = story.add(
        deed(Action::Dispatch)
            .body(|body| body.assign = vec![(WATER, Part::Main), (ROADS, Part::Assisting)]),
    );
    let water = story.add(resolve(sent, WATER));
    assert_eq!(story.stage(), Stage::Dispatched);
    story.add(check(Verdict::Passed, sent, WATER, water));
    assert_eq!(story.stage(), Stage::AwaitingClose);
    assert_eq!(
        story
            .assignment(ROADS)
            .map(|open| (open.part, open.standing)),
        Some((Part::Assisting, Standing::at(Stage::Dispatched)))
    );
}

#[test]
fn two_units_that_work_at_once_do_not_contradict_each_other() {
    let (mut story, sent) = shared();
    story.add(resolve(sent, WATER).on(&[sent]));
    story.add(unit_deed(Action::SendBack, sent, ROADS).on(&[sent]));
    assert!(!story.is_flagged());
    assert_eq!(story.workflow().heads.len(), 2);
    assert_eq!(story.stage(), Stage::Registered);
}

#[test]
fn what_was_sent_back_and_dispatched_again_is_a_new_assignment() {
    let (mut story, first) = shared();
    story.add(unit_deed(Action::SendBack, first, WATER));
    assert_eq!(story.stage(), Stage::Registered);
    let second = story.add(dispatch(&[WATER]));
    let workflow = story.workflow();
    let open: Vec<AssignmentId> = workflow.assignments.iter().map(|open| open.id).collect();
    let id = |dispatch, unit| AssignmentId { dispatch, unit };
    assert_eq!(open, [id(first, ROADS), id(second, WATER)]);
    assert_eq!(workflow.returns, 1);
    assert_eq!(
        story.fits(&resolve(first, WATER)),
        Err(Refusal::NoAssignment)
    );
    assert_eq!(story.fits(&resolve(second, WATER)), Ok(()));
}

/// The water unit sent it back and solved it at once; knowing only of the first, the dispatcher sent it to the roads
/// unit. The second dispatch and the result.
fn sent_on_and_solved() -> (Story, EntryId, EntryId) {
    let (mut story, first) = Story::dispatched();
    let returned = story.add(unit_deed(Action::SendBack, first, WATER));
    let second = story.add(dispatch(&[ROADS]).on(&[returned]));
    let late = story.add(resolve(first, WATER).by(HE).on(&[first]));
    assert_eq!(story.reason(late), None);
    (story, second, late)
}

#[test]
fn a_result_that_did_not_know_of_the_new_dispatch_is_flagged_on_its_assignment() {
    let (story, second, late) = sent_on_and_solved();
    assert_eq!(story.stage(), Stage::Dispatched);
    let conflicts = story.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].candidates, [late, second]);
}

#[test]
fn to_settle_it_the_assignment_is_ended_again_or_goes_on() {
    let (mut story, second, _) = sent_on_and_solved();
    story.add(reconcile(second));
    assert!(!story.is_flagged());
    assert_eq!(story.assignment(WATER), None);
    assert!(story.assignment(ROADS).is_some());
    assert_eq!(story.fits(&dispatch(&[WATER])), Ok(()));

    let (mut story, _, late) = sent_on_and_solved();
    story.add(reconcile(late));
    assert!(!story.is_flagged());
    assert_eq!(
        story.assignment(WATER).map(|open| open.standing),
        Some(Standing::at(Stage::Resolved))
    );
    assert!(story.assignment(ROADS).is_some());
}

#[test]
fn a_unit_that_is_at_work_is_not_sent_again() {
    let (mut story, _) = Story::dispatched();
    assert_eq!(
        story.fits(&dispatch(&[ROADS, WATER])),
        Err(Refusal::AlreadyAssigned)
    );
    story.add(dispatch(&[ROADS]));
    assert_eq!(story.workflow().assignments.len(), 2);
}

#[test]
fn a_unit_acts_on_its_own_assignment_only() {
    let (story, sent) = shared();
    assert_eq!(
        story.fits(&resolve(sent, ROADS).with(Capability::Fix, WATER)),
        Err(Refusal::ForeignAssignment)
    );
    assert_eq!(
        story.fits(&resolve(sent, UnitId(999))),
        Err(Refusal::NoAssignment)
    );
    assert_eq!(
        story.fits(&resolve(EntryId([5; 16]), WATER)),
        Err(Refusal::NoAssignment)
    );
}

#[test]
fn nobody_checks_a_result_of_his_own() {
    let (mut story, sent) = Story::dispatched();
    let result = story.add(resolve(sent, WATER).by(LI));
    let passed = check(Verdict::Passed, sent, WATER, result);
    assert_eq!(story.fits(&passed), Err(Refusal::OwnResult));
    assert_eq!(story.fits(&passed.by(WANG)), Ok(()));
}

#[test]
fn a_cadre_does_not_confirm_what_his_own_village_did() {
    let mut story = Story::default();
    story.add(report());
    story.add(deed(Action::Accept));
    story.add(deed(Action::Register));
    let sent = story.add(dispatch(&[VILLAGE, WATER]));
    let village = story.add(resolve(sent, VILLAGE));
    let water = story.add(resolve(sent, WATER));
    let confirm = |unit, result| {
        check(Verdict::Passed, sent, unit, result)
            .by(CHEN)
            .with(Capability::Confirm, VILLAGE)
    };
    assert_eq!(
        story.fits(&confirm(VILLAGE, village)),
        Err(Refusal::OwnResult)
    );
    assert_eq!(story.fits(&confirm(WATER, water)), Ok(()));
}

#[test]
fn the_dispatch_says_whose_check_is_needed() {
    for (asked, inspector, cadre) in [
        (CheckBy::Either, Ok(()), Ok(())),
        (CheckBy::Inspector, Ok(()), Err(Refusal::WrongChecker)),
        (CheckBy::Cadre, Err(Refusal::WrongChecker), Ok(())),
    ] {
        let mut story = Story::default();
        story.add(report());
        story.add(deed(Action::Accept));
        story.add(deed(Action::Register));
        let sent = story.add(dispatch(&[WATER]).body(|body| body.check_by = Some(asked)));
        let result = story.add(resolve(sent, WATER));
        let passed = check(Verdict::Passed, sent, WATER, result);
        assert_eq!(story.fits(&passed), inspector);
        let confirmed = passed.by(CHEN).with(Capability::Confirm, VILLAGE);
        assert_eq!(story.fits(&confirmed), cadre);
        assert_eq!(
            story.assignment(WATER).map(|open| open.check_by),
            Some(asked)
        );
    }
}

#[test]
fn a_check_names_the_latest_result() {
    let (mut story, sent, old) = Story::resolved();
    story.add(check(Verdict::Failed, sent, WATER, old));
    let new = story.add(resolve(sent, WATER));
    assert_eq!(
        story.assignment(WATER).map(|open| open.results),
        Some(vec![new])
    );
    assert_eq!(
        story.fits(&check(Verdict::Passed, sent, WATER, old)),
        Err(Refusal::OldResult)
    );
    assert_eq!(
        story.fits(&check(Verdict::Passed, sent, WATER, EntryId([5; 16]))),
        Err(Refusal::OldResult)
    );
    assert_eq!(
        story.fits(&check(Verdict::Passed, sent, WATER, new)),
        Ok(())
    );
}
