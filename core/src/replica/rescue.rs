//! Work that goes another way: a bundle of what this phone has not handed in, and the bundles of others that it carries.
//!
//! What becomes of a piece is decided by the server; a carrier hears no more than whether it is taken.

use std::path::Path;

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use super::Replica;
use super::push::signed_frame;
use crate::cbor::Writer;
use crate::doc::{entry, parse};
use crate::domain::id::{ChangeHash, DeviceId, DocumentId};
use crate::domain::limits;
use crate::domain::time::Timestamp;
use crate::error::{Error, Result};
use crate::store::enrolment::{self, Enrolment};
use crate::store::pieces::{self, CarriedBundle};
use crate::store::{aside, boxes, changes, drafts, salvage};
use crate::sync::rescue::{Bundle, BundleFault, Card, Piece};
use crate::sync::seal;
use crate::sync::wire::{Fate, Form, Unread, write_raw};

/// A change that goes into a bundle.
struct Saved {
    document: DocumentId,
    hash: ChangeHash,
    body: Vec<u8>,
    n: u64,
}

/// What was found in a damaged file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Salvaged {
    /// A rescue bundle of the work in it.
    pub bundle: Vec<u8>,
    /// How many changes that holds.
    pub changes: u64,
    /// How many drafts were found that were not here.
    pub drafts: u64,
    /// How many were left in the file, since nobody is enrolled here or somebody else: they are for who wrote them.
    pub drafts_left: u64,
    /// Whether everything that was looked for could be read: then no work is missing.
    pub is_whole: bool,
}

impl Replica {
    /// Everything of this phone's own work that no page has placed, sealed for the server: a file for any phone or the office to carry.
    /// Nothing here changes but what a flipped bit has spoilt. Works without a network.
    pub fn rescue_bundle(&self) -> Result<Vec<u8>> {
        let look = || {
            self.store.read(|connection| {
                let enrolment = enrolment::enrolled(connection)?;
                let saved = unplaced(connection, enrolment.device)?;
                Ok((enrolment, saved))
            })
        };
        let (enrolment, (mut saved, is_sound)) = look()?;
        // What is here under a wrong name is mended by that, where there is room.
        if !is_sound && !self.mend_or_pass_over()? {
            saved = look()?.1.0;
        }
        self.bundle_of(&enrolment, &saved)
    }

    /// What can still be read of a damaged file that was moved aside: a bundle of the work in it, to carry along once this phone is enrolled
    /// anew, or to hand to another or the office; and its drafts, which are put here where the same person is enrolled. The file stays as
    /// it is. A second time changes nothing. Once its bundle is carried or handed over, put it away.
    ///
    /// # Errors
    /// `Damaged`: not even whose it was can be read. `NotEnrolled`: it was nobody's.
    pub fn salvage(&self, file: &Path) -> Result<Salvaged> {
        let remains = salvage::read(file)?;
        let (saved, is_sound) = own_sound(remains.changes, remains.enrolment.device);
        let found = remains.drafts.len() as u64;
        let (drafts, drafts_left) = self.store.write(|transaction| {
            let mut new = 0;
            let here = enrolment::enrolment(transaction)?;
            // What another has begun to write is not for who is here now.
            if here.is_none_or(|here| here.person != remains.enrolment.person) {
                return Ok((new, found));
            }
            for draft in &remains.drafts {
                new += u64::from(drafts::put_found(transaction, draft)?);
            }
            Ok((new, 0))
        })?;
        Ok(Salvaged {
            bundle: self.bundle_of(&remains.enrolment, &saved)?,
            changes: saved.len() as u64,
            drafts,
            drafts_left,
            is_whole: remains.is_whole && is_sound,
        })
    }

    /// Whoever wanted what was in a damaged file has it: openings tell of it no more. It stays, under another name. Not yet where drafts are
    /// left in it of somebody who will be enrolled here.
    ///
    /// # Errors
    /// `NotFound`: no damaged file is there under that name.
    pub fn put_away(&self, file: &Path) -> Result<()> {
        aside::put_away(file)
    }

    fn bundle_of(&self, enrolment: &Enrolment, saved: &[Saved]) -> Result<Vec<u8>> {
        let card = Card {
            device: enrolment.device,
            person: enrolment.person,
            public_key: seal::public_key(&enrolment.seed),
            certificate: enrolment.certificate,
            token_hash: Sha256::digest(enrolment.token.as_bytes()).into(),
        };
        let (mut sealed, mut rest) = (Vec::new(), saved);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(fitting(rest));
            let piece = Piece {
                card: card.clone(),
                frame: frame(enrolment, now),
            };
            sealed.push(
                piece
                    .seal(enrolment.server, &enrolment.rescue_key, self.random())
                    .ok_or(Error::Disagreement("rescue key"))?,
            );
            rest = later;
        }
        let bundle = Bundle {
            server: enrolment.server,
            device: enrolment.device,
            made_at: self.environment.now(),
            pieces: sealed,
            damaged: 0,
        };
        Ok(bundle.encode())
    }

    /// Takes another phone's bundle along, to hand it in when there is a network. The same file a second time changes nothing.
    ///
    /// # Errors
    /// `BadBundle`: it is none, is larger than one may be, or is another server's.
    pub fn carry(&self, file: &[u8]) -> Result<CarriedBundle> {
        if file.len() > limits::BUNDLE_BYTES_MAX {
            return Err(Error::BadBundle);
        }
        let bundle = Bundle::decode(file).map_err(|fault| match fault {
            BundleFault::Foreign => Error::BadBundle,
            BundleFault::Newer => Error::UpdateNeeded,
        })?;
        let (hash, now) = (Sha256::digest(file).into(), self.environment.now());
        self.store.write(|transaction| {
            if enrolment::enrolled(transaction)?.server != bundle.server {
                return Err(Error::BadBundle);
            }
            let (id, is_new) = pieces::put(transaction, hash, &bundle, now)?;
            if !is_new {
                pieces::try_anew(transaction)?;
            }
            let mut bundles = pieces::bundles(transaction)?;
            bundles.retain(|bundle| bundle.id == id);
            bundles.pop().ok_or(Error::NotFound)
        })
    }

    /// The bundles that this phone carries or has carried, the last taken first.
    pub fn carried(&self) -> Result<Vec<CarriedBundle>> {
        self.store.read(pieces::bundles)
    }

    /// Gives a bundle up that this phone carries: what of it was not handed in is gone from here.
    ///
    /// # Errors
    /// `NotFound`: this phone carries none of that id.
    pub fn discard_carried(&self, id: i64) -> Result<()> {
        self.store.write(|transaction| {
            let was_there = pieces::discard(transaction, id)?;
            was_there.then_some(()).ok_or(Error::NotFound)
        })
    }

    /// Whether there is anything of others' to hand in.
    pub(super) fn has_due_pieces(&self) -> Result<bool> {
        let now = self.environment.now();
        self.store
            .read(|connection| pieces::is_any_due(connection, now))
    }

    /// Pieces are about to be handed in.
    pub(super) fn note_handed_in(&self, ids: &[i64]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let now = self.environment.now();
        self.store.write(|transaction| {
            ids.iter()
                .try_for_each(|id| pieces::sent(transaction, *id, now))
        })
    }

    /// What the server made of a piece, and when by its clock: that says how long the piece is kept.
    pub(super) fn apply_piece(
        &self,
        heard: &mut u64,
        id: i64,
        outcome: &std::result::Result<Vec<Fate>, Unread>,
        server_time: Timestamp,
    ) -> Result<()> {
        let now = self.environment.now();
        self.hear(heard, |transaction| match outcome {
            Ok(fates) => match fates.first() {
                Some(Fate::Ok | Fate::Dup) => pieces::handed_in(transaction, id, server_time),
                _ => pieces::put_off(transaction, id, now),
            },
            // An older server, or one that has just gone back: later.
            Err(Unread::Epoch | Unread::Newer | Unread::Carried) => {
                pieces::put_off(transaction, id, now)
            }
            Err(Unread::Signature | Unread::Rebuild) => {
                pieces::refuse(transaction, id, "signature")
            }
            Err(Unread::Malformed) => pieces::refuse(transaction, id, "malformed"),
            Err(Unread::TooMuch) => pieces::refuse(transaction, id, "too_much"),
        })
    }
}

/// This device's own changes that no page has placed, in the order in which they were made: those without a fate, those that the server
/// has acknowledged or holds, and those that it refused. And whether all are as they were.
fn unplaced(connection: &Connection, device: DeviceId) -> Result<(Vec<Saved>, bool)> {
    let local = changes::unplaced(connection)?.into_iter();
    let boxed = boxes::all(connection)?
        .into_iter()
        .map(|change| (change.document, change.hash, change.body));
    // What is spoilt cannot be rescued, and must not keep the rest from it.
    Ok(own_sound(local.chain(boxed), device))
}

/// Those of these changes that are a device's own and as they were, and whether all are as they were.
fn own_sound(
    changes: impl IntoIterator<Item = (DocumentId, ChangeHash, Vec<u8>)>,
    device: DeviceId,
) -> (Vec<Saved>, bool) {
    let (mut saved, mut is_sound) = (Vec::new(), true);
    for (document, hash, body) in changes {
        let Some(parsed) = parse::parse(&body)
            .ok()
            .filter(|parsed| parsed.hash == hash)
        else {
            is_sound = false;
            continue;
        };
        if parsed.actor.device() == device {
            let entry = parsed
                .puts
                .iter()
                .find_map(|put| entry::decode(&put.value).ok());
            saved.push(Saved {
                document,
                hash,
                n: entry.map_or(0, |entry| entry.n),
                body,
            });
        }
    }
    // Of two with one counter the one that was made again is later in the list, and stays so.
    saved.sort_by_key(|change| change.n);
    (saved, is_sound)
}

/// How many changes fit one piece; at least one.
fn fitting(saved: &[Saved]) -> usize {
    let mut bytes = 0;
    let fits = |change: &&Saved| {
        bytes += change.body.len();
        bytes <= limits::PIECE_BYTES
    };
    saved.iter().take_while(fits).count().max(1)
}

fn frame(enrolment: &Enrolment, saved: &[Saved]) -> Vec<u8> {
    let mut items = Writer::default();
    for change in saved {
        write_raw(&mut items, change.document, &change.body);
    }
    let list: Vec<_> = saved
        .iter()
        .map(|change| (change.document, change.hash))
        .collect();
    let numbers = || saved.iter().map(|change| change.n);
    let n = (
        numbers().min().unwrap_or_default(),
        numbers().max().unwrap_or_default(),
    );
    signed_frame(enrolment, n, &list, Form::Raw, &items.finish())
}
