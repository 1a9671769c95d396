//! Civil time in the city: UTC+8, no daylight saving.

use chrono::{DateTime, Datelike as _, Duration};
use patrol_core::domain::time::{DAY_MS, Timestamp};

/// The year in the city.
pub fn year(time: Timestamp) -> i32 {
    local(time).map_or(1970, |date| date.year())
}

/// The day in the city, as the number YYYYMMDD.
pub fn day_number(time: Timestamp) -> u32 {
    local(time).map_or(19_700_101, |date| {
        date.year().unsigned_abs() * 10_000 + date.month() * 100 + date.day()
    })
}

/// The day in the city, as 2026-01-31.
pub fn day(time: Timestamp) -> String {
    local(time).map_or_else(String::new, |date| date.format("%Y-%m-%d").to_string())
}

/// When the day in the city has begun.
pub(crate) fn day_begins(time: Timestamp) -> Timestamp {
    const EAST_8_MS: i64 = 8 * 60 * 60 * 1_000;
    let of_day = (time.0 + EAST_8_MS).rem_euclid(DAY_MS);
    time.plus_ms(-of_day)
}

/// Month, day, hour, minute and second in the city, without anything between.
pub fn second(time: Timestamp) -> String {
    local(time).map_or_else(String::new, |date| date.format("%m%d%H%M%S").to_string())
}

/// RFC 3339 with the city's offset.
pub fn rfc3339(time: Timestamp) -> String {
    local(time).map_or_else(String::new, |date| {
        date.format("%Y-%m-%dT%H:%M:%S%.3f+08:00").to_string()
    })
}

/// Reads RFC 3339 with any offset.
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|date| Timestamp(date.timestamp_millis()))
}

/// Reads a day in the city, as its beginning, or RFC 3339 with any offset. Its year has four digits in the city too.
pub fn parse_day(text: &str) -> Option<Timestamp> {
    let time = parse_rfc3339(text).or_else(|| parse_rfc3339(&format!("{text}T00:00:00+08:00")));
    time.filter(|time| year(*time) <= 9999)
}

fn local(time: Timestamp) -> Option<DateTime<chrono::Utc>> {
    DateTime::from_timestamp_millis(time.0)?.checked_add_signed(Duration::hours(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_turns_at_the_citys_midnight() {
        let eve = parse_rfc3339("2026-12-31T23:59:59.999+08:00").expect("a time");
        assert_eq!(parse_day("2027-01-01"), Some(eve.plus_ms(1)));
        assert_eq!(parse_day("2026-12-31T15:59:59.999Z"), Some(eve));
        assert_eq!(["", "2027-01", "2027-02-29"].map(parse_day), [None; 3]);
        assert_eq!(parse_day("9999-12-31T23:59:59-12:00"), None);
        assert!(parse_day("9999-12-31T23:59:59+08:00").is_some());
        assert_eq!((year(eve), year(eve.plus_ms(1))), (2026, 2027));
        let begun = [eve, eve.plus_ms(1)].map(day_begins);
        assert_eq!(begun, [eve.plus_ms(1 - DAY_MS), eve.plus_ms(1)]);
        let days = [eve, eve.plus_ms(1)].map(day_number);
        assert_eq!(days, [20_261_231, 20_270_101]);
        assert_eq!([eve, eve.plus_ms(1)].map(day), ["2026-12-31", "2027-01-01"]);
        assert_eq!(rfc3339(eve), "2026-12-31T23:59:59.999+08:00");
    }
}
