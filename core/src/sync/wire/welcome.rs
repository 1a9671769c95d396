//! The frames that begin a response: the welcome, and the device's scopes.

use super::{Notice, ScopeNumber, positions};
use crate::cbor::{Result, Writer};
use crate::domain::id::Epoch;
use crate::domain::place::Scope;
use crate::domain::time::Timestamp;

/// Begins a response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// The server's time.
    pub server_time: Timestamp,
    /// The lowest protocol accepted for pages.
    pub lowest: u64,
    /// The protocol spoken in this response.
    pub protocol: u64,
    /// The server's epoch.
    pub epoch: Epoch,
    /// Notices that the device has not named yet, each with its number.
    pub notices: Vec<(u64, Notice)>,
}

impl Welcome {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(5)
            .int(self.server_time.0)
            .uint(self.lowest)
            .uint(self.protocol)
            .bytes(&self.epoch.0);
        w.array(2 * self.notices.len());
        for (number, notice) in &self.notices {
            w.uint(*number);
            notice.write(&mut w);
        }
        w.finish()
    }

    /// From a payload.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        positions(payload, 5, |r| {
            let (server_time, lowest, protocol, epoch) = (
                Timestamp(r.int()?),
                r.uint()?,
                r.uint()?,
                Epoch(r.array_of()?),
            );
            let notices = (0..r.array()? / 2)
                .map(|_| Ok((r.uint()?, Notice::read(r)?)))
                .collect::<Result<_>>()?;
            Ok(Self {
                server_time,
                lowest,
                protocol,
                epoch,
                notices,
            })
        })
    }
}

/// The device's scopes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scopes {
    /// Names this set.
    pub tag: [u8; 4],
    /// The scopes and their handles.
    pub scopes: Vec<(ScopeNumber, Scope)>,
}

impl Scopes {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(2).bytes(&self.tag).array(3 * self.scopes.len());
        for (number, scope) in &self.scopes {
            let (kind, id) = scope.parts();
            w.uint(*number).uint(kind).uint(id);
        }
        w.finish()
    }

    /// From a payload; scopes of unknown kinds are left out.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        positions(payload, 2, |r| {
            let tag = r.array_of()?;
            let mut scopes = Vec::new();
            for _ in 0..r.array()? / 3 {
                let (number, kind, id) = (r.uint()?, r.uint()?, r.uint()?);
                scopes.extend(Scope::from_parts(kind, id).map(|scope| (number, scope)));
            }
            Ok(Self { tag, scopes })
        })
    }
}
