//! What a page holds besides its items.

use super::{Cursors, Form, ScopeNumber, positions, read_cursors, write_cursors};
use crate::cbor::{Reader, Result, Writer};
use crate::domain::id::DocumentId;

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
