//! The frame that begins a request.

use super::{Cursors, PROTOCOL, Status, positions, read_cursors, write_cursors};
use crate::cbor::{Result, Writer};
use crate::domain::id::Epoch;

/// Begins a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The protocol spoken.
    pub protocol: u64,
    /// The epoch of the cursors.
    pub epoch: Epoch,
    /// Tag of the set of scopes that the device knows.
    pub scopes_tag: [u8; 4],
    /// How far the device has caught up.
    pub cursors: Cursors,
    /// Tag of the directory that the device has.
    pub directory_tag: [u8; 8],
    /// That tag is over the components that the device has too, and it fetches those that have changed.
    pub with_components: bool,
    /// The device asks for pages of raw changes, after a check had failed.
    pub raw_pages: bool,
    /// Nothing is left to push.
    pub outbox_empty: bool,
    /// The last notice received.
    pub notice: u64,
    /// What changed.
    pub status: Status,
    /// The highest `n` that the device had used when it made this: what it says of its outbox and of what it keeps back is said of these.
    pub last_n: u64,
}

impl Hello {
    /// The first of a device: it knows nothing yet, and nothing is amiss on it.
    pub fn first(epoch: Epoch) -> Self {
        Self {
            protocol: PROTOCOL,
            epoch,
            scopes_tag: [0; 4],
            cursors: Cursors::new(),
            directory_tag: [0; 8],
            with_components: false,
            raw_pages: false,
            outbox_empty: false,
            notice: 0,
            status: Status::default(),
            last_n: 0,
        }
    }

    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(9)
            .uint(self.protocol)
            .bytes(&self.epoch.0)
            .bytes(&self.scopes_tag);
        write_cursors(&mut w, &self.cursors);
        w.bytes(&self.directory_tag);
        let flags = [self.raw_pages, self.outbox_empty, self.with_components];
        let flags = (0..).zip(flags).map(|(bit, flag)| u64::from(flag) << bit);
        w.uint(flags.sum()).uint(self.notice);
        self.status.write(&mut w);
        w.uint(self.last_n);
        w.finish()
    }

    /// From a payload.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        positions(payload, 9, |r| {
            let (protocol, epoch, scopes_tag) = (r.uint()?, Epoch(r.array_of()?), r.array_of()?);
            let (cursors, directory_tag, flags, notice) =
                (read_cursors(r)?, r.array_of()?, r.uint()?, r.uint()?);
            let (status, last_n) = (Status::read(r)?, r.uint()?);
            Ok(Self {
                protocol,
                epoch,
                scopes_tag,
                cursors,
                directory_tag,
                raw_pages: flags & 1 != 0,
                outbox_empty: flags & 2 != 0,
                with_components: flags & 4 != 0,
                notice,
                status,
                last_n,
            })
        })
    }
}
