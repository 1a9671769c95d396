//! Pieces of rescue bundles: the work of one device that comes by another way than its own (`protocol.md`, *Rescue*).
//!
//! It is judged as if its author had pushed it, by the same door; who carries it gains nothing by it and hears nothing of it.

use patrol_core::domain::id::DeviceId;
use patrol_core::sync::rescue::{Bundle, BundleFault, Piece, PieceFault};
use patrol_core::sync::wire::{Fate, Later, Unread};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::devices;
use crate::intake::{self, Carriage};
use crate::store::{Device, Result};

/// Takes in a piece that a device carries, a revoked one too: it is the author's work. One fate for the whole: `ok` when everything in it has
/// one for good.
pub fn take_in_carried(
    app: &App,
    carrier: DeviceId,
    sealed: &[u8],
) -> Result<std::result::Result<Fate, Unread>> {
    let carrier = Some(carrier);
    Ok(take_in(app, carrier, sealed)?.map(|fates| whole(&fates)))
}

/// What became of each change in a piece. Where no device carries it, a person who is signed in hands it in.
fn take_in(
    app: &App,
    carrier: Option<DeviceId>,
    sealed: &[u8],
) -> Result<std::result::Result<Vec<Fate>, Unread>> {
    let identity = &app.identity;
    let piece = match Piece::open(sealed, identity.server, &identity.rescue_key) {
        Ok(piece) => piece,
        Err(PieceFault::Sealed) => return Ok(Err(Unread::Signature)),
        Err(PieceFault::Malformed) => return Ok(Err(Unread::Malformed)),
        Err(PieceFault::Newer) => return Ok(Ok(vec![Fate::Later(Later::Newer)])),
    };
    let card = piece.card;
    // Of a phone that a lost database had enrolled, nobody knows whether it had been revoked.
    let is_known = is_known(app, card.device)? || devices::take_back(app, &card)?;
    // It may have come back by itself in the meantime.
    if !is_known && !self::is_known(app, card.device)? {
        return Ok(Err(Unread::Signature));
    }
    let carriage = match carrier {
        // What is revoked does not speak for what is revoked, nor anything for itself.
        Some(carrier) if carrier == card.device || is_revoked(app, carrier)? => Carriage::Carried,
        _ => Carriage::Vouched,
    };
    Ok(intake::take_in_by(app, card.device, &piece.frame, carriage)?.fates)
}

fn is_known(app: &App, device: DeviceId) -> Result<bool> {
    Ok(found(app, device)?.is_some())
}

fn is_revoked(app: &App, device: DeviceId) -> Result<bool> {
    Ok(found(app, device)?.is_none_or(|device| device.revoked_at.is_some()))
}

fn found(app: &App, device: DeviceId) -> Result<Option<Device>> {
    let mut found = None;
    app.store.read(&mut |snapshot| {
        found = snapshot.device(device)?;
        Ok(())
    })?;
    Ok(found)
}

/// One fate for a piece.
fn whole(fates: &[Fate]) -> Fate {
    let missing = fates.iter().any(|fate| matches!(fate, Fate::Missing(_)));
    let later = fates.iter().find(|fate| matches!(fate, Fate::Later(_)));
    match (missing, later) {
        // Which changes it is about is not the carrier's business.
        (true, _) => Fate::Missing(Vec::new()),
        (false, Some(later)) => later.clone(),
        (false, None) => Fate::Ok,
    }
}

/// What became of a bundle that a person of the office hands in.
#[derive(Serialize, ToSchema, Default, Clone, PartialEq, Eq, Debug)]
pub struct Handed {
    /// Pieces that were whole.
    pub pieces: u64,
    /// Pieces that were not.
    pub damaged: u64,
    /// Pieces that could not be read: sealed for another server, changed on the way, or from a phone that is not known.
    pub unread: u64,
    /// Changes that are part of the record now.
    pub taken: u64,
    /// Changes that had been before, or whose deed had, made again.
    pub known: u64,
    /// Changes held for review.
    pub held: u64,
    /// Changes refused; they are kept, with the reason.
    pub refused: u64,
    /// Changes that cannot be judged yet: hand the file in again later.
    pub waiting: u64,
}

/// Reads a bundle, a file as it is.
///
/// # Errors
/// It is none of this server's.
pub(crate) fn read(app: &App, file: &[u8]) -> std::result::Result<Bundle, BundleFault> {
    let bundle = Bundle::decode(file)?;
    if bundle.server == app.identity.server {
        Ok(bundle)
    } else {
        Err(BundleFault::Foreign)
    }
}

/// Takes in a whole bundle, as a file. The same file again is no harm.
///
/// # Errors
/// The store's. A file that is no bundle of this server is told apart inside.
pub fn hand_in(app: &App, file: &[u8]) -> Result<std::result::Result<Handed, BundleFault>> {
    let bundle = match read(app, file) {
        Ok(bundle) => bundle,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut handed = Handed::of(&bundle);
    for sealed in &bundle.pieces {
        handed.take(app, sealed)?;
    }
    handed.note(&bundle);
    Ok(Ok(handed))
}

impl Handed {
    /// Nothing of a bundle has been taken in yet.
    pub(crate) fn of(bundle: &Bundle) -> Self {
        Self {
            pieces: bundle.pieces.len() as u64,
            damaged: bundle.damaged,
            ..Self::default()
        }
    }

    /// Takes in a piece.
    pub(crate) fn take(&mut self, app: &App, sealed: &[u8]) -> Result<()> {
        match take_in(app, None, sealed)? {
            Ok(fates) => fates.iter().for_each(|fate| self.count(fate)),
            Err(_) => self.unread += 1,
        }
        Ok(())
    }

    /// Says in the log what became of the whole.
    pub(crate) fn note(&self, bundle: &Bundle) {
        tracing::info!(device = %bundle.device, "a rescue bundle of phone {} was handed in: {self:?}", bundle.device);
    }

    fn count(&mut self, fate: &Fate) {
        let count = match fate {
            Fate::Ok => &mut self.taken,
            Fate::Dup => &mut self.known,
            Fate::Review => &mut self.held,
            Fate::Refused(_) => &mut self.refused,
            Fate::Missing(_) | Fate::Later(_) => &mut self.waiting,
        };
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use patrol_core::domain::id::ChangeHash;
    use patrol_core::domain::refusal::Refusal;

    use super::*;

    #[test]
    fn a_piece_has_the_fate_of_what_is_to_come_again_and_names_no_change() {
        let missing = Fate::Missing(vec![ChangeHash([1; 32])]);
        let (unnamed, slow) = (Fate::Missing(Vec::new()), Fate::Later(Later::Slow));
        assert_eq!(whole(&[Fate::Ok, missing.clone()]), unnamed);
        assert_eq!(whole(&[slow.clone(), missing]), unnamed);
        assert_eq!(whole(&[Fate::Ok, slow.clone()]), slow);
        let refused = Fate::Refused(Refusal::Malformed);
        let for_good = [Fate::Ok, Fate::Dup, Fate::Review, refused];
        assert_eq!(whole(&for_good), Fate::Ok);
    }
}
