//! Canonical CBOR: a writer that can produce nothing else, a checker that accepts nothing else, and a reader over
//! checked bytes.
//!
//! The subset is that of `doc/format.md`: unsigned and negative integers, byte and text strings, arrays and maps of
//! definite length, `true`, `false`, `null`. Encoding and decoding of single items is `minicbor`'s.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

/// Why bytes are not canonical CBOR of the subset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The bytes end within an item.
    Truncated,
    /// Bytes follow the item.
    Trailing,
    /// An integer or a length is not in its shortest form.
    NotShortest,
    /// The keys of a map are not ascending or not unique.
    KeyOrder,
    /// A text is not UTF-8.
    NotUtf8,
    /// A tag, a float, an indefinite length or another item outside the subset.
    Unsupported,
    /// Nested deeper than allowed.
    TooDeep,
    /// An item is not of the expected type or range.
    Unexpected,
}

/// Result of reading.
pub type Result<T> = std::result::Result<T, Fault>;

impl From<minicbor::decode::Error> for Fault {
    fn from(error: minicbor::decode::Error) -> Self {
        if error.is_end_of_input() {
            Self::Truncated
        } else {
            Self::Unexpected
        }
    }
}

/// Writing into memory cannot fail, so the encoder's results are not looked at.
///
/// Writes canonical CBOR, provided that map keys are written in ascending order (checked in debug builds by the
/// round trips of the tests).
#[derive(Debug)]
pub struct Writer(Encoder<Vec<u8>>);

impl Default for Writer {
    fn default() -> Self {
        Self(Encoder::new(Vec::new()))
    }
}

impl Writer {
    /// Writes an unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        let _ = self.0.u64(value);
        self
    }

    /// Writes an integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        let _ = self.0.i64(value);
        self
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let _ = self.0.bytes(value);
        self
    }

    /// Writes a text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        let _ = self.0.str(value);
        self
    }

    /// Begins an array of `len` items.
    pub fn array(&mut self, len: usize) -> &mut Self {
        let _ = self.0.array(len as u64);
        self
    }

    /// Begins a map of `len` pairs.
    pub fn map(&mut self, len: usize) -> &mut Self {
        let _ = self.0.map(len as u64);
        self
    }

    /// Writes `null`.
    pub fn null(&mut self) -> &mut Self {
        let _ = self.0.null();
        self
    }

    /// Appends an item that is already encoded.
    pub fn raw(&mut self, item: &[u8]) -> &mut Self {
        self.0.writer_mut().extend_from_slice(item);
        self
    }

    /// The bytes written.
    pub fn finish(self) -> Vec<u8> {
        self.0.into_writer()
    }

    /// How many bytes have been written.
    pub fn len(&self) -> usize {
        self.0.writer().len()
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads items one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'b>(Decoder<'b>);

impl<'b> Reader<'b> {
    /// Reads from the beginning of `bytes`.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    /// Reads an unsigned integer.
    pub fn uint(&mut self) -> Result<u64> {
        Ok(self.0.u64()?)
    }

    /// Reads an integer.
    pub fn int(&mut self) -> Result<i64> {
        Ok(self.0.i64()?)
    }

    /// Reads an unsigned integer that fits a `usize`.
    pub fn size(&mut self) -> Result<usize> {
        usize::try_from(self.uint()?).map_err(|_| Fault::Unexpected)
    }

    /// Reads a byte string.
    pub fn bytes(&mut self) -> Result<&'b [u8]> {
        Ok(self.0.bytes()?)
    }

    /// Reads a byte string of exactly `N` bytes.
    pub fn array_of<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.bytes()?.try_into().map_err(|_| Fault::Unexpected)
    }

    /// Reads a text string.
    pub fn text(&mut self) -> Result<&'b str> {
        Ok(self.0.str()?)
    }

    /// Reads the head of an array: how many items follow.
    pub fn array(&mut self) -> Result<usize> {
        let len = self.0.array()?.ok_or(Fault::Unsupported)?;
        usize::try_from(len).map_err(|_| Fault::Unexpected)
    }

    /// Reads the head of a map: how many pairs follow.
    pub fn map(&mut self) -> Result<usize> {
        let len = self.0.map()?.ok_or(Fault::Unsupported)?;
        usize::try_from(len).map_err(|_| Fault::Unexpected)
    }

    /// Passes over `null`, if it stands next.
    pub fn null(&mut self) -> Result<bool> {
        if self.0.datatype()? == Type::Null {
            self.0.null()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether a byte string stands next.
    pub fn is_bytes(&self) -> bool {
        matches!(self.0.datatype(), Ok(Type::Bytes))
    }

    /// Whether an array stands next.
    pub fn is_array(&self) -> bool {
        matches!(self.0.datatype(), Ok(Type::Array))
    }

    /// Passes over one item and returns its bytes.
    pub fn item(&mut self) -> Result<&'b [u8]> {
        let start = self.0.position();
        self.0.skip()?;
        self.0
            .input()
            .get(start..self.0.position())
            .ok_or(Fault::Truncated)
    }

    /// Whether all bytes have been read.
    pub fn is_at_end(&self) -> bool {
        self.0.position() >= self.0.input().len()
    }

    /// Ends reading; bytes left over are a fault.
    pub fn end(&self) -> Result<()> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(Fault::Trailing)
        }
    }
}

/// Checks that `bytes` are exactly one item of canonical CBOR of the subset, nested at most `depth_max` deep.
pub fn check(bytes: &[u8], depth_max: usize) -> Result<()> {
    let rest = check_item(bytes, depth_max)?;
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Fault::Trailing)
    }
}

/// Checks one item and returns what follows it.
fn check_item(bytes: &[u8], depth: usize) -> Result<&[u8]> {
    let (major, value, rest) = head(bytes)?;
    match major {
        0 | 1 => Ok(rest),
        2 | 3 => {
            let len = usize::try_from(value).map_err(|_| Fault::Truncated)?;
            let (string, rest) = rest.split_at_checked(len).ok_or(Fault::Truncated)?;
            if major == 3 && std::str::from_utf8(string).is_err() {
                return Err(Fault::NotUtf8);
            }
            Ok(rest)
        }
        4 => {
            let depth = depth.checked_sub(1).ok_or(Fault::TooDeep)?;
            (0..value).try_fold(rest, |rest, _| check_item(rest, depth))
        }
        5 => check_map(rest, value, depth.checked_sub(1).ok_or(Fault::TooDeep)?),
        7 if (20..=22).contains(&value) => Ok(rest),
        _ => Err(Fault::Unsupported),
    }
}

fn check_map(mut rest: &[u8], pairs: u64, depth: usize) -> Result<&[u8]> {
    let mut last_key: Option<&[u8]> = None;
    for _ in 0..pairs {
        let after_key = check_item(rest, depth)?;
        let key = rest
            .get(..rest.len() - after_key.len())
            .ok_or(Fault::Truncated)?;
        if last_key.is_some_and(|last| last >= key) {
            return Err(Fault::KeyOrder);
        }
        last_key = Some(key);
        rest = check_item(after_key, depth)?;
    }
    Ok(rest)
}

/// Splits off an item's head: its major type, its value or length, and what follows.
fn head(bytes: &[u8]) -> Result<(u8, u64, &[u8])> {
    let (first, rest) = bytes.split_first().ok_or(Fault::Truncated)?;
    let (major, info) = (first >> 5, first & 0x1f);
    let wide = match info {
        0..=23 => return Ok((major, u64::from(info), rest)),
        24..=27 => 1usize << (info - 24),
        _ => return Err(Fault::Unsupported),
    };
    if major == 7 {
        return Err(Fault::Unsupported);
    }
    let (digits, rest) = rest.split_at_checked(wide).ok_or(Fault::Truncated)?;
    let value = digits
        .iter()
        .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let smallest = if wide == 1 { 24 } else { 1u64 << (4 * wide) };
    if value < smallest {
        return Err(Fault::NotShortest);
    }
    Ok((major, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_writer_writes_is_canonical() {
        let mut writer = Writer::default();
        writer
            .map(3)
            .uint(0)
            .array(2)
            .int(-1)
            .null()
            .uint(24)
            .bytes(&[1, 2])
            .uint(70_000)
            .text("巡村");
        let bytes = writer.finish();
        assert_eq!(check(&bytes, 2), Ok(()));
        assert_eq!(check(&bytes, 1), Err(Fault::TooDeep));
    }

    #[test]
    fn each_departure_from_the_canonical_form_is_named() {
        for (bytes, fault) in [
            (&[0x18, 0x17][..], Fault::NotShortest),
            (&[0x19, 0x00, 0xff], Fault::NotShortest),
            (&[0x1a, 0x00, 0x00, 0xff, 0xff], Fault::NotShortest),
            (&[0x58, 0x01, 0x00], Fault::NotShortest),
            (&[0xa2, 0x01, 0x00, 0x00, 0x00], Fault::KeyOrder),
            (&[0xa2, 0x00, 0x00, 0x00, 0x00], Fault::KeyOrder),
            (&[0x9f, 0xff], Fault::Unsupported),
            (&[0xf9, 0x00, 0x00], Fault::Unsupported),
            (&[0xc0, 0x00], Fault::Unsupported),
            (&[0xf7], Fault::Unsupported),
            (&[0x61, 0xff], Fault::NotUtf8),
            (&[0x00, 0x00], Fault::Trailing),
            (
                &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                Fault::Truncated,
            ),
            (&[], Fault::Truncated),
        ] {
            assert_eq!(check(bytes, 4), Err(fault), "{bytes:02x?}");
        }
    }

    #[test]
    fn items_can_be_passed_over_and_kept() {
        let mut writer = Writer::default();
        writer.array(2).map(1).uint(1).text("x").uint(9);
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.array(), Ok(2));
        assert_eq!(reader.item(), Ok(&[0xa1, 0x01, 0x61, b'x'][..]));
        assert_eq!(reader.uint(), Ok(9));
        assert_eq!(reader.end(), Ok(()));
    }
}
