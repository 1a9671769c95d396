//! What the server tells a device beside the changes.

use crate::cbor::{Reader, Result, Writer};
use crate::domain::id::{ChangeHash, DocumentId};
use crate::domain::refusal::Refusal;

/// Something the server tells a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Entries with these `n` are missing: push them if you have them. Ranges, both ends included.
    Resend(Vec<(u64, u64)>),
    /// The phone is a copy, or was restored: enrol again.
    ReEnrol,
    /// Send your logs.
    SendLogs,
    /// A held change was released, or refused.
    Outcome {
        /// Of which document.
        document: DocumentId,
        /// Which change.
        change: ChangeHash,
        /// Refused for this reason; none: released.
        refusal: Option<Refusal>,
    },
    /// A message for the person.
    Message(String),
    /// Of a kind that this program does not know.
    Unknown,
}

impl Notice {
    /// As one item: how notices travel, and how a server stores them.
    pub fn write(&self, w: &mut Writer) {
        match self {
            Self::Resend(ranges) => {
                w.array(1 + 2 * ranges.len()).uint(1);
                for (first, last) in ranges {
                    w.uint(*first).uint(*last);
                }
            }
            Self::ReEnrol => {
                w.array(1).uint(2);
            }
            Self::SendLogs => {
                w.array(1).uint(3);
            }
            Self::Outcome {
                document,
                change,
                refusal,
            } => {
                w.array(4)
                    .uint(4)
                    .bytes(&document.0)
                    .bytes(&change.0)
                    .uint(refusal.map_or(0, Refusal::number));
            }
            Self::Message(text) => {
                w.array(2).uint(5).text(text);
            }
            Self::Unknown => {
                w.array(1).uint(0);
            }
        }
    }

    /// From one item.
    pub fn read(r: &mut Reader<'_>) -> Result<Self> {
        let item = r.item()?;
        let mut r = Reader::new(item);
        let parts = r.array()?;
        Ok(match r.uint()? {
            1 => Self::Resend(
                (0..parts.saturating_sub(1) / 2)
                    .map(|_| Ok((r.uint()?, r.uint()?)))
                    .collect::<Result<_>>()?,
            ),
            2 => Self::ReEnrol,
            3 => Self::SendLogs,
            4 => {
                let (document, change, refusal) = (
                    DocumentId(r.array_of()?),
                    ChangeHash(r.array_of()?),
                    r.uint()?,
                );
                let refusal = (refusal != 0)
                    .then(|| Refusal::from_number(refusal).unwrap_or(Refusal::UpdateNeeded));
                Self::Outcome {
                    document,
                    change,
                    refusal,
                }
            }
            5 => Self::Message(r.text()?.to_owned()),
            _ => Self::Unknown,
        })
    }
}
