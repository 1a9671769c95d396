//! Benchmarks: what is measured, on which content, against which budget. `make bench` runs them all in one go.
//!
//! It measures and prints; it never decides what a good figure is beyond the budget written beside it.

pub mod bytes;
pub mod city;
pub(crate) mod client;
pub mod components;
pub mod content;
pub mod device;
pub mod floor;
pub mod growth;
pub mod line;
pub mod server;
pub mod tap;

use std::time::{Duration, Instant};

/// One figure.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it must not exceed, or must reach.
    pub budget: Budget,
}

/// What a figure is held against.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Budget {
    /// Nothing: told for understanding the others.
    None,
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

impl Figure {
    /// A figure told for understanding others.
    pub fn told(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            budget: Budget::None,
        }
    }

    /// A figure that must not exceed its budget.
    pub fn at_most(name: impl Into<String>, value: f64, unit: &'static str, most: f64) -> Self {
        Self {
            budget: Budget::AtMost(most),
            ..Self::told(name, value, unit)
        }
    }

    /// A figure that must reach its budget.
    pub fn at_least(name: impl Into<String>, value: f64, unit: &'static str, least: f64) -> Self {
        Self {
            budget: Budget::AtLeast(least),
            ..Self::told(name, value, unit)
        }
    }

    /// Whether the budget is kept; none without one.
    pub fn is_ok(&self) -> Option<bool> {
        match self.budget {
            Budget::None => None,
            Budget::AtMost(most) => Some(self.value <= most),
            Budget::AtLeast(least) => Some(self.value >= least),
        }
    }

    /// Whether the budget is kept on a machine that does other things too: what is told in time may be so many times as bad, sizes and counts
    /// may not.
    pub fn is_within(&self, slack: f64) -> bool {
        let slack = match self.unit {
            "ms" | "s" | "×" | "changes/s" => slack,
            _ => 1.0,
        };
        match self.budget {
            Budget::None => true,
            Budget::AtMost(most) => self.value <= most * slack,
            Budget::AtLeast(least) => self.value >= least / slack,
        }
    }

    /// As a row of a table.
    pub fn row(&self) -> String {
        let budget = match self.budget {
            Budget::None => String::new(),
            Budget::AtMost(most) => format!("≤ {most}"),
            Budget::AtLeast(least) => format!("≥ {least}"),
        };
        let mark = match self.is_ok() {
            None => "",
            Some(true) => "ok",
            Some(false) => "MISSED",
        };
        let digits = if self.value.abs() >= 100.0 { 0 } else { 3 };
        format!(
            "{:<66} {:>12.digits$} {:<9} {:>10}  {mark}",
            self.name, self.value, self.unit, budget
        )
    }

    /// As a row of `target/bench.json`.
    pub fn json(&self) -> serde_json::Value {
        let budget = match self.budget {
            Budget::None => serde_json::Value::Null,
            Budget::AtMost(bound) | Budget::AtLeast(bound) => bound.into(),
        };
        serde_json::json!({
            "name": self.name, "value": self.value, "unit": self.unit, "budget": budget, "ok": self.is_ok(),
        })
    }
}

/// A watch that runs from its start: the one place of the benchmarks that reads a clock.
#[derive(Clone, Copy, Debug)]
pub struct Watch(Instant);

impl Watch {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Microseconds of a duration.
pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The value below which so many of a hundred lie.
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(place).copied().unwrap_or(f64::NAN)
}

/// A figure of a process out of `/proc`, in bytes: `VmRSS`, `VmHWM`.
pub fn memory_of(process: u32, what: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(what))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Processor time that this process has used, in seconds; by the kernel's ticks of a hundredth.
pub fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_beyond_its_budget_is_missed() {
        assert_eq!(Figure::at_most("a", 2.0, "B", 1.0).is_ok(), Some(false));
        assert_eq!(Figure::at_least("a", 2.0, "B", 1.0).is_ok(), Some(true));
        assert_eq!(Figure::told("a", 2.0, "B").is_ok(), None);
    }

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let mut values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(percentile(&mut values, 50), 3.0);
        assert_eq!(percentile(&mut values, 99), 5.0);
    }

    #[test]
    fn only_times_may_be_worse_on_a_busy_machine() {
        for (unit, is_time) in [("ms", true), ("s", true), ("B", false), ("requests", false)] {
            let figure = |value| Figure::at_most("", value, unit, 10.0);
            assert!(figure(10.0).is_within(4.0));
            assert_eq!(figure(39.0).is_within(4.0), is_time, "{unit}");
            assert!(!figure(41.0).is_within(4.0), "{unit}");
            assert_eq!(
                figure(11.0).is_within(1.0),
                figure(11.0).is_ok() == Some(true)
            );
        }
        let rate = |value| Figure::at_least("", value, "changes/s", 100.0);
        assert!(rate(26.0).is_within(4.0) && !rate(24.0).is_within(4.0));
        assert!(Figure::told("", 1e9, "ms").is_within(1.0));
    }
}
