//! The keys of a document's root map.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::entry::Field;
use crate::domain::id::EntryId;

/// What the server alone writes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ServerName {
    /// The case's number.
    Number,
    /// The document's scopes.
    Scopes,
    /// The fold version.
    Fold,
}

impl ServerName {
    /// All of them, in the order of their codes.
    pub const ALL: &'static [Self] = &[Self::Number, Self::Scopes, Self::Fold];

    /// The code on the wire.
    pub fn code(self) -> u64 {
        self as u64 + 1
    }

    /// The name of a code.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.code() == code)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Scopes => "scopes",
            Self::Fold => "fold",
        }
    }
}

/// A key of the root map.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Key {
    /// `e/<id>`: an entry.
    Entry(EntryId),
    /// `f/<field>`: a register.
    Field(Field),
    /// `s/<name>`: the server's.
    Server(ServerName),
    /// A key that this program does not know, written by a newer one.
    Other(String),
}

impl Key {
    /// The key of a text. An `e/` key that is not an id is `Other`.
    pub fn parse(text: &str) -> Self {
        let known = match text.split_once('/') {
            Some(("e", id)) => entry_id(id).map(Self::Entry),
            Some(("f", word)) => Field::from_word(word).map(Self::Field),
            Some(("s", word)) => ServerName::ALL
                .iter()
                .copied()
                .find(|name| name.word() == word)
                .map(Self::Server),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Other(text.to_owned()))
    }

    /// The text of a key.
    pub fn text(&self) -> String {
        match self {
            Self::Entry(id) => format!("e/{}", URL_SAFE_NO_PAD.encode(id.0)),
            Self::Field(field) => format!("f/{}", field.word()),
            Self::Server(name) => format!("s/{}", name.word()),
            Self::Other(text) => text.clone(),
        }
    }
}

fn entry_id(text: &str) -> Option<EntryId> {
    let mut id = [0; EntryId::LEN];
    let len = URL_SAFE_NO_PAD.decode_slice(text, &mut id).ok()?;
    (len == EntryId::LEN).then_some(EntryId(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_their_text() {
        let keys = [
            Key::Entry(EntryId([0xfb; 16])),
            Key::Field(Field::Place),
            Key::Server(ServerName::Fold),
            Key::Other("f/colour".into()),
        ];
        for key in keys {
            assert_eq!(Key::parse(&key.text()), key);
        }
        assert_eq!(
            Key::Entry(EntryId([0xfb; 16])).text(),
            "e/-_v7-_v7-_v7-_v7-_v7-w"
        );
        assert_eq!(Key::parse("e/short"), Key::Other("e/short".into()));
    }
}
