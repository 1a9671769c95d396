//! The head of a push frame, and items that are written as they are.

use super::Form;
use crate::cbor::{Fault, Reader, Result, Writer};
use crate::domain::id::{DeviceId, DocumentId};
use crate::domain::time::Timestamp;

/// The head of a push frame; its items follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PushHead {
    /// Who signed.
    pub signer: DeviceId,
    /// Lowest and highest `n` inside.
    pub n: (u64, u64),
    /// Over the batch.
    pub signature: [u8; 64],
    /// How the changes are written.
    pub form: Form,
}

impl PushHead {
    /// As a payload, with items that were written one by one.
    pub fn encode(&self, count: usize, items: &[u8]) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(6)
            .bytes(&self.signer.0)
            .uint(self.n.0)
            .uint(self.n.1)
            .bytes(&self.signature);
        w.uint(if self.form == Form::Raw { 1 } else { 0 });
        w.array(count).raw(items);
        w.finish()
    }

    /// From a payload: the head, how many items, and a reader at the first of them.
    pub fn decode(payload: &[u8]) -> Result<(Self, usize, Reader<'_>)> {
        let mut r = Reader::new(payload);
        if r.array()? < 6 {
            return Err(Fault::Truncated);
        }
        let (signer, n, signature) = (
            DeviceId(r.array_of()?),
            (r.uint()?, r.uint()?),
            r.array_of()?,
        );
        let form = match r.uint()? {
            0 => Form::Stripped,
            1 => Form::Raw,
            _ => return Err(Fault::Unexpected),
        };
        let count = r.array()?;
        Ok((
            Self {
                signer,
                n,
                signature,
                form,
            },
            count,
            r,
        ))
    }
}

/// Writes a raw item.
pub fn write_raw(w: &mut Writer, document: DocumentId, change: &[u8]) {
    w.array(2).bytes(&document.0).bytes(change);
}

/// Reads a raw item.
pub fn read_raw<'b>(r: &mut Reader<'b>) -> Result<(DocumentId, &'b [u8])> {
    if r.array()? < 2 {
        return Err(Fault::Truncated);
    }
    Ok((DocumentId(r.array_of()?), r.bytes()?))
}

/// Writes a raw item of a page.
pub fn write_raw_of_page(
    w: &mut Writer,
    document: DocumentId,
    ordinal: u64,
    received_at: Timestamp,
    change: &[u8],
) {
    w.array(4)
        .bytes(&document.0)
        .uint(ordinal)
        .int(received_at.0)
        .bytes(change);
}

/// Reads a raw item of a page: document, ordinal, time of receipt, change.
pub fn read_raw_of_page<'b>(r: &mut Reader<'b>) -> Result<(DocumentId, u64, Timestamp, &'b [u8])> {
    if r.array()? < 4 {
        return Err(Fault::Truncated);
    }
    Ok((
        DocumentId(r.array_of()?),
        r.uint()?,
        Timestamp(r.int()?),
        r.bytes()?,
    ))
}
