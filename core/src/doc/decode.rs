//! The bytes of an admitted change as plain data, read directly: a document is loaded for every round, page and screen, and
//! what admission has let in is always of one narrow form.
//!
//! It reads that form only and says "not this" to anything else; [`super::parse`] then asks Automerge. That both read the same is a
//! property test. It never decides whether a change may enter a document.

use sha2::{Digest as _, Sha256};

use super::chunk::{CHANGE, Cursor, MAGIC};
use super::key::Key;
use super::parse::{Parsed, Put};
use crate::domain::id::{Actor, ChangeHash};
use crate::domain::limits;

/// Columns of puts into the root map.
mod column {
    pub(super) const KEY: u64 = 0x15;
    pub(super) const INSERT: u64 = 0x34;
    pub(super) const ACTION: u64 = 0x42;
    pub(super) const VALUE_META: u64 = 0x56;
    pub(super) const VALUE: u64 = 0x57;
    pub(super) const PREDS: u64 = 0x70;
    pub(super) const PRED_ACTOR: u64 = 0x71;
    pub(super) const PRED_COUNTER: u64 = 0x73;
}

/// The action of a put.
const PUT: u64 = 1;
/// The low bits of a value's meta: bytes.
const BYTES: u64 = 7;

/// Reads a change that was admitted before. None: it is damaged, or not of the form that admission lets in.
pub(super) fn decode(bytes: &[u8]) -> Option<Parsed> {
    let mut at = Cursor(bytes);
    if at.take(4)? != MAGIC {
        return None;
    }
    let checksum = at.take(4)?;
    let hash: [u8; 32] = Sha256::digest(at.0).into();
    if !hash.starts_with(checksum) || at.take(1)? != [CHANGE] {
        return None;
    }
    if at.uint()? != at.0.len() as u64 {
        return None;
    }
    let deps = (0..at.bounded(limits::CHANGE_DEPS_MAX)?)
        .map(|_| at.take(32)?.try_into().ok().map(ChangeHash))
        .collect::<Option<Vec<_>>>()?;
    let len = at.bounded(64)?;
    let actor = Actor::from_slice(at.take(len)?)?;
    let (seq, start_op) = (at.uint()?, at.uint()?);
    // No time, no message.
    if at.take(2)? != [0, 0] || start_op == 0 {
        return None;
    }
    let mut actors = vec![actor];
    for _ in 0..at.bounded(1_024)? {
        let len = at.bounded(64)?;
        actors.push(Actor::from_slice(at.take(len)?)?);
    }
    let puts = puts(&mut at, &actors)?;
    Some(Parsed {
        bytes: bytes.to_vec(),
        hash: ChangeHash(hash),
        actor,
        seq,
        start_op,
        deps,
        puts,
    })
}

/// The columns of operations, row by row.
struct Rows<'b> {
    key: Runs<'b>,
    insert: Cursor<'b>,
    action: Runs<'b>,
    meta: Runs<'b>,
    value: Cursor<'b>,
    preds: Runs<'b>,
    pred_actor: Runs<'b>,
    pred_counter: Runs<'b>,
}

fn puts(at: &mut Cursor<'_>, actors: &[Actor]) -> Option<Vec<Put>> {
    let columns = at.bounded(8)?;
    let mut specs = Vec::with_capacity(columns);
    for _ in 0..columns {
        specs.push((at.uint()?, at.bounded(limits::CHANGE_BYTES_MAX)?));
    }
    let mut found = [&[][..]; 8];
    for (spec, len) in specs {
        let place = match spec {
            column::KEY => 0,
            column::INSERT => 1,
            column::ACTION => 2,
            column::VALUE_META => 3,
            column::VALUE => 4,
            column::PREDS => 5,
            column::PRED_ACTOR => 6,
            column::PRED_COUNTER => 7,
            _ => return None,
        };
        *found.get_mut(place)? = at.take(len)?;
    }
    // Nothing behind the columns.
    if !at.0.is_empty() {
        return None;
    }
    let [
        key,
        insert,
        action,
        meta,
        value,
        preds,
        pred_actor,
        pred_counter,
    ] = found;
    let mut rows = Rows {
        key: Runs::of(key),
        insert: Cursor(insert),
        action: Runs::of(action),
        meta: Runs::of(meta),
        value: Cursor(value),
        preds: Runs::of(preds),
        pred_actor: Runs::of(pred_actor),
        pred_counter: Runs::of(pred_counter),
    };
    rows.all(actors)
}

impl Rows<'_> {
    fn all(&mut self, actors: &[Actor]) -> Option<Vec<Put>> {
        let (mut puts, mut counter) = (Vec::new(), 0i64);
        while let Some(key) = self.key.text()? {
            if puts.len() == limits::CHANGE_OPS_MAX || self.action.uint()? != PUT {
                return None;
            }
            let meta = self.meta.uint()?;
            if meta & 0xf != BYTES {
                return None;
            }
            let value = self.value.take(usize::try_from(meta >> 4).ok()?)?.to_vec();
            let mut preds = Vec::new();
            for _ in 0..self
                .preds
                .uint()
                .filter(|count| *count <= limits::CHANGE_PREDS_MAX)?
            {
                let place = usize::try_from(self.pred_actor.uint()?).ok()?;
                counter = counter.checked_add(self.pred_counter.int()?)?;
                preds.push((u64::try_from(counter).ok()?, *actors.get(place)?));
            }
            puts.push(Put {
                key: Key::parse(key),
                value,
                preds,
            });
        }
        let is_over = self.action.is_over()
            && self.meta.is_over()
            && self.value.0.is_empty()
            && self.preds.is_over()
            && self.pred_actor.is_over()
            && self.pred_counter.is_over();
        // One run of "no" over all rows.
        let has_no_inserts = if puts.is_empty() {
            self.insert.0.is_empty()
        } else {
            self.insert.uint()? == puts.len() as u64 && self.insert.0.is_empty()
        };
        (is_over && has_no_inserts).then_some(puts)
    }
}

/// A run-length encoded column without nulls.
struct Runs<'b> {
    at: Cursor<'b>,
    /// Values left of the run at hand.
    left: u64,
    /// The value repeated by the run at hand; none in a run of literals.
    repeated: Option<&'b [u8]>,
}

impl<'b> Runs<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        Self {
            at: Cursor(bytes),
            left: 0,
            repeated: None,
        }
    }

    fn is_over(&self) -> bool {
        self.left == 0 && self.at.0.is_empty()
    }

    /// The bytes of the next value, of which `read` passes over one.
    fn next(&mut self, read: impl Fn(&mut Cursor<'b>) -> Option<()>) -> Option<&'b [u8]> {
        let one = |at: &mut Cursor<'b>| {
            let before = at.0;
            read(at)?;
            before.get(..before.len() - at.0.len())
        };
        if self.left == 0 {
            let count = self.at.int()?;
            if count == 0 {
                return None;
            }
            self.left = count.unsigned_abs();
            self.repeated = if count > 0 {
                Some(one(&mut self.at)?)
            } else {
                None
            };
        }
        self.left -= 1;
        match self.repeated {
            Some(value) => Some(value),
            None => one(&mut self.at),
        }
    }

    fn uint(&mut self) -> Option<u64> {
        Cursor(self.next(Cursor::skip_number)?).uint()
    }

    fn int(&mut self) -> Option<i64> {
        Cursor(self.next(Cursor::skip_number)?).int()
    }

    /// The next text; `Some(None)` at the end of the column.
    fn text(&mut self) -> Option<Option<&'b str>> {
        if self.is_over() {
            return Some(None);
        }
        let bytes = self.next(|at| {
            let len = at.bounded(limits::CHANGE_BYTES_MAX)?;
            at.take(len).map(drop)
        })?;
        let mut at = Cursor(bytes);
        at.uint()?;
        std::str::from_utf8(at.0).ok().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::parse::{encode, parse_by_automerge};

    /// A change with a run of equal columns, literals, and predecessors of two actors.
    fn change() -> Parsed {
        let put = |name: &str, len: usize, preds: &[(u64, Actor)]| Put {
            key: Key::parse(name),
            value: vec![7; len],
            preds: preds.to_vec(),
        };
        let (own, other) = (Actor([1; 16]), Actor([2; 16]));
        let puts = vec![
            put("e/AAAAAAAAAAAAAAAAAAAAAA", 40, &[]),
            put("f/place", 9, &[(2, other), (5, own)]),
            put("f/category", 9, &[(3, own)]),
            put("f/words", 9, &[(4, own), (6, other)]),
        ];
        encode(own, 3, 9, &[ChangeHash([3; 32]), ChangeHash([2; 32])], puts).expect("a start")
    }

    /// The chunk with its checksum set right.
    fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
        let hash = Sha256::digest(&bytes[8..]);
        bytes[4..8].copy_from_slice(&hash[..4]);
        bytes
    }

    #[test]
    fn both_ways_of_reading_say_the_same() {
        let change = change();
        assert_eq!(decode(&change.bytes), Some(change.clone()));
        assert_eq!(parse_by_automerge(&change.bytes), Ok(change));
        let merge = encode(Actor([1; 16]), 3, 9, &[ChangeHash([3; 32])], Vec::new());
        let merge = merge.expect("a start");
        assert_eq!(decode(&merge.bytes), Some(merge));
    }

    #[test]
    fn damage_is_noticed() {
        let bytes = change().bytes;
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x40;
            assert_eq!(decode(&damaged), None, "byte {place}");
            assert_eq!(decode(&bytes[..place]), None, "cut at {place}");
        }
    }

    #[test]
    fn whatever_byte_is_altered_what_is_read_is_what_automerge_reads() {
        let bytes = change().bytes;
        let mut read = 0;
        for place in 8..bytes.len() {
            for value in 0..=255 {
                let mut altered = bytes.clone();
                altered[place] = value;
                let altered = with_checksum(altered);
                if let Some(change) = decode(&altered) {
                    let other = parse_by_automerge(&altered).map(in_order);
                    assert_eq!(other, Ok(in_order(change)), "{place}: {value}");
                    read += 1;
                }
            }
        }
        // Of hashes, actors, counters and values nearly every other one.
        assert!(read > 30_000, "{read}");
    }

    /// Automerge sorts predecessors; that they are sorted in what is let in, admission sees to.
    fn in_order(mut change: Parsed) -> Parsed {
        for put in &mut change.puts {
            put.preds.sort_unstable();
        }
        change
    }

    /// Columns of one operation without predecessors, each by its number.
    fn columns() -> Vec<(u64, Vec<u8>)> {
        let value = vec![7; 40];
        let meta = (40 << 4) | BYTES;
        let meta =
            [(meta & 0x7f) | 0x80, meta >> 7].map(|byte| u8::try_from(byte).expect("7 bits"));
        vec![
            (column::KEY, vec![1, 2, b'f', b'x']),
            (column::INSERT, vec![1]),
            (column::ACTION, vec![1, u8::try_from(PUT).expect("small")]),
            (column::VALUE_META, [&[1][..], &meta].concat()),
            (column::VALUE, value),
            (column::PREDS, vec![1, 0]),
            (column::PRED_ACTOR, Vec::new()),
            (column::PRED_COUNTER, Vec::new()),
        ]
    }

    fn read(columns: &[(u64, Vec<u8>)]) -> Option<Vec<Put>> {
        puts(&mut Cursor(&section(columns)), &[Actor([1; 16])])
    }

    fn section(columns: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let small = |value: usize| u8::try_from(value).expect("small");
        let mut bytes = vec![small(columns.len())];
        for (spec, data) in columns {
            let spec = usize::try_from(*spec).expect("small");
            bytes.push(small(spec & 0x7f) | if spec > 0x7f { 0x80 } else { 0 });
            if spec > 0x7f {
                bytes.push(small(spec >> 7));
            }
            bytes.push(small(data.len()));
        }
        for (_, data) in columns {
            bytes.extend(data);
        }
        bytes
    }

    #[test]
    fn a_column_that_goes_on_behind_the_rows_is_no_change() {
        assert_eq!(read(&columns()).expect("it is one").len(), 1);
        for place in 1..8 {
            let mut longer = columns();
            longer[place].1.extend([1, 1]);
            assert_eq!(read(&longer), None, "column {place}");
        }
        let behind = [section(&columns()), vec![0]].concat();
        assert_eq!(puts(&mut Cursor(&behind), &[Actor([1; 16])]), None);
        let mut none = columns();
        for (_, data) in &mut none {
            data.clear();
        }
        assert_eq!(read(&none), Some(Vec::new()));
        none[1].1 = vec![1];
        assert_eq!(read(&none), None);
    }

    #[test]
    fn a_value_of_another_kind_and_an_empty_run_are_no_change() {
        for (place, data) in [(3, vec![1, 0x86, 0x05]), (2, vec![0, 1])] {
            let mut other = columns();
            other[place].1 = data;
            assert_eq!(read(&other), None, "column {place}");
        }
    }

    #[test]
    fn so_many_operations_and_predecessors_and_not_one_more() {
        let bound = limits::CHANGE_OPS_MAX;
        let of = |rows: usize| {
            let count = i64::try_from(rows).expect("few");
            let run = |value: &[u8]| [&leb(count)[..], value].concat();
            let mut columns = columns();
            columns[0].1 = run(&[2, b'f', b'x']);
            columns[1].1 = leb(count);
            columns[2].1 = run(&[1]);
            columns[3].1 = run(&[7]);
            columns[4].1 = Vec::new();
            columns[5].1 = run(&[0]);
            read(&columns).map(|puts| puts.len())
        };
        assert_eq!(of(bound), Some(bound));
        assert_eq!(of(bound + 1), None);
        let of = |preds: u64| {
            let count = leb(i64::try_from(preds).expect("few"));
            let mut columns = columns();
            columns[5].1 = [&[1][..], &count].concat();
            columns[6].1 = [&count[..], &[0]].concat();
            columns[7].1 = [&count[..], &[1]].concat();
            read(&columns).map(|puts| puts[0].preds.len() as u64)
        };
        let bound = limits::CHANGE_PREDS_MAX;
        assert_eq!(of(bound), Some(bound));
        assert_eq!(of(bound + 1), None);
    }

    /// A number of two digits at most, which is read alike with a sign and without.
    fn leb(value: i64) -> Vec<u8> {
        let digit = |value: i64| u8::try_from(value).expect("7 bits");
        match value {
            0..0x40 => vec![digit(value)],
            _ => vec![digit(value & 0x7f) | 0x80, digit(value >> 7)],
        }
    }
}
