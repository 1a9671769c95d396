//! Entries come back from their bytes, and each departure from the form is named.

use super::*;

/// An entry with everything in it.
fn full() -> Entry {
    Entry {
        kind: 11,
        person: PersonId([0x11; 8]),
        device: DeviceId([0x22; 8]),
        capability: 2,
        unit: UnitId(440_403_100_200),
        n: 300,
        on: vec![EntryId([0x31; 16]), EntryId([0x32; 16])],
        at: At {
            wall: Timestamp(1_800_000_000_000),
            anchored: Some(Timestamp(1_800_000_000_123)),
            error_ms: Some(450),
            boot: Some(77),
        },
        key: Some(b"tap-1".to_vec()),
        body: Body {
            words: Some("已清理".into()),
            photos: vec![PhotoRef {
                sha256: [0x44; 32],
                bytes: 81_234,
                media: 1,
                kind: 5,
            }],
            verdict: Some(Verdict::Failed),
            assign: vec![(UnitId(101), Part::Main), (UnitId(102), Part::Assisting)],
            assignment: Some(AssignmentId {
                dispatch: EntryId([0x55; 16]),
                unit: UnitId(101),
            }),
            judged: Some(EntryId([0x66; 16])),
            mode: Some(3),
            reason: Some(1_001),
            chosen: Some(EntryId([0x77; 16])),
            field: Some(Field::Category),
            source: Some(4),
            target: Some(DocumentId([0x88; 16])),
            count: Some((2, -17)),
            withdraws: Some(EntryId([0x99; 16])),
            check_by: Some(CheckBy::Cadre),
            proposal: Some(Proposal {
                proposed: Proposed::Moved,
                component: Some(44_040_201_003_000_001),
            }),
        },
    }
}

/// The least that an entry holds.
fn bare() -> Entry {
    Entry {
        on: Vec::new(),
        at: At::wall(Timestamp(0)),
        key: None,
        body: Body::default(),
        ..full()
    }
}

/// A map's pairs: keys as numbers, values as bytes.
fn pairs(map: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut r = Reader::new(map);
    let len = r.map().expect("a map");
    (0..len)
        .map(|_| {
            let key = r.uint().expect("a key");
            (key, r.item().expect("a value").to_vec())
        })
        .collect()
}

/// A map of these pairs, in their order.
fn map(pairs: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut w = Writer::default();
    w.map(pairs.len());
    for (key, value) in pairs {
        w.uint(*key).raw(value);
    }
    w.finish()
}

fn item(write: impl FnOnce(&mut Writer) -> &mut Writer) -> Vec<u8> {
    let mut w = Writer::default();
    write(&mut w);
    w.finish()
}

/// The full entry's bytes with another value under a key of the envelope; a key that is not there is added behind.
fn with(key: u64, value: Vec<u8>) -> Vec<u8> {
    replaced(&encode(&full()), key, value)
}

/// The full entry's bytes with another value under a key of the map at `outer`: 7 the time, 9 the body.
fn within(outer: u64, key: u64, value: Vec<u8>) -> Vec<u8> {
    let pairs = pairs(&encode(&full()));
    let (_, inner) = pairs.iter().find(|(k, _)| *k == outer).expect("a map");
    with(outer, replaced(inner, key, value))
}

fn replaced(bytes: &[u8], key: u64, value: Vec<u8>) -> Vec<u8> {
    let mut pairs = pairs(bytes);
    match pairs.iter_mut().find(|(k, _)| *k == key) {
        Some((_, old)) => *old = value,
        None => pairs.push((key, value)),
    }
    map(&pairs)
}

#[test]
fn an_entry_has_these_bytes_and_this_id_for_ever() {
    let mut entry = full();
    let proposal = entry.body.proposal.take();
    let bytes = encode(&entry);
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    insta::assert_snapshot!(hex(&bytes), @"aa0001010b02481111111111111111034822222222222222220482021b000000668a1202280519012c06825031313131313131313131313131313131503232323232323232323232323232323207a4001b000001a3185c5000011b000001a3185c507b021901c203184d08457461702d3109af0069e5b7b2e6b885e79086018184582044444444444444444444444444444444444444444444444444444444444444441a00013d5201050202038282186501821866020482505555555555555555555555555555555518650550666666666666666666666666666666660603071903e908507777777777777777777777777777777709020a040b50888888888888888888888888888888880c8202300d50999999999999999999999999999999990e03");
    let id = entry_id(DocumentId([0xd0; 16]), &bytes);
    insta::assert_snapshot!(id.hex(), @"9db7942b59941818d7c776456ceb0031");
    assert_eq!(decode(&bytes), Ok(entry));
    // What came later stands behind it.
    entry = bare();
    entry.body.proposal = proposal;
    let bytes = encode(&entry);
    let body = &bytes[bytes.len() - 13..];
    assert_eq!(hex(body), "a10f82021b009c7654589ee0c1");
    assert_eq!(decode(&bytes), Ok(entry));
}

#[test]
fn the_same_entry_has_another_id_in_another_document() {
    let bytes = encode(&bare());
    let one = entry_id(DocumentId([1; 16]), &bytes);
    assert_ne!(one, entry_id(DocumentId([2; 16]), &bytes));
    assert_eq!(decode(&bytes), Ok(bare()));
}

#[test]
fn every_bound_holds_from_inside() {
    let words = "字".repeat(limits::ENTRY_WORDS_MAX);
    let photo = full().body.photos[0];
    let photo = PhotoRef {
        bytes: limits::CODE_MAX - 1,
        ..photo
    };
    let units = || (0..limits::ASSIGN_MAX as u64).map(|unit| (UnitId(unit), Part::Main));
    let on = (0..limits::ON_MAX).map(|n| EntryId([u8::try_from(n).expect("few"); 16]));
    let changes: Vec<Box<dyn Fn(&mut Entry)>> = vec![
        Box::new(|e| e.kind = limits::CODE_MAX - 1),
        Box::new(|e| e.n = 1),
        Box::new(|e| e.n = limits::CODE_MAX - 1),
        Box::new(move |e| e.on = on.clone().collect()),
        Box::new(|e| e.at.wall = Timestamp(limits::TIME_MS_MAX)),
        Box::new(|e| e.at.anchored = Some(Timestamp(0))),
        Box::new(|e| e.at.error_ms = Some(limits::TIME_ERROR_MS_MAX - 1)),
        Box::new(|e| e.at.boot = Some(limits::BOOT_MAX - 1)),
        Box::new(|e| e.key = Some(vec![0])),
        Box::new(|e| e.key = Some(vec![0; limits::KEY_BYTES_MAX])),
        Box::new(move |e| e.body.words = Some(words.clone())),
        Box::new(move |e| e.body.photos = vec![photo; limits::ENTRY_PHOTOS_MAX]),
        Box::new(move |e| e.body.assign = units().collect()),
        Box::new(|e| e.body.count = Some((0, limits::COUNT_MAX))),
        Box::new(|e| e.body.count = Some((limits::CODE_MAX - 1, -limits::COUNT_MAX))),
    ];
    for change in changes {
        let mut entry = bare();
        change(&mut entry);
        assert_eq!(decode(&encode(&entry)), Ok(entry));
    }
}

#[test]
fn an_entry_takes_so_many_bytes_and_not_one_more() {
    let of = |len: usize| with(10, item(|w| w.bytes(&vec![0; len])));
    let head = of(3_000).len() - 3_000;
    assert_eq!(
        of(limits::ENTRY_BYTES_MAX - head).len(),
        limits::ENTRY_BYTES_MAX
    );
    assert_eq!(decode(&of(limits::ENTRY_BYTES_MAX - head)), Ok(full()));
    let more = of(limits::ENTRY_BYTES_MAX - head + 1);
    assert_eq!(decode(&more), Err(EntryFault::Form));
}

fn propose(entry: &mut Entry, proposed: Proposed, component: Option<u64>) {
    entry.body.proposal = Some(Proposal {
        proposed,
        component,
    });
}

#[expect(clippy::too_many_lines, reason = "one case a bound")]
#[test]
fn every_bound_holds_from_outside() {
    let photo = full().body.photos[0];
    let large = limits::CODE_MAX;
    let unit = (UnitId(1), Part::Main);
    let changes: Vec<(&str, Box<dyn Fn(&mut Entry)>)> = vec![
        ("kind", Box::new(move |e| e.kind = large)),
        ("capability", Box::new(move |e| e.capability = large)),
        ("n 0", Box::new(|e| e.n = 0)),
        ("n", Box::new(move |e| e.n = large)),
        ("on twice", Box::new(|e| e.on = vec![EntryId([3; 16]); 2])),
        (
            "on descending",
            Box::new(|e| e.on = vec![EntryId([3; 16]), EntryId([2; 16])]),
        ),
        (
            "on descending behind",
            Box::new(|e| e.on = [1, 3, 2].map(|byte| EntryId([byte; 16])).to_vec()),
        ),
        (
            "on",
            Box::new(|e| e.on = (0..129).map(|byte| EntryId([byte; 16])).collect()),
        ),
        ("wall before", Box::new(|e| e.at.wall = Timestamp(-1))),
        (
            "wall after",
            Box::new(|e| e.at.wall = Timestamp(limits::TIME_MS_MAX + 1)),
        ),
        (
            "anchored before",
            Box::new(|e| e.at.anchored = Some(Timestamp(-1))),
        ),
        (
            "anchored after",
            Box::new(|e| e.at.anchored = Some(Timestamp(limits::TIME_MS_MAX + 1))),
        ),
        (
            "error",
            Box::new(|e| e.at.error_ms = Some(limits::TIME_ERROR_MS_MAX)),
        ),
        ("boot", Box::new(|e| e.at.boot = Some(limits::BOOT_MAX))),
        ("key empty", Box::new(|e| e.key = Some(Vec::new()))),
        ("key", Box::new(|e| e.key = Some(vec![0; 33]))),
        (
            "words empty",
            Box::new(|e| e.body.words = Some(String::new())),
        ),
        (
            "words",
            Box::new(|e| e.body.words = Some("a".repeat(limits::ENTRY_WORDS_MAX + 1))),
        ),
        ("photos", Box::new(move |e| e.body.photos = vec![photo; 10])),
        (
            "photo bytes",
            Box::new(move |e| e.body.photos[0].bytes = large),
        ),
        (
            "photo media",
            Box::new(move |e| e.body.photos[0].media = large),
        ),
        (
            "photo kind",
            Box::new(move |e| e.body.photos[0].kind = large),
        ),
        (
            "unit twice",
            Box::new(move |e| e.body.assign = vec![unit, unit]),
        ),
        (
            "units",
            Box::new(|e| {
                e.body.assign = (0..9).map(|unit| (UnitId(unit), Part::Main)).collect();
            }),
        ),
        ("mode", Box::new(move |e| e.body.mode = Some(large))),
        ("reason", Box::new(move |e| e.body.reason = Some(large))),
        ("source", Box::new(move |e| e.body.source = Some(large))),
        ("what", Box::new(move |e| e.body.count = Some((large, 1)))),
        (
            "how many",
            Box::new(|e| e.body.count = Some((1, limits::COUNT_MAX + 1))),
        ),
        (
            "how few",
            Box::new(|e| e.body.count = Some((1, -limits::COUNT_MAX - 1))),
        ),
        ("unnamed", Box::new(|e| propose(e, Proposed::Gone, None))),
        (
            "code too short",
            Box::new(|e| propose(e, Proposed::New, Some(10_u64.pow(15) - 1))),
        ),
        (
            "code too long",
            Box::new(|e| propose(e, Proposed::New, Some(10_u64.pow(17)))),
        ),
        (
            "too long",
            Box::new(|e| {
                e.body.words = Some("字".repeat(limits::ENTRY_WORDS_MAX));
                e.on = (0..80).map(|byte| EntryId([byte; 16])).collect();
            }),
        ),
    ];
    for (name, change) in changes {
        let mut entry = full();
        change(&mut entry);
        assert_eq!(decode(&encode(&entry)), Err(EntryFault::Form), "{name}");
    }
}

#[test]
fn every_value_of_another_type_is_a_fault_of_form() {
    let uint = || item(|w| w.uint(1));
    let text = || item(|w| w.text("a"));
    let short = || item(|w| w.bytes(&[1; 7]));
    let empty = || item(|w| w.array(0));
    let negative = || item(|w| w.int(-1));
    let three = || item(|w| w.array(3).uint(1).uint(1).uint(1));
    let no_time = item(|w| w.map(1).uint(1).uint(5));
    let mut all = vec![
        ("no wall clock", with(7, no_time)),
        ("empty time", with(7, item(|w| w.map(0)))),
        ("body as array", with(9, empty())),
        ("capability of three", with(4, three())),
        (
            "photo of three",
            within(9, 1, [vec![0x81], three()].concat()),
        ),
        (
            "unit of three",
            within(9, 3, [vec![0x81], three()].concat()),
        ),
        ("no photos", within(9, 1, empty())),
        ("no units", within(9, 3, empty())),
    ];
    all.extend([0, 1, 5].map(|key| ("a text", with(key, text()))));
    all.extend([0, 1, 5].map(|key| ("negative", with(key, negative()))));
    all.extend([2, 3].map(|key| ("short", with(key, short()))));
    all.extend([2, 3, 4, 6, 7, 8, 9].map(|key| ("a number", with(key, uint()))));
    all.extend([0, 1, 2, 3].map(|key| ("time", within(7, key, text()))));
    all.extend([2, 6, 7, 9, 10, 14].map(|key| ("negative", within(9, key, negative()))));
    all.extend([0, 1, 3, 4, 5, 8, 11, 12, 13].map(|key| ("a number", within(9, key, uint()))));
    all.extend([5, 8, 11, 13].map(|key| ("short", within(9, key, short()))));
    all.extend([4, 12].map(|key| ("three", within(9, key, three()))));
    for (name, bytes) in all {
        assert_eq!(decode(&bytes), Err(EntryFault::Form), "{name} {bytes:02x?}");
    }
}

#[test]
fn every_departure_from_the_canonical_form_is_a_fault_of_form() {
    let bytes = encode(&full());
    let pairs_of_full = pairs(&bytes);
    for missing in [0, 1, 2, 3, 4, 5, 6, 7, 9] {
        let left: Vec<_> = pairs_of_full
            .iter()
            .filter(|(key, _)| *key != missing)
            .cloned()
            .collect();
        assert_eq!(decode(&map(&left)), Err(EntryFault::Form), "{missing}");
    }
    // A body under another number.
    let mut other = pairs_of_full.clone();
    for (key, _) in other.iter_mut().filter(|(key, _)| *key == 9) {
        *key = 10;
    }
    assert_eq!(decode(&map(&other)), Err(EntryFault::Form));
    for place in 1..pairs_of_full.len() {
        let mut swapped = pairs_of_full.clone();
        swapped.swap(place - 1, place);
        assert_eq!(decode(&map(&swapped)), Err(EntryFault::Form), "{place}");
        let mut doubled = pairs_of_full.clone();
        doubled.insert(place, pairs_of_full[place - 1].clone());
        assert_eq!(decode(&map(&doubled)), Err(EntryFault::Form), "{place}");
    }
    for end in 0..bytes.len() {
        assert_eq!(decode(&bytes[..end]), Err(EntryFault::Form), "{end}");
    }
    let mut nested = vec![0x81; 6];
    nested.push(0x01);
    for bytes in [
        [bytes.as_slice(), &[0]].concat(),
        with(1, vec![0x18, 0x0b]),
        with(5, vec![0x1a, 0x00, 0x00, 0x01, 0x2c]),
        with(6, vec![0x9f, 0xff]),
        with(8, vec![0x58, 0x01, 0x61]),
        within(9, 0, vec![0x61, 0xff]),
        within(9, 7, vec![0xf9, 0x3c, 0x00]),
        within(9, 7, vec![0xc1, 0x01]),
        within(9, 7, vec![0xf6]),
        with(10, vec![0xf7]),
        with(10, vec![0xfb, 0, 0, 0, 0, 0, 0, 0, 0]),
        with(10, nested),
        with(10, vec![0; 2]),
    ] {
        assert_eq!(decode(&bytes), Err(EntryFault::Form), "{bytes:02x?}");
    }
}

#[test]
fn what_a_newer_program_may_have_written_is_newer() {
    let uint = |value: u64| item(|w| w.uint(value));
    let unit = |part: u64| item(|w| w.array(1).array(2).uint(1).uint(part));
    for bytes in [
        with(0, uint(2)),
        with(0, uint(0)),
        within(9, 2, uint(4)),
        within(9, 2, uint(0)),
        within(9, 3, unit(3)),
        within(9, 9, uint(4)),
        within(9, 14, uint(4)),
    ] {
        assert_eq!(decode(&bytes), Err(EntryFault::Newer), "{bytes:02x?}");
    }
    let unknown = Entry {
        kind: 4_000,
        capability: 4_000,
        ..full()
    };
    let read = decode(&encode(&unknown)).expect("codes need not be known");
    assert_eq!((read.action(), read.right()), (None, None));
}

#[test]
fn a_code_that_only_describes_need_not_be_known() {
    let mut entry = full();
    (entry.body.mode, entry.body.reason, entry.body.source) = (Some(900), Some(901), Some(902));
    (entry.body.photos[0].media, entry.body.photos[0].kind) = (903, 904);
    entry.body.count = Some((905, 1));
    assert_eq!(decode(&encode(&entry)), Ok(entry));
}

#[test]
fn room_for_later_is_kept_and_passed_over() {
    let anything = item(|w| w.map(1).uint(0).array(2).text("later").null());
    for bytes in [
        with(10, anything.clone()),
        with(24, vec![0xf5]),
        with(u64::MAX, vec![0x20]),
        within(9, 16, anything.clone()),
        within(9, 300, vec![0xf4]),
        within(7, 4, anything),
    ] {
        assert_eq!(decode(&bytes), Ok(full()), "{bytes:02x?}");
        assert_ne!(encode(&full()), bytes);
    }
    let text_key = [
        [encode(&bare())[0] + 1].as_slice(),
        &encode(&bare())[1..],
        &[0x61, b'x', 0x01],
    ]
    .concat();
    assert_eq!(decode(&text_key), Err(EntryFault::Form));
}

#[path = "entry_properties.rs"]
mod properties;
