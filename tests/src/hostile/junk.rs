//! Junk, ever new: frame by frame until the server takes no more of it today, and on.
//!
//! Bytes that are no change cost the least to refuse. The other kinds are changes as a program composes them, rightly signed, which must be
//! judged against their case before they are found to be wrong: by the grammar, by the right, by the place.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use patrol_core::doc::compose::{Content, compose};
use patrol_core::doc::key::ServerName;
use patrol_core::doc::ledger::Ledger;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Entry;
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::refusal::Refusal;
use patrol_core::sync::session;
use patrol_core::sync::wire::{Fate, Hello, Later};

use super::blows::Seal;
use super::{Answer, Blow, Foe, round};

/// Why none of it may enter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// It is no change.
    Bytes,
    /// It writes what only the server writes.
    Grammar,
    /// Its author has not the right.
    Right,
    /// Its case is none of its author's.
    Place,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Bytes, Self::Grammar, Self::Right, Self::Place];

    /// Changes of a frame, by turns.
    pub(crate) fn counts(self) -> [u64; 4] {
        match self {
            Self::Bytes => [1, 20, 400, 4_000],
            Self::Grammar | Self::Right | Self::Place => [1, 20, 400, 400],
        }
    }
}

/// What has been pushed of it.
#[derive(Debug, Default)]
pub(crate) struct Junk {
    pushed: BTreeMap<Kind, u64>,
    /// Of them those that were put off, looked at but not told why they are none, for it is too much for a day.
    put_off: u64,
    /// The boxes of the day are full.
    is_over: bool,
}

impl Junk {
    /// How many changes of a kind.
    pub(crate) fn of(&self, kind: Kind) -> u64 {
        self.pushed.get(&kind).copied().unwrap_or_default()
    }

    /// How many were told why they are none.
    pub(crate) fn told_why(&self) -> u64 {
        self.pushed() - self.put_off
    }

    /// How many in all.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed.values().sum()
    }
}

/// The counters of junk begin here, beyond those of what else the foe makes.
const FIRST_N: u64 = 1_000;

/// Changes of a frame, the counters in it, and what each must be told.
struct Heap {
    items: Vec<(DocumentId, Vec<u8>)>,
    n: (u64, u64),
    fate: Fate,
}

impl Foe<'_> {
    /// A frame of junk. All of it must be told why it is none, or from some place on that it is too much for a day.
    ///
    /// # Errors
    /// Another answer than it must be.
    pub(crate) fn junk(
        &self,
        junk: &mut Junk,
        server: SocketAddr,
        (kind, count): (Kind, u64),
    ) -> Result<Answer, String> {
        let Heap { items, n, fate } = self.heap(kind, (junk.pushed(), count));
        let frame = self.frame(&Seal::over(&self.own, n), &items);
        let hello = Hello::first(self.app.identity.epoch);
        let blow = Blow {
            name: "junk",
            request: round(Some(&self.own.token), &session::request(&hello, &[frame])),
            pushed: Some(items.len()),
            answer: Answer::Fates(Vec::new()),
        };
        let answer = blow.told(server)?;
        let Answer::Fates(fates) = &answer else {
            return Err(format!("junk, {kind:?}: {answer:?}"));
        };
        // What is not boxed is never too much.
        let is_boxed = matches!(fate, Fate::Refused(_));
        for told in fates {
            match told {
                Fate::Later(Later::Slow) if is_boxed => {
                    junk.is_over = true;
                    junk.put_off += 1;
                }
                told if *told == fate && !(is_boxed && junk.is_over) => {}
                told => return Err(format!("junk, {kind:?}: {told:?} in place of {fate:?}")),
            }
        }
        *junk.pushed.entry(kind).or_default() += count;
        Ok(answer)
    }

    /// So many changes of a kind, behind those that were made before.
    fn heap(&self, kind: Kind, (before, count): (u64, u64)) -> Heap {
        let first = FIRST_N + before;
        let numbers = first..first + count;
        let n = (first, first + count - 1);
        let refused = |ledger: &Ledger, change: &dyn Fn(u64) -> Vec<u8>, refusal| Heap {
            items: numbers
                .clone()
                .map(|number| (ledger.document(), change(number)))
                .collect(),
            n,
            fate: Fate::Refused(refusal),
        };
        let signed = |ledger: &Ledger, action| {
            let template = self.entry(&mut self.own.clone(), ledger, action);
            move |n, ledger: &Ledger| {
                let entry = Entry {
                    n,
                    ..template.clone()
                };
                self.own.change(ledger, &entry, Vec::new()).bytes
            }
        };
        match kind {
            Kind::Bytes => refused(
                &self.near,
                &|number| number.to_be_bytes().to_vec(),
                Refusal::Malformed,
            ),
            Kind::Grammar => refused(
                &self.near,
                &|number| self.as_the_server(number),
                Refusal::Grammar,
            ),
            Kind::Right => {
                let urge = signed(&self.near, Action::Urge);
                refused(&self.near, &|n| urge(n, &self.near), Refusal::NotPermitted)
            }
            Kind::Place => {
                let note = signed(&self.far, Action::Note);
                let heap = refused(&self.far, &|n| note(n, &self.far), Refusal::NotPermitted);
                // Of a case that is not his he hears what he would hear of one that is not there.
                let mut heads = self.far.head_hashes();
                heads.sort_unstable();
                let fate = Fate::Missing(heads);
                Heap { fate, ..heap }
            }
        }
    }

    /// A change that gives the near case another number.
    fn as_the_server(&self, number: u64) -> Vec<u8> {
        let value = number.to_be_bytes().to_vec();
        let content = Content::server(vec![(ServerName::Number, value)]);
        let heads = self.near.head_hashes();
        let change = compose(&self.near, self.own.actor, &heads, &content);
        change.expect("at the heads").bytes
    }
}
