//! A deed becomes one change: one entry, and the registers that belong to it.
//!
//! The only writer of documents. Who may do it, and whether it fits, is asked before (`admit`, `domain`).

use super::entry;
use super::key::{Key, ServerName};
use super::ledger::{Ledger, MissingDeps};
use super::parse::{self, Parsed, Put};
use super::register::FieldValue;
use crate::domain::entry::Entry;
use crate::domain::id::{Actor, ChangeHash, EntryId};

/// What a change holds, in the grammar's order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A person's commit: the entry's bytes, and register values by key, in the order of their codes.
    Person {
        /// The entry.
        entry: Vec<u8>,
        /// The registers.
        fields: Vec<(Key, Vec<u8>)>,
    },
    /// The server's commit: its values by key, in the order of their codes; none for a merge of heads.
    Server(Vec<(Key, Vec<u8>)>),
}

impl Content {
    /// A person's commit.
    pub fn person(entry: &Entry, mut fields: Vec<FieldValue>) -> Self {
        fields.sort_by_key(|value| value.field().code());
        let fields = fields
            .iter()
            .map(|value| (Key::Field(value.field()), value.encode()))
            .collect();
        Self::Person {
            entry: entry::encode(entry),
            fields,
        }
    }

    /// The server's commit.
    pub fn server(mut values: Vec<(ServerName, Vec<u8>)>) -> Self {
        values.sort_by_key(|(name, _)| name.code());
        Self::Server(
            values
                .into_iter()
                .map(|(name, value)| (Key::Server(name), value))
                .collect(),
        )
    }

    /// What a change holds; none where it is outside the grammar.
    pub fn of(change: &Parsed) -> Option<Self> {
        let rest = |puts: &[Put]| {
            puts.iter()
                .map(|put| (put.key.clone(), put.value.clone()))
                .collect()
        };
        match change.puts.split_first() {
            Some((
                Put {
                    key: Key::Entry(_),
                    value,
                    ..
                },
                fields,
            )) => Some(Self::Person {
                entry: value.clone(),
                fields: rest(fields),
            }),
            _ if change
                .puts
                .iter()
                .all(|put| matches!(put.key, Key::Server(_))) =>
            {
                Some(Self::Server(rest(&change.puts)))
            }
            _ => None,
        }
    }

    /// The id of the entry within a document; none for the server's commits.
    pub fn entry_id(&self, document: crate::domain::id::DocumentId) -> Option<EntryId> {
        match self {
            Self::Person { entry, .. } => Some(entry::entry_id(document, entry)),
            Self::Server(_) => None,
        }
    }
}

/// Composes the change that puts the content on top of these dependencies. Everything else follows from them.
pub fn compose(
    ledger: &Ledger,
    actor: Actor,
    deps: &[ChangeHash],
    content: &Content,
) -> Result<Parsed, MissingDeps> {
    let places = ledger.places_of(deps)?;
    let closure = ledger.closure(&places);
    let put = |key: &Key, value: &[u8]| {
        let preds = ledger
            .visible(key, &closure)
            .into_iter()
            .map(|(_, counter, actor)| (counter, actor))
            .collect();
        Put {
            key: key.clone(),
            value: value.to_vec(),
            preds,
        }
    };
    let mut puts = Vec::new();
    let values = match content {
        Content::Person { entry, fields } => {
            puts.push(put(
                &Key::Entry(entry::entry_id(ledger.document(), entry)),
                entry,
            ));
            fields
        }
        Content::Server(values) => values,
    };
    puts.extend(values.iter().map(|(key, value)| put(key, value)));
    for put in &mut puts {
        put.preds.sort_unstable();
    }
    let seq = ledger.next_seq(actor, &closure);
    let change = parse::encode(actor, seq, ledger.start_op(&places), deps, puts);
    Ok(change.expect("operation counters begin at 1"))
}
