//! Twenty people count in one tally without a line, correct themselves, and are merged in any order: the sums are exact.

use super::super::capability::Capability;
use super::super::entry::{Body, Entry};
use super::super::id::{DeviceId, DocumentId, PersonId, UnitId};
use super::super::refusal::Refusal;
use super::super::time::{At, Timestamp};
use super::*;
use crate::doc::entry::{encode, entry_id};

const PERSUADED: u64 = 1;
const BANNERS: u64 = 2;

fn line(person: u8, n: u64, action: Action, body: Body) -> Line {
    let entry = Entry {
        kind: action.code(),
        person: PersonId([person; 8]),
        device: DeviceId([person; 8]),
        capability: Capability::Count.code(),
        unit: UnitId::CITY,
        n,
        on: Vec::new(),
        at: At::wall(Timestamp(1_800_000_000_000)),
        key: None,
        body,
    };
    Line {
        id: entry_id(DocumentId([4; 16]), &encode(&entry)),
        entry,
        received_at: None,
    }
}

fn count(person: u8, n: u64, what: u64, how_many: i64) -> Line {
    let body = Body {
        count: Some((what, how_many)),
        ..Body::default()
    };
    line(person, n, Action::Count, body)
}

fn take_back(person: u8, n: u64, what: &Line) -> Line {
    let body = Body {
        withdraws: Some(what.id),
        ..Body::default()
    };
    line(person, n, Action::Withdraw, body)
}

/// What one of the twenty writes: ten counts, of which he mistypes every third and corrects it.
fn day(person: u8) -> (Vec<Line>, i64, i64) {
    let mut lines = Vec::new();
    let (mut persuaded, mut banners, mut n) = (0, 0, 0);
    for round in 0..10 {
        let right = i64::from(person) + round;
        let what = if round % 2 == 0 { PERSUADED } else { BANNERS };
        n += 1;
        if round % 3 == 0 {
            let mistyped = count(person, n, what, right * 100);
            lines.push(take_back(person, n + 1, &mistyped));
            lines.push(mistyped);
            n += 2;
        }
        lines.push(count(person, n, what, right));
        if what == PERSUADED {
            persuaded += right;
        } else {
            banners += right;
        }
    }
    (lines, persuaded, banners)
}

/// In an order that depends on `turn` alone.
fn shuffled(lines: &[Line], turn: u64) -> Vec<Line> {
    let mut keyed: Vec<([u8; 16], Line)> = lines
        .iter()
        .map(|line| {
            let key = entry_id(
                DocumentId([9; 16]),
                &[&turn.to_be_bytes(), &line.id.0[..]].concat(),
            );
            (key.0, line.clone())
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, line)| line).collect()
}

#[test]
fn twenty_people_count_at_once_and_nothing_is_lost_or_counted_twice() {
    let mut lines = Vec::new();
    let (mut persuaded, mut banners) = (0, 0);
    for person in 1..=20 {
        let (of_day, his_persuaded, his_banners) = day(person);
        lines.extend(of_day);
        persuaded += his_persuaded;
        banners += his_banners;
    }
    let expected = BTreeMap::from([(PERSUADED, persuaded), (BANNERS, banners)]);
    for turn in 0..20 {
        let mut merged = shuffled(&lines, turn);
        // Some of it arrives twice.
        merged.extend(merged.iter().take(30).cloned().collect::<Vec<_>>());
        assert_eq!(sums(&merged), expected, "{turn}");
    }
}

#[test]
fn what_another_counted_is_not_taken_back() {
    let counted = count(1, 1, PERSUADED, 5);
    let lines = [take_back(2, 1, &counted), counted.clone()];
    assert_eq!(sums(&lines), BTreeMap::from([(PERSUADED, 5)]));
    let fold = Fold::of(DocumentKind::Tally, &lines);
    let reasons: Vec<Refusal> = fold.anomalies().iter().map(|a| a.reason).collect();
    assert_eq!(reasons, [Refusal::NothingToWithdraw]);
}

#[test]
fn taking_back_twice_takes_back_once() {
    let counted = count(1, 1, PERSUADED, 5);
    let lines = [
        count(1, 4, PERSUADED, 3),
        take_back(1, 2, &counted),
        take_back(1, 3, &counted),
        counted,
    ];
    assert_eq!(sums(&lines), BTreeMap::from([(PERSUADED, 3)]));
}

#[test]
fn a_count_that_was_sent_twice_with_one_key_counts_once() {
    let mut lines = vec![count(1, 1, PERSUADED, 5), count(1, 2, PERSUADED, 5)];
    for line in &mut lines {
        line.entry.key = Some(b"tap".to_vec());
        line.id = entry_id(DocumentId([4; 16]), &encode(&line.entry));
    }
    lines.push(count(2, 1, PERSUADED, 1));
    assert_eq!(sums(&lines), BTreeMap::from([(PERSUADED, 6)]));
    lines.reverse();
    assert_eq!(sums(&lines), BTreeMap::from([(PERSUADED, 6)]));
}

#[test]
fn a_correction_downwards_is_a_negative_count() {
    let lines = [count(1, 1, BANNERS, 7), count(2, 1, BANNERS, -2)];
    assert_eq!(sums(&lines), BTreeMap::from([(BANNERS, 5)]));
    assert_eq!(sums(&[]), BTreeMap::new());
}
