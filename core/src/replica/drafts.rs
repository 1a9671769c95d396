//! Drafts: kept on every change, gone in the transaction that records what came of them. It reads nothing of what is in one.

use super::Replica;
use crate::domain::id::{DocumentId, DraftId};
use crate::domain::limits;
use crate::domain::refusal::Refusal;
use crate::error::{Error, Result};
use crate::store::drafts::{self, Draft};

impl Replica {
    /// Keeps what a person has written so far: a new draft, or in place of the one of that id. Durable when it returns.
    ///
    /// # Errors
    /// `Refused(Malformed)`: it is larger than a draft may be. `NotFound`: that draft has become a deed, or was discarded; one that comes late
    /// brings it not back.
    pub fn keep_draft(
        &self,
        id: Option<DraftId>,
        document: Option<DocumentId>,
        form: &[u8],
    ) -> Result<DraftId> {
        if form.len() > limits::DRAFT_BYTES_MAX {
            return Err(Refusal::Malformed.into());
        }
        let draft = Draft {
            id: id.unwrap_or_else(|| DraftId(self.random())),
            document,
            form: form.to_vec(),
            changed_at: self.environment.now(),
        };
        self.store.write(|transaction| match id {
            None => drafts::put(transaction, &draft),
            Some(_) if drafts::change(transaction, &draft)? => Ok(()),
            Some(_) => Err(Error::NotFound),
        })?;
        Ok(draft.id)
    }

    /// All drafts, the last changed first.
    pub fn drafts(&self) -> Result<Vec<Draft>> {
        self.store.read(drafts::all)
    }

    /// The person does not want a draft any more.
    pub fn discard_draft(&self, id: DraftId) -> Result<()> {
        if self
            .store
            .write(|transaction| drafts::remove(transaction, id))?
        {
            Ok(())
        } else {
            Err(Error::NotFound)
        }
    }
}
