//! Files as the laws see them: their text, and their code without comments and literals.
//!
//! A small lexer, not a parser: enough to tell an identifier from a word in a sentence.

use std::path::Path;

/// A file of the tree.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// From the root of the workspace, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
    /// The text with comments, strings and characters blanked; as long, with the same lines. Empty unless it is Rust.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") {
            blanked(text)
        } else {
            String::new()
        };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
        }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the file holds nothing but tests, wherever it lies.
    pub(super) fn is_test(&self) -> bool {
        let is_part = |part: &str| {
            let stem = part.strip_suffix(".rs").unwrap_or(part);
            stem == "tests" || stem.ends_with("_tests") || stem.ends_with("_properties")
        };
        self.path.split('/').any(is_part)
            || self.path.starts_with("server/src/store/conformance")
            || self.path == "server/src/store/faulty.rs"
    }

    /// The code without its `#[cfg(test)]` module.
    pub(super) fn shipped(&self) -> &str {
        if self.is_test() {
            return "";
        }
        let end = self.code.find("#[cfg(test)]\nmod ");
        self.code
            .get(..end.unwrap_or(self.code.len()))
            .unwrap_or("")
    }

    /// The number of the line at a place in the text or code.
    pub(super) fn line(&self, place: usize) -> usize {
        let before = self.text.as_bytes().get(..place).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    /// A breach at a place.
    pub(super) fn breach(&self, place: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, self.line(place))
    }

    /// A breach for each place of a word in the code.
    pub(super) fn breaches(&self, word: &str) -> Vec<String> {
        let places = self.places(word).into_iter();
        places.map(|place| self.breach(place, word)).collect()
    }

    /// Places of a word in the code, whole words only.
    pub(super) fn places(&self, word: &str) -> Vec<usize> {
        places(&self.code, word)
    }
}

/// Where the workspace lies.
pub(super) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every text file of the tree, but for what `.gitignore` names and folders of tools.
pub(super) fn tree() -> Vec<Source> {
    let ignored = std::fs::read_to_string(root().join(".gitignore")).expect("a .gitignore");
    let mut skipped: Vec<String> = ignored
        .lines()
        .filter_map(|line| line.trim().strip_suffix('/'))
        .map(|name| name.trim_start_matches('/').to_owned())
        .collect();
    skipped.extend([".git", ".idea", ".vscode"].map(str::to_owned));
    let mut files = Vec::new();
    collect(root(), "", &skipped, &mut files);
    assert!(files.len() > 100, "the tree was not found");
    files
}

/// The Rust files of the tree.
pub(super) fn rust() -> Vec<Source> {
    tree().into_iter().filter(Source::is_rust).collect()
}

fn collect(folder: &Path, prefix: &str, skipped: &[String], files: &mut Vec<Source>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry of a folder"))
        .collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let is_folder = entry.file_type().expect("a type").is_dir();
        if skipped.iter().any(|skip| *skip == name || *skip == path) {
            continue;
        }
        if is_folder {
            collect(&entry.path(), &format!("{path}/"), skipped, files);
        } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
            files.push(Source::new(&path, &text));
        }
    }
}

/// Whether a character can stand in an identifier.
fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Places of a word in code: where neither neighbour continues it.
pub(super) fn places(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let continues = |place: Option<usize>| {
        place
            .and_then(|place| bytes.get(place))
            .is_some_and(|byte| is_word(*byte))
    };
    let starts_as_word = word.bytes().next().is_some_and(is_word);
    let ends_as_word = word.bytes().last().is_some_and(is_word);
    code.match_indices(word)
        .map(|(place, _)| place)
        .filter(|place| !(starts_as_word && continues(place.checked_sub(1))))
        .filter(|place| !(ends_as_word && continues(Some(place + word.len()))))
        .collect()
}

/// Identifiers and keywords of code, with their places.
pub(super) fn words(code: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut start = None;
    for (place, byte) in code.bytes().chain([b' ']).enumerate() {
        match (start, is_word(byte)) {
            (None, true) => start = Some(place),
            (Some(begin), false) => {
                words.push((begin, &code[begin..place]));
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// What is declared: the keyword, the name and its place.
pub(super) fn declared(code: &str) -> Vec<(&str, &str, usize)> {
    const KEYWORDS: [&str; 8] = [
        "mod", "struct", "enum", "trait", "type", "fn", "const", "static",
    ];
    let words = words(code);
    let pairs = words.windows(2).filter_map(|pair| {
        let [(at, keyword), (place, name)] = pair else {
            return None;
        };
        let between = code.get(at + keyword.len()..*place)?;
        (KEYWORDS.contains(keyword) && between.trim().is_empty())
            .then_some((*keyword, *name, *place))
    });
    pairs.collect()
}

/// The text between the bracket at a place and the one that closes it.
pub(super) fn within(code: &str, open: usize) -> &str {
    let bytes = code.as_bytes();
    let mut depth = 0usize;
    for (place, byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return code.get(open + 1..place).unwrap_or("");
        }
    }
    code.get(open + 1..).unwrap_or("")
}

/// The text with comments, strings and characters blanked.
fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        match end {
            Some(end) => {
                for byte in &mut out[at..end] {
                    if *byte != b'\n' {
                        *byte = b' ';
                    }
                }
                at = end;
            }
            None => at += 1,
        }
    }
    String::from_utf8(out).expect("blanks are whole characters")
}

/// Where the comment, string or character that begins here ends.
fn literal_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let find = |from: usize, what: &[u8]| {
        rest[from..]
            .windows(what.len())
            .position(|window| window == what)
            .map_or(bytes.len(), |place| at + from + place)
    };
    let is_inside_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => Some(find(2, b"\n")),
        [b'/', b'*', ..] => Some((find(2, b"*/") + 2).min(bytes.len())),
        [b'"', ..] => Some(string_end(bytes, at + 1)),
        [b'r', b'"' | b'#', ..] if !is_inside_word => raw_end(bytes, at + 1),
        [b'b', b'r', b'"' | b'#', ..] if !is_inside_word => raw_end(bytes, at + 2),
        [b'\'', b'\\', ..] => Some((find(3, b"'") + 1).min(bytes.len())),
        [b'\'', ..] => {
            // A character, not a lifetime, if it is closed right after one character.
            let text = std::str::from_utf8(&rest[1..]).ok()?;
            let len = text.chars().next()?.len_utf8();
            (rest.get(1 + len) == Some(&b'\'')).then_some(at + len + 2)
        }
        _ => None,
    }
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a raw string whose hashes begin here; none if it is a raw identifier.
fn raw_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(at + hashes) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = [b'"']
        .into_iter()
        .chain(std::iter::repeat_n(b'#', hashes))
        .collect();
    let from = at + hashes + 1;
    let place = bytes[from..]
        .windows(close.len())
        .position(|window| window == close)?;
    Some(from + place + close.len())
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = r##"fn a<'x>(b: &'x str) -> char { "tokio \" x"; r#"rand"#; /* std::fs */ '\'' } // Instant"##;
    let code = blanked(text);
    assert_eq!(code.len(), text.len());
    for word in ["tokio", "rand", "fs", "Instant"] {
        assert!(places(&code, word).is_empty(), "{word}");
    }
    assert_eq!(
        words(&code)[..4]
            .iter()
            .map(|(_, word)| *word)
            .collect::<Vec<_>>(),
        ["fn", "a", "x", "b"]
    );
    assert_eq!(places("brand rand", "rand"), [6]);
    assert_eq!(within("f(a, (b), c) d", 1), "a, (b), c");
    assert_eq!(
        declared("pub(super) struct A; fn b() {}"),
        [("struct", "A", 18), ("fn", "b", 24)]
    );
}
