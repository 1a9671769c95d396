//! Deliberate breaks of the protocol, to see whether the oracle notices. Those of the network are `link/tamper`'s.

use patrol_core::doc::parse::chunk_hash;
use patrol_core::domain::id::{ChangeHash, DocumentId};
use patrol_core::domain::limits;
use patrol_core::replica::Environment as _;
use patrol_core::store::changes::ChangeState;
use patrol_core::store::{frames, pieces};
use patrol_core::sync::rescue::{self, Bundle, Piece};
use patrol_core::sync::wire::{PushHead, read_raw};

use super::Simulation;
use super::rescued::unplaced;
use crate::pushing::{self, Item};

/// What is broken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mutation {
    /// Nothing: the protocol as it is.
    None,
    /// The network swallows the items of a page and keeps its cursors.
    SkipPage,
    /// The server says `ok` before a commit that then fails.
    AckBeforeCommit,
    /// A fate that is not `ok` is told as `ok`.
    DropFate,
    /// A phone shows as saved what it never committed, and so uses its counters twice.
    ReuseSeq,
    /// A phone makes again what the server has taken.
    MakeTwice,
    /// A phone forgets what it was to push back to a server that has gone back.
    ForgetRelic,
    /// A carrier forgets the pieces that it was to hand in, whatever came of it.
    ForgetPiece,
    /// A bundle leaves out what is held or refused, or follows that.
    ThinBundle,
    /// A bundle leaves out every second piece.
    HalfBundle,
}

impl Mutation {
    /// All that break something.
    pub const BREAKS: [Self; 9] = [
        Self::SkipPage,
        Self::AckBeforeCommit,
        Self::DropFate,
        Self::ReuseSeq,
        Self::MakeTwice,
        Self::ForgetRelic,
        Self::ForgetPiece,
        Self::ThinBundle,
        Self::HalfBundle,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SkipPage => "skip-page",
            Self::AckBeforeCommit => "ack-before-commit",
            Self::DropFate => "drop-fate",
            Self::ReuseSeq => "reuse-seq",
            Self::MakeTwice => "make-twice",
            Self::ForgetRelic => "forget-relic",
            Self::ForgetPiece => "forget-piece",
            Self::ThinBundle => "thin-bundle",
            Self::HalfBundle => "half-bundle",
        }
    }

    /// The mutation of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        let mut all = [Self::None].into_iter().chain(Self::BREAKS);
        all.find(|mutation| mutation.word() == word)
    }
}

impl Simulation {
    /// What a phone that is broken in such a way forgets before it syncs. Returns the pieces that it will forget once it has.
    pub(super) fn forget_before_sync(&self, phone: usize) -> Vec<i64> {
        let Some(phone) = self.phones.get(phone) else {
            return Vec::new();
        };
        let (store, epoch) = (phone.replica.store(), self.world.app.identity.epoch);
        match self.mutation {
            Mutation::ForgetRelic => {
                let forgotten = store.write(|transaction| {
                    while let Some(frame) =
                        frames::next_relic(transaction, epoch, phone.machine.now(), 0)?
                    {
                        frames::forget(transaction, frame.id)?;
                    }
                    Ok(())
                });
                drop(forgotten);
                Vec::new()
            }
            Mutation::ForgetPiece => {
                let now = phone.machine.now();
                let due = store
                    .read(|connection| pieces::due(connection, limits::REQUEST_BYTES_MAX, now));
                let due = due.unwrap_or_default().into_iter();
                due.map(|(id, _)| id).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What it forgets after it has synced.
    pub(super) fn forget_after_sync(&self, phone: usize, dropped: &[i64]) {
        if let Some(phone) = self.phones.get(phone).filter(|_| !dropped.is_empty()) {
            let forgotten = phone.replica.store().write(|transaction| {
                for id in dropped {
                    transaction.execute("DELETE FROM pieces WHERE id = ?1", [id])?;
                }
                Ok(())
            });
            drop(forgotten);
        }
    }

    /// A phone's bundle as a broken program would make it.
    pub(super) fn spoilt_bundle(&mut self, phone: usize, file: Vec<u8>) -> Vec<u8> {
        let mut bundle = Bundle::decode(&file).expect("a phone's own bundle");
        match self.mutation {
            Mutation::HalfBundle => {
                let mut place = 0;
                bundle.pieces.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
            }
            Mutation::ThinBundle => {
                let pieces = std::mem::take(&mut bundle.pieces);
                let thinned = pieces.iter().filter_map(|piece| self.thinned(phone, piece));
                bundle.pieces = thinned.collect();
            }
            _ => return file,
        }
        bundle.encode()
    }

    /// A piece without what does not simply wait in the outbox; none if nothing is left.
    fn thinned(&self, phone: usize, sealed: &[u8]) -> Option<Vec<u8>> {
        let (phone, identity) = (&self.phones[phone], &self.world.app.identity);
        let piece = Piece::open(sealed, identity.server, &identity.rescue_key).ok()?;
        let all = unplaced(phone.replica.store(), phone.device());
        let is_plain = |document: DocumentId, hash: ChangeHash| {
            let state = all.get(&(document, hash)).and_then(|own| own.state);
            matches!(state, Some(ChangeState::Unsent | ChangeState::Acknowledged))
        };
        let (_, count, mut reader) = PushHead::decode(&piece.frame).ok()?;
        let mut items: Vec<Item> = Vec::new();
        for _ in 0..count {
            let (document, body) = read_raw(&mut reader).ok()?;
            let hash = chunk_hash(body);
            if is_plain(document, hash) {
                items.push((document, body.to_vec()));
            }
        }
        let frame = pushing::frame(phone, &items, pushing::range_of(&items));
        let thin = Piece {
            card: piece.card,
            frame,
        };
        let key = rescue::public_key(&identity.rescue_key);
        let mut random = [0; 32];
        phone.machine.fill_random(&mut random);
        (!items.is_empty())
            .then(|| thin.seal(identity.server, &key, random))
            .flatten()
    }
}
