//! How often each fault and each fate occurred: a simulation in which one never did has not tested it.

use std::collections::BTreeMap;

use patrol_core::error::Error;

/// Counts by name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Coverage {
    counts: BTreeMap<String, usize>,
    disagreements: Vec<String>,
}

/// What must have occurred in a long run.
pub const REQUIRED: &[&str] = &[
    "link unreachable",
    "link request cut",
    "link response lost",
    "link response cut",
    "link duplicated",
    "link portal",
    "link delayed behind a later request",
    "link repeated behind a later request",
    "phone crash before a commit",
    "phone crash after a commit",
    "phone disk full",
    "phone restored from an older copy",
    "phone copied",
    "phone clock jump",
    "phone reboot",
    "server crash before a commit",
    "server crash after a commit",
    "server crash at a look",
    "server crash at a token",
    "server crash at a contact",
    "server crash at notices",
    "server restored from a backup",
    "a copy that lagged behind took over",
    "phone still led to the server given up",
    "second program on a phone's file",
    "second program syncs on a phone's file",
    "sync overtaken",
    "rescue bundle carried",
    "rescue bundle of several pieces",
    "phone lost, its bundle carried",
    "handed in for a revoked phone",
    "right ended",
    "right returned",
    "scope moved",
    "scope lost with work unsent",
    "device revoked",
    "case left its feeds by age",
    "fate ok",
    "fate dup",
    "fate missing",
    "fate later",
    "fate review",
    "fate refused",
    "fate forked",
    "review released",
    "review refused",
    "conflict",
    "anomaly",
];

impl Coverage {
    /// Counts one.
    pub fn add(&mut self, what: &str) {
        self.add_many(what, 1);
    }

    /// Counts several.
    pub fn add_many(&mut self, what: &str, count: usize) {
        *self.counts.entry(what.to_owned()).or_default() += count;
    }

    /// Notes that the two ends disagreed, which nothing but a broken protocol explains.
    pub fn disagreement(&mut self, error: &Error) {
        self.disagreements.push(error.to_string());
    }

    /// All disagreements.
    pub fn disagreements(&self) -> &[String] {
        &self.disagreements
    }

    /// Adds another run's counts.
    pub fn merge(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            self.add_many(what, *count);
        }
    }

    /// The counts.
    pub fn counts(&self) -> &BTreeMap<String, usize> {
        &self.counts
    }

    /// What should have occurred and did not.
    pub fn missing(&self) -> Vec<&'static str> {
        REQUIRED
            .iter()
            .copied()
            .filter(|what| self.counts.get(*what).copied().unwrap_or(0) == 0)
            .collect()
    }
}
