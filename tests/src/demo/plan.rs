//! What a run is made of: how many people, how long, how fast, how bad the network. And the fixed times of a day.
//!
//! Everything is counted in minutes of the day's work; the driver decides how long a minute takes and what the clock makes of it.

use std::time::Duration;

use crate::proxy::{RURAL, Weather};

/// How long a run goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    /// So many days, with an injected clock that leaps over the nights; the audit makes demands.
    Days(u64),
    /// Until somebody stops it, by the machine's clock.
    Live,
}

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// All choices follow from it.
    pub seed: u64,
    /// How long it goes on.
    pub span: Span,
    /// Inspectors, each with a phone.
    pub inspectors: usize,
    /// Cadres who carry a phone in place of the hall's PC.
    pub cadre_phones: usize,
    /// Minutes of a day's work.
    pub day_minutes: u64,
    /// How long such a minute takes.
    pub minute: Duration,
    /// Reports of each inspector in a day.
    pub reports_a_day: u64,
    /// The network between the phones and the server.
    pub weather: Weather,
}

/// Minutes of a day's work, from eight to eight.
const DAY_MINUTES: u64 = 12 * 60;
/// Inspectors of the city.
const INSPECTORS: usize = 61;
/// Cadres who carry phones.
const CADRE_PHONES: usize = 36;
/// Reports that a run of fixed length aims at, so that what it shows is not an accident.
const REPORTS_AIM: u64 = 960;

impl Plan {
    /// A run of so many days, each in a minute.
    pub fn days(days: u64, seed: u64) -> Self {
        let people_days = INSPECTORS as u64 * days.max(1);
        Self {
            span: Span::Days(days),
            reports_a_day: REPORTS_AIM.div_ceil(people_days).max(6),
            ..Self::live(seed)
        }
        .at_pace(Duration::from_micros(60_000_000 / DAY_MINUTES))
    }

    /// A run until somebody stops it: a day's work in three minutes, over and over.
    pub fn live(seed: u64) -> Self {
        Self {
            seed,
            span: Span::Live,
            inspectors: INSPECTORS,
            cadre_phones: CADRE_PHONES,
            day_minutes: DAY_MINUTES,
            minute: Duration::from_millis(250),
            reports_a_day: 8,
            weather: RURAL,
        }
    }

    /// A very short day of a few people, for tests.
    pub fn small(seed: u64) -> Self {
        Self {
            inspectors: 4,
            cadre_phones: 1,
            day_minutes: 120,
            reports_a_day: 5,
            ..Self::days(1, seed)
        }
        .at_pace(Duration::from_millis(15))
    }

    fn at_pace(self, minute: Duration) -> Self {
        Self { minute, ..self }
    }

    /// So many thousandths of a day, in minutes; at least one.
    pub fn share(&self, thousandths: u64) -> u64 {
        (self.day_minutes * thousandths / 1_000).max(1)
    }
}
