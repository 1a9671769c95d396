//! How people decide, each by what his page shows and by dice: the cadre and the operator who fix, those who check, the office.
//!
//! Pure: it acts on nothing. What may be done is the page's offers, which are the rules'.

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, CheckBy, Field, Part, Verdict};
use patrol_core::domain::id::{DocumentId, UnitId};
use rand::Rng;
use rand::seq::IndexedRandom as _;

use super::page::{Choice, Page};
use super::words;

/// Departments to which anything can go that nobody else wants: 城市管理局, 农业农村局, 应急管理局, 林业局, and so on.
const ANYBODY: [u64; 10] = [101, 105, 111, 112, 106, 107, 109, 113, 114, 116];

/// What a body that fixes does with a case that was dispatched to it.
pub fn fix(rng: &mut impl Rng, page: &Page) -> Option<Choice> {
    let assignment = page.offer(Action::Resolve)?;
    let draw = rng.random_range(0..100);
    let (action, words) = match draw {
        0..6 => (Action::SendBack, words::sent_back(rng)),
        6..14 => return Some(Choice::saying(Action::Note, words::note(rng))),
        _ => (Action::Resolve, words::result(rng)),
    };
    let mode = (action == Action::Resolve).then(|| rng.random_range(1..=3));
    let body = Body {
        assignment,
        words: Some(words),
        mode,
        ..Body::default()
    };
    Some(Choice::new(action, body))
}

/// What somebody who checks finds. He does not know what another may find at the same hour.
pub fn check(rng: &mut impl Rng, page: &Page) -> Option<Choice> {
    let assignment = page.offer(Action::PostCheck)?;
    let verdict = match rng.random_range(0..100) {
        0..14 => Verdict::Failed,
        14..17 => Verdict::Unchecked,
        _ => Verdict::Passed,
    };
    let share = page
        .shares
        .iter()
        .find(|share| Some(share.id) == assignment)?;
    let body = Body {
        assignment,
        judged: Some(share.result?),
        verdict: Some(verdict),
        words: Some(words::check(rng, verdict.word())),
        ..Body::default()
    };
    Some(Choice::new(Action::PostCheck, body))
}

/// What somebody finds who looks before a report is accepted.
pub fn pre_check(rng: &mut impl Rng, page: &Page) -> Option<Choice> {
    page.offer(Action::PreCheck)?;
    let verdict = if rng.random_range(0..100) < 90 {
        Verdict::Passed
    } else {
        Verdict::Failed
    };
    let body = Body {
        verdict: Some(verdict),
        words: Some(words::check(rng, verdict.word())),
        ..Body::default()
    };
    Some(Choice::new(Action::PreCheck, body))
}

/// Another description, or another category, of the same matter.
pub fn amend(rng: &mut impl Rng, page: &Page) -> Option<Choice> {
    page.offer(Action::Amend)?;
    let field = if rng.random_range(0..100) < 75 {
        FieldValue::Words(words::reworded(rng, page.descriptions.first()?))
    } else {
        FieldValue::Category(words::matter(rng).category)
    };
    Some(Choice {
        fields: vec![field],
        ..Choice::new(Action::Amend, Body::default())
    })
}

/// The author of what is shown gives way to the other.
pub fn concede(page: &Page) -> Option<Choice> {
    page.offer(Action::Reconcile)?;
    let body = Body {
        chosen: page.candidates.get(1).copied(),
        words: Some("同意对方意见".to_owned()),
        ..Body::default()
    };
    body.chosen
        .is_some()
        .then(|| Choice::new(Action::Reconcile, body))
}

/// The office settles the first conflict, or the first register of which there are two values.
pub fn settle(rng: &mut impl Rng, page: &Page) -> Option<Choice> {
    let words = Some(words::chosen(rng));
    if let Some(chosen) = page.candidates.choose(rng) {
        let body = Body {
            chosen: Some(*chosen),
            words,
            ..Body::default()
        };
        return Some(Choice::new(Action::Reconcile, body));
    }
    let (field, value) = if page.descriptions.len() > 1 {
        let description = page.descriptions.choose(rng)?.clone();
        (Field::Words, FieldValue::Words(description))
    } else if page.categories.len() > 1 {
        let category = page.categories.choose(rng)?;
        (Field::Category, FieldValue::Category(*category))
    } else {
        return None;
    };
    let body = Body {
        field: Some(field),
        words,
        ..Body::default()
    };
    Some(Choice {
        fields: vec![value],
        ..Choice::new(Action::Reconcile, body)
    })
}

/// The office's next step with a case, towards its end. `other`: an open case of the same village.
pub fn office(rng: &mut impl Rng, page: &Page, other: Option<DocumentId>) -> Option<Choice> {
    let draw = rng.random_range(0..100);
    let plain = |action| Choice::new(action, Body::default());
    let choice = match (page.stage.as_str(), draw) {
        ("reported", 0..4) => Choice::saying(Action::Decline, words::declined(rng)),
        ("reported", 4..7) => plain(Action::AskPreCheck),
        ("reported", 7..9) => {
            let body = Body {
                target: Some(other?),
                ..Body::default()
            };
            Choice::new(Action::MarkDuplicate, body)
        }
        ("reported", _) => plain(Action::Accept),
        ("accepted", 0..14) => amend(rng, page)?,
        ("accepted", _) => plain(Action::Register),
        ("registered", _) => dispatch(rng, page),
        ("awaiting_close", _) => plain(Action::Close),
        ("closed", 0) => Choice::saying(Action::Reopen, "回访发现问题再次出现".to_owned()),
        _ => return None,
    };
    page.offer(choice.action).map(|_| choice)
}

/// To whom a case goes: the village itself, or a department or enterprise, some with a second one that assists.
fn dispatch(rng: &mut impl Rng, page: &Page) -> Choice {
    let code = page.categories.first().map_or(0, |category| category.code);
    let village = UnitId(page.village);
    let is_at_it = |unit: UnitId| page.shares.iter().any(|share| share.id.unit == unit);
    let usual = words::unit_for(rng, code).filter(|_| rng.random_range(0..100) < 80);
    let units = usual.into_iter().chain([village]);
    let units = units.chain(ANYBODY.map(UnitId));
    let mut free = units.filter(|unit| !is_at_it(*unit));
    let unit = free.next().unwrap_or(village);
    let mut assign = vec![(unit, Part::Main)];
    if unit != village && !is_at_it(village) && rng.random_range(0..100) < 10 {
        assign.push((village, Part::Assisting));
    }
    let check_by = match rng.random_range(0..100) {
        0..8 => Some(CheckBy::Inspector),
        8..12 if unit != village => Some(CheckBy::Cadre),
        _ => None,
    };
    let body = Body {
        assign,
        check_by,
        ..Body::default()
    };
    Choice::new(Action::Dispatch, body)
}
