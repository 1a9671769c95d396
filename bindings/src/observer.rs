//! Who is told that documents have changed, for as long as its handle lives.

use std::sync::{Arc, Weak};

use patrol_core::domain::id::DocumentId;
use patrol_core::replica;

use crate::Live;
use crate::error::CallbackError;

/// Is told which documents have changed, after they are saved. Called on the thread that changed them: a caller of `report`
/// or `act`, or the thread on which `sync` runs. It may call back into `Patrol`; what it throws is passed over.
#[uniffi::export(foreign)]
pub trait Observer: Send + Sync {
    /// These documents have changed: ids of cases and tallies.
    fn changed(&self, ids: Vec<DocumentId>) -> Result<(), CallbackError>;
}

/// Keeps an observer registered: when it is stopped or dropped, the observer hears nothing more.
#[derive(uniffi::Object)]
pub struct Watch {
    live: Weak<Live>,
    handle: u64,
}

#[uniffi::export]
impl Watch {
    /// Stops it now, for languages whose objects are dropped some day.
    pub fn stop(&self) {
        if let Some(live) = self.live.upgrade() {
            live.replica.unwatch(self.handle);
        }
    }
}

impl Watch {
    pub(crate) fn new(live: &Arc<Live>, observer: Arc<dyn Observer>) -> Self {
        Self {
            handle: live.replica.watch(Arc::new(Relay(observer))),
            live: Arc::downgrade(live),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Passes what the replica tells on to the app.
struct Relay(Arc<dyn Observer>);

impl replica::Observer for Relay {
    fn changed(&self, documents: &[DocumentId]) {
        // An observer that throws is the app's to mend; the deed is saved whatever it does.
        drop(self.0.changed(documents.to_vec()));
    }
}
