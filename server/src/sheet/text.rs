//! Lines of a text file: UTF-8 with or without a byte order mark, or GB18030, which Excel in Chinese writes.
//!
//! The whole file is looked at before a line is read. No character is ever replaced: what is neither is a fault.

use std::io::{BufRead, Read as _};

use encoding_rs::GB18030;
use patrol_core::domain::limits;

use super::Reason;

/// How the characters of a file stand in its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    /// UTF-8.
    Utf8,
    /// GB18030.
    Gb18030,
}

/// A file that can be opened again and again, because it is read more than once.
pub(crate) type Source<'s> = &'s dyn Fn() -> std::io::Result<Box<dyn BufRead>>;

/// What a file is written in.
///
/// # Errors
/// The line, if it is one, and what is wrong with it.
pub(crate) fn encoding(source: &mut dyn BufRead) -> Result<Encoding, (Option<usize>, Reason)> {
    let (mut number, mut line) = (0, Vec::new());
    let (mut not_utf8, mut not_gb18030, mut is_chinese_utf8) = (None, None, false);
    let (mut has_mark, mut two_bytes, mut has_longer) = (false, None, false);
    while read_line(source, &mut line).map_err(|reason| (Some(number + 1), reason))? {
        number += 1;
        has_mark |= number == 1 && line.starts_with(b"\xef\xbb\xbf");
        if number == 1 && is_utf16(&line) {
            return Err((Some(number), Reason::NotText));
        }
        if line.is_ascii() {
            if line.contains(&0) {
                return Err((Some(number), Reason::NotText));
            }
            continue;
        }
        match std::str::from_utf8(&line) {
            // Three bytes a character: in GB18030, where there are two, hardly a line reads so.
            Ok(text) => {
                is_chinese_utf8 |= text.chars().any(|char| char.len_utf8() == 3);
                has_longer |= text.chars().any(|char| char.len_utf8() > 2);
                two_bytes = two_bytes.or(Some(number));
            }
            Err(_) => not_utf8 = not_utf8.or(Some(number)),
        }
        if not_gb18030.is_none()
            && GB18030
                .decode_without_bom_handling_and_without_replacement(&line)
                .is_none()
        {
            not_gb18030 = Some(number);
        }
    }
    match (not_utf8, not_gb18030) {
        // Two bytes a character may as well be those of GB18030; which was meant, nobody here knows.
        (None, None) if two_bytes.is_some() && !has_longer && !has_mark => {
            Err((two_bytes, Reason::AmbiguousText))
        }
        (None, _) => Ok(Encoding::Utf8),
        (Some(at), _) if has_mark => Err((Some(at), Reason::NotText)),
        (Some(at), _) if is_chinese_utf8 => Err((Some(at), Reason::MixedText)),
        (Some(_), Some(at)) => Err((Some(at), Reason::NotText)),
        (Some(_), None) => Ok(Encoding::Gb18030),
    }
}

/// Whether the first line is UTF-16, by its mark or by the zeros beside its commas. Most of what follows reads as GB18030.
fn is_utf16(line: &[u8]) -> bool {
    let has_mark = line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff");
    has_mark || line.contains(&0)
}

/// Reads the next line, without its ending; of no more than a line may have.
fn read_line(source: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<bool, Reason> {
    line.clear();
    let most = limits::IMPORT_ROW_BYTES_MAX as u64 + 1;
    let read = source.take(most).read_until(b'\n', line);
    let read = read.map_err(|error| Reason::Unreadable(error.kind()))?;
    if read > limits::IMPORT_ROW_BYTES_MAX {
        return Err(Reason::TooLarge);
    }
    if line.ends_with(b"\n") {
        line.pop();
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    Ok(read > 0)
}

/// The lines of a file.
pub(crate) struct Lines {
    source: Box<dyn BufRead>,
    encoding: Encoding,
    number: usize,
    line: Vec<u8>,
}

impl Lines {
    /// Reads from the beginning of what is written in that encoding.
    pub(crate) fn new(source: Box<dyn BufRead>, encoding: Encoding) -> Self {
        Self {
            source,
            encoding,
            number: 0,
            line: Vec::new(),
        }
    }

    /// How many lines have been read.
    pub(crate) fn number(&self) -> usize {
        self.number
    }
}

impl Iterator for Lines {
    type Item = Result<String, Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        match read_line(self.source.as_mut(), &mut self.line) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(reason) => return Some(Err(reason)),
        }
        self.number += 1;
        let text = match self.encoding {
            Encoding::Utf8 => std::str::from_utf8(&self.line).ok().map(str::to_owned),
            Encoding::Gb18030 => GB18030
                .decode_without_bom_handling_and_without_replacement(&self.line)
                .map(std::borrow::Cow::into_owned),
        };
        let text = text.ok_or(Reason::NotText);
        Some(text.map(|text| match text.strip_prefix('\u{feff}') {
            Some(rest) if self.number == 1 => rest.to_owned(),
            _ => text,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(Encoding, Vec<String>), (Option<usize>, Reason)> {
        let mut source = bytes;
        let encoding = encoding(&mut source)?;
        let lines = Lines::new(Box::new(std::io::Cursor::new(bytes.to_vec())), encoding);
        let lines: Result<Vec<String>, Reason> = lines.collect();
        Ok((encoding, lines.expect("it has been looked at")))
    }

    fn text(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn utf8_with_and_without_a_mark_and_gb18030_are_told_apart() {
        let words = "姓名,村\r\n张伟,鱼月村\n𠮷\n";
        let lines = text(&["姓名,村", "张伟,鱼月村", "𠮷"]);
        assert_eq!(read(words.as_bytes()), Ok((Encoding::Utf8, lines.clone())));
        let marked = format!("\u{feff}{words}");
        assert_eq!(read(marked.as_bytes()), Ok((Encoding::Utf8, lines.clone())));
        let (gb18030, _, _) = GB18030.encode(words);
        assert_eq!(read(&gb18030), Ok((Encoding::Gb18030, lines)));
        assert_eq!(read(b"a,b"), Ok((Encoding::Utf8, text(&["a,b"]))));
        assert_eq!(read(b""), Ok((Encoding::Utf8, text(&[]))));
    }

    #[test]
    fn what_reads_as_either_is_refused_unless_it_has_a_mark_or_longer_characters() {
        // Characters of GB18030 whose bytes are of UTF-8 too.
        let bytes = b"a\n\xc2\xac\xc3\xab\n";
        assert_eq!(read(bytes), Err((Some(2), Reason::AmbiguousText)));
        let marked = [b"\xef\xbb\xbf".as_slice(), bytes].concat();
        assert_eq!(read(&marked), Ok((Encoding::Utf8, text(&["a", "¬ë"]))));
        let longer = [bytes.as_slice(), "古丽·买买提".as_bytes()].concat();
        let lines = text(&["a", "¬ë", "古丽·买买提"]);
        assert_eq!(read(&longer), Ok((Encoding::Utf8, lines)));
    }

    #[test]
    fn what_is_neither_or_both_is_refused_with_its_line() {
        let damaged = [
            "甲村\n".as_bytes(),
            &"鱼月村".as_bytes()[1..],
            b"\n".as_slice(),
        ]
        .concat();
        assert_eq!(read(&damaged), Err((Some(2), Reason::MixedText)));
        let marked = [b"\xef\xbb\xbfa\n".as_slice(), b"\xb4\xe5\n"].concat();
        assert_eq!(read(&marked), Err((Some(2), Reason::NotText)));
        assert_eq!(read(b"a\n\xff\xff\n"), Err((Some(2), Reason::NotText)));
        assert_eq!(read(b"a\0b"), Err((Some(1), Reason::NotText)));
        let words = "姓名,村\r\n张伟,鱼月村\r\n";
        let little: Vec<u8> = words.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = words.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let one: Vec<u8> = "\u{feff}姓名\r\n张伟\r\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for utf16 in [little, big, one] {
            assert_eq!(read(&utf16), Err((Some(1), Reason::NotText)), "{utf16:?}");
        }
        let long = vec![b'a'; limits::IMPORT_ROW_BYTES_MAX + 1];
        assert_eq!(read(&long), Err((Some(1), Reason::TooLarge)));
    }
}
