//! Two programs on one phone's file, such as an app and its background task: while one waits for the server, the other records, and
//! perhaps syncs too.

use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{DocumentId, EntryId};
use patrol_core::error::Error;
use patrol_core::replica::{Deed, Summary};
use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::Simulation;
use crate::link::Moment;
use crate::world::{Phone, matter};

/// What a second program has done.
struct Done {
    logged: Vec<(DocumentId, EntryId)>,
    synced: Option<Result<Summary, Error>>,
}

impl Simulation {
    /// A call of sync, during which a second program on the same file reports and notes, and may sync.
    pub(super) fn sync_beside(&mut self) {
        let phone = self.some_phone();
        let second = Arc::new(self.world.beside(&self.phones[phone], self.rng.random()));
        let noted: Vec<DocumentId> = self
            .documents
            .choose_multiple(&mut self.rng, 2)
            .copied()
            .collect();
        let reported = self.villages.choose(&mut self.rng).copied();
        let reported = reported.filter(|_| self.rng.random_bool(0.3));
        let syncs = self.rng.random_bool(0.5);
        let done = Arc::new(Mutex::new(None::<Done>));
        let (doing, doer) = (Arc::clone(&done), Arc::clone(&second));
        let meanwhile = move || {
            let note = |document| Some((document, doer.note(document, "另记").ok()?));
            let report = |village| {
                let fields = matter(village, "另报");
                let deed = Deed {
                    fields,
                    ..Deed::new(Action::Report, Body::default())
                };
                doer.replica.begin(&deed).ok()
            };
            let mut logged: Vec<_> = noted.into_iter().filter_map(note).collect();
            logged.extend(reported.and_then(report));
            let synced = syncs.then(|| doer.sync());
            *doing.lock().unwrap_or_else(PoisonError::into_inner) = Some(Done { logged, synced });
        };
        let moments = [Moment::Leaving, Moment::Answered, Moment::Halfway];
        let moment = *moments.choose(&mut self.rng).unwrap_or(&Moment::Answered);
        let link = &self.phones[phone].link;
        link.meanwhile(Some((moment, Box::new(meanwhile))));
        let first = self.phones[phone].sync();
        drop(self.phones[phone].link.meanwhile(None));
        let done = done.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.tell_beside(phone, &first, &second, done);
    }

    /// Writes down what both have done.
    fn tell_beside(
        &mut self,
        phone: usize,
        first: &Result<Summary, Error>,
        second: &Phone,
        done: Option<Done>,
    ) {
        self.brought.extend(second.link.take_brought());
        for (fate, count) in second.link.take_fates() {
            self.coverage.add_many(fate, count);
        }
        if let (
            Err(Error::Overtaken),
            Some(Done {
                synced: Some(_), ..
            }),
        ) = (first, &done)
        {
            self.coverage.add("sync overtaken");
        } else {
            let reached = self.phones[phone].link.app();
            self.count_sync(phone, &reached, first);
        }
        self.count_fates(phone);
        let Some(done) = done else {
            return;
        };
        for (document, entry) in done.logged {
            self.log(entry, document, Some(phone));
        }
        if let Some(synced) = &done.synced {
            // Its line may lead elsewhere: the first one's to a server that was given up.
            self.count_sync(phone, &second.link.app(), synced);
            self.suffer("second program syncs on a phone's file");
        }
        self.suffer("second program on a phone's file");
    }
}
