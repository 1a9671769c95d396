//! What became of pushed changes.

use super::positions;
use crate::cbor::{Fault, Reader, Result, Writer};
use crate::domain::id::ChangeHash;
use crate::domain::refusal::Refusal;

/// Why a change waits without being judged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Later {
    /// A newer program made it.
    Newer,
    /// Too much from this device for today.
    Slow,
    /// No room, or the stored document is damaged.
    Storage,
}

impl Later {
    fn code(self) -> u64 {
        self as u64 + 1
    }

    fn from_code(code: u64) -> Self {
        [Self::Newer, Self::Slow, Self::Storage]
            .into_iter()
            .find(|later| later.code() == code)
            .unwrap_or(Self::Newer)
    }
}

/// What became of a pushed change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Admitted and durable.
    Ok,
    /// Was admitted before.
    Dup,
    /// These are not here; nothing was stored.
    Missing(Vec<ChangeHash>),
    /// Not judged; nothing was stored.
    Later(Later),
    /// Held for a person.
    Review,
    /// Never.
    Refused(Refusal),
}

/// Why a push frame was not read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unread {
    /// Of another epoch.
    Epoch,
    /// Its signature fails on stripped changes: send it raw.
    Rebuild,
    /// Its signature fails.
    Signature,
    /// Signed by another device than the one that carries it.
    Carried,
    /// Not a frame of this protocol.
    Malformed,
    /// Of a newer protocol.
    Newer,
    /// More than this device may push.
    TooMuch,
}

impl Unread {
    const ALL: [Self; 7] = [
        Self::Epoch,
        Self::Rebuild,
        Self::Signature,
        Self::Carried,
        Self::Malformed,
        Self::Newer,
        Self::TooMuch,
    ];

    /// The word for it in logs and counts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Rebuild => "rebuild",
            Self::Signature => "signature",
            Self::Carried => "carried",
            Self::Malformed => "malformed",
            Self::Newer => "newer",
            Self::TooMuch => "too_much",
        }
    }

    fn code(self) -> u64 {
        self as u64 + 1
    }
}

/// The answer to one push frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fates {
    /// Which push frame of the request, from 0.
    pub frame: u64,
    /// A fate for each change in order, or why none was read.
    pub outcome: std::result::Result<Vec<Fate>, Unread>,
}

impl Fates {
    /// As a payload: runs of `ok` as numbers, other fates as `[code, detail…]`, an unread frame as a second array.
    pub fn encode(&self) -> Vec<u8> {
        let mut runs: Vec<(Fate, u64)> = Vec::new();
        for fate in self.outcome.iter().flatten() {
            match runs.last_mut() {
                Some((last, count)) if last == fate => *count += 1,
                _ => runs.push((fate.clone(), 1)),
            }
        }
        let mut w = Writer::default();
        w.array(3).uint(self.frame);
        w.uint(
            self.outcome
                .as_ref()
                .err()
                .map_or(0, |unread| unread.code()),
        );
        w.array(runs.len());
        for (fate, count) in runs {
            match fate {
                Fate::Ok => w.uint(count),
                Fate::Dup => w.array(2).uint(1).uint(count),
                Fate::Review => w.array(2).uint(3).uint(count),
                Fate::Later(later) => w.array(3).uint(5).uint(count).uint(later.code()),
                Fate::Refused(refusal) => w.array(3).uint(4).uint(count).uint(refusal.number()),
                Fate::Missing(hashes) => {
                    w.array(2 + hashes.len()).uint(2).uint(count);
                    for hash in &hashes {
                        w.bytes(&hash.0);
                    }
                    &mut w
                }
            };
        }
        w.finish()
    }

    /// From a payload; at most `changes_max` fates.
    pub fn decode(payload: &[u8], changes_max: usize) -> Result<Self> {
        positions(payload, 3, |r| {
            let (frame, unread) = (r.uint()?, r.uint()?);
            let mut fates: Vec<Fate> = Vec::new();
            for _ in 0..r.array()? {
                let (fate, count) = if r.is_array() {
                    read_run(r)?
                } else {
                    (Fate::Ok, r.size()?)
                };
                if count > changes_max.saturating_sub(fates.len()) {
                    return Err(Fault::Unexpected);
                }
                fates.resize(fates.len() + count, fate);
            }
            let unread = if unread == 0 {
                None
            } else {
                Some(
                    Unread::ALL
                        .into_iter()
                        .find(|code| code.code() == unread)
                        .unwrap_or(Unread::Newer),
                )
            };
            Ok(Self {
                frame,
                outcome: unread.map_or(Ok(fates), Err),
            })
        })
    }
}

fn read_run(r: &mut Reader<'_>) -> Result<(Fate, usize)> {
    let parts = r.array()?;
    let (code, count) = (r.uint()?, r.size()?);
    let fate = match (code, parts) {
        (1, 2) => Fate::Dup,
        (2, _) => Fate::Missing(
            (2..parts)
                .map(|_| r.array_of().map(ChangeHash))
                .collect::<Result<_>>()?,
        ),
        (3, 2) => Fate::Review,
        (4, 3) => Fate::Refused(Refusal::from_number(r.uint()?).unwrap_or(Refusal::UpdateNeeded)),
        (5, 3) => Fate::Later(Later::from_code(r.uint()?)),
        _ => return Err(Fault::Unexpected),
    };
    Ok((fate, count))
}
