//! A village's components as bytes: how they are kept on both sides, how they travel to phones, and the tag that tells whether a
//! phone has the present ones.
//!
//! Whether a component is as the standard wants it is asked where it is imported, not here.
//!
//! The components of a village are one item of canonical CBOR; they travel compressed by zstd:
//!
//! ```text
//! components = [version, village, [component*]]
//! component  = [code, name, authority code, authority name, owner code, owner name, keeper code, keeper name, unit grid, state,
//!               first on, changed on | null, source, remarks, town code, town name, village, village name, lon_e7, lat_e7]
//! tags       = [version, [[village, tag (8 bytes)]*]]
//! ```
//!
//! Days are numbers YYYYMMDD. Rows ascend by their code, tags by their village. Readers pass over items that follow the positions
//! named here, so that a field can be added without a new version.

use std::io::Read as _;

use sha2::{Digest as _, Sha256};

use crate::cbor::{self, Fault, Reader, Writer};
use crate::domain::component::{Component, ComponentCode, NamedBody, Position};
use crate::domain::limits;
use crate::domain::place::VillageCode;

/// Version of the bytes of components.
///
/// * 1: the first.
pub const COMPONENTS_VERSION: u64 = 1;

/// The type under which components travel.
pub const CONTENT_TYPE: &str = "application/zstd";

/// A tag: the first 8 bytes of the SHA-256 of a village's components.
pub type Tag = [u8; 8];

/// Positions of a component.
const FIELDS: usize = 20;

/// Writes a component. The same one always gives the same bytes.
pub fn encode(component: &Component) -> Vec<u8> {
    let mut writer = Writer::default();
    let w = writer.array(FIELDS);
    w.uint(component.code.number()).text(&component.name);
    for body in [&component.authority, &component.owner, &component.keeper] {
        w.text(&body.code).text(&body.name);
    }
    w.text(&component.unit_grid)
        .text(&component.state)
        .uint(u64::from(component.first_on));
    match component.changed_on {
        Some(day) => w.uint(u64::from(day)),
        None => w.null(),
    };
    w.text(&component.source)
        .text(&component.remarks)
        .text(&component.town_code)
        .text(&component.town_name)
        .uint(component.village.number())
        .text(&component.village_name)
        .int(component.position.lon_e7)
        .int(component.position.lat_e7);
    writer.finish()
}

/// Reads a component from bytes of any origin.
///
/// # Errors
/// The first departure from the canonical form or from the shape above.
pub fn decode(bytes: &[u8]) -> cbor::Result<Component> {
    cbor::check(bytes, limits::CBOR_DEPTH_MAX)?;
    let mut r = Reader::new(bytes);
    let unknown = r.array()?.checked_sub(FIELDS).ok_or(Fault::Unexpected)?;
    let component = Component {
        code: ComponentCode::new(r.uint()?).ok_or(Fault::Unexpected)?,
        name: text(&mut r)?,
        authority: body(&mut r)?,
        owner: body(&mut r)?,
        keeper: body(&mut r)?,
        unit_grid: text(&mut r)?,
        state: text(&mut r)?,
        first_on: day(&mut r)?,
        changed_on: if r.null()? { None } else { Some(day(&mut r)?) },
        source: text(&mut r)?,
        remarks: text(&mut r)?,
        town_code: text(&mut r)?,
        town_name: text(&mut r)?,
        village: village(&mut r)?,
        village_name: text(&mut r)?,
        position: Position {
            lon_e7: r.int()?,
            lat_e7: r.int()?,
        },
    };
    for _ in 0..unknown {
        r.item()?;
    }
    r.end()?;
    Ok(component)
}

fn text(r: &mut Reader<'_>) -> cbor::Result<String> {
    Ok(r.text()?.to_owned())
}

fn body(r: &mut Reader<'_>) -> cbor::Result<NamedBody> {
    Ok(NamedBody {
        code: text(r)?,
        name: text(r)?,
    })
}

fn day(r: &mut Reader<'_>) -> cbor::Result<u32> {
    u32::try_from(r.uint()?).map_err(|_| Fault::Unexpected)
}

fn village(r: &mut Reader<'_>) -> cbor::Result<VillageCode> {
    VillageCode::new(r.uint()?).ok_or(Fault::Unexpected)
}

/// The components of a village, of which each is written already, in the order of their codes.
pub fn join<'r>(village: VillageCode, rows: impl ExactSizeIterator<Item = &'r [u8]>) -> Vec<u8> {
    let mut writer = Writer::default();
    writer
        .array(3)
        .uint(COMPONENTS_VERSION)
        .uint(village.number())
        .array(rows.len());
    for row in rows {
        writer.raw(row);
    }
    writer.finish()
}

/// Splits a village's components, read from bytes of any origin, and gives each with its bytes.
///
/// # Errors
/// As [`decode`]; [`Fault::KeyOrder`] where codes do not ascend, [`Fault::Unexpected`] for another version or another village.
pub fn split(bytes: &[u8], of: VillageCode) -> cbor::Result<Vec<(Component, &[u8])>> {
    cbor::check(bytes, limits::CBOR_DEPTH_MAX)?;
    let mut r = Reader::new(bytes);
    if r.array()? < 3 || r.uint()? != COMPONENTS_VERSION || village(&mut r)? != of {
        return Err(Fault::Unexpected);
    }
    let mut rows: Vec<(Component, &[u8])> = Vec::new();
    for _ in 0..r.array()? {
        let bytes = r.item()?;
        let row = decode(bytes)?;
        if row.village != of {
            return Err(Fault::Unexpected);
        }
        if rows.last().is_some_and(|(last, _)| last.code >= row.code) {
            return Err(Fault::KeyOrder);
        }
        rows.push((row, bytes));
    }
    Ok(rows)
}

/// Writes which villages have which components.
pub fn encode_tags(tags: &[(VillageCode, Tag)]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.array(2).uint(COMPONENTS_VERSION).array(tags.len());
    for (village, tag) in tags {
        writer.array(2).uint(village.number()).bytes(tag);
    }
    writer.finish()
}

/// Reads which villages have which components, from bytes of any origin.
///
/// # Errors
/// As [`split`].
pub fn decode_tags(bytes: &[u8]) -> cbor::Result<Vec<(VillageCode, Tag)>> {
    cbor::check(bytes, limits::CBOR_DEPTH_MAX)?;
    let mut r = Reader::new(bytes);
    if r.array()? < 2 || r.uint()? != COMPONENTS_VERSION {
        return Err(Fault::Unexpected);
    }
    let mut tags: Vec<(VillageCode, Tag)> = Vec::new();
    for _ in 0..r.array()? {
        if r.array()? < 2 {
            return Err(Fault::Unexpected);
        }
        tags.push((village(&mut r)?, r.array_of()?));
    }
    if tags.is_sorted_by(|one, next| one.0 < next.0) {
        Ok(tags)
    } else {
        Err(Fault::KeyOrder)
    }
}

/// Names the components of a village.
pub fn tag(components: &[u8]) -> Tag {
    let mut tag = [0; 8];
    for (to, from) in tag.iter_mut().zip(Sha256::digest(components)) {
        *to = from;
    }
    tag
}

/// Names a directory together with the components of the villages that a phone has them of, ascending: what its hello says it has. Without
/// components it is the directory's own tag.
pub fn tag_with(directory: Tag, tags: &[(VillageCode, Tag)]) -> Tag {
    if tags.is_empty() {
        return directory;
    }
    tag(&[directory.as_slice(), &encode_tags(tags)].concat())
}

/// Compresses for the way.
pub fn pack(components: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(components, 3).expect("zstd compresses into memory")
}

/// Unpacks what came, of at most [`limits::COMPONENTS_BYTES_MAX`] bytes; none where it is damaged or larger.
pub fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = zstd::stream::read::Decoder::new(packed).ok()?;
    decoder.window_log_max(limits::ZSTD_WINDOW_LOG_MAX).ok()?;
    let mut bytes = Vec::new();
    let most = limits::COMPONENTS_BYTES_MAX as u64 + 1;
    decoder.take(most).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= limits::COMPONENTS_BYTES_MAX).then_some(bytes)
}

#[cfg(test)]
mod tests;
