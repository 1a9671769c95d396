//! That only its server opens a piece, that a damaged file gives what is whole, and what the bytes are.

use super::*;

const SERVER: ServerId = ServerId([1; 16]);
const SECRET: [u8; 32] = [2; 32];

fn piece() -> Piece {
    Piece {
        card: Card {
            device: DeviceId([3; 8]),
            person: PersonId([4; 8]),
            public_key: [5; 32],
            certificate: [6; 16],
            token_hash: [7; 32],
        },
        frame: b"a frame".to_vec(),
    }
}

fn sealed() -> Vec<u8> {
    let key = public_key(&SECRET);
    piece().seal(SERVER, &key, [8; 32]).expect("a public key")
}

fn bundle() -> Bundle {
    Bundle {
        server: SERVER,
        device: DeviceId([3; 8]),
        made_at: Timestamp(9),
        pieces: vec![vec![1; 48], vec![2; 50], vec![3; 60]],
        damaged: 0,
    }
}

#[test]
fn only_its_server_opens_a_piece() {
    let sealed = sealed();
    assert_eq!(Piece::open(&sealed, SERVER, &SECRET), Ok(piece()));
    assert_eq!(
        Piece::open(&sealed, ServerId([0; 16]), &SECRET),
        Err(PieceFault::Sealed)
    );
    assert_eq!(
        Piece::open(&sealed, SERVER, &[0; 32]),
        Err(PieceFault::Sealed)
    );
}

#[test]
fn one_bit_anywhere_keeps_a_piece_shut() {
    let sealed = sealed();
    for bit in 0..8 * sealed.len() {
        let mut other = sealed.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        // The highest bit of an X25519 key counts for nothing in the agreement, but the key schedule covers it.
        assert_eq!(
            Piece::open(&other, SERVER, &SECRET),
            Err(PieceFault::Sealed),
            "bit {bit}"
        );
    }
    for len in 0..sealed.len() {
        assert!(Piece::open(&sealed[..len], SERVER, &SECRET).is_err());
    }
}

#[test]
fn what_a_newer_program_put_in_is_told_apart_from_nonsense() {
    let mut w = Writer::default();
    w.array(2).uint(2).bytes(b"a photo");
    assert_eq!(Piece::decode(&w.finish()), Err(PieceFault::Newer));
    assert_eq!(Piece::decode(b"\x83\x01"), Err(PieceFault::Malformed));
    assert_eq!(Piece::decode(b""), Err(PieceFault::Malformed));
}

#[test]
fn a_small_piece_does_not_unpack_into_a_large_one() {
    let large = vec![0; limits::PIECE_BYTES_MAX + 1];
    let packed = zstd::bulk::compress(&large, 3).expect("in memory");
    assert!(packed.len() < 1_000);
    assert_eq!(unpacked(&packed), None);
    let most = zstd::bulk::compress(&large[1..], 3).expect("in memory");
    assert_eq!(
        unpacked(&most).map(|plain| plain.len()),
        Some(large.len() - 1)
    );
}

#[test]
fn what_asks_for_a_larger_window_is_not_unpacked() {
    let of = |window: u32| {
        let mut packer = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("in memory");
        packer.window_log(window).expect("a window");
        std::io::Write::write_all(&mut packer, b"a frame").expect("in memory");
        packer.finish().expect("in memory")
    };
    let fits = unpacked(&of(limits::ZSTD_WINDOW_LOG_MAX));
    assert_eq!(fits.as_deref(), Some(&b"a frame"[..]));
    assert_eq!(unpacked(&of(limits::ZSTD_WINDOW_LOG_MAX + 1)), None);
}

#[test]
fn what_lacks_a_part_is_none() {
    let plain = piece().encode();
    assert_eq!(plain[0], 0x83);
    assert_eq!(plain[2], 0x85);
    for place in [0, 2] {
        let mut shorter = plain.clone();
        shorter[place] -= 1;
        assert_eq!(Piece::decode(&shorter), Err(PieceFault::Malformed));
    }
    let mut file = bundle().encode();
    assert_eq!(file[4], 0x85);
    file[4] = 0x84;
    assert_eq!(Bundle::decode(&file), Err(BundleFault::Foreign));
    // Of the last piece a part is still to come.
    let mut file = bundle().encode();
    let last = file.len() - 68;
    assert_eq!(file[last..last + 3], [0x82, 0x58, 60]);
    file[last] = 0x83;
    let found = Bundle::decode(&file).expect("a bundle");
    assert_eq!((found.pieces.len(), found.damaged), (2, 1));
}

#[test]
fn a_file_has_so_many_pieces_each_of_so_many_bytes_and_not_one_more() {
    let of = |pieces: Vec<Vec<u8>>| {
        let file = Bundle { pieces, ..bundle() }.encode();
        let found = Bundle::decode(&file).expect("a bundle");
        (found.pieces.len(), found.damaged)
    };
    let sizes = [47, 48, limits::PIECE_BYTES_MAX, limits::PIECE_BYTES_MAX + 1];
    assert_eq!(of(sizes.map(|len| vec![0; len]).to_vec()), (2, 2));
    let most = limits::BUNDLE_PIECES_MAX;
    assert_eq!(of(vec![vec![0; 48]; most]), (most, 0));
    assert_eq!(of(vec![vec![0; 48]; most + 1]), (most, 1));
}

#[test]
fn a_cut_or_damaged_file_gives_what_is_whole() {
    let file = bundle().encode();
    assert_eq!(Bundle::decode(&file), Ok(bundle()));
    for len in 0..file.len() {
        match Bundle::decode(&file[..len]) {
            Ok(cut) => {
                let whole = cut.pieces.len();
                assert_eq!(cut.damaged, 3 - whole as u64);
                assert_eq!(cut.pieces, bundle().pieces[..whole]);
            }
            Err(fault) => assert_eq!(fault, BundleFault::Foreign),
        }
    }
    let mut scratched = file;
    let at = scratched.len() - 100;
    scratched[at] ^= 1;
    let found = Bundle::decode(&scratched).expect("a bundle");
    assert_eq!((found.pieces.len(), found.damaged), (2, 1));
}

#[test]
fn a_count_that_nothing_follows_costs_nothing() {
    let mut w = Writer::default();
    w.array(5).uint(1).bytes(&[1; 16]).bytes(&[3; 8]).int(9);
    w.uint(u64::MAX);
    let file = [MAGIC.as_slice(), &w.finish()].concat();
    let found = Bundle::decode(&file).expect("a head");
    assert_eq!((found.pieces.len(), found.damaged), (0, u64::MAX));
}

#[test]
fn a_newer_file_is_told_apart_from_something_else() {
    let mut file = bundle().encode();
    assert_eq!(Bundle::decode(b"PK\x03\x04"), Err(BundleFault::Foreign));
    assert_eq!(file[5], 1);
    file[5] = 2;
    assert_eq!(Bundle::decode(&file), Err(BundleFault::Newer));
}

#[test]
fn the_bytes_of_a_file_and_of_a_piece_stay_as_they_are() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let file = Bundle {
        pieces: vec![vec![1; 48]],
        ..bundle()
    };
    insta::assert_snapshot!(hex(&file.encode()), @"58434e428501500101010101010101010101010101010148030303030303030309018258300101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101011a811a86cf");
    insta::assert_snapshot!(hex(&public_key(&SECRET)), @"ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59");
    insta::assert_snapshot!(hex(&sealed()[..32]), @"ad4f0af25e8cc90cdaf119d38527608efa64840a3362243fe9999b700ea8da12");
}
