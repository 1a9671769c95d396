//! Two programs on one phone's file, such as an app and its background task: while one waits for the server, the other records and syncs.

use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{DocumentId, EntryId};
use patrol_core::error::Result;
use patrol_core::replica::{Deed, Summary};
use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::{STORMY, Simulation};
use crate::world::matter;

/// What the second program has done.
#[derive(Default)]
struct Done {
    logged: Vec<(DocumentId, EntryId)>,
    synced: Option<Result<Summary>>,
}

impl Simulation {
    /// A call of sync, during which a second program on the same file reports, notes and syncs.
    pub(super) fn sync_beside(&mut self) {
        let phone = self.some_phone();
        let second = self.world.beside(&self.phones[phone], self.rng.random());
        second.link.set_weather(STORMY);
        second.link.mutate(self.mutation);
        let noted: Vec<DocumentId> = self
            .documents
            .choose_multiple(&mut self.rng, 2)
            .copied()
            .collect();
        let reported = self.villages.choose(&mut self.rng).copied();
        let reported = reported.filter(|_| self.rng.random_bool(0.3));
        let is_synced = self.rng.random_bool(0.7);
        let done = Arc::new(Mutex::new(None));
        let doing = Arc::clone(&done);
        let meanwhile = move || {
            let mut found = Done::default();
            let note = |document| Some((document, second.note(document, "另记").ok()?));
            found.logged.extend(noted.into_iter().filter_map(note));
            let report = |village| {
                let fields = matter(village, "另报");
                let deed = Deed {
                    fields,
                    ..Deed::new(Action::Report, Body::default())
                };
                second.replica.begin(&deed).ok()
            };
            found.logged.extend(reported.and_then(report));
            found.synced = is_synced.then(|| second.sync());
            *doing.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        };
        let is_answered = self.rng.random_bool(0.5);
        let link = &self.phones[phone].link;
        link.meanwhile(Some((is_answered, Box::new(meanwhile))));
        self.sync(phone);
        drop(self.phones[phone].link.meanwhile(None));
        let done = done.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Done { logged, synced }) = done else {
            return;
        };
        for (document, entry) in logged {
            self.log(entry, document, Some(phone));
        }
        if let Some(result) = synced {
            self.count_sync(&result);
        }
        self.suffer("second program on a phone's file");
    }
}
