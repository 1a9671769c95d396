//! Leaves as they are kept beside a version of the directory, as JSON: ids in hexadecimal digits, times in milliseconds. Its form is the
//! database's, and has no version of its own.
//!
//! Whether a leave makes sense is not asked.

use patrol_core::domain::capability::Role;
use patrol_core::domain::id::PersonId;
use patrol_core::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Leave, Named};
use crate::directory::fields::{post_at, post_at_text};
use crate::directory::kept::PostKey;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LeaveText {
    no: u64,
    person: String,
    asked: i64,
    from: i64,
    known: Vec<(String, String, i64)>,
    substitutes: Vec<NamedText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedText {
    no: u64,
    person: String,
    since: i64,
}

/// Writes leaves.
pub(crate) fn write(leaves: &[Leave]) -> String {
    let texts = leaves.iter().map(|leave| LeaveText {
        no: leave.no,
        person: leave.person.hex(),
        asked: leave.asked.0,
        from: leave.from.0,
        known: leave
            .known
            .iter()
            .map(|(role, at, from)| (role.word().to_owned(), post_at_text(*at), from.0))
            .collect(),
        substitutes: leave
            .substitutes
            .iter()
            .map(|named| NamedText {
                no: named.no,
                person: named.person.hex(),
                since: named.since.0,
            })
            .collect(),
    });
    serde_json::json!(texts.collect::<Vec<_>>()).to_string()
}

/// Reads leaves. None: they are none.
pub(crate) fn read(text: &str) -> Option<Vec<Leave>> {
    let texts: Vec<LeaveText> = serde_json::from_str(text).ok()?;
    texts.iter().map(leave).collect()
}

fn leave(text: &LeaveText) -> Option<Leave> {
    let key = |(role, at, from): &(String, String, i64)| -> Option<PostKey> {
        Some((Role::from_word(role)?, post_at(at)?, Timestamp(*from)))
    };
    let named = |named: &NamedText| {
        Some(Named {
            no: named.no,
            person: PersonId::from_hex(&named.person)?,
            since: Timestamp(named.since),
        })
    };
    Some(Leave {
        no: text.no,
        person: PersonId::from_hex(&text.person)?,
        asked: Timestamp(text.asked),
        from: Timestamp(text.from),
        known: text.known.iter().map(key).collect::<Option<_>>()?,
        substitutes: text.substitutes.iter().map(named).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use patrol_core::domain::directory::{BeatId, PostAt};

    use super::*;

    #[test]
    fn what_is_kept_of_leaves_is_read_as_it_was() {
        let leave = Leave {
            no: 1,
            person: PersonId([1; 8]),
            asked: Timestamp(-5),
            from: Timestamp(7),
            known: vec![(Role::Inspector, PostAt::Beat(BeatId(3)), Timestamp(2))],
            substitutes: vec![Named {
                no: 2,
                person: PersonId([2; 8]),
                since: Timestamp(9),
            }],
        };
        let kept = write(std::slice::from_ref(&leave));
        let expected = r#"[{"asked":-5,"from":7,"known":[["inspector","beat:3",2]],"no":1,"person":"0101010101010101","substitutes":[{"no":2,"person":"0202020202020202","since":9}]}]"#;
        assert_eq!(kept, expected);
        assert_eq!(read(&kept), Some(vec![leave]));
        assert_eq!(read("[]"), Some(Vec::new()));
        for other in ["", "{}", "[1]"] {
            assert_eq!(read(other), None);
        }
        for (was, is) in [
            ("beat:3", "beat"),
            ("inspector", "x"),
            ("0101", "01"),
            ("no", "number"),
        ] {
            assert_eq!(read(&expected.replacen(was, is, 1)), None, "{was}");
        }
    }
}
