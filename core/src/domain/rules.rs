//! Who may do what: `may`, asked alike before recording, by the office API, and at admission.
//!
//! Whether a deed suits the stage is the other question, `fold::Workflow`'s `fits`; it is never asked at admission.

use super::action::{Action, DocumentKind, Reach};
use super::capability::{Holding, Right};
use super::id::{PersonId, UnitId};
use super::place::Scope;
use super::time::Timestamp;

/// How a person stands to a right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Holds it today.
    Held,
    /// Held it at some time: late work goes to review.
    HeldOnce,
    /// Never held it, or the action does not go with it.
    Never,
}

/// What `may` is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who wants to act.
    pub person: PersonId,
    /// What.
    pub action: Action,
    /// On which kind of document.
    pub kind: DocumentKind,
    /// By which right.
    pub right: Right,
    /// The document's scopes before the change.
    pub scopes: &'a [Scope],
    /// Scopes that the document had at some time: late work of those who had it goes to review.
    pub former: &'a [Scope],
}

/// Whether the person may do this by that right at that time. `holdings` are the dated rows of anybody; only the
/// person's count.
pub fn may(holdings: &[Holding], now: Timestamp, question: Question<'_>) -> Standing {
    let within = if is_within_reach(question, question.scopes) {
        Standing::Held
    } else if is_within_reach(question, question.former) {
        Standing::HeldOnce
    } else {
        return Standing::Never;
    };
    let is_the_right =
        |holding: &&Holding| holding.person == question.person && holding.right == question.right;
    let mut standing = Standing::Never;
    for holding in holdings.iter().filter(is_the_right) {
        if holding.is_held_at(now) {
            return within;
        }
        standing = Standing::HeldOnce;
    }
    standing
}

/// Whether the action goes with the right, and the right's unit with the scopes.
fn is_within_reach(question: Question<'_>, scopes: &[Scope]) -> bool {
    let Some(row) = question.action.row(question.kind) else {
        return false;
    };
    let by_this = row
        .by
        .iter()
        .filter(|(capability, _)| *capability == question.right.capability);
    by_this.into_iter().any(|(_, reach)| match reach {
        Reach::Anywhere => true,
        Reach::Unit => {
            let unit = question.right.unit;
            unit == UnitId::CITY || scopes.iter().any(|scope| scope.unit() == Some(unit))
        }
        Reach::Own => scopes.contains(&Scope::Person(question.person)),
    })
}

/// The rights by which a person may do this now, in the order of his rows.
pub fn rights_for(
    holdings: &[Holding],
    now: Timestamp,
    person: PersonId,
    action: Action,
    kind: DocumentKind,
    scopes: &[Scope],
) -> Vec<Right> {
    let mut rights: Vec<Right> = Vec::new();
    for holding in holdings.iter().filter(|holding| holding.person == person) {
        let question = Question {
            person,
            action,
            kind,
            right: holding.right,
            scopes,
            former: &[],
        };
        if may(std::slice::from_ref(holding), now, question) == Standing::Held
            && !rights.contains(&holding.right)
        {
            rights.push(holding.right);
        }
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::super::capability::{Capability, Role};
    use super::super::place::VillageCode;
    use super::*;

    const ANNA: PersonId = PersonId([1; 8]);
    const BOB: PersonId = PersonId([2; 8]);

    fn village(last: u64) -> VillageCode {
        VillageCode::new(440_403_100_000 + last).expect("twelve digits")
    }

    fn holdings(role: Role, unit: UnitId, until: Option<i64>) -> Vec<Holding> {
        role.rights(unit)
            .into_iter()
            .map(|right| Holding {
                person: ANNA,
                right,
                from: Timestamp(0),
                until: until.map(Timestamp),
            })
            .collect()
    }

    fn ask(action: Action, capability: Capability, unit: UnitId, scopes: &[Scope]) -> Question<'_> {
        Question {
            person: ANNA,
            action,
            kind: DocumentKind::Case,
            right: Right { capability, unit },
            scopes,
            former: &[],
        }
    }

    #[test]
    fn an_inspector_reports_anywhere_and_checks_in_his_villages() {
        let rows = holdings(Role::Inspector, village(200).unit(), None);
        let now = Timestamp(5);
        assert_eq!(
            may(
                &rows,
                now,
                ask(Action::Report, Capability::Report, UnitId::CITY, &[])
            ),
            Standing::Held
        );
        let here = [Scope::Village(village(200))];
        let there = [Scope::Village(village(201))];
        assert_eq!(
            may(
                &rows,
                now,
                ask(
                    Action::PostCheck,
                    Capability::Inspect,
                    village(200).unit(),
                    &here
                )
            ),
            Standing::Held
        );
        assert_eq!(
            may(
                &rows,
                now,
                ask(
                    Action::PostCheck,
                    Capability::Inspect,
                    village(200).unit(),
                    &there
                )
            ),
            Standing::Never
        );
        assert_eq!(
            may(
                &rows,
                now,
                ask(Action::Close, Capability::Report, UnitId::CITY, &here)
            ),
            Standing::Never
        );
    }

    #[test]
    fn a_right_that_ended_is_remembered() {
        let rows = holdings(Role::Inspector, village(200).unit(), Some(10));
        let here = [Scope::Village(village(200))];
        let question = ask(
            Action::PostCheck,
            Capability::Inspect,
            village(200).unit(),
            &here,
        );
        assert_eq!(may(&rows, Timestamp(9), question), Standing::Held);
        assert_eq!(may(&rows, Timestamp(10), question), Standing::HeldOnce);
    }

    #[test]
    fn a_reporter_follows_what_is_his_own() {
        let rows = holdings(Role::UnitOperator, UnitId(101), None);
        let own = [Scope::Village(village(3)), Scope::Person(ANNA)];
        let others = [Scope::Village(village(3)), Scope::Person(BOB)];
        assert_eq!(
            may(
                &rows,
                Timestamp(5),
                ask(Action::Withdraw, Capability::Report, UnitId::CITY, &own)
            ),
            Standing::Held
        );
        assert_eq!(
            may(
                &rows,
                Timestamp(5),
                ask(Action::Withdraw, Capability::Report, UnitId::CITY, &others)
            ),
            Standing::Never
        );
        assert_eq!(
            rights_for(
                &rows,
                Timestamp(5),
                ANNA,
                Action::Note,
                DocumentKind::Case,
                &own
            ),
            vec![Right {
                capability: Capability::Report,
                unit: UnitId::CITY
            }]
        );
    }
}
