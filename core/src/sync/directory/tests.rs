//! A directory comes back from its bytes, and bytes of any other form are refused.

use super::*;

/// A directory in which every field takes each of its forms.
#[expect(
    clippy::too_many_lines,
    reason = "one value of every form, spelled out"
)]
fn directory() -> Directory {
    let gengguan = VillageCode::new(440_403_100_200).expect("twelve digits");
    let guangfeng = VillageCode::new(440_403_100_201).expect("twelve digits");
    let name = |text: &str| text.to_owned();
    let post = |role, at, until| Post {
        role,
        at,
        from: Timestamp(-5),
        until,
    };
    let point = Point {
        lon_e7: 1_132_060_210,
        lat_e7: -223_686_490,
        datum: Datum::Gcj02,
        accuracy_m: Some(9),
    };
    let row = |village, until| BeatVillage {
        village,
        from: Timestamp(1_577_808_000_000),
        until,
    };
    Directory {
        districts: vec![District {
            code: 440_403,
            name: name("斗门区"),
        }],
        towns: vec![Town {
            code: 440_403_100,
            name: name("莲洲镇"),
        }],
        villages: vec![
            Village {
                code: gengguan,
                name: name("耕管村"),
                point: Some(point),
                until: None,
            },
            Village {
                code: guangfeng,
                name: name("广丰村"),
                point: None,
                until: None,
            },
        ],
        beats: vec![Beat {
            id: BeatId(7),
            name: name("七号"),
            villages: vec![
                row(gengguan, None),
                row(guangfeng, Some(Timestamp(1_700_000_000_000))),
            ],
        }],
        units: UnitKind::ALL
            .iter()
            .zip([101, 201, 440_403_100, 440_403_100_200])
            .map(|(kind, id)| Unit {
                id: UnitId(id),
                kind: *kind,
                name: name("单位"),
            })
            .collect(),
        people: vec![Person {
            id: PersonId([5; 8]),
            name: name("巡查员01"),
            posts: vec![
                post(Role::Inspector, PostAt::Beat(BeatId(7)), None),
                post(
                    Role::Cadre,
                    PostAt::Unit(gengguan.unit()),
                    Some(Timestamp(8)),
                ),
                post(Role::Leader, PostAt::City, None),
            ],
        }],
        categories: vec![CategoryRow {
            key: CategoryKey {
                scheme: 476_785,
                kind: CategoryKey::MATTER,
                code: 6_010,
            },
            name: name("暴露垃圾"),
        }],
    }
}

#[test]
fn a_directory_comes_back_from_its_bytes() {
    for directory in [directory(), Directory::default()] {
        let bytes = encode(&directory);
        assert_eq!(cbor::check(&bytes, limits::CBOR_DEPTH_MAX), Ok(()));
        assert_eq!(decode(&bytes), Ok(directory));
    }
}

#[test]
fn the_bytes_of_version_1_do_not_change() {
    assert_eq!(
        encode(&Directory::default()),
        [0x88, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]
    );
    let hex: String = tag(&encode(&directory()))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, "c8d1201a53603dde");
}

#[test]
fn a_village_that_has_ended_has_one_item_more_that_older_readers_pass_over() {
    let mut ended = directory();
    ended.villages[1].until = Some(Timestamp(1_800_000_000_000));
    let bytes = encode(&ended);
    assert_eq!(bytes.len(), encode(&directory()).len() + 9);
    assert_eq!(decode(&bytes), Ok(ended));
}

#[test]
fn the_tag_is_the_beginning_of_the_sha_256() {
    assert_eq!(tag(b""), [0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14]);
}

#[test]
fn cut_bytes_are_refused_at_every_length() {
    let bytes = encode(&directory());
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err(), "{len}");
    }
    assert_eq!(decode(&[&bytes[..], &[0]].concat()), Err(Fault::Trailing));
}

#[test]
fn a_flipped_bit_is_refused_or_gives_another_directory() {
    let sound = directory();
    let bytes = encode(&sound);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(tag(&flipped), tag(&bytes));
        if let Ok(other) = decode(&flipped) {
            assert_ne!(other, sound, "bit {bit}");
            assert_eq!(encode(&other), flipped, "bit {bit}");
        }
    }
}

#[test]
fn further_positions_are_passed_over() {
    let mut writer = Writer::default();
    writer.array(9).uint(DIRECTORY_VERSION);
    writer
        .array(1)
        .array(3)
        .uint(440_403)
        .text("斗门区")
        .array(1)
        .bytes(&[1]);
    writer.array(0).array(0).array(0).array(0);
    writer.array(1).array(4).bytes(&[5; 8]).text("领导01");
    writer
        .array(1)
        .array(6)
        .text("leader")
        .uint(0)
        .uint(0)
        .int(1)
        .null()
        .text("新");
    writer.null();
    writer.array(0).map(1).uint(1).uint(2);
    let directory = decode(&writer.finish()).expect("a directory of a later minor form");
    assert_eq!(
        directory.districts,
        [District {
            code: 440_403,
            name: "斗门区".to_owned()
        }]
    );
    assert_eq!(
        directory.people.first().map(|person| person.posts.len()),
        Some(1)
    );
}

#[test]
fn other_versions_unknown_words_and_disorder_are_refused() {
    let refused = |change: fn(&mut Directory), fault| {
        let mut other = directory();
        change(&mut other);
        assert_eq!(decode(&encode(&other)), Err(fault));
    };
    refused(|d| d.villages.swap(0, 1), Fault::KeyOrder);
    refused(|d| d.towns.push(d.towns[0].clone()), Fault::KeyOrder);
    let mut later = encode(&Directory::default());
    later[1] = 2;
    assert_eq!(decode(&later), Err(Fault::Unexpected));
    let bytes = encode(&directory());
    let at = bytes
        .windows(6)
        .position(|word| word == b"leader")
        .expect("a leader is listed");
    let mut strange = bytes.clone();
    strange[at] = b'r';
    assert_eq!(decode(&strange), Err(Fault::Unexpected));
}

#[test]
fn announced_lengths_are_not_believed() {
    for head in [
        &[0x9b, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff][..],
        &[0x88, 1, 0x9a, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert_eq!(decode(head), Err(Fault::Truncated));
    }
    assert_eq!(
        decode(&vec![0; limits::DIRECTORY_BYTES_MAX + 1]),
        Err(Fault::Unexpected)
    );
}
