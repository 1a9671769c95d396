//! What a phone may carry for others, without anything in it: relics that no server has sent, bundles that no phone has sealed.
//!
//! Whoever is enrolled may push both, and knows the key for which bundles are sealed.

use patrol_core::doc::parse::chunk_hash;
use patrol_core::domain::id::{DeviceId, PersonId};
use patrol_core::sync::rescue::{self, Card, Piece};
use patrol_core::sync::seal::PageList;
use patrol_core::sync::session;
use patrol_core::sync::wire::{Hello, Relic, Unread, kind};

use super::{Answer, Blow, Foe, round};
use crate::clock::START;

/// Bytes of nothing.
static NOISE: [u8; 60_000] = [0xff; 60_000];
/// Bytes of nothing that are some kilobytes when they are sealed, and more than all memory that the server may take if they were unpacked and
/// read.
const BOMB: usize = 256 * 1024 * 1024;
/// Changes of a relic.
const ROWS: u64 = 1_000;

impl Foe<'_> {
    /// All of it.
    pub(crate) fn carried(&self) -> Vec<Blow> {
        let blow = |name, kind, payload, unread| {
            let hello = Hello::first(self.app.identity.epoch);
            let body = session::request_of(&hello, kind, &[payload]);
            Blow {
                name,
                request: round(Some(&self.own.token), &body),
                pushed: Some(1),
                answer: Answer::Unread(unread),
            }
        };
        let own = (self.own.device, self.own.person);
        let nobody = (DeviceId([0x5a; 8]), PersonId([0x5a; 8]));
        vec![
            blow(
                "a relic of junk",
                kind::RELIC,
                NOISE.to_vec(),
                Unread::Malformed,
            ),
            blow(
                "a relic that no server sent",
                kind::RELIC,
                self.relic(),
                Unread::Signature,
            ),
            blow(
                "a bundle of junk",
                kind::BUNDLE,
                NOISE.to_vec(),
                Unread::Signature,
            ),
            blow(
                "junk in a bundle of one's own",
                kind::BUNDLE,
                self.bundle(own, NOISE.to_vec()),
                Unread::Malformed,
            ),
            blow(
                "a bomb in a bundle of one's own",
                kind::BUNDLE,
                self.bundle(own, vec![0; BOMB]),
                Unread::Malformed,
            ),
            blow(
                "a bundle of a phone that is none",
                kind::BUNDLE,
                self.bundle(nobody, NOISE.to_vec()),
                Unread::Signature,
            ),
        ]
    }

    /// Changes as they would come back, under a tag that is guessed.
    fn relic(&self) -> Vec<u8> {
        let mut list = PageList::default();
        let bodies = (0..ROWS).map(|number| number.to_be_bytes().to_vec());
        let bodies: Vec<_> = bodies.enumerate().collect();
        for (_, body) in &bodies {
            list.add(self.near.document(), chunk_hash(body), START);
        }
        let relic = Relic {
            epoch: self.app.identity.epoch,
            tag: [0x5a; 16],
            list,
            bodies,
        };
        relic.encode()
    }

    /// A piece that is sealed as it should be, under a card that nobody has certified. What is sealed is packed before.
    fn bundle(&self, (device, person): (DeviceId, PersonId), frame: Vec<u8>) -> Vec<u8> {
        let identity = &self.app.identity;
        let piece = Piece {
            card: Card {
                device,
                person,
                public_key: [0x5a; 32],
                certificate: [0x5a; 16],
                token_hash: [0x5a; 32],
            },
            frame,
        };
        let key = rescue::public_key(&identity.rescue_key);
        let sealed = piece.seal(identity.server, &key, [7; 32]);
        sealed.expect("the server's key is one")
    }
}
