//! The life of a case when everybody has seen what the others did.

use super::super::super::action::{Level, Row, TABLE};
use super::*;

#[test]
fn a_case_lives_from_report_to_closing() {
    let mut story = Story::default();
    let mut stages = Vec::new();
    story.add(report());
    stages.push(story.stage().word());
    for action in [
        Action::AskPreCheck,
        Action::PreCheck,
        Action::Accept,
        Action::Register,
    ] {
        story.add(deed(action).body(|body| {
            body.verdict = (action == Action::PreCheck).then_some(Verdict::Passed);
        }));
        stages.push(story.stage().word());
    }
    let sent = story.add(dispatch(&[WATER]));
    stages.push(story.stage().word());
    let result = story.add(resolve(sent, WATER));
    stages.push(story.stage().word());
    story.add(unit_deed(Action::AskPostCheck, sent, WATER));
    stages.push(story.stage().word());
    story.add(check(Verdict::Passed, sent, WATER, result));
    stages.push(story.stage().word());
    let closing = story.add(deed(Action::Close));
    stages.push(story.stage().word());
    assert_eq!(
        stages.join(" "),
        "reported pre_checking reported accepted registered dispatched resolved post_checking awaiting_close closed"
    );
    let workflow = story.workflow();
    assert_eq!(
        (workflow.heads, workflow.reporter),
        (vec![closing], Some(LI))
    );
    assert!(workflow.conflicts.is_empty());
    assert_eq!(
        (workflow.reworks, workflow.returns, story.anomalies()),
        (0, 0, 0)
    );
}

/// A case at each stage that can be reached, with the dispatch and the result where there are any.
fn at(stage: Stage) -> Option<(Story, EntryId, EntryId)> {
    let none = EntryId([0; 16]);
    let mut story = Story::default();
    story.add(report());
    let simple: &[Action] = match stage {
        Stage::Reported => &[],
        Stage::PreChecking => &[Action::AskPreCheck],
        Stage::Accepted => &[Action::Accept],
        Stage::Registered => &[Action::Accept, Action::Register],
        Stage::Declined => &[Action::Decline],
        Stage::Cancelled => &[Action::Cancel],
        Stage::Withdrawn => &[Action::Withdraw],
        // No action leads there yet.
        Stage::Suspended => return None,
        _ => {
            let (mut story, sent) = Story::dispatched();
            let mut result = none;
            if stage != Stage::Dispatched {
                result = story.add(resolve(sent, WATER));
            }
            if stage == Stage::PostChecking {
                story.add(unit_deed(Action::AskPostCheck, sent, WATER));
            }
            if matches!(stage, Stage::AwaitingClose | Stage::Closed) {
                story.add(check(Verdict::Passed, sent, WATER, result));
            }
            if stage == Stage::Closed {
                story.add(deed(Action::Close));
            }
            return Some((story, sent, result));
        }
    };
    for action in simple {
        story.add(deed(*action));
    }
    Some((story, none, none))
}

/// The deed of an action as it is meant, with every detail that it needs.
fn meant(action: Action, sent: EntryId, result: EntryId, verdict: Option<Verdict>) -> Deed {
    match action {
        Action::Dispatch => dispatch(&[ROADS]),
        Action::Resolve | Action::SendBack | Action::Reject | Action::AskPostCheck => {
            unit_deed(action, sent, WATER)
        }
        Action::PostCheck => check(verdict.unwrap_or(Verdict::Passed), sent, WATER, result),
        Action::PreCheck => deed(action).body(|body| body.verdict = verdict),
        Action::MarkDuplicate => deed(action).body(|body| body.target = Some(DocumentId([9; 16]))),
        _ => deed(action),
    }
}

/// The rows of cases whose steps are in the table alone.
fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(|row| {
        row.kinds.contains(&DocumentKind::Case)
            && !matches!(row.action, Action::Report | Action::Reconcile)
    })
}

#[test]
fn every_step_fits_from_its_stages_and_from_no_other() {
    for stage in Stage::ALL {
        let Some((story, sent, result)) = at(*stage) else {
            continue;
        };
        assert_eq!(story.stage(), *stage);
        for row in rows() {
            for step in row.steps {
                let answer = story.fits(&meant(row.action, sent, result, step.verdict));
                let name = format!("{:?} {:?} at {stage:?}", row.action, step.verdict);
                let fits_some = row
                    .steps
                    .iter()
                    .any(|other| other.verdict == step.verdict && other.from.contains(stage));
                if fits_some {
                    assert_eq!(answer, Ok(()), "{name}");
                } else {
                    assert!(
                        matches!(answer, Err(Refusal::WrongStage | Refusal::NoAssignment)),
                        "{name}: {answer:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_step_leads_where_the_table_says() {
    for stage in Stage::ALL {
        for row in rows() {
            let is_a_move = row.level != Level::Aside;
            for step in row.steps.iter().filter(|step| step.from.contains(stage)) {
                let Some((mut story, sent, result)) = at(*stage) else {
                    continue;
                };
                story.add(meant(row.action, sent, result, step.verdict));
                let expected = if is_a_move {
                    step.to
                } else {
                    Standing::at(*stage)
                };
                assert_eq!(story.standing(), expected, "{:?} at {stage:?}", row.action);
            }
        }
    }
}

#[test]
fn a_failed_check_is_rework_and_counted() {
    let (mut story, sent, result) = Story::resolved();
    story.add(check(Verdict::Failed, sent, WATER, result));
    assert_eq!(story.standing(), Standing::REWORK);
    assert_eq!(story.standing().rank(), 0);
    let again = story.add(resolve(sent, WATER));
    assert_eq!(story.standing(), Standing::at(Stage::Resolved));
    story.add(check(Verdict::Failed, sent, WATER, again).by(WANG));
    assert_eq!(story.workflow().reworks, 2);
    assert_eq!(story.workflow().returns, 0);
}

#[test]
fn what_could_not_be_checked_stays_resolved_and_can_be_checked_again() {
    let (mut story, sent, result) = Story::resolved();
    story.add(unit_deed(Action::AskPostCheck, sent, WATER));
    story.add(check(Verdict::Unchecked, sent, WATER, result));
    assert_eq!(story.stage(), Stage::Resolved);
    story.add(check(Verdict::Passed, sent, WATER, result));
    assert_eq!(story.stage(), Stage::AwaitingClose);
    assert_eq!(story.workflow().reworks, 0);
}

#[test]
fn a_unit_that_takes_back_its_own_result_is_no_rework() {
    let (mut story, sent, _) = Story::resolved();
    story.add(unit_deed(Action::Reject, sent, WATER).by(HE));
    assert_eq!(story.standing(), Standing::at(Stage::Dispatched));
    assert_eq!(story.workflow().reworks, 0);
}

#[test]
fn what_was_closed_is_filed_again_and_its_assignments_are_over() {
    let (mut story, _, _) = at(Stage::Closed).expect("reachable");
    assert!(story.assignment(WATER).is_some());
    story.add(deed(Action::Reopen));
    assert_eq!(story.stage(), Stage::Registered);
    assert_eq!(story.assignment(WATER), None);
    let sent = story.add(dispatch(&[WATER]));
    story.add(resolve(sent, WATER));
    assert_eq!(story.stage(), Stage::Resolved);
}

#[test]
fn what_was_declined_or_cancelled_is_accepted_again() {
    for stage in [Stage::Declined, Stage::Cancelled] {
        let (mut story, _, _) = at(stage).expect("reachable");
        story.add(deed(Action::Reopen));
        assert_eq!(story.stage(), Stage::Accepted);
    }
    let (story, _, _) = at(Stage::Withdrawn).expect("reachable");
    assert_eq!(story.fits(&deed(Action::Reopen)), Err(Refusal::WrongStage));
}

#[test]
fn only_the_reporter_withdraws() {
    let (mut story, _, _) = at(Stage::Reported).expect("reachable");
    assert_eq!(
        story.fits(&deed(Action::Withdraw).by(WANG)),
        Err(Refusal::NotReporter)
    );
    story.add(deed(Action::Withdraw));
    assert_eq!(story.stage(), Stage::Withdrawn);
}
