//! Change chunks built by hand, for what Automerge's own encoder would never write.

use sha2::{Digest as _, Sha256};

/// The column of the keys of root puts.
pub(crate) const KEY: u64 = 0x15;
/// The column that tells inserts from puts.
pub(crate) const INSERT: u64 = 0x34;
/// The column of actions.
pub(crate) const ACTION: u64 = 0x42;
/// The column of types and lengths of values.
pub(crate) const VALUE_META: u64 = 0x56;
/// The column of how many predecessors each operation has.
pub(crate) const PRED_COUNT: u64 = 0x70;
/// The column of the actors of predecessors.
pub(crate) const PRED_ACTOR: u64 = 0x71;

/// A change chunk taken apart.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) deps: Vec<[u8; 32]>,
    pub(crate) actor: Vec<u8>,
    pub(crate) seq: u64,
    pub(crate) start_op: u64,
    /// Time and message: as they stand.
    pub(crate) between: Vec<u8>,
    pub(crate) others: Vec<Vec<u8>>,
    pub(crate) columns: Vec<(u64, Vec<u8>)>,
    pub(crate) extra: Vec<u8>,
}

impl Parts {
    /// Takes a well-formed change chunk without time and message apart.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut at = &bytes[9..];
        read_uint(&mut at);
        let deps = (0..read_uint(&mut at)).map(|_| take(&mut at, 32).try_into().expect("32 bytes"));
        let deps = deps.collect();
        let actor = read_bytes(&mut at);
        let (seq, start_op) = (read_uint(&mut at), read_uint(&mut at));
        let between = take(&mut at, 2);
        let others = (0..read_uint(&mut at))
            .map(|_| read_bytes(&mut at))
            .collect();
        let heads: Vec<(u64, u64)> = (0..read_uint(&mut at))
            .map(|_| (read_uint(&mut at), read_uint(&mut at)))
            .collect();
        let columns = heads
            .into_iter()
            .map(|(spec, len)| (spec, take(&mut at, usize::try_from(len).expect("short"))))
            .collect();
        Self {
            deps,
            actor,
            seq,
            start_op,
            between,
            others,
            columns,
            extra: at.to_vec(),
        }
    }

    /// The column of that kind.
    pub(crate) fn column(&mut self, spec: u64) -> &mut Vec<u8> {
        let place = self.columns.iter().position(|(other, _)| *other == spec);
        let (_, column) = &mut self.columns[place.expect("such a column")];
        column
    }

    /// The chunk, with its checksum.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut body = uint(self.deps.len() as u64);
        self.deps.iter().for_each(|dep| body.extend(dep));
        push_bytes(&mut body, &self.actor);
        body.extend(uint(self.seq));
        body.extend(uint(self.start_op));
        body.extend(&self.between);
        body.extend(uint(self.others.len() as u64));
        self.others
            .iter()
            .for_each(|other| push_bytes(&mut body, other));
        body.extend(uint(self.columns.len() as u64));
        for (spec, column) in &self.columns {
            body.extend(uint(*spec));
            body.extend(uint(column.len() as u64));
        }
        self.columns
            .iter()
            .for_each(|(_, column)| body.extend(column));
        body.extend(&self.extra);
        sealed(1, &body)
    }
}

/// A chunk of a type around a body, with the checksum that belongs to it.
pub(crate) fn sealed(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut tail = vec![kind];
    tail.extend(uint(body.len() as u64));
    tail.extend(body);
    let checksum = Sha256::digest(&tail);
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83];
    chunk.extend(&checksum[..4]);
    chunk.extend(tail);
    chunk
}

/// The same chunk with the checksum that belongs to what it holds now, provided its head is still whole.
pub(crate) fn resealed(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = bytes.to_vec();
    if let Some(tail) = bytes.get(8..) {
        let checksum = Sha256::digest(tail);
        chunk[4..8].copy_from_slice(&checksum[..4]);
    }
    chunk
}

/// A number as unsigned LEB128.
pub(crate) fn uint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let digit = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            bytes.push(digit);
            return bytes;
        }
        bytes.push(digit | 0x80);
    }
}

/// A number as signed LEB128, for numbers that are not negative.
pub(crate) fn int(value: u64) -> Vec<u8> {
    let mut bytes = uint(value);
    if let Some(last) = bytes.last_mut()
        && *last & 0x40 != 0
    {
        *last |= 0x80;
        bytes.push(0);
    }
    bytes
}

/// A stream that inflates to about `260 × bytes / 1.625` zeros: matches of 258 bytes at distance 1, 13 bits each.
pub(crate) fn deflate_bomb(bytes: usize) -> Vec<u8> {
    let mut bits: Vec<bool> = vec![true, true, false];
    // The literal 0 in the fixed code: 00110000.
    bits.extend([false, false, true, true, false, false, false, false]);
    while bits.len() < bytes * 8 - 16 {
        // Length 258 (11000101), distance 1 (00000).
        bits.extend([true, true, false, false, false, true, false, true]);
        bits.extend([false; 5]);
    }
    bits.extend([false; 7]);
    let pack = |bits: &[bool]| {
        let value = |(place, bit): (usize, &bool)| u8::from(*bit) << place;
        bits.iter().enumerate().map(value).sum()
    };
    bits.chunks(8).map(pack).collect()
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(uint(bytes.len() as u64));
    out.extend(bytes);
}

fn take(at: &mut &[u8], len: usize) -> Vec<u8> {
    let (taken, rest) = at.split_at(len);
    *at = rest;
    taken.to_vec()
}

fn read_bytes(at: &mut &[u8]) -> Vec<u8> {
    let len = usize::try_from(read_uint(at)).expect("short");
    take(at, len)
}

fn read_uint(at: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(at, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
