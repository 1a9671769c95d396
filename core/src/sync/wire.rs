//! The messages of a round, used by both ends: their fields and their bytes.
//!
//! Items of push and page frames are `strip`'s business; the stream around frames is `frame`'s.

use crate::cbor::{Fault, Reader, Result, Writer};
use crate::domain::id::{ChangeHash, DeviceId, DocumentId, Epoch};
use crate::domain::place::Scope;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::sync::seal::Digest;

/// The protocol that this program speaks.
///
/// * 1: the first.
pub const PROTOCOL: u64 = 1;
/// The lowest protocol that this program's server accepts.
pub const PROTOCOL_LOWEST: u64 = 1;
/// What a request and a response are, for HTTP.
pub const CONTENT_TYPE: &str = "application/vnd.xuncun.sync";

/// Numbers of frame types.
pub mod kind {
    /// Begins a request.
    pub const HELLO: u8 = 1;
    /// Changes from a device.
    pub const PUSH: u8 = 2;
    /// A page frame pushed back after a restore (reserved).
    pub const RELIC: u8 = 3;
    /// A small blob (reserved).
    pub const BLOB: u8 = 4;
    /// Push frames of another device (reserved).
    pub const BUNDLE: u8 = 5;
    /// Begins a response.
    pub const WELCOME: u8 = 16;
    /// What became of a push frame.
    pub const FATES: u8 = 17;
    /// The device's scopes.
    pub const SCOPES: u8 = 18;
    /// Changes from the server.
    pub const PAGE: u8 = 19;
    /// Ends a response.
    pub const DONE: u8 = 20;
    /// From here on an unknown type may be skipped.
    pub const SKIPPABLE: u8 = 128;
}

/// How far a device has caught up in a scope.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cursor {
    /// Everything up to this row of the feed.
    Tail(u64),
    /// Members that joined at `before` or later, and rows up to `as_of`.
    Boot {
        /// Rows accounted for.
        as_of: u64,
        /// Members listed.
        before: u64,
    },
}

/// A scope's handle within an epoch.
pub type ScopeNumber = u64;

/// Cursors by scope.
pub type Cursors = Vec<(ScopeNumber, Cursor)>;

fn write_cursors(w: &mut Writer, cursors: &Cursors) {
    w.array(2 * cursors.len());
    for (scope, cursor) in cursors {
        w.uint(*scope);
        match cursor {
            Cursor::Tail(seq) => w.uint(*seq),
            Cursor::Boot { as_of, before } => w.array(2).uint(*as_of).uint(*before),
        };
    }
}

fn read_cursors(r: &mut Reader<'_>) -> Result<Cursors> {
    let mut cursors = Cursors::new();
    for _ in 0..r.array()? / 2 {
        let scope = r.uint()?;
        let cursor = if r.is_array() {
            r.array()?;
            Cursor::Boot {
                as_of: r.uint()?,
                before: r.uint()?,
            }
        } else {
            Cursor::Tail(r.uint()?)
        };
        cursors.push((scope, cursor));
    }
    Ok(cursors)
}

/// The fixed positions of a payload: reads the known ones, passes over later ones.
fn positions<T>(
    payload: &[u8],
    known: usize,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T>,
) -> Result<T> {
    let mut r = Reader::new(payload);
    let len = r.array()?;
    if len < known {
        return Err(Fault::Truncated);
    }
    let value = read(&mut r)?;
    for _ in known..len {
        r.item()?;
    }
    r.end()?;
    Ok(value)
}

/// What a device tells about itself; only what changed since the last round that was answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// Free space on the device, in bytes.
    pub free_bytes: Option<u64>,
    /// Version of the app.
    pub version: Option<String>,
    /// The device's wall clock minus the server's, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// Changes that have no fate yet.
    pub outbox: Option<u64>,
    /// Age of the oldest of them, in milliseconds.
    pub outbox_age_ms: Option<u64>,
    /// The `n` of entries in the refused box.
    pub kept_back: Option<Vec<u64>>,
    /// Photo bytes not yet on the server.
    pub photo_bytes_due: Option<u64>,
    /// Code of the last error.
    pub last_error: Option<String>,
}

impl Status {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn write(&self, w: &mut Writer) {
        let item = |write: &dyn Fn(&mut Writer)| {
            let mut value = Writer::default();
            write(&mut value);
            value.finish()
        };
        let uint = |value: u64| item(&|w| _ = w.uint(value));
        let text = |value: &String| item(&|w| _ = w.text(value));
        let numbers = |numbers: &Vec<u64>| {
            item(&|w| {
                w.array(numbers.len());
                for n in numbers {
                    w.uint(*n);
                }
            })
        };
        let parts = [
            self.free_bytes.map(uint),
            self.version.as_ref().map(text),
            self.clock_offset_ms
                .map(|value| item(&|w| _ = w.int(value))),
            self.outbox.map(uint),
            self.outbox_age_ms.map(uint),
            self.kept_back.as_ref().map(numbers),
            self.photo_bytes_due.map(uint),
            self.last_error.as_ref().map(text),
        ];
        w.map(parts.iter().flatten().count());
        for (key, value) in (0u64..).zip(parts) {
            if let Some(value) = value {
                w.uint(key).raw(&value);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self> {
        let mut status = Self::default();
        for _ in 0..r.map()? {
            match r.uint()? {
                0 => status.free_bytes = Some(r.uint()?),
                1 => status.version = Some(r.text()?.chars().take(64).collect()),
                2 => status.clock_offset_ms = Some(r.int()?),
                3 => status.outbox = Some(r.uint()?),
                4 => status.outbox_age_ms = Some(r.uint()?),
                5 => {
                    status.kept_back =
                        Some((0..r.array()?).map(|_| r.uint()).collect::<Result<_>>()?);
                }
                6 => status.photo_bytes_due = Some(r.uint()?),
                7 => status.last_error = Some(r.text()?.chars().take(64).collect()),
                _ => {
                    r.item()?;
                }
            }
        }
        Ok(status)
    }
}

/// Begins a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The protocol spoken.
    pub protocol: u64,
    /// The epoch of the cursors.
    pub epoch: Epoch,
    /// Tag of the set of scopes that the device knows.
    pub scopes_tag: [u8; 4],
    /// How far the device has caught up.
    pub cursors: Cursors,
    /// Tag of the directory that the device has.
    pub directory_tag: [u8; 8],
    /// The device asks for pages of raw changes, after a check had failed.
    pub raw_pages: bool,
    /// Nothing is left to push.
    pub outbox_empty: bool,
    /// The last notice received.
    pub notice: u64,
    /// What changed.
    pub status: Status,
}

impl Hello {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(8)
            .uint(self.protocol)
            .bytes(&self.epoch.0)
            .bytes(&self.scopes_tag);
        write_cursors(&mut w, &self.cursors);
        w.bytes(&self.directory_tag);
        w.uint(u64::from(self.raw_pages) | u64::from(self.outbox_empty) << 1)
            .uint(self.notice);
        self.status.write(&mut w);
        w.finish()
    }

    /// From a payload.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        positions(payload, 8, |r| {
            let (protocol, epoch, scopes_tag) = (r.uint()?, Epoch(r.array_of()?), r.array_of()?);
            let (cursors, directory_tag, flags, notice) =
                (read_cursors(r)?, r.array_of()?, r.uint()?, r.uint()?);
            let status = Status::read(r)?;
            Ok(Self {
                protocol,
                epoch,
                scopes_tag,
                cursors,
                directory_tag,
                raw_pages: flags & 1 != 0,
                outbox_empty: flags & 2 != 0,
                notice,
                status,
            })
        })
    }
}

/// How the changes of a push frame are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Without what the receiver can compute.
    Stripped,
    /// As they are: document, change.
    Raw,
}

/// The head of a push frame; its items follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushHead {
    /// Who signed.
    pub signer: DeviceId,
    /// Lowest and highest `n` inside.
    pub n: (u64, u64),
    /// Over the batch.
    pub signature: [u8; 64],
    /// How the changes are written.
    pub form: Form,
}

impl PushHead {
    /// As a payload, with items that were written one by one.
    pub fn encode(&self, count: usize, items: &[u8]) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(6)
            .bytes(&self.signer.0)
            .uint(self.n.0)
            .uint(self.n.1)
            .bytes(&self.signature);
        w.uint(if self.form == Form::Raw { 1 } else { 0 });
        w.array(count).raw(items);
        w.finish()
    }

    /// From a payload: the head, how many items, and a reader at the first of them.
    pub fn decode(payload: &[u8]) -> Result<(Self, usize, Reader<'_>)> {
        let mut r = Reader::new(payload);
        if r.array()? < 6 {
            return Err(Fault::Truncated);
        }
        let (signer, n, signature) = (
            DeviceId(r.array_of()?),
            (r.uint()?, r.uint()?),
            r.array_of()?,
        );
        let form = match r.uint()? {
            0 => Form::Stripped,
            1 => Form::Raw,
            _ => return Err(Fault::Unexpected),
        };
        let count = r.array()?;
        Ok((
            Self {
                signer,
                n,
                signature,
                form,
            },
            count,
            r,
        ))
    }
}

/// Writes a raw item.
pub fn write_raw(w: &mut Writer, document: DocumentId, change: &[u8]) {
    w.array(2).bytes(&document.0).bytes(change);
}

/// Reads a raw item.
pub fn read_raw<'b>(r: &mut Reader<'b>) -> Result<(DocumentId, &'b [u8])> {
    if r.array()? < 2 {
        return Err(Fault::Truncated);
    }
    Ok((DocumentId(r.array_of()?), r.bytes()?))
}

/// Writes a raw item of a page.
pub fn write_raw_of_page(
    w: &mut Writer,
    document: DocumentId,
    ordinal: u64,
    received_at: Timestamp,
    change: &[u8],
) {
    w.array(4)
        .bytes(&document.0)
        .uint(ordinal)
        .int(received_at.0)
        .bytes(change);
}

/// Reads a raw item of a page: document, ordinal, time of receipt, change.
pub fn read_raw_of_page<'b>(r: &mut Reader<'b>) -> Result<(DocumentId, u64, Timestamp, &'b [u8])> {
    if r.array()? < 4 {
        return Err(Fault::Truncated);
    }
    Ok((
        DocumentId(r.array_of()?),
        r.uint()?,
        Timestamp(r.int()?),
        r.bytes()?,
    ))
}

/// Why a change waits without being judged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Later {
    /// A newer program made it.
    Newer,
    /// Too much from this device for today.
    Slow,
    /// No room, or the stored document is damaged.
    Storage,
}

impl Later {
    fn code(self) -> u64 {
        self as u64 + 1
    }

    fn from_code(code: u64) -> Self {
        [Self::Newer, Self::Slow, Self::Storage]
            .into_iter()
            .find(|later| later.code() == code)
            .unwrap_or(Self::Newer)
    }
}

/// What became of a pushed change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Admitted and durable.
    Ok,
    /// Was admitted before.
    Dup,
    /// These are not here; nothing was stored.
    Missing(Vec<ChangeHash>),
    /// Not judged; nothing was stored.
    Later(Later),
    /// Held for a person.
    Review,
    /// Never.
    Refused(Refusal),
}

/// Why a push frame was not read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unread {
    /// Of another epoch.
    Epoch,
    /// Its signature fails on stripped changes: send it raw.
    Rebuild,
    /// Its signature fails.
    Signature,
    /// Signed by another device than the one that carries it.
    Carried,
    /// Not a frame of this protocol.
    Malformed,
    /// Of a newer protocol.
    Newer,
    /// More than this device may push.
    TooMuch,
}

impl Unread {
    const ALL: [Self; 7] = [
        Self::Epoch,
        Self::Rebuild,
        Self::Signature,
        Self::Carried,
        Self::Malformed,
        Self::Newer,
        Self::TooMuch,
    ];

    fn code(self) -> u64 {
        self as u64 + 1
    }
}

/// The answer to one push frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fates {
    /// Which push frame of the request, from 0.
    pub frame: u64,
    /// A fate for each change in order, or why none was read.
    pub outcome: std::result::Result<Vec<Fate>, Unread>,
}

impl Fates {
    /// As a payload: runs of `ok` as numbers, other fates as `[code, detail…]`, an unread frame as a second array.
    pub fn encode(&self) -> Vec<u8> {
        let mut runs: Vec<(Fate, u64)> = Vec::new();
        for fate in self.outcome.iter().flatten() {
            match runs.last_mut() {
                Some((last, count)) if last == fate => *count += 1,
                _ => runs.push((fate.clone(), 1)),
            }
        }
        let mut w = Writer::default();
        w.array(3).uint(self.frame);
        w.uint(
            self.outcome
                .as_ref()
                .err()
                .map_or(0, |unread| unread.code()),
        );
        w.array(runs.len());
        for (fate, count) in runs {
            match fate {
                Fate::Ok => w.uint(count),
                Fate::Dup => w.array(2).uint(1).uint(count),
                Fate::Review => w.array(2).uint(3).uint(count),
                Fate::Later(later) => w.array(3).uint(5).uint(count).uint(later.code()),
                Fate::Refused(refusal) => w.array(3).uint(4).uint(count).uint(refusal.number()),
                Fate::Missing(hashes) => {
                    w.array(2 + hashes.len()).uint(2).uint(count);
                    for hash in &hashes {
                        w.bytes(&hash.0);
                    }
                    &mut w
                }
            };
        }
        w.finish()
    }

    /// From a payload; at most `changes_max` fates.
    pub fn decode(payload: &[u8], changes_max: usize) -> Result<Self> {
        positions(payload, 3, |r| {
            let (frame, unread) = (r.uint()?, r.uint()?);
            let mut fates: Vec<Fate> = Vec::new();
            for _ in 0..r.array()? {
                let (fate, count) = if r.is_array() {
                    read_run(r)?
                } else {
                    (Fate::Ok, r.size()?)
                };
                if count > changes_max.saturating_sub(fates.len()) {
                    return Err(Fault::Unexpected);
                }
                fates.resize(fates.len() + count, fate);
            }
            let unread = if unread == 0 {
                None
            } else {
                Some(
                    Unread::ALL
                        .into_iter()
                        .find(|code| code.code() == unread)
                        .unwrap_or(Unread::Newer),
                )
            };
            Ok(Self {
                frame,
                outcome: unread.map_or(Ok(fates), Err),
            })
        })
    }
}

fn read_run(r: &mut Reader<'_>) -> Result<(Fate, usize)> {
    let parts = r.array()?;
    let (code, count) = (r.uint()?, r.size()?);
    let fate = match (code, parts) {
        (1, 2) => Fate::Dup,
        (2, _) => Fate::Missing(
            (2..parts)
                .map(|_| r.array_of().map(ChangeHash))
                .collect::<Result<_>>()?,
        ),
        (3, 2) => Fate::Review,
        (4, 3) => Fate::Refused(Refusal::from_number(r.uint()?).unwrap_or(Refusal::UpdateNeeded)),
        (5, 3) => Fate::Later(Later::from_code(r.uint()?)),
        _ => return Err(Fault::Unexpected),
    };
    Ok((fate, count))
}

/// Something the server tells a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Entries with these `n` are missing: push them if you have them. Ranges, both ends included.
    Resend(Vec<(u64, u64)>),
    /// The phone is a copy, or was restored: enrol again.
    ReEnrol,
    /// Send your logs.
    SendLogs,
    /// A held change was released, or refused.
    Outcome {
        /// Of which document.
        document: DocumentId,
        /// Which change.
        change: ChangeHash,
        /// Refused for this reason; none: released.
        refusal: Option<Refusal>,
    },
    /// A message for the person.
    Message(String),
    /// Of a kind that this program does not know.
    Unknown,
}

impl Notice {
    /// As one item: how notices travel, and how a server stores them.
    pub fn write(&self, w: &mut Writer) {
        match self {
            Self::Resend(ranges) => {
                w.array(1 + 2 * ranges.len()).uint(1);
                for (first, last) in ranges {
                    w.uint(*first).uint(*last);
                }
            }
            Self::ReEnrol => {
                w.array(1).uint(2);
            }
            Self::SendLogs => {
                w.array(1).uint(3);
            }
            Self::Outcome {
                document,
                change,
                refusal,
            } => {
                w.array(4)
                    .uint(4)
                    .bytes(&document.0)
                    .bytes(&change.0)
                    .uint(refusal.map_or(0, Refusal::number));
            }
            Self::Message(text) => {
                w.array(2).uint(5).text(text);
            }
            Self::Unknown => {
                w.array(1).uint(0);
            }
        }
    }

    /// From one item.
    pub fn read(r: &mut Reader<'_>) -> Result<Self> {
        let item = r.item()?;
        let mut r = Reader::new(item);
        let parts = r.array()?;
        Ok(match r.uint()? {
            1 => Self::Resend(
                (0..parts.saturating_sub(1) / 2)
                    .map(|_| Ok((r.uint()?, r.uint()?)))
                    .collect::<Result<_>>()?,
            ),
            2 => Self::ReEnrol,
            3 => Self::SendLogs,
            4 => {
                let (document, change, refusal) = (
                    DocumentId(r.array_of()?),
                    ChangeHash(r.array_of()?),
                    r.uint()?,
                );
                let refusal = (refusal != 0)
                    .then(|| Refusal::from_number(refusal).unwrap_or(Refusal::UpdateNeeded));
                Self::Outcome {
                    document,
                    change,
                    refusal,
                }
            }
            5 => Self::Message(r.text()?.to_owned()),
            _ => Self::Unknown,
        })
    }
}

/// Begins a response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// The server's time.
    pub server_time: Timestamp,
    /// The lowest protocol accepted for pages.
    pub lowest: u64,
    /// The protocol spoken in this response.
    pub protocol: u64,
    /// The server's epoch.
    pub epoch: Epoch,
    /// Notices that the device has not named yet, each with its number.
    pub notices: Vec<(u64, Notice)>,
}

impl Welcome {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(5)
            .int(self.server_time.0)
            .uint(self.lowest)
            .uint(self.protocol)
            .bytes(&self.epoch.0);
        w.array(2 * self.notices.len());
        for (number, notice) in &self.notices {
            w.uint(*number);
            notice.write(&mut w);
        }
        w.finish()
    }

    /// From a payload.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        positions(payload, 5, |r| {
            let (server_time, lowest, protocol, epoch) = (
                Timestamp(r.int()?),
                r.uint()?,
                r.uint()?,
                Epoch(r.array_of()?),
            );
            let notices = (0..r.array()? / 2)
                .map(|_| Ok((r.uint()?, Notice::read(r)?)))
                .collect::<Result<_>>()?;
            Ok(Self {
                server_time,
                lowest,
                protocol,
                epoch,
                notices,
            })
        })
    }
}

/// The device's scopes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scopes {
    /// Names this set.
    pub tag: [u8; 4],
    /// The scopes and their handles.
    pub scopes: Vec<(ScopeNumber, Scope)>,
}

impl Scopes {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(2).bytes(&self.tag).array(3 * self.scopes.len());
        for (number, scope) in &self.scopes {
            let (kind, id) = scope.parts();
            w.uint(*number).uint(kind).uint(id);
        }
        w.finish()
    }

    /// From a payload; scopes of unknown kinds are left out.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        positions(payload, 2, |r| {
            let tag = r.array_of()?;
            let mut scopes = Vec::new();
            for _ in 0..r.array()? / 3 {
                let (number, kind, id) = (r.uint()?, r.uint()?, r.uint()?);
                scopes.extend(Scope::from_parts(kind, id).map(|scope| (number, scope)));
            }
            Ok(Self { tag, scopes })
        })
    }
}

/// What a page holds besides its items.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageTail {
    /// Memberships gained: a scope's handle, and documents.
    pub joined: Vec<(ScopeNumber, Vec<DocumentId>)>,
    /// Memberships lost.
    pub left: Vec<(ScopeNumber, Vec<DocumentId>)>,
    /// The cursors after this page; only those that moved.
    pub cursors: Cursors,
    /// Proves that the items were rebuilt.
    pub check: [u8; 8],
    /// Proves to the server that it sent them.
    pub tag: [u8; 16],
}

impl PageTail {
    /// As a payload, with items that were written one by one; `name` writes a document's name within the frame.
    pub fn encode(
        &self,
        form: Form,
        count: usize,
        items: &[u8],
        name: impl Fn(&mut Writer, DocumentId),
    ) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(7).uint(if form == Form::Raw { 1 } else { 0 });
        w.array(count).raw(items);
        for memberships in [&self.joined, &self.left] {
            w.array(2 * memberships.len());
            for (scope, documents) in memberships {
                w.uint(*scope).array(documents.len());
                documents
                    .iter()
                    .for_each(|document| name(&mut w, *document));
            }
        }
        write_cursors(&mut w, &self.cursors);
        w.bytes(&self.check).bytes(&self.tag);
        w.finish()
    }

    /// From a payload: `items` reads so many items of that form, `name` a document's name.
    pub fn decode<S>(
        payload: &[u8],
        state: &mut S,
        items: impl FnOnce(&mut S, &mut Reader<'_>, Form, usize) -> Result<()>,
        name: impl Fn(&S, &mut Reader<'_>) -> Result<DocumentId>,
    ) -> Result<Self> {
        positions(payload, 7, |r| {
            let form = if r.uint()? == 1 {
                Form::Raw
            } else {
                Form::Stripped
            };
            let count = r.array()?;
            items(state, r, form, count)?;
            let memberships =
                |r: &mut Reader<'_>, state: &S| -> Result<Vec<(ScopeNumber, Vec<DocumentId>)>> {
                    (0..r.array()? / 2)
                        .map(|_| {
                            let scope = r.uint()?;
                            let documents = (0..r.array()?)
                                .map(|_| name(state, r))
                                .collect::<Result<_>>()?;
                            Ok((scope, documents))
                        })
                        .collect()
                };
            let (joined, left) = (memberships(r, state)?, memberships(r, state)?);
            Ok(Self {
                joined,
                left,
                cursors: read_cursors(r)?,
                check: r.array_of()?,
                tag: r.array_of()?,
            })
        })
    }
}

/// Ends a response.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Done {
    /// The digest of each scope, when the read reached the head of all.
    pub digests: Vec<(ScopeNumber, Digest)>,
    /// The tag of the server's directory, where it differs from the device's.
    pub directory_tag: Option<[u8; 8]>,
    /// Come back no sooner than after so many milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The round was cut short on purpose: there is more.
    pub has_more: bool,
}

impl Done {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(4).array(2 * self.digests.len());
        for (scope, digest) in &self.digests {
            w.uint(*scope).bytes(&digest.0.to_be_bytes());
        }
        match self.directory_tag {
            Some(tag) => w.bytes(&tag),
            None => w.null(),
        };
        w.uint(self.retry_after_ms.unwrap_or(0))
            .uint(u64::from(self.has_more));
        w.finish()
    }

    /// From a payload.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        positions(payload, 4, |r| {
            let digests = (0..r.array()? / 2)
                .map(|_| Ok((r.uint()?, Digest(u128::from_be_bytes(r.array_of()?)))))
                .collect::<Result<_>>()?;
            let directory_tag = if r.null()? { None } else { Some(r.array_of()?) };
            let retry_after_ms = Some(r.uint()?).filter(|ms| *ms > 0);
            Ok(Self {
                digests,
                directory_tag,
                retry_after_ms,
                has_more: r.uint()? & 1 != 0,
            })
        })
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
