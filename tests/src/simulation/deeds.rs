//! What people do in a simulation: on phones what the phone offers, at the desk what the desk offers.

use std::collections::BTreeSet;

use patrol_core::doc::document;
use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part, Verdict};
use patrol_core::domain::id::{DocumentId, EntryId, UnitId};
use patrol_core::domain::limits;
use patrol_core::domain::offers::Offer;
use patrol_core::domain::place::VillageCode;
use patrol_core::replica::Deed;
use patrol_server::office::{self, Rejection};
use patrol_server::review::{self, Decision};
use patrol_server::store::{BoxedAs, BoxedChange};
use rand::Rng as _;
use rand::seq::IndexedRandom as _;

use super::audit::{entries_on_phone, entry_of};
use super::{DESK, Logged, Simulation};
use crate::world::matter;

impl Simulation {
    pub(super) fn log(&mut self, entry: EntryId, document: DocumentId, phone: Option<usize>) {
        self.logged.insert(entry, Logged { document, phone });
        if let Some((_, since)) = phone
            .and_then(|phone| self.backups.get_mut(phone))
            .and_then(Option::as_mut)
        {
            since.insert(entry);
        }
        if !self.documents.contains(&document) {
            self.documents.push(document);
        }
    }

    pub(super) fn report(&mut self) {
        let Some(village) = self.villages.choose(&mut self.rng).copied() else {
            return;
        };
        let phone = self.some_phone();
        let words = format!("第{}号问题", self.documents.len() + 1);
        self.report_in(phone, village, &words);
    }

    /// A long day without a network: more than one piece of a bundle holds.
    pub(super) fn long_day(&mut self, phone: usize) {
        let words = "长".repeat(limits::CASE_WORDS_MAX);
        let enough = limits::PIECE_BYTES / words.len() + 2;
        for _ in 0..enough {
            if let Some(village) = self.villages.choose(&mut self.rng).copied() {
                self.report_in(phone, village, &words);
            }
        }
    }

    fn report_in(&mut self, phone: usize, village: VillageCode, words: &str) {
        let deed = Deed {
            fields: matter(village, words),
            ..Deed::new(Action::Report, Body::default())
        };
        if let Ok((document, entry)) = self.phones[phone].replica.begin(&deed) {
            self.log(entry, document, Some(phone));
        }
    }

    /// A tally is opened by the first who counts in a village, and counted in by everybody there.
    pub(super) fn count(&mut self) {
        let phone = self.rng.random_range(0..4);
        let body = Body {
            count: Some((self.rng.random_range(1..3), 1)),
            ..Body::default()
        };
        let tally = self.phones[phone]
            .replica
            .list("tally", 0, 1)
            .ok()
            .and_then(|rows| rows.first().map(|row| row.id));
        let village = self.world.villages(&self.names[phone])[0];
        let result = match tally {
            Some(tally) => self.phones[phone]
                .act(tally, Action::Count, body)
                .map(|entry| (tally, entry)),
            None => {
                let fields = vec![matter(village, "x").swap_remove(0)];
                self.phones[phone].replica.begin(&Deed {
                    fields,
                    ..Deed::new(Action::Count, body)
                })
            }
        };
        if let Ok((document, entry)) = result {
            self.log(entry, document, Some(phone));
        }
    }

    pub(super) fn act(&mut self) {
        let phone = self.some_phone();
        let Some(document) = self.some_document() else {
            return;
        };
        let Ok(view) = self.phones[phone].replica.case(document) else {
            return;
        };
        let Some(offer) = view.offers.choose(&mut self.rng).cloned() else {
            return;
        };
        let body = self.body(&offer, &view.reading);
        let mut deed = Deed {
            right: Some(offer.right),
            ..Deed::new(offer.action, body)
        };
        if offer.action == Action::Amend {
            deed.fields = self.amended();
        }
        if let Ok(entry) = self.phones[phone].replica.act(document, &deed) {
            self.count_move(&view.reading, &deed.fields);
            self.log(entry, document, Some(phone));
        }
    }

    /// Counts what has been recorded if it takes a case to another village.
    fn count_move(&mut self, reading: &document::Reading, fields: &[FieldValue]) {
        let was = reading.case.places.first().map(|place| place.value.village);
        let is_move = fields
            .iter()
            .any(|field| matches!(field, FieldValue::Place(place) if Some(place.village) != was));
        if is_move {
            self.coverage.add("scope moved");
        }
    }

    /// New words, or another village: then the case moves to other scopes.
    fn amended(&mut self) -> Vec<FieldValue> {
        let village = self.villages[self.rng.random_range(0..self.villages.len())];
        let words = format!("改{}", self.rng.random_range(0..1_000));
        let mut fields = matter(village, &words);
        if self.rng.random_bool(0.5) {
            fields.truncate(1);
        } else {
            fields.drain(..2);
        }
        fields
    }

    /// A body for an offer.
    fn body(&mut self, offer: &Offer, reading: &document::Reading) -> Body {
        let assignments = &reading.case.workflow.assignments;
        let assignment = assignments
            .iter()
            .find(|assignment| Some(assignment.id) == offer.assignment);
        let mut body = Body {
            assignment: offer.assignment,
            ..Body::default()
        };
        body.words = Some(format!("说明{}", self.rng.random_range(0..1_000)));
        match offer.action {
            Action::PostCheck => {
                body.judged = assignment.and_then(|assignment| assignment.results.first().copied());
                body.verdict = [
                    Verdict::Passed,
                    Verdict::Passed,
                    Verdict::Failed,
                    Verdict::Unchecked,
                ]
                .choose(&mut self.rng)
                .copied();
            }
            Action::PreCheck => body.verdict = Some(Verdict::Passed),
            Action::Reconcile => {
                let conflicts = reading
                    .case
                    .workflow
                    .conflicts
                    .iter()
                    .flat_map(|conflict| conflict.candidates.clone())
                    .collect::<Vec<_>>();
                body.chosen = conflicts.choose(&mut self.rng).copied();
            }
            Action::Dispatch => {
                let villages = self.world.villages("巡查员01");
                let units = [
                    villages[0].unit(),
                    villages[villages.len() - 1].unit(),
                    UnitId(101),
                ];
                let mut chosen = vec![(units[self.rng.random_range(0..units.len())], Part::Main)];
                if self.rng.random_bool(0.3) && chosen[0].0 != UnitId(101) {
                    chosen.push((UnitId(101), Part::Assisting));
                }
                body.assign = chosen;
                body.words = None;
            }
            Action::Count => body.count = Some((1, 1)),
            Action::Withdraw => {
                let own = reading
                    .lines
                    .iter()
                    .find(|line| line.entry.action() == Some(Action::Count));
                body.withdraws = own.map(|line| line.id);
            }
            Action::MarkDuplicate => body.target = self.some_document(),
            _ => {}
        }
        body
    }

    /// Somebody at the desk does something that the desk offers.
    pub(super) fn desk(&mut self) {
        let Some(document) = self.some_document() else {
            return;
        };
        let name = DESK[self.rng.random_range(0..DESK.len())];
        let person = self.world.person(name);
        let Ok(view) = office::view(&self.world.app, person, document) else {
            return;
        };
        let Some(offer) = view.offers.choose(&mut self.rng).cloned() else {
            return;
        };
        let body = self.body(&offer, &view.reading);
        let fields = if offer.action == Action::Amend {
            self.amended()
        } else {
            Vec::new()
        };
        let deed = office::Deed {
            action: offer.action,
            body,
            fields,
            on: view.reading.case.workflow.heads.clone(),
            seen: view.heads,
            key: self.world.key(),
            acted_at: self.world.clock.now(),
        };
        match office::act(&self.world.app, person, document, &deed) {
            Ok(entry) => {
                self.count_move(&view.reading, &deed.fields);
                self.log(entry, document, None);
            }
            // After a crash the desk asks again with the same key, as a browser does.
            Err(Rejection::Store(_)) => {
                if let Ok(entry) = office::act(&self.world.app, person, document, &deed) {
                    self.log(entry, document, None);
                }
            }
            Err(_) => {}
        }
    }

    pub(super) fn settle_some(&mut self) {
        let person = self.world.person(DESK[0]);
        let held = review::held(&self.world.app, 0, 50).unwrap_or_default();
        let Some((_, change)) = held.choose(&mut self.rng).cloned() else {
            return;
        };
        let decision = if self.rng.random_bool(0.5) {
            Decision::Release
        } else {
            Decision::Refuse
        };
        // Some have looked at that one alone.
        let mut looked_at = vec![change.hash];
        if self.rng.random_bool(0.5) {
            let others = held.iter().map(|(_, other)| other);
            let others = others.filter(|other| other.document == change.document);
            looked_at.extend(others.map(|other| other.hash));
        }
        if review::settle(
            &self.world.app,
            person,
            change.document,
            &looked_at,
            decision,
            "看过",
        )
        .is_ok()
        {
            if decision == Decision::Release {
                self.coverage.add("review released");
                self.note_what_found_its_place_taken(&held);
            } else {
                self.coverage.add("review refused");
                self.reopened.insert(change.device);
                self.turned_away.insert(change.hash);
                self.turned_down
                    .extend(entry_of(change.document, &change.body));
                self.note_what_nobody_makes_again(&held);
            }
        }
    }

    /// What a review that releases refuses all the same is made again by its phone.
    fn note_what_found_its_place_taken(&mut self, held: &[(u64, BoxedChange)]) {
        for (_, before) in held {
            let mut now = None;
            let read = self.world.app.store.read(&mut |snapshot| {
                now = snapshot.boxed(before.device, before.hash)?;
                Ok(())
            });
            let is_refused = |row: BoxedChange| matches!(row.state, BoxedAs::Refused(_));
            if read.is_err() || now.is_some_and(is_refused) {
                self.reopened.insert(before.device);
            }
        }
    }

    /// What followed a refused change is made again by its phone; but where a lost server had let both in and told so, the phone may have let go
    /// of it since. Then the server keeps it as it keeps the first.
    fn note_what_nobody_makes_again(&mut self, held: &[(u64, BoxedChange)]) {
        if self.epochs == 0 {
            return;
        }
        let still = review::held(&self.world.app, 0, usize::MAX >> 8).unwrap_or_default();
        let settled = held.iter().filter(|row| !still.contains(row));
        let mut followers: BTreeSet<EntryId> = settled
            .filter_map(|(_, row)| entry_of(row.document, &row.body))
            .collect();
        for phone in &self.phones {
            let here = entries_on_phone(phone.replica.store());
            followers.retain(|entry| !here.contains(entry));
        }
        self.turned_down.extend(followers);
    }

    pub(super) fn settle_all(&mut self) {
        for _ in 0..60 {
            self.settle_some();
        }
    }
}
