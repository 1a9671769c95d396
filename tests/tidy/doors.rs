//! One door for writes: who may compose a change, admit it, and store it.
//!
//! The lists name files, so that a second door has to be written down here by whoever opens it.

use super::source::{Source, places, rust};
use super::{Breaches, of};

/// A call that writes, and the files that may make it (as prefixes), besides tests and where it is defined.
const DOORS: &[(&str, &[&str])] = &[
    // A change is made by the two recorders, by those who make again what they made, and by who rebuilds what came.
    (
        "compose(",
        &[
            "core/src/doc/compose.rs",
            "core/src/replica/record.rs",
            "core/src/replica/remake",
            "core/src/sync/strip",
            "server/src/office",
            "server/src/grow",
        ],
    ),
    (
        "admit(",
        &[
            "core/src/doc/admit.rs",
            "core/src/replica/record.rs",
            "server/src/grow",
        ],
    ),
    // What is parsed without the checks of admission had been admitted before, or was made here.
    (
        "parse_admitted(",
        &[
            "core/src/doc/",
            "core/src/replica/",
            "server/src/review",
            "server/src/api/reviews.rs",
        ],
    ),
    // The phone's table of changes.
    (
        "put_local(",
        &[
            "core/src/store/changes.rs",
            "core/src/replica/record.rs",
            "core/src/replica/remake",
            "core/src/replica/resend.rs",
        ],
    ),
    ("changes::place(", &["core/src/replica/page.rs"]),
    (
        "changes::rewrite(",
        &["core/src/replica/round", "core/src/replica/mend.rs"],
    ),
    (
        "next_n(",
        &[
            "core/src/store/enrolment.rs",
            "core/src/replica/record.rs",
            "server/src/app.rs",
            "server/src/office",
        ],
    ),
    // The server's one write.
    (
        ".commit(&",
        &[
            "server/src/intake",
            "server/src/office",
            "server/src/relic.rs",
            "server/src/review",
            "server/src/contact.rs",
            "server/src/holes.rs",
        ],
    ),
    // Nobody but the feeds' keeper numbers rows.
    ("INSERT INTO feed ", &["server/src/store/sqlite/feeds.rs"]),
    (
        "INSERT INTO changes ",
        &["server/src/store/sqlite/", "core/src/store/changes.rs"],
    ),
    (
        "DELETE FROM changes ",
        &["core/src/store/changes.rs", "core/src/store/documents.rs"],
    ),
    ("DELETE FROM boxed ", &["core/src/store/boxes.rs"]),
    // What the server has written into a feed or a document stands.
    ("DELETE FROM feed ", &[]),
    ("UPDATE feed ", &[]),
    ("UPDATE changes SET body", &[]),
];

fn second_doors(files: &[Source]) -> Breaches {
    let mut breaches = Breaches::new();
    for file in files.iter().filter(|file| {
        let is_shipped = ["core/src/", "server/src/", "bindings/src/"]
            .iter()
            .any(|folder| file.path.starts_with(folder));
        is_shipped && !file.is_test()
    }) {
        for (call, doors) in DOORS {
            if doors.iter().any(|door| file.path.starts_with(door)) {
                continue;
            }
            // SQL stands in literals, calls stand in code.
            let is_sql = !call.contains('(');
            let text = if is_sql { &file.text } else { file.shipped() };
            let found = places(text, call)
                .into_iter()
                .filter(|place| !text[..*place].ends_with("fn "));
            breaches
                .extend(found.map(|place| file.breach(place, &format!("a second door: {call}"))));
        }
    }
    breaches
}

#[test]
fn every_write_goes_through_its_one_door() {
    assert_eq!(second_doors(&rust()), Breaches::new());
    let breaches = of(
        &[
            (
                "server/src/api/cases.rs",
                "fn a() { compose(x); store.commit(&x) }",
            ),
            (
                "core/src/replica/views.rs",
                "fn a() { recompose(x); t.execute(\"DELETE FROM boxed WHERE 1\") }",
            ),
            ("core/src/replica/record.rs", "fn a() { compose(x) }"),
            ("core/src/store/tests.rs", "fn a() { put_local(x) }"),
        ],
        second_doors,
    );
    assert_eq!(
        breaches,
        [
            "server/src/api/cases.rs:1: a second door: compose(",
            "server/src/api/cases.rs:1: a second door: .commit(&",
            "core/src/replica/views.rs:1: a second door: DELETE FROM boxed ",
        ]
    );
}

/// Doors that nobody uses any more, so that the list stays true.
fn idle_doors(files: &[Source]) -> Breaches {
    let mut idle = Breaches::new();
    for (call, doors) in DOORS {
        for door in *doors {
            let uses = |file: &&Source| {
                file.path.starts_with(door) && !places(&file.text, call).is_empty()
            };
            if !files.iter().any(|file| uses(&file)) {
                idle.push(format!("{door} does not call {call} any more"));
            }
        }
    }
    idle
}

#[test]
fn every_door_is_in_use() {
    assert_eq!(idle_doors(&rust()), Breaches::new());
    assert_eq!(
        of(&[], idle_doors).len(),
        DOORS.iter().map(|(_, doors)| doors.len()).sum::<usize>()
    );
}
