//! What a phone's program that is killed says of its drafts, held against what it finds when it is started again: what was kept is there as it
//! was changed last, until it has become an entry, and then it is gone. It opens no file.

use std::collections::BTreeSet;

use patrol_core::domain::id::DraftId;

use super::said::Said;

/// All that was said of drafts so far.
#[derive(Default)]
pub(super) struct Drafts {
    /// The last one that was kept, and its last change, where no entry was told of it.
    open: Option<(DraftId, u32)>,
    /// It had begun to record it.
    is_begun: bool,
    /// Of these an entry was told.
    recorded: BTreeSet<DraftId>,
}

impl Drafts {
    /// Takes in what a program said from its start to its kill. Whether the one before had recorded its draft without a word.
    pub(super) fn hear(&mut self, all: &[Said]) -> Result<bool, String> {
        let found = all.iter().filter_map(|said| match said {
            Said::Found(id, change) => Some((*id, *change)),
            _ => None,
        });
        let is_untold = self.find(&found.collect::<Vec<_>>())?;
        for said in all {
            match said {
                Said::Drafted(id, change) => self.open = Some((*id, *change)),
                Said::Recording => self.is_begun = true,
                Said::Recorded(_) => {
                    self.is_begun = false;
                    self.recorded.extend(self.open.take().map(|(id, _)| id));
                }
                _ => {}
            }
        }
        Ok(is_untold)
    }

    /// Holds what was found against what was said. Whether a draft was recorded without a word.
    pub(super) fn find(&mut self, found: &[(DraftId, u32)]) -> Result<bool, String> {
        let open = self.open.take();
        let is_begun = std::mem::take(&mut self.is_begun);
        if let Some((id, _)) = found.iter().find(|(id, _)| self.recorded.contains(id)) {
            return Err(format!("lost: the draft {} is no entry", id.hex()));
        }
        if found.len() > 1 {
            return Err(format!("{} drafts where one was written", found.len()));
        }
        let Some((id, change)) = open else {
            return Ok(false);
        };
        match found.first() {
            // One change more may have been kept without a word.
            Some((same, last)) if *same == id && (change..=change + 1).contains(last) => Ok(false),
            None if is_begun => Ok(self.recorded.insert(id)),
            other => Err(format!(
                "lost: change {change} of the draft {}, found {other:?}",
                id.hex()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use patrol_core::domain::id::EntryId;

    use super::*;

    const ONE: DraftId = DraftId([1; 16]);
    const OTHER: DraftId = DraftId([2; 16]);
    const KEPT: [Said; 2] = [Said::Drafted(ONE, 1), Said::Drafted(ONE, 2)];
    const RECORDED: Said = Said::Recorded(EntryId([3; 16]));

    fn said(before: &[Said]) -> Drafts {
        let mut drafts = Drafts::default();
        assert_eq!(drafts.hear(before), Ok(false));
        drafts
    }

    #[test]
    fn a_draft_is_there_as_it_was_kept_last() {
        for change in [2, 3] {
            assert_eq!(said(&KEPT).find(&[(ONE, change)]), Ok(false));
        }
        for wrong in [&[][..], &[(ONE, 1)], &[(ONE, 4)], &[(OTHER, 2)]] {
            let found = said(&KEPT).find(wrong);
            assert!(found.is_err_and(|fault| fault.starts_with("lost")));
        }
        assert!(said(&[]).find(&[(ONE, 1), (OTHER, 1)]).is_err());
    }

    #[test]
    fn a_draft_that_was_being_recorded_is_there_or_an_entry() {
        let begun = [&KEPT[..], &[Said::Recording]].concat();
        assert_eq!(said(&begun).find(&[(ONE, 2)]), Ok(false));
        assert_eq!(said(&begun).find(&[]), Ok(true));
        assert!(said(&begun).find(&[(OTHER, 1)]).is_err());
    }

    #[test]
    fn a_draft_that_was_recorded_is_gone() {
        let done = [&KEPT[..], &[Said::Recording, RECORDED]].concat();
        assert_eq!(said(&done).find(&[]), Ok(false));
        assert_eq!(said(&done).find(&[(OTHER, 1)]), Ok(false));
        assert!(said(&done).find(&[(ONE, 2)]).is_err());
        // Also where it was found out at a start alone.
        let mut cut = said(&[&KEPT[..], &[Said::Recording]].concat());
        assert_eq!(cut.hear(&[Said::Drafted(OTHER, 1)]), Ok(true));
        assert!(cut.find(&[(ONE, 2)]).is_err());
    }
}
