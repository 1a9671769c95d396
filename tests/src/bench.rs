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

use std::path::Path;
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
    /// Whether a machine that does other things excuses nothing: of what is measured by turns it meets both sides.
    pub is_strict: bool,
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
            is_strict: false,
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

    /// A figure to which no slack applies, whatever its unit.
    pub fn strict(self) -> Self {
        Self {
            is_strict: true,
            ..self
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
    /// may not, nor what is strict.
    pub fn is_within(&self, slack: f64) -> bool {
        let slack = match self.unit {
            "ms" | "s" | "×" | "changes/s" if !self.is_strict => slack,
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

    /// As a row of `bench.json`.
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

/// What machine this is, and on what its temporary files lie: times mean nothing without it.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, name)| name.trim());
    let folder = std::env::temp_dir();
    let folder = folder.canonicalize().unwrap_or(folder);
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let kind = file_system(&mounts, &folder).unwrap_or("an unknown file system");
    let void = if IN_MEMORY.contains(&kind) {
        ": IN MEMORY, so no time that waits for a disk counts (TMPDIR names another folder)"
    } else {
        ""
    };
    format!(
        "{cores} cores of {model} · {} on {kind}{void}",
        folder.display()
    )
}

/// File systems that are no disk.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// The kind of file system on which a folder lies, by what the system says is mounted.
fn file_system<'m>(mounts: &'m str, folder: &Path) -> Option<&'m str> {
    let mounted = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((Path::new(words.next()?), words.next()?))
    });
    // Of two at one place the later one hides the other.
    mounted
        .filter(|(at, _)| folder.starts_with(at))
        .max_by_key(|(at, _)| at.components().count())
        .map(|(_, kind)| kind)
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
    fn a_folder_lies_on_what_is_mounted_nearest_above_it() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/a xfs rw 0 0\nnone /t ramfs rw 0 0\n";
        for (folder, kind) in [
            ("/var/tmp", "ext4"),
            ("/tmp", "tmpfs"),
            ("/tmp/b", "tmpfs"),
            ("/tmp/a/c", "xfs"),
        ] {
            assert_eq!(
                file_system(mounts, Path::new(folder)),
                Some(kind),
                "{folder}"
            );
        }
        assert_eq!(file_system("", Path::new("/")), None);
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
        let ratio = |value| Figure::at_most("", value, "×", 1.5);
        assert!(ratio(5.9).is_within(4.0) && !ratio(1.6).strict().is_within(4.0));
        assert!(ratio(1.5).strict().is_within(4.0));
    }
}
