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
//! village   = [code, name, point | null, until?]    point = [lon_e7, lat_e7, datum, accuracy_m | null]
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
        let items = 3 + usize::from(row.until.is_some());
        w.array(items).uint(row.code.number()).text(&row.name);
        match row.point {
            Some(point) => write_point(w, point),
            None => _ = w.null(),
        }
        if let Some(until) = row.until {
            w.int(until.0);
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
            villages: ascending(villages(r)?, |row| row.code)?,
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
    ascending(list(r, known, read)?, id)
}

fn ascending<T, K: Ord>(rows: Vec<T>, id: impl Fn(&T) -> K) -> cbor::Result<Vec<T>> {
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

/// Villages; only one that has ended has an end.
fn villages(r: &mut Reader<'_>) -> cbor::Result<Vec<Village>> {
    let len = r.array()?;
    let mut rows = Vec::new();
    for _ in 0..len {
        let more = r.array()?.checked_sub(3).ok_or(Fault::Unexpected)?;
        let (code, name) = (village_code(r)?, name(r)?);
        let point = if r.null()? {
            None
        } else {
            Some(positions(r, 4, read_point)?)
        };
        let until = (more > 0).then(|| r.int().map(Timestamp)).transpose()?;
        for _ in 1..more {
            r.item()?;
        }
        rows.push(Village {
            code,
            name,
            point,
            until,
        });
    }
    Ok(rows)
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
mod tests;
