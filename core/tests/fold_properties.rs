//! Random sets of entries, fitting and not, by people who had seen this or that: what the fold promises for all of them.

#![expect(clippy::indexing_slicing, reason = "tests panic to fail")]

#[expect(dead_code, reason = "shared with other test programs")]
#[path = "people/people.rs"]
mod people;

use std::collections::{BTreeMap, BTreeSet};

use people::*;
use proptest::prelude::*;

use patrol_core::doc::entry::{encode, entry_id};
use patrol_core::domain::action::{Action, DocumentKind};
use patrol_core::domain::capability::Capability;
use patrol_core::domain::case::Workflow;
use patrol_core::domain::entry::{AssignmentId, CheckBy, Entry, Field, Line, Part, Verdict};
use patrol_core::domain::fold::Fold;
use patrol_core::domain::id::{EntryId, UnitId};
use patrol_core::domain::refusal::Refusal;
use patrol_core::domain::stage::Stage;
use patrol_core::domain::tally;

/// Units that cases are sent to.
fn units() -> [UnitId; 3] {
    [WATER, UnitId(102), village().unit()]
}

/// How far the authors keep to what fits.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Manner {
    /// They look first; now and then they do not.
    Honest,
    /// They write anything, on anything.
    Wild,
}

/// A case with an entry for each seed.
fn story(seeds: &[u64], manner: Manner) -> Vec<Line> {
    let mut lines = vec![line(report(LI, 1))];
    for (n, seed) in (2..).zip(seeds) {
        let entry = next(&lines, n, manner, &mut Dice(*seed));
        lines.push(line(entry));
    }
    lines
}

fn line(entry: Entry) -> Line {
    Line {
        id: entry_id(DOCUMENT, &encode(&entry)),
        entry,
        received_at: None,
    }
}

/// What somebody does next who had seen a part of it all.
fn next(lines: &[Line], n: u64, manner: Manner, dice: &mut Dice) -> Entry {
    let seen = part(lines, dice);
    let fold = Fold::of(DocumentKind::Case, &seen);
    let workflow = fold.workflow();
    let looks = manner == Manner::Honest && dice.chance(90);
    let mut entry = attempt(&workflow, n, dice);
    for _ in 0..40 {
        if !looks || fold.fits(&entry).is_ok() {
            break;
        }
        entry = attempt(&workflow, n, dice);
    }
    if manner == Manner::Wild {
        run_wild(&mut entry, lines, dice);
    }
    entry
}

/// All of it, or some entries and all that their authors had seen.
fn part(lines: &[Line], dice: &mut Dice) -> Vec<Line> {
    if lines.len() < 4 || dice.chance(55) {
        return lines.to_vec();
    }
    let ancestors = ancestors(lines);
    let mut kept = BTreeSet::from([lines[0].id]);
    for _ in 0..=dice.below(2) {
        let tip = lines[dice.below(lines.len())].id;
        kept.insert(tip);
        kept.extend(&ancestors[&tip]);
    }
    lines
        .iter()
        .filter(|line| kept.contains(&line.id))
        .cloned()
        .collect()
}

/// For each entry, all that its author had seen.
fn ancestors(lines: &[Line]) -> BTreeMap<EntryId, BTreeSet<EntryId>> {
    let mut all: BTreeMap<EntryId, BTreeSet<EntryId>> = BTreeMap::new();
    for line in lines {
        let mut above = BTreeSet::new();
        for id in &line.entry.on {
            if let Some(further) = all.get(id) {
                above.insert(*id);
                above.extend(further);
            }
        }
        all.insert(line.id, above);
    }
    all
}

/// An action with details that are near at hand.
fn attempt(workflow: &Workflow, n: u64, dice: &mut Dice) -> Entry {
    let common = [
        Action::Accept,
        Action::Register,
        Action::Dispatch,
        Action::Resolve,
        Action::Resolve,
        Action::PostCheck,
        Action::PostCheck,
        Action::PostCheck,
        Action::Close,
        Action::Close,
        Action::Reconcile,
    ];
    let opening = [Action::Report, Action::Count, Action::Propose];
    let any: Vec<Action> = Action::ALL
        .iter()
        .copied()
        .filter(|action| !opening.contains(action))
        .collect();
    let is_common = dice.chance(96);
    let action = dice.pick(if is_common { &common } else { &any });
    let action = action.expect("some");
    let person = dice.pick(&EVERYBODY).expect("some");
    let assignment = dice.pick(&workflow.assignments);
    let unit = assignment.as_ref().map_or(WATER, |open| open.id.unit);
    let right = match action {
        Action::Resolve | Action::SendBack | Action::Reject => right(Capability::Fix, unit),
        Action::PostCheck if dice.chance(50) => right(Capability::Confirm, village().unit()),
        Action::Reconcile if dice.chance(70) => right(Capability::Reconcile, UnitId::CITY),
        _ => right(Capability::Inspect, village().unit()),
    };
    let mut entry = entry(person, action, right, n);
    entry.on = workflow.heads.clone();
    let body = &mut entry.body;
    let verdicts = [Verdict::Passed, Verdict::Failed, Verdict::Unchecked];
    match action {
        Action::Dispatch => {
            let parts = [Part::Main, Part::Main, Part::Assisting];
            for unit in units() {
                if dice.chance(50) {
                    let part = dice.pick(&parts).expect("some");
                    body.assign.push((unit, part));
                }
            }
            body.check_by = dice.chance(20).then_some(CheckBy::Cadre);
        }
        Action::PostCheck => {
            let results = assignment.as_ref().map(|open| open.results.clone());
            body.judged = dice.pick(&results.unwrap_or_default());
            body.verdict = dice.pick(&verdicts);
        }
        Action::PreCheck => body.verdict = dice.pick(&verdicts),
        Action::MarkDuplicate => body.target = Some(DOCUMENT),
        Action::Reconcile => {
            let conflict = dice.pick(&workflow.conflicts);
            body.chosen = conflict.and_then(|conflict| dice.pick(&conflict.candidates));
            body.field = (body.chosen.is_none() && dice.chance(10)).then_some(Field::Place);
        }
        _ => {}
    }
    if action
        .row(DocumentKind::Case)
        .is_some_and(|row| row.level == patrol_core::domain::action::Level::Assignment)
    {
        body.assignment = assignment.map(|open| open.id);
    }
    entry
}

/// Anything on anything.
fn run_wild(entry: &mut Entry, lines: &[Line], dice: &mut Dice) {
    let ids: Vec<EntryId> = lines.iter().map(|line| line.id).collect();
    let any_id = |dice: &mut Dice| match dice.below(10) {
        0 => EntryId([0xee; 16]),
        _ => dice.pick(&ids).expect("some"),
    };
    if dice.chance(50) {
        let on: BTreeSet<EntryId> = (0..dice.below(4)).map(|_| any_id(dice)).collect();
        entry.on = on.into_iter().collect();
    }
    if dice.chance(20) {
        entry.kind = dice.below(70) as u64;
    }
    if dice.chance(20) {
        entry.body.assignment = Some(AssignmentId {
            dispatch: any_id(dice),
            unit: dice.pick(&units()).expect("some"),
        });
    }
    if dice.chance(20) {
        entry.body.judged = Some(any_id(dice));
    }
    if dice.chance(20) {
        entry.body.chosen = Some(any_id(dice));
    }
    if dice.chance(10) {
        entry.body.verdict = Some(Verdict::Failed);
    }
    if dice.chance(10) {
        entry.body.assign = units().map(|unit| (unit, Part::Main)).to_vec();
    }
    if dice.chance(10) {
        entry.key = Some(vec![u8::try_from(dice.below(3)).expect("few")]);
    }
}

fn anomalies(fold: &Fold<'_>) -> BTreeMap<EntryId, Refusal> {
    let anomalies = fold.anomalies().into_iter();
    anomalies
        .map(|anomaly| (anomaly.entry, anomaly.reason))
        .collect()
}

/// Failed checks that contest a closing: fitting, not outrun, neither author had seen the other, and the result that it
/// judged is the latest of its assignment that the closing's author had seen.
fn contesting(lines: &[Line], closing: EntryId) -> Vec<EntryId> {
    let above = ancestors(lines);
    let misfits = anomalies(&Fold::of(DocumentKind::Case, lines));
    let fitting = |line: &&Line| !misfits.contains_key(&line.id);
    let is_latest = |judged: EntryId, assignment| {
        let results = lines.iter().filter(fitting).filter(|line| {
            line.entry.action() == Some(Action::Resolve)
                && line.entry.body.assignment == assignment
                && above[&closing].contains(&line.id)
        });
        let results: Vec<EntryId> = results.map(|line| line.id).collect();
        results.contains(&judged) && !results.iter().any(|later| above[later].contains(&judged))
    };
    lines
        .iter()
        .filter(fitting)
        .filter(|line| {
            let body = &line.entry.body;
            line.entry.action() == Some(Action::PostCheck)
                && body.verdict == Some(Verdict::Failed)
                && !above[&closing].contains(&line.id)
                && !above[&line.id].contains(&closing)
                && body
                    .judged
                    .is_some_and(|judged| is_latest(judged, body.assignment))
        })
        .map(|line| line.id)
        .collect()
}

/// Whether a case that shows closed does so by a closing that no failed check contests, or by people's choice. A
/// contested ending counts for nothing: what stands without it has to be closed, and rightly.
fn is_rightly_closed(lines: &[Line]) -> bool {
    if !is_closed(lines) {
        return true;
    }
    let heads = Fold::of(DocumentKind::Case, lines).workflow().heads;
    let ends = |id: &&EntryId| {
        let mut of = lines.iter().filter(|line| line.id == **id);
        of.any(|line| matches!(line.entry.action(), Some(Action::Close | Action::Reconcile)))
    };
    let endings: Vec<EntryId> = heads.iter().filter(ends).copied().collect();
    let is_contested = |ending: &EntryId| !contesting(lines, *ending).is_empty();
    if !endings.iter().all(is_contested) || endings.is_empty() {
        return true;
    }
    let above = ancestors(lines);
    let rests_on_one = |line: &Line| {
        endings.contains(&line.id) || endings.iter().any(|id| above[&line.id].contains(id))
    };
    let mut rest = lines.to_vec();
    rest.retain(|line| !rests_on_one(line));
    is_closed(&rest) && is_rightly_closed(&rest)
}

fn is_closed(lines: &[Line]) -> bool {
    let workflow = Fold::of(DocumentKind::Case, lines).workflow();
    workflow.standing.map(|standing| standing.stage) == Some(Stage::Closed)
}

/// Found by chance: among the heads a closing that a failed check contests, beside a reconcile that had seen it and chose closed.
#[test]
fn a_contested_closing_beside_a_reconcile_that_chose_closed_is_no_contradiction() {
    let seeds = [
        1_888_601_607_913_731_907,
        15_224_834_184_745_107_809,
        10_155_411_764_710_042_970,
        3_438_449_264_359_017_128,
        4_166_752_754_821_698_269,
        11_562_657_563_307_508_682,
        587_962_188_189_674_351,
        2_760_914_956_931_459_574,
        3_005_583_924_935_444_853,
        8_414_014_507_073_978_826,
        2_460_555_444_230_014_717,
        15_848_304_931_860_797_264,
        8_675_393_990_363_833_957,
        10_452_968_051_712_598_334,
        2_157_260_752_978_005_392,
        11_101_350_793_302_312_983,
        558_562_013_867_843_331,
        795_061_420_476_196_267,
        11_089_978_319_812_294_380,
        14_709_261_838_341_103_180,
        4_651_361_392_502_436_848,
        14_274_506_184_584_504_059,
        16_309_311_866_757_587_594,
        1_285_759_287_693_372_964,
        2_312_322_354_332_356_973,
        357_100_037_907_281_528,
    ];
    let lines = story(&seeds, Manner::Honest);
    assert!(is_closed(&lines));
    assert!(is_rightly_closed(&lines));
}

fn seeds(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::vec(any::<u64>(), len)
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![Just(Manner::Honest), Just(Manner::Wild)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_order_nor_repetition_matters(
        seeds in seeds(0..30),
        manner in manner(),
        order in any::<u64>(),
    ) {
        let lines = story(&seeds, manner);
        let mut other = lines.clone();
        let mut dice = Dice(order);
        other.extend((0..dice.below(6)).map(|_| lines[dice.below(lines.len())].clone()));
        dice.shuffle(&mut other);
        let (fold, again) = (Fold::of(DocumentKind::Case, &lines), Fold::of(DocumentKind::Case, &other));
        prop_assert_eq!(again.workflow(), fold.workflow());
        prop_assert_eq!(again.anomalies(), fold.anomalies());
        prop_assert_eq!(again.timeline(), fold.timeline());
    }

    #[test]
    fn a_fold_always_has_an_answer(seeds in seeds(0..40)) {
        let lines = story(&seeds, Manner::Wild);
        for kind in DocumentKind::ALL {
            let fold = Fold::of(*kind, &lines);
            prop_assert_eq!(fold.timeline().len(), lines.len());
            drop(fold.workflow());
        }
        prop_assert!(Fold::of(DocumentKind::Case, &lines[1..]).workflow().standing.is_none()
            || lines[1..].iter().any(|line| line.entry.action() == Some(Action::Report)));
    }

    #[test]
    fn heads_fit_and_nobody_who_fits_had_seen_them(seeds in seeds(0..30), manner in manner()) {
        let lines = story(&seeds, manner);
        let fold = Fold::of(DocumentKind::Case, &lines);
        let (workflow, misfits, above) = (fold.workflow(), anomalies(&fold), ancestors(&lines));
        prop_assert!(!workflow.heads.is_empty() || workflow.standing.is_none());
        for head in &workflow.heads {
            prop_assert!(!misfits.contains_key(head));
            prop_assert!(workflow.heads.iter().all(|other| !above[other].contains(head)));
        }
    }

    #[test]
    fn a_case_never_shows_closed_against_a_failed_check_of_what_the_closing_rests_on(
        seeds in seeds(8..36),
    ) {
        prop_assert!(is_rightly_closed(&story(&seeds, Manner::Honest)));
    }

    #[test]
    fn what_fits_before_is_recorded_as_fitting(seeds in seeds(0..24), last in any::<u64>()) {
        let mut lines = story(&seeds, Manner::Honest);
        let mut dice = Dice(last);
        let seen = part(&lines, &mut dice);
        let entry = attempt(&Fold::of(DocumentKind::Case, &seen).workflow(), 99, &mut dice);
        let expected = Fold::of(DocumentKind::Case, &lines).fits(&entry).err();
        let last = line(entry);
        lines.push(last.clone());
        let found = anomalies(&Fold::of(DocumentKind::Case, &lines)).get(&last.id).copied();
        let is_outrun = expected.is_none() && found == Some(Refusal::OldResult);
        prop_assert!(found == expected || is_outrun, "{:?} {:?}", expected, found);
    }

    #[test]
    fn a_flag_that_an_author_had_seen_is_settled_by_a_reconcile_or_stays(
        seeds in seeds(6..30),
        last in proptest::collection::vec(any::<u64>(), 12),
    ) {
        let lines = story(&seeds, Manner::Honest);
        let fold = Fold::of(DocumentKind::Case, &lines);
        let before = fold.workflow();
        for seed in last {
            let entry = attempt(&before, 99, &mut Dice(seed));
            if entry.action() == Some(Action::Reconcile) || fold.fits(&entry).is_err() {
                continue;
            }
            let mut after = lines.clone();
            after.push(line(entry));
            let after = Fold::of(DocumentKind::Case, &after).workflow();
            for flag in &before.conflicts {
                let stays = after.conflicts.iter().any(|other| {
                    (other.track, &other.entries) == (flag.track, &flag.entries)
                });
                prop_assert!(stays, "{:?}", flag);
            }
        }
    }

    #[test]
    fn a_tally_sums_up_alike_in_every_order(seeds in seeds(0..40), order in any::<u64>()) {
        let lines = counts(&seeds);
        let mut other = lines.clone();
        Dice(order).shuffle(&mut other);
        prop_assert_eq!(tally::sums(&other), tally::sums(&lines));
        prop_assert_eq!(tally::sums(&lines), by_hand(&lines));
    }
}

/// Counts, corrections of one's own and of others', by everybody.
fn counts(seeds: &[u64]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (n, seed) in (1..).zip(seeds) {
        let mut dice = Dice(*seed);
        let person = dice.pick(&EVERYBODY).expect("some");
        let takes_back = dice.chance(30);
        let action = if takes_back {
            Action::Withdraw
        } else {
            Action::Count
        };
        let mut entry = entry(person, action, right(Capability::Count, UnitId::CITY), n);
        if takes_back {
            entry.body.withdraws = dice.pick(&lines).map(|line| line.id);
        } else {
            let how_many = i64::try_from(dice.below(20)).expect("few") - 5;
            entry.body.count = Some((dice.below(3) as u64, how_many));
        }
        lines.push(line(entry));
    }
    lines
}

/// The sums as one would reckon them on paper.
fn by_hand(lines: &[Line]) -> BTreeMap<u64, i64> {
    let is_withdrawn = |line: &Line| {
        lines.iter().any(|other| {
            other.entry.body.withdraws == Some(line.id) && other.entry.person == line.entry.person
        })
    };
    let mut sums = BTreeMap::new();
    for line in lines.iter().filter(|line| !is_withdrawn(line)) {
        if let Some((what, how_many)) = line.entry.body.count {
            *sums.entry(what).or_insert(0) += how_many;
        }
    }
    sums
}

#[test]
fn the_stories_come_to_every_stage_and_to_conflicts() {
    let mut stages: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut flagged, mut contested, mut misfits) = (0, 0, 0);
    for number in 0..400u64 {
        let seeds: Vec<u64> = (0..30).map(|step| number * 1_000 + step).collect();
        let lines = story(&seeds, Manner::Honest);
        let fold = Fold::of(DocumentKind::Case, &lines);
        let workflow = fold.workflow();
        let stage = workflow.standing.expect("opened").stage;
        *stages.entry(stage.word()).or_default() += 1;
        flagged += usize::from(!workflow.conflicts.is_empty());
        misfits += fold.anomalies().len();
        let closings = lines
            .iter()
            .filter(|line| line.entry.action() == Some(Action::Close));
        contested += closings
            .filter(|line| !contesting(&lines, line.id).is_empty())
            .count();
    }
    assert!(stages.len() >= 10, "{stages:?}");
    assert!(flagged > 100 && contested > 5 && misfits > 100);
}
