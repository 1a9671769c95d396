//! What proves who sent what: signatures of push frames, tags of page frames, certificates of enrolment.
//!
//! It holds no keys; they are arguments.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::domain::id::{ChangeHash, DeviceId, DocumentId, Epoch, PersonId, ServerId};
use crate::domain::time::Timestamp;

/// What a push frame's signature is made over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    /// To which server.
    pub server: ServerId,
    /// By which device.
    pub device: DeviceId,
    /// Lowest and highest `n` of the entries inside.
    pub n: (u64, u64),
    /// The leaves of the changes, in order.
    pub leaves: Vec<[u8; 32]>,
}

/// The leaf of a change: names it without showing it.
pub fn leaf(document: DocumentId, change: ChangeHash) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(document.0);
    hash.update(change.0);
    hash.finalize().into()
}

impl Batch {
    fn message(&self) -> Vec<u8> {
        let mut leaves = Sha256::new();
        self.leaves.iter().for_each(|leaf| leaves.update(leaf));
        let mut message = b"xuncun-batch-1".to_vec();
        message.extend(self.server.0);
        message.extend(self.device.0);
        message.extend(self.n.0.to_be_bytes());
        message.extend(self.n.1.to_be_bytes());
        message.extend(leaves.finalize());
        message
    }

    /// Signs with the device's key (32 bytes of seed).
    pub fn sign(&self, seed: &[u8; 32]) -> [u8; 64] {
        SigningKey::from_bytes(seed)
            .sign(&self.message())
            .to_bytes()
    }

    /// Whether the signature is the device's.
    pub fn is_signed_by(&self, public_key: &[u8; 32], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(public_key).is_ok_and(|key| {
            key.verify_strict(&self.message(), &Signature::from_bytes(signature))
                .is_ok()
        })
    }
}

/// Whether bytes are a public key whose signatures prove something.
pub fn is_public_key(bytes: &[u8; 32]) -> bool {
    VerifyingKey::from_bytes(bytes).is_ok_and(|key| !key.is_weak())
}

/// The public key of a device's seed.
pub fn public_key(seed: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

/// Bytes of a list for each change: document, hash, time of receipt.
const ROW: usize = 16 + 32 + 8;

/// The list that a page frame's check and tag are made over.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageList(Vec<u8>);

impl PageList {
    /// Adds a change of the page.
    pub fn add(&mut self, document: DocumentId, change: ChangeHash, received_at: Timestamp) {
        self.0.extend(document.0);
        self.0.extend(change.0);
        self.0.extend(received_at.0.to_be_bytes());
    }

    /// The list as a device keeps it: 56 bytes a change.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A list that a device has kept; none if it cannot be one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes
            .len()
            .is_multiple_of(ROW)
            .then(|| Self(bytes.to_vec()))
    }

    /// How many changes it names.
    pub fn len(&self) -> usize {
        self.0.len() / ROW
    }

    /// The changes that it names, and when each was received.
    pub fn rows(&self) -> impl Iterator<Item = (DocumentId, ChangeHash, Timestamp)> + '_ {
        self.0.chunks_exact(ROW).filter_map(|row| {
            let (document, rest) = row.split_first_chunk()?;
            let (change, received_at) = rest.split_first_chunk()?;
            let received_at = received_at.first_chunk().copied()?;
            Some((
                DocumentId(*document),
                ChangeHash(*change),
                Timestamp(i64::from_be_bytes(received_at)),
            ))
        })
    }

    /// Whether the page holds no change.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Proves to the receiver that it rebuilt the page's changes byte for byte.
    pub fn check(&self) -> [u8; 8] {
        let digest = Sha256::digest(&self.0);
        let mut check = [0; 8];
        check
            .iter_mut()
            .zip(digest)
            .for_each(|(byte, digest)| *byte = digest);
        check
    }

    /// Proves to the server, after a restore, that it had sent this page.
    pub fn tag(&self, page_key: &[u8; 32], epoch: Epoch) -> [u8; 16] {
        mac(page_key, &[&epoch.0, &Sha256::digest(&self.0)])
    }
}

/// The certificate of an enrolment: proves to the server, after a restore, that it had enrolled this device.
pub fn certificate(
    page_key: &[u8; 32],
    device: DeviceId,
    person: PersonId,
    public_key: &[u8; 32],
) -> [u8; 16] {
    mac(
        page_key,
        &[b"xuncun-device-1", &device.0, &person.0, public_key],
    )
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    let mut tag = [0; 16];
    tag.iter_mut()
        .zip(mac.finalize().into_bytes())
        .for_each(|(byte, digest)| *byte = digest);
    tag
}

/// A scope's digest: the sum over its documents of what identifies each document's state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digest(pub u128);

impl Digest {
    /// What a document in the state of these heads adds.
    pub fn of(document: DocumentId, heads: &[ChangeHash]) -> Self {
        let mut sorted = heads.to_vec();
        sorted.sort_unstable();
        let mut hash = Sha256::new();
        hash.update(document.0);
        sorted.iter().for_each(|head| hash.update(head.0));
        let mut first = [0; 16];
        first
            .iter_mut()
            .zip(hash.finalize())
            .for_each(|(byte, digest)| *byte = digest);
        Self(u128::from_be_bytes(first))
    }

    /// The sum with this document's state.
    #[must_use]
    pub fn with(self, document: Self) -> Self {
        Self(self.0.wrapping_add(document.0))
    }

    /// The sum without this document's state.
    #[must_use]
    pub fn without(self, document: Self) -> Self {
        Self(self.0.wrapping_sub(document.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_every_part() {
        let batch = Batch {
            server: ServerId([1; 16]),
            device: DeviceId([2; 8]),
            n: (3, 4),
            leaves: vec![leaf(DocumentId([5; 16]), ChangeHash([6; 32]))],
        };
        let (key, signature) = (public_key(&[7; 32]), batch.sign(&[7; 32]));
        assert!(batch.is_signed_by(&key, &signature));
        let others = [
            Batch {
                server: ServerId([0; 16]),
                ..batch.clone()
            },
            Batch {
                device: DeviceId([0; 8]),
                ..batch.clone()
            },
            Batch {
                n: (3, 5),
                ..batch.clone()
            },
            Batch {
                leaves: vec![],
                ..batch.clone()
            },
        ];
        assert!(
            others
                .iter()
                .all(|other| !other.is_signed_by(&key, &signature))
        );
        assert!(!batch.is_signed_by(&public_key(&[8; 32]), &signature));
    }

    #[test]
    fn a_digest_does_not_depend_on_the_order_of_documents_or_heads() {
        let (a, b) = (ChangeHash([1; 32]), ChangeHash([2; 32]));
        let one = Digest::of(DocumentId([1; 16]), &[a, b]);
        assert_eq!(one, Digest::of(DocumentId([1; 16]), &[b, a]));
        let two = Digest::of(DocumentId([2; 16]), &[a]);
        assert_eq!(Digest::default().with(one).with(two).without(one), two);
    }
}
