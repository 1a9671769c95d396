//! The way in for what devices have made anew: one push frame in, one fate per change out, everything of it in one commit. What a lost server had
//! let in before comes by `relic`.
//!
//! It knows no HTTP and writes only through `Store::commit`. Nothing that a device sends can make it panic or stop.

mod items;
mod judge;

use patrol_core::domain::id::{ChangeHash, DeviceId, DocumentId};
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;
use patrol_core::sync::seal::Batch;
use patrol_core::sync::wire::{Fate, Form, PushHead, Unread};

use crate::app::App;
use crate::store::{BatchRow, Device, StoreError};
use judge::Judge;
pub(crate) use judge::entry_of;

/// The changes of a push frame: document and hash, for echoes.
pub type Pushed = Vec<(DocumentId, ChangeHash)>;

/// What became of a push frame.
#[derive(Debug)]
pub struct Outcome {
    /// One fate per change, or why none was read.
    pub fates: Result<Vec<Fate>, Unread>,
    /// What was pushed, in order.
    pub pushed: Pushed,
}

/// By which way a push frame comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carriage {
    /// From the device that signed it, which will make again what rests on a refused change.
    Own,
    /// In a rescue bundle: whether that device ever calls again is not known.
    Carried,
    /// Likewise, and whoever hands it in has a right to speak here himself: a device that has said its last is heard once more.
    Vouched,
}

impl Carriage {
    fn is_bundle(self) -> bool {
        self != Self::Own
    }
}

/// Takes in a push frame of a device. An error means "not now": nothing was stored.
pub fn take_in(app: &App, device: DeviceId, payload: &[u8]) -> Result<Outcome, StoreError> {
    take_in_by(app, device, payload, Carriage::Own)
}

/// The same by another way.
pub fn take_in_by(
    app: &App,
    device: DeviceId,
    payload: &[u8],
    carriage: Carriage,
) -> Result<Outcome, StoreError> {
    for _ in 0..limits::COMMIT_TRIES {
        match try_take_in(app, device, payload, carriage) {
            Err(StoreError::Stale) => {}
            result => return result,
        }
    }
    Err(StoreError::Broken(
        "a document grew faster than a frame could be taken in".into(),
    ))
}

fn try_take_in(
    app: &App,
    device: DeviceId,
    payload: &[u8],
    carriage: Carriage,
) -> Result<Outcome, StoreError> {
    let unread = |unread| {
        Ok(Outcome {
            fates: Err(unread),
            pushed: Pushed::new(),
        })
    };
    let Ok((head, count, reader)) = PushHead::decode(payload) else {
        return unread(Unread::Malformed);
    };
    let is_carried = carriage.is_bundle();
    if head.signer != device {
        return unread(if is_carried {
            Unread::Malformed
        } else {
            Unread::Carried
        });
    }
    // Whoever made it could not know what the server would have when it came; and rebuilding loads documents before anything is proved.
    if is_carried && head.form == Form::Stripped {
        return unread(Unread::Malformed);
    }
    if count > limits::PUSH_FRAME_CHANGES_MAX {
        return unread(Unread::Malformed);
    }
    let mut judged = Err(Unread::Carried);
    let mut is_revoked = false;
    let now = app.environment.now();
    app.store.read(&mut |snapshot| {
        // As the device stands now: it may have been revoked since its request began.
        let Some(device) = snapshot.device(device)? else {
            return Ok(());
        };
        is_revoked = device.revoked_at.is_some();
        // Nor anything more once it has handed in everything, unless somebody else speaks for it.
        let has_said_its_last = device.revoked_empty && carriage != Carriage::Vouched;
        if (is_revoked && has_said_its_last) || is_too_much(&device, payload.len()) {
            judged = Err(Unread::TooMuch);
            return Ok(());
        }
        let scopes = app.known().directory.scopes_until(device.person, now);
        let frame = (&head, count, reader.clone());
        judged = match items::read(snapshot, &device, &scopes, frame) {
            Ok((items, loaded)) => match verified(app, &device, &head, &items, now) {
                Ok(batch) => {
                    let at = (now, scopes);
                    Judge::new(app, &device, snapshot, loaded, carriage, at).frame(&items, batch)?
                }
                Err(code) => Err(code),
            },
            Err(code) => Err(code),
        };
        Ok(())
    })?;
    let (fates, pushed, mut commit) = match judged {
        Ok(judged) => judged,
        Err(code) => return unread(code),
    };
    let has_news = !commit.documents.is_empty() || !commit.boxed.is_empty();
    if has_news {
        if is_revoked {
            commit.revoked_bytes = Some((device, payload.len() as u64));
        }
        app.store.commit(&commit)?;
    }
    Ok(Outcome {
        fates: Ok(fates),
        pushed,
    })
}

/// Whether so many bytes more are too much: of a revoked device as much is taken and no more.
pub(crate) fn is_too_much(device: &Device, len: usize) -> bool {
    let bytes = device.revoked_bytes + len as u64;
    device.revoked_at.is_some() && bytes > limits::REVOKED_BYTES_MAX
}

/// Checks the frame's signature over what was read. Its proof has the time that its changes get.
fn verified(
    app: &App,
    device: &Device,
    head: &PushHead,
    items: &[items::Item],
    now: Timestamp,
) -> Result<BatchRow, Unread> {
    let leaves: Vec<[u8; 32]> = items.iter().map(items::Item::leaf).collect();
    let batch = Batch {
        server: app.identity.server,
        device: head.signer,
        n: head.n,
        leaves,
    };
    if !batch.is_signed_by(&device.public_key, &head.signature) {
        return Err(if head.form == Form::Stripped {
            Unread::Rebuild
        } else {
            Unread::Signature
        });
    }
    let leaves = batch.leaves.concat();
    Ok(BatchRow {
        device: device.id,
        n: head.n,
        leaves,
        signature: head.signature,
        received_at: now,
    })
}

#[cfg(test)]
mod tests {
    use patrol_core::domain::id::{Epoch, PersonId};

    use super::*;

    #[test]
    fn of_a_revoked_device_as_much_is_taken_and_no_more() {
        let most = limits::REVOKED_BYTES_MAX;
        let device = |revoked_at, revoked_bytes| Device {
            revoked_at,
            revoked_bytes,
            ..Device::new(
                DeviceId::new(Epoch([1; 4]), 1),
                PersonId([2; 8]),
                [3; 32],
                Timestamp(4),
            )
        };
        let revoked = Some(Timestamp(5));
        assert!(!is_too_much(&device(revoked, 0), 1));
        assert!(!is_too_much(&device(revoked, most - 7), 7));
        assert!(is_too_much(&device(revoked, most - 7), 8));
        assert!(!is_too_much(&device(None, most), 8));
    }
}
