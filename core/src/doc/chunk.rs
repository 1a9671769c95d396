//! A look at a change's bytes before Automerge sees them: one uncompressed change chunk, of bounded work.
//!
//! Automerge trusts run lengths (57 bytes can ask for 2²⁶ operations) and inflates compressed chunks before it looks at
//! their checksum. This scan lets through only what the grammar needs; it does not interpret operations.

use sha2::{Digest as _, Sha256};

use crate::domain::limits;
use crate::domain::refusal::Refusal;

pub(super) const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
pub(super) const CHANGE: u8 = 1;
/// The column of the actors of predecessors: 0 the author, from 1 the other actors of the chunk. Automerge's decoder
/// panics on a number beyond them.
const PRED_ACTORS: u64 = 0x71;

/// How the values of a column are encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    /// Run-length encoded unsigned numbers.
    Uint,
    /// Run-length encoded signed differences.
    Delta,
    /// Run-length encoded strings.
    Text,
    /// Alternating run lengths of booleans.
    Bool,
    /// The bytes of values.
    Raw,
}

impl Column {
    /// The columns that puts into the root map need, and no others.
    fn of(spec: u64) -> Option<(Self, u64)> {
        let ops = limits::CHANGE_OPS_MAX as u64;
        match spec {
            0x15 => Some((Self::Text, ops)),
            0x34 => Some((Self::Bool, ops)),
            0x42 | 0x56 | 0x70 => Some((Self::Uint, ops)),
            0x57 => Some((Self::Raw, 0)),
            PRED_ACTORS => Some((Self::Uint, limits::CHANGE_PREDS_MAX)),
            0x73 => Some((Self::Delta, limits::CHANGE_PREDS_MAX)),
            _ => None,
        }
    }
}

/// Checks that the bytes are one uncompressed change chunk that can be parsed with bounded work.
pub(super) fn scan(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() > limits::CHANGE_BYTES_MAX {
        return Err(Refusal::Malformed);
    }
    scan_chunk(bytes).ok_or(Refusal::Malformed)
}

fn scan_chunk(bytes: &[u8]) -> Option<()> {
    let mut at = Cursor(bytes);
    if at.take(4)? != MAGIC {
        return None;
    }
    let checksum = at.take(4)?;
    let covered = at.0;
    if at.take(1)? != [CHANGE] {
        return None;
    }
    let len = at.uint()?;
    if len != at.0.len() as u64 || !Sha256::digest(covered).starts_with(checksum) {
        return None;
    }
    let deps = at.bounded(limits::CHANGE_DEPS_MAX)?;
    at.take(deps * 32)?;
    let actor = at.bounded(64)?;
    at.take(actor)?;
    at.uint()?;
    at.uint()?;
    at.skip_number()?;
    let message = at.bounded(limits::CHANGE_BYTES_MAX)?;
    at.take(message)?;
    let others = at.bounded(1_024)?;
    for _ in 0..others {
        let other = at.bounded(64)?;
        at.take(other)?;
    }
    let mut columns = Vec::new();
    for _ in 0..at.bounded(8)? {
        columns.push((at.uint()?, at.bounded(limits::CHANGE_BYTES_MAX)?));
    }
    for (spec, len) in columns {
        let (column, rows_max) = Column::of(spec)?;
        let value_max = if spec == PRED_ACTORS {
            others as u64
        } else {
            u64::MAX
        };
        scan_column(column, rows_max, value_max, Cursor(at.take(len)?))?;
    }
    // What follows would be extra bytes; the grammar refuses them by name.
    Some(())
}

fn scan_column(column: Column, rows_max: u64, value_max: u64, mut at: Cursor<'_>) -> Option<()> {
    let mut rows = 0u64;
    while column != Column::Raw && !at.0.is_empty() {
        rows = rows.checked_add(if column == Column::Bool {
            at.uint()?
        } else {
            scan_run(column, rows_max, value_max, &mut at)?
        })?;
        if rows > rows_max {
            return None;
        }
    }
    Some(())
}

/// Passes over one run and returns how many rows it stands for.
fn scan_run(column: Column, rows_max: u64, value_max: u64, at: &mut Cursor<'_>) -> Option<u64> {
    let count = at.int()?;
    let literals = match count {
        0 => return at.uint(),
        1.. => 1,
        _ => count.unsigned_abs(),
    };
    if count.unsigned_abs() > rows_max {
        return None;
    }
    for _ in 0..literals {
        if column == Column::Text {
            let len = at.bounded(limits::CHANGE_BYTES_MAX)?;
            at.take(len)?;
        } else if column == Column::Uint {
            at.uint().filter(|value| *value <= value_max)?;
        } else {
            at.skip_number()?;
        }
    }
    Some(count.unsigned_abs())
}

/// Reads what Automerge writes: fixed bytes, and LEB128 numbers.
pub(super) struct Cursor<'b>(pub(super) &'b [u8]);

impl<'b> Cursor<'b> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// The 7-bit digits of a LEB128 number, at most ten.
    fn digits(&mut self) -> Option<&'b [u8]> {
        let last = self.0.iter().take(10).position(|byte| byte & 0x80 == 0)?;
        self.take(last + 1)
    }

    pub(super) fn skip_number(&mut self) -> Option<()> {
        self.digits().map(drop)
    }

    pub(super) fn uint(&mut self) -> Option<u64> {
        let digits = self.digits()?;
        digits.iter().rev().try_fold(0u64, |value, byte| {
            value.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))
        })
    }

    pub(super) fn int(&mut self) -> Option<i64> {
        let digits = self.digits()?;
        let last = digits.last()?;
        let start: i128 = if last & 0x40 == 0 { 0 } else { -1 };
        let value = digits
            .iter()
            .rev()
            .fold(start, |value, byte| value << 7 | i128::from(byte & 0x7f));
        i64::try_from(value).ok()
    }

    pub(super) fn bounded(&mut self, max: usize) -> Option<usize> {
        usize::try_from(self.uint()?)
            .ok()
            .filter(|value| *value <= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_numbers_are_read_as_automerge_writes_them() {
        for (bytes, value) in [
            (&[0x00][..], 0),
            (&[0x7f], -1),
            (&[0x3f], 63),
            (&[0x40], -64),
            (&[0xc0, 0x00], 64),
            (&[0x80, 0x7f], -128),
        ] {
            assert_eq!(Cursor(bytes).int(), Some(value), "{bytes:02x?}");
        }
        assert_eq!(Cursor(&[0x80; 11]).int(), None);
        assert_eq!(
            Cursor(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).uint(),
            None
        );
    }

    /// A chunk of a kind around some bytes, its length and checksum right.
    fn sealed(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut covered = vec![kind];
        let mut len = body.len();
        while len > 0x7f {
            covered.push(u8::try_from(len & 0x7f).expect("7 bits") | 0x80);
            len >>= 7;
        }
        covered.push(u8::try_from(len).expect("7 bits"));
        covered.extend(body);
        let checksum = Sha256::digest(&covered);
        [&MAGIC[..], &checksum[..4], &covered].concat()
    }

    /// A change of nothing, and so many bytes behind it.
    fn body(behind: usize) -> Vec<u8> {
        let mut body = vec![0, 1, 7, 1, 1, 0, 0, 0, 0];
        body.resize(body.len() + behind, 0);
        body
    }

    #[test]
    fn a_chunk_is_a_change_of_its_own_length_with_its_own_checksum() {
        let bytes = sealed(CHANGE, &body(0));
        assert_eq!(scan_chunk(&bytes), Some(()));
        assert_eq!(scan_chunk(&sealed(0, &body(0))), None);
        assert_eq!(scan_chunk(&[&bytes[..], &[0]].concat()), None);
        for place in 0..8 {
            let mut other = bytes.clone();
            other[place] ^= 1;
            assert_eq!(scan_chunk(&other), None, "byte {place}");
        }
        // Another length, covered by the checksum.
        let mut longer = bytes;
        longer[9] += 1;
        let checksum = Sha256::digest(&longer[8..]);
        longer[4..8].copy_from_slice(&checksum[..4]);
        assert_eq!(scan_chunk(&longer), None);
    }

    #[test]
    fn a_change_takes_so_many_bytes_and_not_one_more() {
        let head = sealed(CHANGE, &body(1_000)).len() - 1_000;
        let of = |len: usize| scan(&sealed(CHANGE, &body(len - head)));
        assert_eq!(of(limits::CHANGE_BYTES_MAX), Ok(()));
        assert_eq!(of(limits::CHANGE_BYTES_MAX + 1), Err(Refusal::Malformed));
    }

    #[test]
    fn bounds_hold_to_the_unit() {
        assert_eq!(Cursor(&[5]).bounded(5), Some(5));
        assert_eq!(Cursor(&[5]).bounded(4), None);
        let scan = |column, bytes: &[u8]| scan_column(column, 3, 9, Cursor(bytes));
        // A run, literals, nulls.
        for (fits, more) in [
            (&[3, 9][..], &[4, 9][..]),
            (&[0x7d, 9, 9, 9], &[0x7c, 9, 9, 9, 9]),
            (&[0, 3], &[0, 4]),
            (&[1, 9], &[1, 10]),
        ] {
            assert_eq!(scan(Column::Uint, fits), Some(()), "{fits:?}");
            assert_eq!(scan(Column::Uint, more), None, "{more:?}");
        }
        // The smallest difference there is; as a number without a sign it would be too large.
        let smallest = [&[1][..], &[0x80; 9], &[0x7f]].concat();
        assert_eq!(scan(Column::Delta, &smallest), Some(()));
        assert_eq!(scan(Column::Delta, &[1, 10]), Some(()));
    }

    #[test]
    fn a_run_of_many_rows_is_refused_without_walking_it() {
        let mut run = vec![0x80, 0x80, 0x80, 0x20];
        run.push(1);
        assert_eq!(scan_column(Column::Uint, 64, u64::MAX, Cursor(&run)), None);
        assert_eq!(
            scan_column(Column::Uint, 64, u64::MAX, Cursor(&[0x40, 0x01])),
            None
        );
        assert_eq!(
            scan_column(Column::Uint, 64, u64::MAX, Cursor(&[0x02, 0x01])),
            Some(())
        );
        assert_eq!(
            scan_column(Column::Bool, 64, u64::MAX, Cursor(&[0x41])),
            None
        );
    }
}
