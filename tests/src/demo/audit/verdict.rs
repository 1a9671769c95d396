//! The audit's result: figures, whether they hold, and the one line of JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::city::City;
use super::super::plan::Span;
use super::phones::OnPhones;

/// Differences and faults that are named in the line.
const NAMED_MAX: usize = 20;
/// Cases that a run of fixed length must have seen.
const CASES_MIN: usize = 800;

/// What a run must show besides losing nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Demands {
    /// Enough cases, half of the entries made offline, and some of everything that goes wrong.
    Full,
    /// Nothing.
    None,
}

/// The audit's result.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Audit {
    /// Cases on the server.
    pub cases: usize,
    /// Entries that somebody was told are recorded.
    pub entries: usize,
    /// Of these: on the server.
    pub received: usize,
    /// Of these: held there for review.
    pub held: usize,
    /// Of these: in an outbox.
    pub in_outbox: usize,
    /// Of these: in a phone's box, with the reason.
    pub in_box: usize,
    /// Of these: nowhere.
    pub lost: usize,
    /// On the server more than once.
    pub doubled: usize,
    /// Whether every phone holds what the server holds.
    pub replicas_equal: bool,
    /// Documents that were compared, over all phones.
    pub compared: usize,
    /// Phones' files.
    pub phones: usize,
    /// Entries recorded on a phone that had no line.
    pub offline: usize,
    /// Connections refused, requests and responses cut.
    pub cuts: u64,
    /// Conflicts, settled ones too.
    pub conflicts: usize,
    /// Changes of phones that the server refused, and phones it told that they live twice.
    pub refusals: usize,
    /// Changes that were held for review, settled ones too.
    pub reviews: u64,
    /// Tallies on the server.
    pub tallies: usize,
    /// Cases by stage.
    pub stages: BTreeMap<&'static str, usize>,
    /// Conflicts that nobody has settled.
    pub conflicts_open: usize,
    /// Conflicts that somebody settled.
    pub conflicts_settled: usize,
    /// Reviews that nobody has settled.
    pub reviews_open: usize,
    /// Reviews released.
    pub reviews_released: u64,
    /// Reviews refused.
    pub reviews_refused: u64,
    /// What lies in phones' boxes as refused, by code, and phones told to enrol anew (`re_enrol`).
    pub refused: BTreeMap<String, usize>,
    /// What the API refused, by code.
    pub desk_refused: BTreeMap<String, u64>,
    /// Calls of sync that came to their end.
    pub syncs: u64,
    /// Calls of sync that the network broke off.
    pub broken_syncs: u64,
    /// What the bad network did.
    pub network: BTreeMap<&'static str, u64>,
    /// The seed.
    pub seed: u64,
    /// Days of a fixed span.
    pub days: Option<u64>,
    /// What does not hold, in words; the first of it.
    pub faults: Vec<String>,
}

impl Audit {
    /// What the city's counters say; the rest is to be found.
    pub(super) fn new(city: &City) -> Self {
        let counters = &city.counters;
        let load = |counter: &std::sync::atomic::AtomicU64| {
            counter.load(std::sync::atomic::Ordering::Relaxed)
        };
        let (entries, offline) = city.log.count();
        let network = city.proxy.counts();
        Self {
            cases: 0,
            entries,
            received: 0,
            held: 0,
            in_outbox: 0,
            in_box: 0,
            lost: 0,
            doubled: 0,
            replicas_equal: false,
            compared: 0,
            phones: 0,
            offline,
            cuts: network.cuts(),
            conflicts: 0,
            refusals: 0,
            reviews: 0,
            tallies: 0,
            stages: BTreeMap::new(),
            conflicts_open: 0,
            conflicts_settled: 0,
            reviews_open: 0,
            reviews_released: load(&counters.released),
            reviews_refused: load(&counters.dismissed),
            refused: BTreeMap::new(),
            desk_refused: counters.desk_refusals(),
            syncs: load(&counters.syncs),
            broken_syncs: load(&counters.broken_syncs),
            network: network.named().into_iter().collect(),
            seed: city.plan.seed,
            days: match city.plan.span {
                Span::Days(days) => Some(days),
                Span::Live => None,
            },
            faults: counters.disagreements(),
        }
    }

    /// Takes in what the phones' files say.
    pub(super) fn take_in(&mut self, phones: OnPhones) {
        self.compared = phones.compared;
        self.replicas_equal = phones.differences.is_empty() && phones.faults.is_empty();
        self.refused = phones.refusals;
        let quarantined = self.refused.get("quarantined").copied().unwrap_or(0);
        self.refusals = self.refused.values().sum::<usize>() - quarantined + phones.told_to_enrol;
        self.refused
            .insert("re_enrol".to_owned(), phones.told_to_enrol);
        self.faults.extend(phones.differences);
        self.faults.extend(phones.faults);
        self.faults.truncate(NAMED_MAX);
    }

    /// What does not hold; nothing if the audit does.
    pub fn failures(&self, demands: Demands) -> Vec<&'static str> {
        let full = demands == Demands::Full;
        let checks = [
            (self.lost > 0, "lost"),
            (self.doubled > 0, "doubled"),
            (!self.replicas_equal, "replicas differ"),
            (!self.faults.is_empty(), "faults"),
            (full && self.cases < CASES_MIN, "too few cases"),
            (
                full && self.offline * 2 < self.entries,
                "too little offline",
            ),
            (full && self.cuts == 0, "no cuts"),
            (full && self.conflicts == 0, "no conflicts"),
            (full && self.refusals == 0, "no refusals"),
            (full && self.reviews == 0, "no reviews"),
        ];
        checks
            .into_iter()
            .filter_map(|(fails, name)| fails.then_some(name))
            .collect()
    }

    /// One line of JSON.
    pub fn json(&self, demands: Demands) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            audit: &'a Audit,
            holds: bool,
            failures: Vec<&'static str>,
        }
        let failures = self.failures(demands);
        let line = Line {
            audit: self,
            holds: failures.is_empty(),
            failures,
        };
        serde_json::to_string(&line).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}
