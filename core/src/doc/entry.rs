//! Entries as bytes: canonical CBOR with integer keys, and the id that binds them to their document.
//!
//! It checks form, not sense: whether a deed is allowed or fits is asked elsewhere.

use sha2::{Digest as _, Sha256};

use crate::cbor::{self, Fault, Reader, Writer};
use crate::domain::entry::{
    AssignmentId, Body, CheckBy, Entry, Field, Part, PhotoRef, Proposal, Proposed, Verdict,
};
use crate::domain::id::{DeviceId, DocumentId, EntryId, PersonId, UnitId};
use crate::domain::limits;
use crate::domain::time::{At, Timestamp};

/// The version of the envelope.
///
/// * 1: the first.
pub const ENTRY_VERSION: u64 = 1;

/// Why bytes are not an entry, or not the value of a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryFault {
    /// Not canonical, not complete, or a value is out of bounds.
    Form,
    /// A version, or a value of an enumeration, that this program does not know.
    Newer,
}

impl From<Fault> for EntryFault {
    fn from(_: Fault) -> Self {
        Self::Form
    }
}

type Result<T> = std::result::Result<T, EntryFault>;

/// The id of an entry within its document.
pub fn entry_id(document: DocumentId, bytes: &[u8]) -> EntryId {
    let mut hash = Sha256::new();
    hash.update(b"xuncun-entry-1");
    hash.update(document.0);
    hash.update(bytes);
    let digest = hash.finalize();
    let mut id = [0; EntryId::LEN];
    id.iter_mut()
        .zip(digest)
        .for_each(|(byte, digest)| *byte = digest);
    EntryId(id)
}

/// Writes an entry.
pub fn encode(entry: &Entry) -> Vec<u8> {
    let mut body = Writer::default();
    encode_body(&mut body, &entry.body);
    encode_with_body(entry, &body.finish())
}

/// Writes an entry whose body is already encoded; the body within `entry` is not looked at.
pub fn encode_with_body(entry: &Entry, body: &[u8]) -> Vec<u8> {
    let mut w = Writer::default();
    w.map(if entry.key.is_some() { 10 } else { 9 });
    w.uint(0).uint(ENTRY_VERSION);
    w.uint(1).uint(entry.kind);
    w.uint(2).bytes(&entry.person.0);
    w.uint(3).bytes(&entry.device.0);
    w.uint(4).array(2).uint(entry.capability).uint(entry.unit.0);
    w.uint(5).uint(entry.n);
    w.uint(6).array(entry.on.len());
    for id in &entry.on {
        w.bytes(&id.0);
    }
    w.uint(7);
    encode_at(&mut w, &entry.at);
    if let Some(key) = &entry.key {
        w.uint(8).bytes(key);
    }
    w.uint(9).raw(body);
    w.finish()
}

fn encode_at(w: &mut Writer, at: &At) {
    let anchored = at.anchored.map(|time| time.0);
    let parts = [
        Some(at.wall.0),
        anchored,
        at.error_ms.map(signed),
        at.boot.map(signed),
    ];
    w.map(parts.iter().flatten().count());
    for (key, value) in (0u64..).zip(parts) {
        if let Some(value) = value {
            w.uint(key).int(value);
        }
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Writes a body; the keys are those of `doc/format.md`.
pub fn encode_body(w: &mut Writer, body: &Body) {
    w.map(body.details().len());
    if let Some(words) = &body.words {
        w.uint(0).text(words);
    }
    if !body.photos.is_empty() {
        w.uint(1).array(body.photos.len());
        for photo in &body.photos {
            w.array(4)
                .bytes(&photo.sha256)
                .uint(photo.bytes)
                .uint(photo.media)
                .uint(photo.kind);
        }
    }
    if let Some(verdict) = body.verdict {
        w.uint(2).uint(verdict.code());
    }
    if !body.assign.is_empty() {
        w.uint(3).array(body.assign.len());
        for (unit, part) in &body.assign {
            w.array(2).uint(unit.0).uint(part.code());
        }
    }
    if let Some(assignment) = body.assignment {
        w.uint(4)
            .array(2)
            .bytes(&assignment.dispatch.0)
            .uint(assignment.unit.0);
    }
    if let Some(judged) = body.judged {
        w.uint(5).bytes(&judged.0);
    }
    for (key, value) in [(6, body.mode), (7, body.reason)] {
        if let Some(value) = value {
            w.uint(key).uint(value);
        }
    }
    if let Some(chosen) = body.chosen {
        w.uint(8).bytes(&chosen.0);
    }
    for (key, value) in [(9, body.field.map(Field::code)), (10, body.source)] {
        if let Some(value) = value {
            w.uint(key).uint(value);
        }
    }
    if let Some(target) = body.target {
        w.uint(11).bytes(&target.0);
    }
    if let Some((what, how_many)) = body.count {
        w.uint(12).array(2).uint(what).int(how_many);
    }
    if let Some(withdraws) = body.withdraws {
        w.uint(13).bytes(&withdraws.0);
    }
    if let Some(by) = body.check_by {
        w.uint(14).uint(by.code());
    }
    if let Some(proposal) = body.proposal {
        w.uint(15)
            .array(1 + usize::from(proposal.component.is_some()));
        w.uint(proposal.proposed.code());
        if let Some(component) = proposal.component {
            w.uint(component);
        }
    }
}

/// Reads an entry, checking its canonical form and every bound. Unknown keys are passed over.
pub fn decode(bytes: &[u8]) -> Result<Entry> {
    if bytes.len() > limits::ENTRY_BYTES_MAX {
        return Err(EntryFault::Form);
    }
    cbor::check(bytes, limits::CBOR_DEPTH_MAX)?;
    let mut r = Reader::new(bytes);
    let pairs = r.map()?;
    expect_key(&mut r, 0)?;
    if r.uint()? != ENTRY_VERSION {
        return Err(EntryFault::Newer);
    }
    expect_key(&mut r, 1)?;
    let kind = code(r.uint()?)?;
    expect_key(&mut r, 2)?;
    let person = PersonId(r.array_of()?);
    expect_key(&mut r, 3)?;
    let device = DeviceId(r.array_of()?);
    expect_key(&mut r, 4)?;
    exactly(r.array()?, 2)?;
    let (capability, unit) = (code(r.uint()?)?, UnitId(r.uint()?));
    expect_key(&mut r, 5)?;
    let n = code(r.uint()?)?;
    expect_key(&mut r, 6)?;
    let on = decode_on(&mut r)?;
    expect_key(&mut r, 7)?;
    let at = decode_at(&mut r)?;
    let mut next = r.uint()?;
    let mut read = 9;
    let mut key = None;
    if next == 8 {
        let bytes = r.bytes()?;
        bounded(!bytes.is_empty() && bytes.len() <= limits::KEY_BYTES_MAX)?;
        key = Some(bytes.to_vec());
        next = r.uint()?;
        read += 1;
    }
    bounded(next == 9 && n > 0)?;
    let body = decode_body(&mut r)?;
    for _ in read..pairs {
        bounded(r.uint()? > 9)?;
        r.item()?;
    }
    r.end()?;
    Ok(Entry {
        kind,
        person,
        device,
        capability,
        unit,
        n,
        on,
        at,
        key,
        body,
    })
}

fn decode_on(r: &mut Reader<'_>) -> Result<Vec<EntryId>> {
    let len = r.array()?;
    bounded(len <= limits::ON_MAX)?;
    let mut on: Vec<EntryId> = Vec::with_capacity(len);
    for _ in 0..len {
        let id = EntryId(r.array_of()?);
        bounded(on.last().is_none_or(|last| *last < id))?;
        on.push(id);
    }
    Ok(on)
}

fn decode_at(r: &mut Reader<'_>) -> Result<At> {
    let pairs = r.map()?;
    let mut at = At::default();
    let mut has_wall = false;
    for _ in 0..pairs {
        match r.uint()? {
            0 => {
                at.wall = time(r.int()?)?;
                has_wall = true;
            }
            1 => at.anchored = Some(time(r.int()?)?),
            2 => at.error_ms = Some(below(r.uint()?, limits::TIME_ERROR_MS_MAX)?),
            3 => at.boot = Some(below(r.uint()?, limits::BOOT_MAX)?),
            _ => {
                r.item()?;
            }
        }
    }
    bounded(has_wall)?;
    Ok(at)
}

fn decode_body(r: &mut Reader<'_>) -> Result<Body> {
    let mut body = Body::default();
    for _ in 0..r.map()? {
        match r.uint()? {
            0 => body.words = Some(text(r.text()?, limits::ENTRY_WORDS_MAX)?),
            1 => body.photos = decode_photos(r)?,
            2 => body.verdict = Some(known(Verdict::from_code(r.uint()?))?),
            3 => body.assign = decode_assign(r)?,
            4 => {
                exactly(r.array()?, 2)?;
                body.assignment = Some(AssignmentId {
                    dispatch: EntryId(r.array_of()?),
                    unit: UnitId(r.uint()?),
                });
            }
            5 => body.judged = Some(EntryId(r.array_of()?)),
            6 => body.mode = Some(code(r.uint()?)?),
            7 => body.reason = Some(code(r.uint()?)?),
            8 => body.chosen = Some(EntryId(r.array_of()?)),
            9 => body.field = Some(known(Field::from_code(r.uint()?))?),
            10 => body.source = Some(code(r.uint()?)?),
            11 => body.target = Some(DocumentId(r.array_of()?)),
            12 => {
                exactly(r.array()?, 2)?;
                let (what, how_many) = (code(r.uint()?)?, r.int()?);
                bounded((-limits::COUNT_MAX..=limits::COUNT_MAX).contains(&how_many))?;
                body.count = Some((what, how_many));
            }
            13 => body.withdraws = Some(EntryId(r.array_of()?)),
            14 => body.check_by = Some(known(CheckBy::from_code(r.uint()?))?),
            15 => body.proposal = Some(decode_proposal(r)?),
            _ => {
                r.item()?;
            }
        }
    }
    Ok(body)
}

fn decode_proposal(r: &mut Reader<'_>) -> Result<Proposal> {
    let len = r.array()?;
    bounded((1..=2).contains(&len))?;
    let proposed = known(Proposed::from_code(r.uint()?))?;
    let component = if len == 2 { Some(r.uint()?) } else { None };
    let proposal = Proposal {
        proposed,
        component,
    };
    bounded(proposal.is_whole())?;
    Ok(proposal)
}

fn decode_photos(r: &mut Reader<'_>) -> Result<Vec<PhotoRef>> {
    let len = r.array()?;
    bounded((1..=limits::ENTRY_PHOTOS_MAX).contains(&len))?;
    let mut photos = Vec::with_capacity(len);
    for _ in 0..len {
        exactly(r.array()?, 4)?;
        photos.push(PhotoRef {
            sha256: r.array_of()?,
            bytes: code(r.uint()?)?,
            media: code(r.uint()?)?,
            kind: code(r.uint()?)?,
        });
    }
    Ok(photos)
}

fn decode_assign(r: &mut Reader<'_>) -> Result<Vec<(UnitId, Part)>> {
    let len = r.array()?;
    bounded((1..=limits::ASSIGN_MAX).contains(&len))?;
    let mut assign: Vec<(UnitId, Part)> = Vec::with_capacity(len);
    for _ in 0..len {
        exactly(r.array()?, 2)?;
        let unit = UnitId(r.uint()?);
        bounded(assign.iter().all(|(other, _)| *other != unit))?;
        assign.push((unit, known(Part::from_code(r.uint()?))?));
    }
    Ok(assign)
}

fn expect_key(r: &mut Reader<'_>, key: u64) -> Result<()> {
    bounded(r.uint()? == key)
}

fn exactly(len: usize, expected: usize) -> Result<()> {
    bounded(len == expected)
}

fn bounded(is_within: bool) -> Result<()> {
    if is_within {
        Ok(())
    } else {
        Err(EntryFault::Form)
    }
}

fn known<T>(value: Option<T>) -> Result<T> {
    value.ok_or(EntryFault::Newer)
}

fn below(value: u64, bound: u64) -> Result<u64> {
    bounded(value < bound).map(|()| value)
}

fn code(value: u64) -> Result<u64> {
    below(value, limits::CODE_MAX)
}

fn time(ms: i64) -> Result<Timestamp> {
    bounded((0..=limits::TIME_MS_MAX).contains(&ms)).map(|()| Timestamp(ms))
}

fn text(words: &str, chars_max: usize) -> Result<String> {
    bounded((1..=chars_max).contains(&words.chars().count())).map(|()| words.to_owned())
}

#[cfg(test)]
#[path = "entry_tests.rs"]
mod tests;
