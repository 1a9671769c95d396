//! Two programs on one phone's file, such as an app and its background task: while one waits for the server, the other records.
//!
//! They do not sync at once: two rounds under way would tell each other's fates.

use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{DocumentId, EntryId};
use patrol_core::replica::Deed;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::Simulation;
use crate::world::matter;

impl Simulation {
    /// A call of sync, during which a second program on the same file reports and notes.
    pub(super) fn sync_beside(&mut self) {
        let phone = self.some_phone();
        let second = self.world.beside(&self.phones[phone], self.rng.random());
        let noted: Vec<DocumentId> = self
            .documents
            .choose_multiple(&mut self.rng, 2)
            .copied()
            .collect();
        let reported = self.villages.choose(&mut self.rng).copied();
        let reported = reported.filter(|_| self.rng.random_bool(0.3));
        let done = Arc::new(Mutex::new(None::<Vec<(DocumentId, EntryId)>>));
        let doing = Arc::clone(&done);
        let meanwhile = move || {
            let mut found = Vec::new();
            let note = |document| Some((document, second.note(document, "另记").ok()?));
            found.extend(noted.into_iter().filter_map(note));
            let report = |village| {
                let fields = matter(village, "另报");
                let deed = Deed {
                    fields,
                    ..Deed::new(Action::Report, Body::default())
                };
                second.replica.begin(&deed).ok()
            };
            found.extend(reported.and_then(report));
            *doing.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        };
        let is_answered = self.rng.random_bool(0.5);
        let link = &self.phones[phone].link;
        link.meanwhile(Some((is_answered, Box::new(meanwhile))));
        self.sync(phone);
        drop(self.phones[phone].link.meanwhile(None));
        let done = done.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(logged) = done else {
            return;
        };
        for (document, entry) in logged {
            self.log(entry, document, Some(phone));
        }
        self.suffer("second program on a phone's file");
    }
}
