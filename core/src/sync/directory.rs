//! The directory as bytes: how it travels to phones and is kept on both sides, and the tag that tells whether a phone
//! has the present one.
//!
//! Deliberately not here: whether a directory is sound ([`Directory::check`]); only sound ones are published.
//!
//! A directory is one item of canonical CBOR, an array that begins with the version:
//!
//! ```text
//! directory = [version, [district*], [town*], [village*], [beat*], [unit*], [person*], [category*]]
//! district  = [code, name]
//! town      = [code, name]
//! village   = [code, name, point | null]            point = [lon_e7, lat_e7, datum, accuracy_m | null]
//! beat      = [id, name, [[village, from, until | null]*]]
//! unit      = [id, kind word, name]
//! person    = [id (8 bytes), name, [[role word, at, at id, from, until | null]*]]
//! category  = [scheme, kind, code, name]
//! ```
//!
//! `at` is 0 for the city (id 0), 1 for a unit, 2 for a beat; times are milliseconds. Rows ascend by their ids. Readers
//! pass over items that follow the positions named here, so that a field can be added without a new version.

use sha2::{Digest as _, Sha256};

use crate::cbor::{self, Fault, Reader, Writer};
use crate::domain::capability::Role;
use crate::domain::directory::{
    Beat, BeatId, BeatVillage, CategoryKey, CategoryRow, Directory, District, Person, Post, PostAt,
    Town, Unit, UnitKind, Village,
};
use crate::domain::id::{PersonId, UnitId};
use crate::domain::limits;
use crate::domain::place::{Datum, Point, VillageCode};
use crate::domain::time::Timestamp;

/// Version of the bytes of a directory. A new role, kind of unit or kind of post needs a new one; a field does not.
///
/// * 1: the first.
pub const DIRECTORY_VERSION: u64 = 1;

/// Writes a directory. The same directory always gives the same bytes.
pub fn encode(directory: &Directory) -> Vec<u8> {
    let mut writer = Writer::default();
    let w = &mut writer;
    w.array(8).uint(DIRECTORY_VERSION);
    rows(w, &directory.districts, |w, row| {
        w.array(2).uint(row.code).text(&row.name);
    });
    rows(w, &directory.towns, |w, row| {
        w.array(2).uint(row.code).text(&row.name);
    });
    rows(w, &directory.villages, |w, row| {
        w.array(3).uint(row.code.number()).text(&row.name);
        match row.point {
            Some(point) => write_point(w, point),
            None => _ = w.null(),
        }
    });
    rows(w, &directory.beats, |w, row| {
        w.array(3).uint(u64::from(row.id.0)).text(&row.name);
        rows(w, &row.villages, |w, row| {
            w.array(3).uint(row.village.number());
            write_dates(w, row.from, row.until);
        });
    });
    rows(w, &directory.units, |w, row| {
        w.array(3)
            .uint(row.id.0)
            .text(row.kind.word())
            .text(&row.name);
    });
    rows(w, &directory.people, |w, row| {
        w.array(3).bytes(&row.id.0).text(&row.name);
        rows(w, &row.posts, write_post);
    });
    rows(w, &directory.categories, |w, row| {
        w.array(4)
            .uint(row.key.scheme)
            .uint(row.key.kind)
            .uint(row.key.code)
            .text(&row.name);
    });
    writer.finish()
}

fn rows<T>(w: &mut Writer, rows: &[T], write: impl Fn(&mut Writer, &T)) {
    w.array(rows.len());
    for row in rows {
        write(w, row);
    }
}

fn write_point(w: &mut Writer, point: Point) {
    w.array(4)
        .int(point.lon_e7)
        .int(point.lat_e7)
        .uint(point.datum.code());
    match point.accuracy_m {
        Some(metres) => w.uint(metres),
        None => w.null(),
    };
}

fn write_dates(w: &mut Writer, from: Timestamp, until: Option<Timestamp>) {
    w.int(from.0);
    match until {
        Some(until) => w.int(until.0),
        None => w.null(),
    };
}

fn write_post(w: &mut Writer, post: &Post) {
    let (at, id) = match post.at {
        PostAt::City => (0, 0),
        PostAt::Unit(unit) => (1, unit.0),
        PostAt::Beat(beat) => (2, u64::from(beat.0)),
    };
    w.array(5).text(post.role.word()).uint(at).uint(id);
    write_dates(w, post.from, post.until);
}

/// Reads a directory from bytes of any origin.
///
/// # Errors
/// The first departure from the canonical form or from the shape above; [`Fault::KeyOrder`] where rows do not ascend,
/// [`Fault::Unexpected`] for another version, an unknown word, or more than [`limits::DIRECTORY_BYTES_MAX`] bytes.
pub fn decode(bytes: &[u8]) -> cbor::Result<Directory> {
    if bytes.len() > limits::DIRECTORY_BYTES_MAX {
        return Err(Fault::Unexpected);
    }
    cbor::check(bytes, limits::CBOR_DEPTH_MAX)?;
    let mut reader = Reader::new(bytes);
    let directory = positions(&mut reader, 8, |r| {
        if r.uint()? != DIRECTORY_VERSION {
            return Err(Fault::Unexpected);
        }
        Ok(Directory {
            districts: table(
                r,
                2,
                |r| {
                    Ok(District {
                        code: r.uint()?,
                        name: name(r)?,
                    })
                },
                |row| row.code,
            )?,
            towns: table(
                r,
                2,
                |r| {
                    Ok(Town {
                        code: r.uint()?,
                        name: name(r)?,
                    })
                },
                |row| row.code,
            )?,
            villages: table(r, 3, read_village, |row| row.code)?,
            beats: table(r, 3, read_beat, |row| row.id)?,
            units: table(r, 3, read_unit, |row| row.id)?,
            people: table(r, 3, read_person, |row| row.id)?,
            categories: table(r, 4, read_category, |row| row.key)?,
        })
    })?;
    reader.end()?;
    Ok(directory)
}

/// Reads an array of at least `known` items, of which `read` reads exactly so many; passes over the others.
fn positions<'b, T>(
    r: &mut Reader<'b>,
    known: usize,
    read: impl FnOnce(&mut Reader<'b>) -> cbor::Result<T>,
) -> cbor::Result<T> {
    let unknown = r.array()?.checked_sub(known).ok_or(Fault::Unexpected)?;
    let value = read(r)?;
    for _ in 0..unknown {
        r.item()?;
    }
    Ok(value)
}

/// Reads an array of arrays.
fn list<'b, T>(
    r: &mut Reader<'b>,
    known: usize,
    read: impl Fn(&mut Reader<'b>) -> cbor::Result<T>,
) -> cbor::Result<Vec<T>> {
    let len = r.array()?;
    // Grows as rows are read: the announced length is the sender's.
    let mut rows = Vec::new();
    for _ in 0..len {
        rows.push(positions(r, known, &read)?);
    }
    Ok(rows)
}

/// Reads an array of arrays whose ids ascend.
fn table<'b, T, K: Ord>(
    r: &mut Reader<'b>,
    known: usize,
    read: impl Fn(&mut Reader<'b>) -> cbor::Result<T>,
    id: impl Fn(&T) -> K,
) -> cbor::Result<Vec<T>> {
    let rows = list(r, known, read)?;
    if rows.is_sorted_by(|one, next| id(one) < id(next)) {
        Ok(rows)
    } else {
        Err(Fault::KeyOrder)
    }
}

fn name(r: &mut Reader<'_>) -> cbor::Result<String> {
    Ok(r.text()?.to_owned())
}

fn village_code(r: &mut Reader<'_>) -> cbor::Result<VillageCode> {
    VillageCode::new(r.uint()?).ok_or(Fault::Unexpected)
}

fn beat_id(number: u64) -> cbor::Result<BeatId> {
    u32::try_from(number)
        .map(BeatId)
        .map_err(|_| Fault::Unexpected)
}

fn dates(r: &mut Reader<'_>) -> cbor::Result<(Timestamp, Option<Timestamp>)> {
    let from = Timestamp(r.int()?);
    let until = if r.null()? {
        None
    } else {
        Some(Timestamp(r.int()?))
    };
    Ok((from, until))
}

fn read_village(r: &mut Reader<'_>) -> cbor::Result<Village> {
    let (code, name) = (village_code(r)?, name(r)?);
    let point = if r.null()? {
        None
    } else {
        Some(positions(r, 4, read_point)?)
    };
    Ok(Village { code, name, point })
}

fn read_point(r: &mut Reader<'_>) -> cbor::Result<Point> {
    let (lon_e7, lat_e7) = (r.int()?, r.int()?);
    let datum = Datum::from_code(r.uint()?).ok_or(Fault::Unexpected)?;
    let accuracy_m = if r.null()? { None } else { Some(r.uint()?) };
    Ok(Point {
        lon_e7,
        lat_e7,
        datum,
        accuracy_m,
    })
}

fn read_beat(r: &mut Reader<'_>) -> cbor::Result<Beat> {
    let (id, name) = (beat_id(r.uint()?)?, name(r)?);
    let villages = list(r, 3, |r| {
        let village = village_code(r)?;
        let (from, until) = dates(r)?;
        Ok(BeatVillage {
            village,
            from,
            until,
        })
    })?;
    Ok(Beat { id, name, villages })
}

fn read_unit(r: &mut Reader<'_>) -> cbor::Result<Unit> {
    let id = UnitId(r.uint()?);
    let kind = UnitKind::from_word(r.text()?).ok_or(Fault::Unexpected)?;
    Ok(Unit {
        id,
        kind,
        name: name(r)?,
    })
}

fn read_person(r: &mut Reader<'_>) -> cbor::Result<Person> {
    let (id, name) = (PersonId(r.array_of()?), name(r)?);
    Ok(Person {
        id,
        name,
        posts: list(r, 5, read_post)?,
    })
}

fn read_post(r: &mut Reader<'_>) -> cbor::Result<Post> {
    let role = Role::from_word(r.text()?).ok_or(Fault::Unexpected)?;
    let at = match (r.uint()?, r.uint()?) {
        (0, 0) => PostAt::City,
        (1, unit) => PostAt::Unit(UnitId(unit)),
        (2, beat) => PostAt::Beat(beat_id(beat)?),
        _ => return Err(Fault::Unexpected),
    };
    let (from, until) = dates(r)?;
    Ok(Post {
        role,
        at,
        from,
        until,
    })
}

fn read_category(r: &mut Reader<'_>) -> cbor::Result<CategoryRow> {
    let key = CategoryKey {
        scheme: r.uint()?,
        kind: r.uint()?,
        code: r.uint()?,
    };
    Ok(CategoryRow {
        key,
        name: name(r)?,
    })
}

/// Names the bytes of a directory: the first 8 bytes of their SHA-256.
pub fn tag(bytes: &[u8]) -> [u8; 8] {
    let mut tag = [0; 8];
    for (to, from) in tag.iter_mut().zip(Sha256::digest(bytes)) {
        *to = from;
    }
    tag
}

#[cfg(test)]
mod tests {
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
                },
                Village {
                    code: guangfeng,
                    name: name("广丰村"),
                    point: None,
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
}
