//! People who had not seen each other: what is shown, what is flagged, and who settles it.

use super::*;

/// A withdrawal and an acceptance at once.
fn withdrawn_and_accepted() -> (Story, EntryId, EntryId) {
    let mut story = Story::default();
    let reported = story.add(report());
    let withdrawn = story.add(deed(Action::Withdraw).on(&[reported]));
    let accepted = story.add(deed(Action::Accept).on(&[reported]));
    (story, withdrawn, accepted)
}

#[test]
fn two_who_solve_it_at_once_agree() {
    let (mut story, sent) = Story::dispatched();
    let one = story.add(resolve(sent, WATER).on(&[sent]));
    let other = story.add(resolve(sent, WATER).by(HE).on(&[sent]));
    assert_eq!(story.stage(), Stage::Resolved);
    assert!(!story.is_flagged());
    let mut both = vec![one, other];
    both.sort_unstable();
    assert_eq!(story.assignment(WATER).map(|open| open.results), Some(both));
    for result in [one, other] {
        assert_eq!(
            story.fits(&check(Verdict::Passed, sent, WATER, result)),
            Ok(())
        );
    }
}

#[test]
fn passed_against_failed_shows_failed_and_is_flagged() {
    let (story, sent, passed, failed) = Story::contradicted();
    assert_eq!(story.standing(), Standing::REWORK);
    let mut entries = vec![passed, failed];
    entries.sort_unstable();
    let id = AssignmentId {
        dispatch: sent,
        unit: WATER,
    };
    assert_eq!(
        story.conflicts(),
        [Conflict {
            track: Track::Assignment(id),
            entries,
            candidates: vec![failed, passed],
        }]
    );
    assert_eq!(story.workflow().heads.len(), 2);
}

#[test]
fn an_ordinary_step_on_both_goes_on_from_the_safest_and_leaves_the_flag() {
    let (mut story, sent, passed, failed) = Story::contradicted();
    let flagged = story.conflicts();
    let again = story.add(resolve(sent, WATER).on(&[passed, failed]));
    assert_eq!(story.reason(again), None);
    assert_eq!(story.stage(), Stage::Resolved);
    let left = story.conflicts();
    assert_eq!(left.len(), 1);
    assert_eq!(
        (left[0].track, &left[0].entries),
        (flagged[0].track, &flagged[0].entries)
    );
    assert_eq!(left[0].candidates, [again]);
    story.add(check(Verdict::Passed, sent, WATER, again));
    story.add(deed(Action::Close));
    assert_eq!(story.stage(), Stage::Closed);
    assert!(story.is_flagged());
}

#[test]
fn a_flag_that_was_left_is_settled_later() {
    let (mut story, sent, _, _) = Story::contradicted();
    let again = story.add(resolve(sent, WATER));
    story.add(reconcile(again));
    assert!(!story.is_flagged());
    assert_eq!(story.stage(), Stage::Resolved);
}

#[test]
fn the_dispatcher_chooses_either() {
    let (mut story, _, passed, _) = Story::contradicted();
    story.add(reconcile(passed));
    assert_eq!(story.stage(), Stage::AwaitingClose);
    assert!(!story.is_flagged());
    let (mut story, _, _, failed) = Story::contradicted();
    story.add(reconcile(failed));
    assert_eq!(story.standing(), Standing::REWORK);
    assert!(!story.is_flagged());
    assert_eq!(story.workflow().heads.len(), 1);
    // Choosing a failed check is not another one.
    assert_eq!(story.workflow().reworks, 1);
}

#[test]
fn the_author_of_the_safer_concedes_and_nobody_else_decides() {
    let (story, _, passed, failed) = Story::contradicted();
    let inspector = |person, chosen| {
        reconcile(chosen)
            .by(person)
            .with(Capability::Inspect, VILLAGE)
    };
    assert_eq!(story.fits(&inspector(WANG, passed)), Ok(()));
    let refused = Err(Refusal::NotYoursToSettle);
    assert_eq!(story.fits(&inspector(LI, passed)), refused);
    assert_eq!(story.fits(&inspector(LI, failed)), refused);
    assert_eq!(story.fits(&inspector(WANG, failed)), refused);
    assert_eq!(story.fits(&inspector(CHEN, passed)), refused);
}

#[test]
fn a_reconcile_names_all_and_chooses_one_of_them() {
    let (mut story, sent, passed, failed) = Story::contradicted();
    assert_eq!(
        story.fits(&reconcile(passed).on(&[passed])),
        Err(Refusal::NoConflict)
    );
    assert_eq!(story.fits(&reconcile(sent)), Err(Refusal::NotAHead));
    assert_eq!(
        story.fits(&reconcile(EntryId([5; 16]))),
        Err(Refusal::NotAHead)
    );
    assert_eq!(story.fits(&deed(Action::Reconcile)), Err(Refusal::NotAHead));
    let partial = story.add(reconcile(passed).on(&[passed]));
    assert_eq!(story.reason(partial), Some(Refusal::NoConflict));
    assert!(story.is_flagged());
    let whole = story.add(reconcile(failed).on(&[passed, failed]));
    assert_eq!(story.reason(whole), None);
    assert!(!story.is_flagged());
}

#[test]
fn without_a_conflict_there_is_nothing_to_settle() {
    let (story, _, result) = Story::resolved();
    assert_eq!(story.fits(&reconcile(result)), Err(Refusal::NoConflict));
}

#[test]
fn a_withdrawal_against_an_acceptance_shows_accepted() {
    let (mut story, withdrawn, accepted) = withdrawn_and_accepted();
    assert_eq!(story.stage(), Stage::Accepted);
    let conflicts = story.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].track, Track::Case);
    assert_eq!(conflicts[0].candidates, [accepted, withdrawn]);
    assert_eq!(
        story.fits(
            &reconcile(withdrawn)
                .by(LI)
                .with(Capability::Report, UnitId::CITY)
        ),
        Err(Refusal::NotYoursToSettle)
    );
    story.add(reconcile(withdrawn));
    assert_eq!(story.stage(), Stage::Withdrawn);
    assert!(!story.is_flagged());
}

#[test]
fn the_same_stage_twice_is_no_conflict() {
    let mut story = Story::default();
    let reported = story.add(report());
    story.add(deed(Action::Accept).on(&[reported]));
    story.add(deed(Action::Accept).by(CHEN).on(&[reported]));
    assert_eq!(story.stage(), Stage::Accepted);
    assert!(!story.is_flagged());
    story.add(deed(Action::Register));
    assert_eq!(story.workflow().heads.len(), 1);
}

#[test]
fn concurrent_reconciles_are_heads_like_any_other() {
    let (mut story, _, passed, failed) = Story::contradicted();
    let both = [passed, failed];
    let for_passed = story.add(reconcile(passed).on(&both));
    let for_failed = story.add(reconcile(failed).by(CHEN).on(&both));
    assert_eq!(story.standing(), Standing::REWORK);
    let conflicts = story.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].candidates, [for_failed, for_passed]);
    story.add(reconcile(for_passed));
    assert_eq!(story.stage(), Stage::AwaitingClose);
    assert!(!story.is_flagged());
}

#[test]
fn concurrent_reconciles_that_choose_alike_agree() {
    let (mut story, _, passed, failed) = Story::contradicted();
    let both = [passed, failed];
    story.add(reconcile(passed).on(&both));
    story.add(reconcile(passed).by(CHEN).on(&both));
    assert_eq!(story.stage(), Stage::AwaitingClose);
    assert!(!story.is_flagged());
}

#[test]
fn a_step_that_had_not_seen_the_reconcile_is_flagged_anew() {
    let (mut story, sent, passed, failed) = Story::contradicted();
    story.add(reconcile(passed).on(&[passed, failed]));
    story.add(resolve(sent, WATER).on(&[failed]));
    assert_eq!(story.stage(), Stage::Resolved);
    assert!(story.is_flagged());
}

#[test]
fn a_conflict_on_one_assignment_leaves_the_other_alone() {
    let mut story = Story::default();
    story.add(report());
    story.add(deed(Action::Accept));
    story.add(deed(Action::Register));
    let sent = story.add(dispatch(&[WATER, ROADS]));
    let result = story.add(resolve(sent, WATER));
    let passed = story.add(check(Verdict::Passed, sent, WATER, result).on(&[result]));
    let failed = story.add(
        check(Verdict::Failed, sent, WATER, result)
            .by(WANG)
            .on(&[result]),
    );
    let roads = story.add(resolve(sent, ROADS).on(&[passed, failed]));
    assert_eq!(story.conflicts().len(), 1);
    assert_eq!(story.fits(&reconcile(roads)), Err(Refusal::NotAHead));
    story.add(reconcile(passed));
    assert!(!story.is_flagged());
    assert_eq!(story.stage(), Stage::Resolved);
}

#[test]
fn equal_ranks_are_told_apart_by_the_hash_alone() {
    let (mut story, sent) = Story::dispatched();
    let back = story.add(unit_deed(Action::SendBack, sent, WATER).on(&[sent]));
    let other = story.add(unit_deed(Action::SendBack, sent, WATER).by(HE).on(&[sent]));
    let solved = story.add(resolve(sent, WATER).by(LI).on(&[sent]));
    let mut expected = vec![back, other];
    expected.sort_unstable();
    expected.push(solved);
    assert_eq!(story.conflicts()[0].candidates, expected);
}

#[test]
fn a_register_is_settled_without_moving_the_case() {
    use crate::domain::entry::Field;
    let (mut story, _, _) = Story::resolved();
    let before = story.workflow();
    let settled = story.add(
        deed(Action::Reconcile)
            .body(|body| body.field = Some(Field::Place))
            .by(LI)
            .with(Capability::Report, UnitId::CITY),
    );
    assert_eq!(story.reason(settled), None);
    assert_eq!(story.workflow(), before);
}
