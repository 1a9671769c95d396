//! The frame that ends a response.

use super::{ScopeNumber, positions};
use crate::cbor::{Result, Writer};
use crate::sync::seal::Digest;

/// Ends a response.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Done {
    /// The digest of each scope, when the read reached the head of all.
    pub digests: Vec<(ScopeNumber, Digest)>,
    /// The tag of the server's directory, where the device has another directory or other components.
    pub directory_tag: Option<[u8; 8]>,
    /// Come back no sooner than after so many milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The round was cut short on purpose: there is more.
    pub has_more: bool,
    /// The device is revoked: beside the fates of its work it is told nothing any more.
    pub is_revoked: bool,
}

impl Done {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(4).array(2 * self.digests.len());
        for (scope, digest) in &self.digests {
            w.uint(*scope).bytes(&digest.0.to_be_bytes());
        }
        match self.directory_tag {
            Some(tag) => w.bytes(&tag),
            None => w.null(),
        };
        w.uint(self.retry_after_ms.unwrap_or(0))
            .uint(u64::from(self.has_more) | u64::from(self.is_revoked) << 1);
        w.finish()
    }

    /// From a payload.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        positions(payload, 4, |r| {
            let digests = (0..r.array()? / 2)
                .map(|_| Ok((r.uint()?, Digest(u128::from_be_bytes(r.array_of()?)))))
                .collect::<Result<_>>()?;
            let directory_tag = if r.null()? { None } else { Some(r.array_of()?) };
            let retry_after_ms = Some(r.uint()?).filter(|ms| *ms > 0);
            let flags = r.uint()?;
            Ok(Self {
                digests,
                directory_tag,
                retry_after_ms,
                has_more: flags & 1 != 0,
                is_revoked: flags & 2 != 0,
            })
        })
    }
}
