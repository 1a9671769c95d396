//! A rescue bundle: what a phone has not handed in, in a file that anybody may carry and only the server can read.
//!
//! A bundle is a head in the clear and sealed pieces, each good by itself. Who may carry one, and what becomes of a piece, is decided elsewhere.

use std::io::Read as _;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};

use crate::cbor::{Fault, Reader, Writer};
use crate::domain::id::{DeviceId, PersonId, ServerId};
use crate::domain::limits;
use crate::domain::time::Timestamp;

/// The version of the file and of its pieces.
///
/// * 1: the first.
pub const BUNDLE_VERSION: u64 = 1;

/// What a bundle is, for HTTP.
pub const CONTENT_TYPE: &str = "application/vnd.xuncun.bundle";

/// The first bytes of every bundle.
const MAGIC: [u8; 4] = *b"XCNB";

/// What kinds of pieces there are: a push frame.
const FRAME: u64 = 1;

type Suite = X25519HkdfSha256;
type PublicKey = <Suite as hpke::Kem>::PublicKey;
type PrivateKey = <Suite as hpke::Kem>::PrivateKey;
type Encapped = <Suite as hpke::Kem>::EncappedKey;

/// Whose work it is, as far as the server must know to take the phone back after a restore.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Card {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub person: PersonId,
    /// Its public key.
    pub public_key: [u8; 32],
    /// What the server gave it when it was enrolled.
    pub certificate: [u8; 16],
    /// SHA-256 of its token.
    pub token_hash: [u8; 32],
}

/// What is in a sealed piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Whose work it is.
    pub card: Card,
    /// A push frame's payload, raw.
    pub frame: Vec<u8>,
}

/// Why a piece cannot be opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PieceFault {
    /// Sealed for another server, or damaged.
    Sealed,
    /// Opened, but not a piece.
    Malformed,
    /// Of a kind that only a newer program knows.
    Newer,
}

/// The public key of the server's secret for rescue bundles.
pub fn public_key(secret: &[u8; 32]) -> [u8; 32] {
    let secret = PrivateKey::from_bytes(secret).expect("any 32 bytes are an X25519 secret");
    Suite::sk_to_pk(&secret).to_bytes().into()
}

/// What binds a piece to its server.
fn purpose(server: ServerId) -> Vec<u8> {
    [b"xuncun-rescue-1".as_slice(), &server.0].concat()
}

impl Piece {
    /// Seals it for a server whose public key this is. `random` must be drawn anew for each piece. None: that is no public key.
    pub fn seal(&self, server: ServerId, key: &[u8; 32], random: [u8; 32]) -> Option<Vec<u8>> {
        let packed = zstd::bulk::compress(&self.encode(), 3).expect("zstd compresses into memory");
        let key = PublicKey::from_bytes(key).ok()?;
        let (encapped, sealed) =
            hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Suite>(
                &OpModeS::Base,
                &key,
                &purpose(server),
                &packed,
                &[],
                &mut Drawn(random),
            )
            .ok()?;
        Some([encapped.to_bytes().as_slice(), &sealed].concat())
    }

    /// Opens it with the server's secret.
    pub fn open(sealed: &[u8], server: ServerId, secret: &[u8; 32]) -> Result<Self, PieceFault> {
        let (encapped, body) = sealed.split_first_chunk::<32>().ok_or(PieceFault::Sealed)?;
        let secret = PrivateKey::from_bytes(secret).map_err(|_| PieceFault::Sealed)?;
        let encapped = Encapped::from_bytes(encapped).map_err(|_| PieceFault::Sealed)?;
        let packed = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Suite>(
            &OpModeR::Base,
            &secret,
            &encapped,
            &purpose(server),
            body,
            &[],
        )
        .map_err(|_| PieceFault::Sealed)?;
        Self::decode(&unpacked(&packed).ok_or(PieceFault::Malformed)?)
    }

    /// As it is inside.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(3).uint(FRAME);
        w.array(5)
            .bytes(&self.card.device.0)
            .bytes(&self.card.person.0)
            .bytes(&self.card.public_key)
            .bytes(&self.card.certificate)
            .bytes(&self.card.token_hash);
        w.bytes(&self.frame);
        w.finish()
    }

    /// From what is inside.
    pub fn decode(plain: &[u8]) -> Result<Self, PieceFault> {
        let mut r = Reader::new(plain);
        let mut read = || -> crate::cbor::Result<Option<Self>> {
            let len = r.array()?;
            if r.uint()? != FRAME {
                return Ok(None);
            }
            if len < 3 || r.array()? < 5 {
                return Err(Fault::Truncated);
            }
            let card = Card {
                device: DeviceId(r.array_of()?),
                person: PersonId(r.array_of()?),
                public_key: r.array_of()?,
                certificate: r.array_of()?,
                token_hash: r.array_of()?,
            };
            Ok(Some(Self {
                card,
                frame: r.bytes()?.to_vec(),
            }))
        };
        read()
            .map_err(|_| PieceFault::Malformed)?
            .ok_or(PieceFault::Newer)
    }
}

/// Decompressed, if it is no larger than a piece may be.
fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).ok()?;
    decoder.window_log_max(limits::ZSTD_WINDOW_LOG_MAX).ok()?;
    let mut plain = Vec::new();
    let most = limits::PIECE_BYTES_MAX as u64;
    decoder.take(most + 1).read_to_end(&mut plain).ok()?;
    (plain.len() as u64 <= most).then_some(plain)
}

/// Random bytes that were drawn before: sealing draws 32, once.
struct Drawn([u8; 32]);

impl TryRng for Drawn {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for (byte, drawn) in bytes.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *drawn;
        }
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

/// A bundle as a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    /// For which server.
    pub server: ServerId,
    /// Of which device.
    pub device: DeviceId,
    /// When it was made, by that device's clock.
    pub made_at: Timestamp,
    /// Its sealed pieces, in order; of a damaged file those that are whole.
    pub pieces: Vec<Vec<u8>>,
    /// How many of its pieces are not whole.
    pub damaged: u64,
}

/// Why bytes are no bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BundleFault {
    /// They are something else.
    Foreign,
    /// A newer program made it.
    Newer,
}

impl Bundle {
    /// As a file.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(5)
            .uint(BUNDLE_VERSION)
            .bytes(&self.server.0)
            .bytes(&self.device.0)
            .int(self.made_at.0)
            .uint(self.pieces.len() as u64);
        for piece in &self.pieces {
            w.array(2)
                .bytes(piece)
                .uint(u64::from(crc32fast::hash(piece)));
        }
        [MAGIC.as_slice(), &w.finish()].concat()
    }

    /// From a file. What of a damaged one is whole is taken; what cannot be a piece counts as damaged.
    pub fn decode(file: &[u8]) -> Result<Self, BundleFault> {
        let rest = file.strip_prefix(&MAGIC).ok_or(BundleFault::Foreign)?;
        let mut r = Reader::new(rest);
        let (mut bundle, count) = Self::head(&mut r)?;
        let is_room = |bundle: &Self| bundle.pieces.len() < limits::BUNDLE_PIECES_MAX;
        while bundle.pieces.len() as u64 + bundle.damaged < count {
            match next_piece(&mut r).filter(|_| is_room(&bundle)) {
                Some((piece, sum)) if crc32fast::hash(piece) == sum && can_be_sealed(piece) => {
                    bundle.pieces.push(piece.to_vec());
                }
                Some(_) => bundle.damaged += 1,
                None => bundle.damaged = count - bundle.pieces.len() as u64,
            }
        }
        Ok(bundle)
    }

    fn head(r: &mut Reader<'_>) -> Result<(Self, u64), BundleFault> {
        let mut read = || -> crate::cbor::Result<Option<(Self, u64)>> {
            if r.array()? < 5 {
                return Err(Fault::Truncated);
            }
            if r.uint()? != BUNDLE_VERSION {
                return Ok(None);
            }
            let bundle = Self {
                server: ServerId(r.array_of()?),
                device: DeviceId(r.array_of()?),
                made_at: Timestamp(r.int()?),
                pieces: Vec::new(),
                damaged: 0,
            };
            Ok(Some((bundle, r.uint()?)))
        };
        read()
            .map_err(|_| BundleFault::Foreign)?
            .ok_or(BundleFault::Newer)
    }
}

/// Whether so many bytes can be a piece: a key and a tag at least, and no more than one may hold.
fn can_be_sealed(piece: &[u8]) -> bool {
    (48..=limits::PIECE_BYTES_MAX).contains(&piece.len())
}

fn next_piece<'b>(r: &mut Reader<'b>) -> Option<(&'b [u8], u32)> {
    if r.array().ok()? != 2 {
        return None;
    }
    let piece = r.bytes().ok()?;
    let sum = u32::try_from(r.uint().ok()?).ok()?;
    Some((piece, sum))
}

#[cfg(test)]
mod tests;
