//! What a device tells about itself: version, clock offset, photo bytes and what is kept back when they change, the rest while it is amiss.

use crate::cbor::{Reader, Result, Writer};
use crate::domain::limits;

/// The `last_error` of a device whose sums are still not the server's after a listing that was to mend them.
pub const DIGEST: &str = "digest";

/// The `last_error` of a device in whose file work was spoilt before it was sent, and the code of that work in its box.
pub const SPOILT: &str = "spoilt";

/// What a device tells about itself.
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
    /// Whether it tells of something amiss; silence about it in the next hello says that it is over.
    pub fn tells_of_trouble(&self) -> bool {
        self.free_bytes.is_some()
            || self.outbox.is_some()
            || self.outbox_age_ms.is_some()
            || self.last_error.is_some()
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn write(&self, w: &mut Writer) {
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

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self> {
        let mut status = Self::default();
        for _ in 0..r.map()? {
            match r.uint()? {
                0 => status.free_bytes = Some(r.uint()?),
                1 => status.version = Some(word(r)?),
                2 => status.clock_offset_ms = Some(r.int()?),
                3 => status.outbox = Some(r.uint()?),
                4 => status.outbox_age_ms = Some(r.uint()?),
                5 => {
                    let mut kept_back = Vec::new();
                    for _ in 0..r.array()? {
                        let n = r.uint()?;
                        if kept_back.len() < limits::KEPT_BACK_MAX {
                            kept_back.push(n);
                        }
                    }
                    status.kept_back = Some(kept_back);
                }
                6 => status.photo_bytes_due = Some(r.uint()?),
                7 => status.last_error = Some(word(r)?),
                _ => {
                    r.item()?;
                }
            }
        }
        Ok(status)
    }
}

/// No more of it than is kept.
fn word(r: &mut Reader<'_>) -> Result<String> {
    Ok(r.text()?
        .chars()
        .take(limits::STATUS_WORD_CHARS_MAX)
        .collect())
}
