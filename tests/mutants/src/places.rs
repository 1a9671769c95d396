//! The files whose guards are asked after, and what a build is sown with beside them.

/// What lets something in: its bytes, the server's admission, the phone's mending, the session.
pub const FILES: &[&str] = &[
    "core/src/doc/admit.rs",
    "core/src/doc/chunk.rs",
    "core/src/doc/decode.rs",
    "core/src/doc/entry.rs",
    "core/src/doc/key.rs",
    "core/src/doc/parse.rs",
    "core/src/replica/mend.rs",
    "core/src/replica/remake/standing.rs",
    "core/src/replica/rescue.rs",
    "core/src/sync/rescue.rs",
    "core/src/sync/seal.rs",
    "core/src/sync/session.rs",
    "server/src/bundle.rs",
    "server/src/holes.rs",
    "server/src/intake.rs",
    "server/src/intake/items.rs",
    "server/src/intake/judge.rs",
    "server/src/intake/judge/kept.rs",
    "server/src/intake/judge/standing.rs",
    "server/src/relic.rs",
    "server/src/review.rs",
];

/// Scenes that take long and speak of one guard: what its mutants change contains the words. They meet these first, whatever is allowed.
pub const SCENES: &[(&str, &str)] = &[
    (
        "self.loaded_bytes",
        "a_frame_makes_the_server_load_so_much_and_no_more",
    ),
    (
        "bytes += growing.bytes()",
        "a_frame_makes_the_server_load_so_much_and_no_more",
    ),
];

/// Which mutant a process runs with, and which ones a test reaches: a file of core's in the copy.
pub const CHOICE: &str = r#"//! Which mutant this process runs with: one at most.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

static CHOSEN: LazyLock<usize> = LazyLock::new(|| {
    let chosen = std::env::var("MUTANT").ok();
    chosen.and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
});

struct Seen {
    file: File,
    marks: Vec<AtomicBool>,
}

static SEEN: LazyLock<Option<Seen>> = LazyLock::new(|| {
    let name = std::env::var("MUTANTS_SEEN").ok()?;
    let file = File::options().write(true).open(name).ok()?;
    let count = file.metadata().ok()?.len() as usize;
    let marks = (0..count).map(|_| AtomicBool::new(false)).collect();
    Some(Seen { file, marks })
});

/// Whether it is this one.
pub fn is(number: usize) -> bool {
    if let Some(seen) = &*SEEN
        && let Some(mark) = seen.marks.get(number)
        && !mark.swap(true, Ordering::Relaxed)
    {
        let _ = seen.file.write_at(&[1], number as u64);
    }
    *CHOSEN == number
}
"#;
