//! Rescue bundles: files as they come, and programs that make pieces and seal them here, so that what opens, unpacks and judges
//! them is reached, which nobody who must guess a seal would.
//!
//! An input that begins with `SEAL` is a program. Judging is that of admission; nothing is stored.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem, OpModeS, Serializable as _};
use patrol_core::cbor::Writer;
use patrol_core::doc::parse::parse;
use patrol_core::domain::id::ServerId;
use patrol_core::domain::limits;
use patrol_core::sync::rescue::{Bundle, Card, Piece, PieceFault, public_key};
use patrol_core::sync::wire::{Form, PushHead, read_raw, write_raw};

use super::admission::{self, DEVICE, DOCUMENT, Dice};
use super::{Reached, SEEN};

const SERVER: ServerId = ServerId([1; 16]);
const SECRET: [u8; 32] = [2; 32];
/// With what a program begins.
const PROGRAM: &[u8] = b"SEAL";

/// A rescue bundle as a file, a sealed piece, an opened one; or a program that seals.
pub fn bundle(data: &[u8]) -> Reached {
    if let Some(program) = data.strip_prefix(PROGRAM) {
        return sealed_here(program);
    }
    let mut reached = Reached::Nothing;
    if let Ok(bundle) = Bundle::decode(data) {
        reached = Reached::Within;
        if bundle.damaged == 0 {
            assert_eq!(Bundle::decode(&bundle.encode()), Ok(bundle));
        }
    }
    let opened = Piece::open(data, SERVER, &SECRET);
    assert!(opened.is_err(), "nobody guesses a seal");
    if let Ok(piece) = Piece::decode(data) {
        reached = Reached::Within;
        assert_eq!(Piece::decode(&piece.encode()), Ok(piece));
    }
    reached
}

/// What is sealed: bytes that are to be unpacked, bytes that are packed here, a piece of very many of them, or one with changes.
fn sealed_here(program: &[u8]) -> Reached {
    let mut dice = Dice::new(program);
    match dice.byte() % 4 {
        0 => opened(&mut dice, program.get(1..).unwrap_or_default()),
        1 => {
            let packed = packed(program.get(1..).unwrap_or_default(), 0);
            opened(&mut dice, &packed)
        }
        2 => {
            let len = dice.below(64) << 16 | usize::from(dice.byte());
            let piece = Piece {
                card: card(),
                frame: vec![dice.byte(); len],
            };
            let plain = piece.encode();
            let packed = packed(&plain, dice.below(13) as u32);
            let reached = opened(&mut dice, &packed);
            let is_small = plain.len() <= limits::PIECE_BYTES_MAX;
            assert_eq!(reached == Reached::Within, is_small, "{len} bytes");
            reached
        }
        _ => {
            let piece = piece(&mut dice);
            let plain = piece.encode();
            let mut altered = plain.clone();
            for _ in 0..dice.below(3) {
                dice.alter(&mut altered);
            }
            let packed = packed(&altered, 0);
            let whole = Piece::open(&seal(&packed), SERVER, &SECRET);
            assert!(
                whole == Ok(piece) || altered != plain,
                "what was sealed is opened"
            );
            opened(&mut dice, &packed)
        }
    }
}

/// Opens what is sealed here, which must never unpack to more than a piece may have, and judges what is in it.
fn opened(dice: &mut Dice<'_>, packed: &[u8]) -> Reached {
    let mut sealed = seal(packed);
    match Piece::open(&sealed, SERVER, &SECRET) {
        Ok(piece) => {
            SEEN.opened.add(1);
            assert!(piece.encode().len() <= limits::PIECE_BYTES_MAX);
            judge(dice, &piece.frame);
        }
        Err(PieceFault::Sealed) => panic!("it was sealed for this server"),
        Err(PieceFault::Malformed) => {
            SEEN.not_unpacked.add(1);
            return Reached::Nothing;
        }
        Err(PieceFault::Newer) => return Reached::Nothing,
    }
    let place = dice.place(sealed.len());
    sealed[place] ^= 1;
    let harmed = Piece::open(&sealed, SERVER, &SECRET);
    assert_eq!(harmed, Err(PieceFault::Sealed), "one bit breaks a seal");
    Reached::Within
}

/// The changes of a frame, each asked for as if its author had pushed it.
fn judge(dice: &mut Dice<'_>, frame: &[u8]) {
    let Ok((head, count, mut items)) = PushHead::decode(frame) else {
        return;
    };
    let mut ledger = admission::base().clone();
    for _ in 0..count.min(16) {
        let Ok((document, bytes)) = read_raw(&mut items) else {
            break;
        };
        let is_ours = document == DOCUMENT && head.signer == DEVICE;
        if let (Ok(change), true) = (parse(bytes), is_ours) {
            SEEN.judged.add(1);
            admission::judge(dice, &mut ledger, change);
        }
    }
}

/// A piece of the inspector's phone, with changes that once were valid.
fn piece(dice: &mut Dice<'_>) -> Piece {
    let ledger = admission::base();
    let mut items = Writer::default();
    let mut count = 0;
    for _ in 0..=dice.below(3) {
        if let Some(change) = admission::next(dice, ledger) {
            write_raw(&mut items, DOCUMENT, &change);
            count += 1;
        }
    }
    let head = PushHead {
        signer: DEVICE,
        n: (4, 300),
        signature: [dice.byte(); 64],
        form: Form::Raw,
    };
    Piece {
        card: card(),
        frame: head.encode(count, &items.finish()),
    }
}

/// Whose pieces these are.
fn card() -> Card {
    Card {
        device: DEVICE,
        person: admission::author(),
        public_key: [3; 32],
        certificate: [4; 16],
        token_hash: [5; 32],
    }
}

/// Packed as a phone does it, or with a window of so many bits more than the smallest.
fn packed(plain: &[u8], window: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("zstd in memory");
    if window > 0 {
        encoder.window_log(9 + window).expect("a window of zstd's");
    }
    std::io::Write::write_all(&mut encoder, plain).expect("into memory");
    encoder.finish().expect("into memory")
}

/// Seals bytes as `protocol.md` says, whatever they are.
fn seal(packed: &[u8]) -> Vec<u8> {
    type Suite = X25519HkdfSha256;
    let key = <Suite as Kem>::PublicKey::from_bytes(&public_key(&SECRET)).expect("a key");
    let purpose = [b"xuncun-rescue-1".as_slice(), &SERVER.0].concat();
    let (encapped, body) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Suite>(
        &OpModeS::Base,
        &key,
        &purpose,
        packed,
        &[],
        &mut Always,
    )
    .expect("it is sealed");
    [encapped.to_bytes().as_slice(), &body].concat()
}

/// No randomness at all: the same program is the same piece.
struct Always;

impl TryRng for Always {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(7)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(7)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill(7);
        Ok(())
    }
}

impl TryCryptoRng for Always {}
