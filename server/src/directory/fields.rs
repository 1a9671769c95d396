//! Reads the single fields of the files: numbers, codes, days, degrees.
//!
//! It never guesses: a field that is not exactly of its form gives nothing, and its row is reported.

use patrol_core::domain::directory::{BeatId, CategoryKey, PostAt};
use patrol_core::domain::id::UnitId;
use patrol_core::domain::place::{Datum, Point};
use patrol_core::domain::time::{DAY_MS, Timestamp};

use super::csv::Line;
use super::fault::{ImportFault, Reason};

/// Reads decimal digits.
pub(super) fn number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// Reads a code of so many digits, of which the first is not 0.
pub(super) fn code(text: &str, digits: usize) -> Option<u64> {
    number(text).filter(|_| text.len() == digits && !text.starts_with('0'))
}

/// Reads the kind of a category.
pub(super) fn category_kind(text: &str) -> Option<u64> {
    match text {
        "component" => Some(CategoryKey::COMPONENT),
        "matter" => Some(CategoryKey::MATTER),
        _ => None,
    }
}

/// Reads where a post is held: `city`, `unit:101`, `beat:1`.
pub(super) fn post_at(text: &str) -> Option<PostAt> {
    match text.split_once(':') {
        None if text == "city" => Some(PostAt::City),
        Some(("unit", id)) => Some(PostAt::Unit(UnitId(number(id)?))),
        Some(("beat", id)) => Some(PostAt::Beat(BeatId(number(id)?.try_into().ok()?))),
        _ => None,
    }
}

/// Writes where a post is held, as [`post_at`] reads it.
pub(crate) fn post_at_text(at: PostAt) -> String {
    match at {
        PostAt::City => "city".to_owned(),
        PostAt::Unit(unit) => format!("unit:{unit}"),
        PostAt::Beat(beat) => format!("beat:{}", beat.0),
    }
}

/// The point of a village, for which both coordinates are given.
pub(super) fn point(line: &Line<'_>, faults: &mut Vec<ImportFault>) -> Option<Point> {
    let lon = line
        .read_optional(
            "lon_gcj02",
            Reason::NotACoordinate,
            |text| degrees_e7(text, 180),
            faults,
        )
        .ok()?;
    let lat = line
        .read_optional(
            "lat_gcj02",
            Reason::NotACoordinate,
            |text| degrees_e7(text, 90),
            faults,
        )
        .ok()?;
    if lon.is_some() != lat.is_some() {
        let missing = if lon.is_some() {
            "lat_gcj02"
        } else {
            "lon_gcj02"
        };
        faults.push(line.fault(missing, Reason::NotACoordinate));
    }
    Some(Point {
        lon_e7: lon?,
        lat_e7: lat?,
        datum: Datum::Gcj02,
        accuracy_m: None,
    })
}

/// Reads degrees of at most 7 decimals exactly, in 10⁻⁷ degrees.
fn degrees_e7(text: &str, degrees_max: i64) -> Option<i64> {
    const ONE: i64 = 10_000_000;
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or((1, text), |digits| (-1, digits));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    if whole.is_empty() || decimals.is_empty() || decimals.len() > 7 {
        return None;
    }
    let whole = i64::try_from(number(whole)?)
        .ok()
        .filter(|degrees| *degrees <= degrees_max)?;
    let decimals = i64::try_from(number(&format!("{decimals:0<7}"))?).ok()?;
    let value = whole * ONE + decimals;
    (value <= degrees_max * ONE).then_some(sign * value)
}

/// Reads a day and gives its beginning in +08:00.
pub(super) fn day(text: &str) -> Option<Timestamp> {
    const EAST_8_MS: i64 = 8 * 60 * 60 * 1_000;
    let mut parts = text.split('-');
    let mut part = |digits: usize| {
        let text = parts.next().filter(|text| text.len() == digits)?;
        i64::try_from(number(text)?).ok()
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        _ => return None,
    };
    if !(1..=month_days).contains(&day) || parts.next().is_some() {
        return None;
    }
    // Years are counted from March, so that the leap day is the last; 719 468 days lie between 0000-03-01 and 1970.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1;
    Some(Timestamp((days - 719_468) * DAY_MS - EAST_8_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_in_china() {
        assert_eq!(day("1970-01-01"), Some(Timestamp(-28_800_000)));
        assert_eq!(day("2026-01-01"), Some(Timestamp(1_767_196_800_000)));
        assert_eq!(day("2024-02-29"), Some(Timestamp(1_709_136_000_000)));
        assert_eq!(day("2000-03-01"), Some(Timestamp(951_840_000_000)));
        for wrong in [
            "",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-1-01",
            "2024-01-01-",
            "2024-01-00",
            "2024/01/01",
        ] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn coordinates_are_read_exactly() {
        assert_eq!(degrees_e7("113.540091", 180), Some(1_135_400_910));
        assert_eq!(degrees_e7("-0.0000001", 90), Some(-1));
        assert_eq!(degrees_e7("90", 90), Some(900_000_000));
        for wrong in [
            "",
            ".5",
            "5.",
            "90.0000001",
            "1.12345678",
            "1e2",
            "--1",
            "1.-1",
            "+1",
            "99999999999999999999",
        ] {
            assert_eq!(degrees_e7(wrong, 90), None, "{wrong}");
        }
    }
}
