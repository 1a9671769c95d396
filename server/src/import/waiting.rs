//! Previews that wait to be adopted by whoever asked for them. They are in memory: after a start the files are uploaded again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Preview;

/// Names a preview.
pub(crate) type PreviewId = [u8; 8];

pub(crate) struct Waiting {
    previews: Mutex<VecDeque<(PreviewId, PersonId, Arc<Preview>)>>,
    /// Held by whoever has files previewed: they take room while they are read.
    reading: Arc<Semaphore>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            previews: Mutex::default(),
            reading: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(PreviewId, PersonId, Arc<Preview>)>> {
        self.previews.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The turn to have files previewed, until it is dropped; none while somebody else has it.
    pub(crate) fn begin(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.reading).try_acquire_owned().ok()
    }

    /// Lets a preview wait; where too many do, the oldest gives way.
    pub(crate) fn put(&self, id: PreviewId, person: PersonId, preview: Preview) {
        let mut waiting = self.lock();
        waiting.push_back((id, person, Arc::new(preview)));
        while waiting.len() > limits::IMPORTS_WAITING {
            waiting.pop_front();
        }
    }

    /// A preview of one's own.
    pub(crate) fn find(&self, id: PreviewId, person: PersonId) -> Option<Arc<Preview>> {
        let waiting = self.lock();
        let found = waiting
            .iter()
            .find(|(other, by, _)| (*other, *by) == (id, person));
        found.map(|(_, _, preview)| Arc::clone(preview))
    }

    /// Forgets a preview that was adopted.
    pub(crate) fn forget(&self, id: PreviewId) {
        self.lock().retain(|(other, _, _)| *other != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reads_files_at_a_time() {
        let waiting = Waiting::default();
        let first = waiting.begin();
        assert!(first.is_some() && waiting.begin().is_none());
        drop(first);
        assert!(waiting.begin().is_some());
    }
}
