//! What a phone's program that is made to be killed says of its steps, a line each: before it begins one, and when it has done it.
//!
//! What it has said last tells what a kill has cut. It says nothing of the disk.

use std::io::Write as _;
use std::sync::Arc;

use patrol_core::domain::id::{DraftId, EntryId};
use patrol_core::sync::transport::Transport;

use super::cut::{Line, Observer};

/// A line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// At its start it finds this draft, as it was changed for the so manieth time.
    Found(DraftId, u32),
    /// So often changed, the draft is durable.
    Drafted(DraftId, u32),
    /// It begins to record a deed.
    Recording,
    /// The entry of that deed is durable.
    Recorded(EntryId),
    /// It begins to sync.
    Syncing,
    /// It sends a request.
    Asking,
    /// So many of that request's changes had been known.
    Known(usize),
    /// The whole answer has come.
    Answered,
    /// The sync has ended, and nothing waits any more.
    Synced,
    /// The sync has ended otherwise.
    Unsynced,
}

impl Said {
    /// Says it.
    ///
    /// # Panics
    /// If nobody listens.
    pub fn tell(self) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", self.line()).expect("somebody listens");
    }

    fn line(self) -> String {
        match self {
            Self::Found(draft, change) => format!("found {} {change}", draft.hex()),
            Self::Drafted(draft, change) => format!("drafted {} {change}", draft.hex()),
            Self::Recording => "recording".to_owned(),
            Self::Recorded(entry) => entry.hex(),
            Self::Syncing => "syncing".to_owned(),
            Self::Asking => "asking".to_owned(),
            Self::Known(count) => format!("known {count}"),
            Self::Answered => "answered".to_owned(),
            Self::Synced => "synced".to_owned(),
            Self::Unsynced => "unsynced".to_owned(),
        }
    }

    /// None: the kill has cut the line, or it is no line of this.
    pub(super) fn of(line: &str) -> Option<Self> {
        Some(match line {
            "recording" => Self::Recording,
            "syncing" => Self::Syncing,
            "asking" => Self::Asking,
            "answered" => Self::Answered,
            "synced" => Self::Synced,
            "unsynced" => Self::Unsynced,
            line => match *line.split(' ').collect::<Vec<_>>() {
                ["found", draft, change] => {
                    Self::Found(DraftId::from_hex(draft)?, change.parse().ok()?)
                }
                ["drafted", draft, change] => {
                    Self::Drafted(DraftId::from_hex(draft)?, change.parse().ok()?)
                }
                ["known", count] => Self::Known(count.parse().ok()?),
                [entry] => Self::Recorded(EntryId::from_hex(entry)?),
                _ => return None,
            },
        })
    }
}

struct Aloud;

impl Observer for Aloud {
    fn sent(&self) -> u32 {
        Said::Asking.tell();
        0
    }

    fn failed(&self, _: u32) {}

    fn known(&self, count: usize) {
        if count > 0 {
            Said::Known(count).tell();
        }
    }

    fn answered(&self) {
        Said::Answered.tell();
    }
}

/// A way to the server of a phone that says what it asks. None: there is no client to be had.
pub fn aloud() -> Option<impl Transport> {
    Line::new(Arc::new(Aloud))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_heard_and_half_a_line_is_nothing() {
        let (entry, draft) = (EntryId([7; 16]), DraftId([8; 16]));
        for said in [
            Said::Found(draft, 1),
            Said::Drafted(draft, 2),
            Said::Recording,
            Said::Recorded(entry),
            Said::Syncing,
            Said::Asking,
            Said::Known(3),
            Said::Answered,
            Said::Synced,
            Said::Unsynced,
        ] {
            let line = said.line();
            assert_eq!(Said::of(&line), Some(said));
            assert_eq!(Said::of(&line[..line.len() - 1]), None, "{line}");
        }
    }
}
