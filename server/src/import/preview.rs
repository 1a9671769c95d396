//! What two directories differ in, row by row as files have them.
//!
//! It judges nothing; the rows of a table that are listed are bounded, all are counted.

use std::collections::BTreeMap;

use patrol_core::domain::directory::{Directory, UnitKind};
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use serde_json::{Value, json};

use super::proposals::degrees;
use crate::calendar::{day, rfc3339};
use crate::directory::{Table, back, post_at_text};

/// What stands in a row beside what names it.
#[derive(PartialEq, Eq)]
struct Told {
    text: String,
    until: Option<Timestamp>,
}

/// The rows of a table by what names them.
type Rows = BTreeMap<String, Told>;

/// A directory as JSON: its tables with all their rows.
pub fn tables(directory: &Directory) -> Vec<Value> {
    let table = |table: Table| {
        let rows = rows(directory, table);
        let rows: Vec<Value> = rows
            .iter()
            .map(|(row, told)| {
                let (until, last_day) = (told.until.map(rfc3339), last_day(told));
                json!({ "row": row, "text": told.text, "until": until, "last_day": last_day })
            })
            .collect();
        json!({ "table": table.word(), "rows": rows })
    };
    Table::ALL.into_iter().map(table).collect()
}

/// What changes from one directory to the other, per table.
pub(super) fn changes(before: &Directory, after: &Directory) -> Vec<Value> {
    let of = |table: Table| change(table, &rows(before, table), &rows(after, table));
    Table::ALL.into_iter().map(of).collect()
}

/// How many rows of each table are not, or not so, in the other directory.
pub(crate) fn lost(before: &Directory, after: &Directory) -> Vec<(Table, usize)> {
    let of = |table: Table| {
        let (before, after) = (rows(before, table), rows(after, table));
        let is_lost = |(row, was): &(&String, &Told)| after.get(*row) != Some(*was);
        (table, before.iter().filter(is_lost).count())
    };
    Table::ALL.into_iter().map(of).collect()
}

/// What changes in a table: all of it counted, and the first of it listed, what ends before what is new.
fn change(table: Table, before: &Rows, after: &Rows) -> Value {
    let mut rows: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let all = before
        .keys()
        .chain(after.keys().filter(|row| !before.contains_key(*row)));
    for row in all {
        let (was, is) = (before.get(row), after.get(row));
        let what = what(was, is);
        *counts.entry(what).or_default() += 1;
        let rows = rows.entry(what).or_default();
        if what != "unchanged" && rows.len() < limits::IMPORT_ROWS_SHOWN {
            rows.push(
                json!({ "row": row, "what": what, "was": was.map(shown), "is": is.map(shown) }),
            );
        }
    }
    let listed: Vec<Value> = ["ended", "removed", "changed", "added"]
        .into_iter()
        .flat_map(|what| rows.remove(what).unwrap_or_default())
        .take(limits::IMPORT_ROWS_SHOWN)
        .collect();
    let count = |what| counts.get(what).copied().unwrap_or_default();
    let differing = counts.values().sum::<usize>() - count("unchanged");
    json!({
        "table": table.word(),
        "added": count("added"),
        "changed": count("changed"),
        "ended": count("ended"),
        "removed": count("removed"),
        "unchanged": count("unchanged"),
        "rows_not_shown": differing - listed.len(),
        "rows": listed,
    })
}

fn what(was: Option<&Told>, is: Option<&Told>) -> &'static str {
    match (was, is) {
        (None, _) => "added",
        (_, None) => "removed",
        (Some(was), Some(is)) if was == is => "unchanged",
        (Some(was), Some(is)) => {
            let ends_sooner = is
                .until
                .is_some_and(|until| was.until.is_none_or(|before| until < before));
            if ends_sooner && was.text == is.text {
                "ended"
            } else {
                "changed"
            }
        }
    }
}

/// What stands in a row: its end as the moment from which it holds no more, and as the last day on which it holds.
fn shown(told: &Told) -> Value {
    json!({ "text": told.text, "until": told.until.map(rfc3339), "last_day": last_day(told) })
}

fn last_day(told: &Told) -> Option<String> {
    told.until.map(|until| day(until.plus_ms(-1)))
}

fn rows(directory: &Directory, table: Table) -> Rows {
    let plain = |row: String, text: String| (row, Told { text, until: None });
    match table {
        Table::Districts => {
            let rows = directory.districts.iter();
            rows.map(|row| plain(row.code.to_string(), row.name.clone()))
                .collect()
        }
        Table::Towns => {
            let rows = directory.towns.iter();
            rows.map(|row| plain(row.code.to_string(), row.name.clone()))
                .collect()
        }
        Table::Villages => {
            let rows = back::committees(directory);
            let rows = rows.into_iter();
            rows.map(|row| {
                let text = row.point.map_or_else(
                    || row.name.clone(),
                    |point| {
                        let datum = format!("{:?}", point.datum).to_lowercase();
                        let (lon, lat) = (degrees(point.lon_e7), degrees(point.lat_e7));
                        format!("{} {datum} {lon} {lat}", row.name)
                    },
                );
                let until = row.until;
                (row.code.to_string(), Told { text, until })
            })
            .collect()
        }
        Table::Units => {
            let is_listed = |kind| matches!(kind, UnitKind::Department | UnitKind::Enterprise);
            let rows = directory.units.iter().filter(|row| is_listed(row.kind));
            rows.map(|row| {
                plain(
                    row.id.to_string(),
                    format!("{} {}", row.kind.word(), row.name),
                )
            })
            .collect()
        }
        Table::Categories => {
            let rows = directory.categories.iter();
            rows.map(|row| {
                let key = row.key;
                plain(
                    format!("{} {} {}", key.scheme, key.kind, key.code),
                    row.name.clone(),
                )
            })
            .collect()
        }
        Table::Beats => beats(directory),
        Table::People => people(directory),
    }
}

fn beats(directory: &Directory) -> Rows {
    let mut rows = Rows::new();
    for beat in &directory.beats {
        for row in &beat.villages {
            let name = format!("{} {} {}", beat.id.0, row.village, rfc3339(row.from));
            let told = Told {
                text: beat.name.clone(),
                until: row.until,
            };
            rows.insert(name, told);
        }
    }
    rows
}

fn people(directory: &Directory) -> Rows {
    let mut rows = Rows::new();
    for person in &directory.people {
        let id = person.id.hex();
        for post in &person.posts {
            let (role, at) = (post.role.word(), post_at_text(post.at));
            let name = format!("{id} {role} {at} {}", rfc3339(post.from));
            let told = Told {
                text: person.name.clone(),
                until: post.until,
            };
            rows.insert(name, told);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use patrol_core::domain::capability::Role;
    use patrol_core::domain::directory::{
        CategoryKey, CategoryRow, Person, Post, PostAt, Unit, Village,
    };
    use patrol_core::domain::id::PersonId;
    use patrol_core::domain::place::VillageCode;

    use super::*;

    #[test]
    fn everything_is_counted_and_what_ends_is_listed_before_what_is_new() {
        let of_codes = |codes: std::ops::Range<u64>| Directory {
            categories: codes
                .map(|code| CategoryRow {
                    key: CategoryKey {
                        scheme: 1,
                        kind: 1,
                        code,
                    },
                    name: "路灯".to_owned(),
                })
                .collect(),
            ..Directory::default()
        };
        let more = limits::IMPORT_ROWS_SHOWN as u64 + 50;
        let changes = changes(&of_codes(more..more + 3), &of_codes(0..more + 1));
        let table = &changes[6];
        let counts = ["added", "removed", "unchanged", "rows_not_shown"].map(|name| &table[name]);
        assert_eq!(counts, [more, 2, 1, 52]);
        let what = |at: usize| table["rows"][at]["what"].clone();
        assert_eq!([what(0), what(1), what(2)], ["removed", "removed", "added"]);
        let listed = table["rows"].as_array().map(Vec::len);
        assert_eq!(listed, Some(limits::IMPORT_ROWS_SHOWN));
    }

    #[test]
    fn a_committee_of_another_name_is_a_change_though_its_village_keeps_its_own() {
        let code = VillageCode::new(440_404_100_201).expect("twelve digits");
        let of_committee = |name: &str| Directory {
            villages: vec![Village {
                code,
                name: "鱼月村".to_owned(),
                point: None,
                until: None,
            }],
            units: vec![Unit {
                id: code.unit(),
                kind: UnitKind::Village,
                name: name.to_owned(),
            }],
            ..Directory::default()
        };
        let changes = changes(&of_committee("鱼月村委会"), &of_committee("鱼月村民委员会"));
        let row = &changes[2]["rows"][0];
        let told = [&row["what"], &row["was"]["text"], &row["is"]["text"]];
        assert_eq!(told, ["changed", "鱼月村委会", "鱼月村民委员会"]);
    }

    #[test]
    fn a_person_whose_posts_are_all_gone_is_not_counted_as_added() {
        let of_posts = |posts: Vec<Post>| Directory {
            people: vec![Person {
                id: PersonId([7; 8]),
                name: "张伟".to_owned(),
                posts,
            }],
            ..Directory::default()
        };
        let post = Post {
            role: Role::Evaluator,
            at: PostAt::City,
            from: Timestamp(9),
            until: None,
        };
        let changes = changes(&of_posts(vec![post]), &of_posts(Vec::new()));
        let counts = ["added", "removed"].map(|name| &changes[5][name]);
        assert_eq!(counts, [0, 1]);
    }
}
