//! Reads the single fields of the files: numbers, codes, days, degrees.
//!
//! It never guesses: a field that is not exactly of its form gives nothing, and its row is reported.

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{BeatId, CategoryKey, PostAt, UnitKind};
use patrol_core::domain::id::UnitId;
use patrol_core::domain::limits;
use patrol_core::domain::place::{Datum, Point, VillageCode};
use patrol_core::domain::time::{DAY_MS, Timestamp};

use crate::sheet::{Faults, Line, Reason};

/// Reads decimal digits.
pub(crate) fn number(text: &str) -> Option<u64> {
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
        "component" | "部件" => Some(CategoryKey::COMPONENT),
        "matter" | "事项" | "事件" => Some(CategoryKey::MATTER),
        _ => None,
    }
}

/// Reads the kind of a unit that is listed; towns and villages are units by their codes.
pub(super) fn unit_kind(text: &str) -> Option<UnitKind> {
    match text {
        "department" | "部门" | "职能部门" => Some(UnitKind::Department),
        "enterprise" | "企业" => Some(UnitKind::Enterprise),
        _ => None,
    }
}

/// Reads a role, and whether its post must have an end: a substitute is an inspector for a time.
pub(super) fn role(text: &str) -> Option<(Role, bool)> {
    let role = match text {
        "substitute" | "替班巡查员" | "替班" => return Some((Role::Inspector, true)),
        "巡查员" => Role::Inspector,
        "村干部" => Role::Cadre,
        "受理派遣员" => Role::Dispatcher,
        "单位操作员" => Role::UnitOperator,
        "督办领导" => Role::Leader,
        "评价员" => Role::Evaluator,
        "管理员" => Role::Administrator,
        word => Role::from_word(word)?,
    };
    Some((role, false))
}

/// Reads where a post is held: `city`, `unit:101`, `beat:1`; or 全市, 单位:101, 村:440403100201, 网格:1.
pub(super) fn post_at(text: &str) -> Option<PostAt> {
    match text.split_once([':', '：']) {
        None if matches!(text, "city" | "全市") => Some(PostAt::City),
        Some(("unit" | "单位", id)) => Some(PostAt::Unit(UnitId(number(id)?))),
        Some(("村", id)) => Some(PostAt::Unit(VillageCode::parse(id)?.unit())),
        Some(("beat" | "网格", id)) => Some(PostAt::Beat(BeatId(number(id)?.try_into().ok()?))),
        _ => None,
    }
}

/// Writes where a post is held, as [`post_at`] reads it.
pub fn post_at_text(at: PostAt) -> String {
    match at {
        PostAt::City => "city".to_owned(),
        PostAt::Unit(unit) => format!("unit:{unit}"),
        PostAt::Beat(beat) => format!("beat:{}", beat.0),
    }
}

/// Stands for a name that could not be read, so that nobody finds it empty.
const UNREAD: &str = "\u{fdd0}";

/// Reads a name.
pub(super) fn name(line: &Line, column: &str, faults: &mut Faults) -> String {
    if line.is_spoilt(column) {
        return UNREAD.to_owned();
    }
    bounded(line, column, limits::NAME_CHARS_MAX, faults)
}

/// Whether a row calls a thing otherwise than the first of its rows whose name could be read, which is kept.
pub(super) fn is_other_name(kept: &mut String, name: &str) -> bool {
    if *kept == UNREAD {
        name.clone_into(kept);
    }
    *kept != name && name != UNREAD
}

/// Reads a text of at most so many characters.
pub(crate) fn bounded(line: &Line, column: &str, most: usize, faults: &mut Faults) -> String {
    let text = line.field(column);
    if text.chars().count() > most {
        faults.push(line.fault(column, Reason::TooLong { most }));
    }
    text.to_owned()
}

/// The columns of a point: in one datum, both coordinates.
pub(crate) const POINT: &[&str] = &[
    "lon_gcj02",
    "lat_gcj02",
    "lon_cgcs2000",
    "lat_cgcs2000",
    "lon_wgs84",
    "lat_wgs84",
];

/// What a row of villages may have besides: its point, and its end.
pub(super) const VILLAGE: &[&str] = &[
    "lon_gcj02",
    "lat_gcj02",
    "lon_cgcs2000",
    "lat_cgcs2000",
    "lon_wgs84",
    "lat_wgs84",
    "until",
    "last_day",
];

/// The point of a row, if it has one.
pub(crate) fn point(line: &Line, faults: &mut Faults) -> Option<Point> {
    let mut points = Vec::new();
    for (lon, lat, datum) in [
        ("lon_gcj02", "lat_gcj02", Datum::Gcj02),
        ("lon_cgcs2000", "lat_cgcs2000", Datum::Cgcs2000),
        ("lon_wgs84", "lat_wgs84", Datum::Wgs84),
    ] {
        let mut read = |column, most| {
            line.read_optional(
                column,
                Reason::NotACoordinate,
                |text| degrees_e7(text, most),
                faults,
            )
        };
        let (Ok(lon_e7), Ok(lat_e7)) = (read(lon, 180), read(lat, 90)) else {
            continue;
        };
        match (lon_e7, lat_e7) {
            (None, None) => {}
            (Some(_), None) => faults.push(line.fault(lat, Reason::NotACoordinate)),
            (None, Some(_)) => faults.push(line.fault(lon, Reason::NotACoordinate)),
            // What programs write for a place that they do not know; it lies in the Atlantic.
            (Some(0), Some(0)) => faults.push(line.fault(lon, Reason::NotACoordinate)),
            (Some(lon_e7), Some(lat_e7)) => points.push((
                lon,
                Point {
                    lon_e7,
                    lat_e7,
                    datum,
                    accuracy_m: None,
                },
            )),
        }
    }
    // One place has one point; which of two was meant, nobody here knows.
    for (column, other) in points.iter().skip(1) {
        if points
            .first()
            .is_some_and(|(_, first)| !is_one(first, other))
        {
            faults.push(line.fault(column, Reason::Contradiction));
        }
    }
    points.first().map(|(_, point)| *point)
}

/// Whether two points are one: in CGCS2000 and WGS-84, which differ by less than a metre, the same but for what rounding makes.
fn is_one(one: &Point, other: &Point) -> bool {
    let is_shifted = [one.datum, other.datum].contains(&Datum::Gcj02);
    let apart = (one.lon_e7 - other.lon_e7)
        .abs()
        .max((one.lat_e7 - other.lat_e7).abs());
    !is_shifted && apart <= limits::POSITIONS_ONE_E7
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

/// Reads a day, as 2026-01-31 or as Excel makes of it, 2026/1/31, and gives its beginning in +08:00.
pub(crate) fn day(text: &str) -> Option<Timestamp> {
    const EAST_8_MS: i64 = 8 * 60 * 60 * 1_000;
    let (mut parts, least) = if text.contains('/') {
        (text.split('/'), 1)
    } else {
        (text.split('-'), 2)
    };
    let mut part = |digits: std::ops::RangeInclusive<usize>| {
        let text = parts.next().filter(|text| digits.contains(&text.len()))?;
        i64::try_from(number(text)?).ok()
    };
    let (year, month, day) = (part(4..=4)?, part(least..=2)?, part(least..=2)?);
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

/// The columns of an end.
pub(super) const END: &[&str] = &["until", "last_day"];

/// Reads when a row ends, if it does: `until` is the day from which it holds no more, `last_day` the last on which it holds.
pub(super) fn end(line: &Line, faults: &mut Faults) -> Result<Option<Timestamp>, ()> {
    let until = line.read_optional("until", Reason::NotADay, day, faults);
    let last_day = line.read_optional("last_day", Reason::NotADay, day, faults);
    match (until?, last_day?.map(|day| day.plus_ms(DAY_MS))) {
        (Some(until), Some(end)) if until != end => {
            faults.push(line.fault("last_day", Reason::Contradiction));
            Err(())
        }
        (until, end) => Ok(until.or(end)),
    }
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
        assert_eq!(day("2000/3/1"), day("2000-03-01"));
        for wrong in [
            "",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-1-01",
            "2024-01-01-",
            "2024-01-00",
            "2024/1-1",
            "24/1/1",
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
