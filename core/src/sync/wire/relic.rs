//! A page frame pushed back after a restore: what proves that the lost server had sent it, and the changes that the new one lacks.

use super::positions;
use crate::cbor::{Fault, Result, Writer};
use crate::domain::id::Epoch;
use crate::sync::seal::PageList;

/// A page frame pushed back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relic {
    /// Of which epoch it was.
    pub epoch: Epoch,
    /// Its tag.
    pub tag: [u8; 16],
    /// Its list.
    pub list: PageList,
    /// Changes of the list: place there, bytes. Places ascend.
    pub bodies: Vec<(usize, Vec<u8>)>,
}

impl Relic {
    /// As a payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(4)
            .bytes(&self.epoch.0)
            .bytes(&self.tag)
            .bytes(self.list.bytes())
            .array(2 * self.bodies.len());
        for (place, body) in &self.bodies {
            w.uint(*place as u64).bytes(body);
        }
        w.finish()
    }

    /// From a payload.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        positions(payload, 4, |r| {
            let (epoch, tag) = (Epoch(r.array_of()?), r.array_of()?);
            let list = PageList::from_bytes(r.bytes()?).ok_or(Fault::Unexpected)?;
            let mut bodies: Vec<(usize, Vec<u8>)> = Vec::new();
            for _ in 0..r.array()? / 2 {
                let place = r.size()?;
                let ascends = bodies.last().is_none_or(|(last, _)| *last < place);
                if !ascends || place >= list.len() {
                    return Err(Fault::Unexpected);
                }
                bodies.push((place, r.bytes()?.to_vec()));
            }
            Ok(Self {
                epoch,
                tag,
                list,
                bodies,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{ChangeHash, DocumentId};
    use crate::domain::time::Timestamp;

    #[test]
    fn a_body_is_of_a_change_that_the_list_names() {
        let mut list = PageList::default();
        for number in 1..=2 {
            let (document, change) = (DocumentId([number; 16]), ChangeHash([number; 32]));
            list.add(document, change, Timestamp(0));
        }
        let of = |place| Relic {
            epoch: Epoch([1; 4]),
            tag: [2; 16],
            list: list.clone(),
            bodies: vec![(place, vec![3])],
        };
        assert_eq!(Relic::decode(&of(1).encode()), Ok(of(1)));
        assert_eq!(Relic::decode(&of(2).encode()), Err(Fault::Unexpected));
    }
}
