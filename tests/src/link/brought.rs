//! Which changes came to a server by another way than their author's push: in relics, and in pieces of rescue bundles.

use patrol_core::doc::parse::chunk_hash;
use patrol_core::domain::id::ChangeHash;
use patrol_core::domain::limits;
use patrol_core::sync::frame::{Frame, FrameReader};
use patrol_core::sync::rescue::Piece;
use patrol_core::sync::wire::{Fate, Fates, PushHead, Relic, kind, read_raw};
use patrol_server::app::App;

use super::{Link, locked};

impl Link {
    /// Notes what a request has brought in that way: what was taken, or all of it where the answer does not say.
    pub(super) fn note_brought(
        &self,
        app: &App,
        body: &[u8],
        answer: Result<&[(u8, Vec<u8>)], u16>,
    ) {
        if answer == Err(401) {
            return;
        }
        let mut reader = FrameReader::new(limits::REQUEST_BYTES_MAX);
        if reader.push(body).is_err() {
            return;
        }
        let mut place = 0;
        while let Ok(Some(frame)) = reader.next_frame() {
            if frame.kind == kind::HELLO || frame.kind >= kind::SKIPPABLE {
                continue;
            }
            let changes = changes_in(app, &frame);
            let fates = answer.ok().map(|answer| fates_of(answer, place));
            let taken = changes.iter().enumerate().filter(|(at, _)| {
                let Some(fates) = &fates else { return true };
                match frame.kind {
                    kind::RELIC => fates.get(*at) == Some(&Fate::Ok),
                    _ => !fates.is_empty(),
                }
            });
            locked(&self.brought).extend(taken.map(|(_, change)| *change));
            place += 1;
        }
    }
}

/// The changes that a relic or a piece holds.
fn changes_in(app: &App, frame: &Frame) -> Vec<ChangeHash> {
    match frame.kind {
        kind::RELIC => Relic::decode(&frame.payload).map_or_else(
            |_| Vec::new(),
            |relic| {
                let bodies = relic.bodies.iter();
                bodies.map(|(_, body)| chunk_hash(body)).collect()
            },
        ),
        kind::BUNDLE => in_piece(app, &frame.payload).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn in_piece(app: &App, sealed: &[u8]) -> Option<Vec<ChangeHash>> {
    let identity = &app.identity;
    let piece = Piece::open(sealed, identity.server, &identity.rescue_key).ok()?;
    let (_, count, mut reader) = PushHead::decode(&piece.frame).ok()?;
    let mut changes = Vec::with_capacity(count);
    for _ in 0..count {
        changes.push(chunk_hash(read_raw(&mut reader).ok()?.1));
    }
    Some(changes)
}

/// The fates of a frame of the request; none if it was not read.
fn fates_of(answer: &[(u8, Vec<u8>)], place: u64) -> Vec<Fate> {
    let fates = answer.iter().filter(|(kind, _)| *kind == kind::FATES);
    let decoded = fates
        .filter_map(|(_, payload)| Fates::decode(payload, limits::PUSH_FRAME_CHANGES_MAX).ok());
    let mut own = decoded.filter(|fates| fates.frame == place);
    own.next()
        .and_then(|fates| fates.outcome.ok())
        .unwrap_or_default()
}
