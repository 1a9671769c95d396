//! Previews that wait to be adopted by whoever asked for them. They are in memory: after a start the files are uploaded again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;

use super::Preview;

/// Names a preview.
pub(crate) type PreviewId = [u8; 8];

#[derive(Default)]
pub(crate) struct Waiting(Mutex<VecDeque<(PreviewId, PersonId, Arc<Preview>)>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(PreviewId, PersonId, Arc<Preview>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
