//! Those who fix: cadres in village halls and operators of departments and enterprises. Cadres also check what others fixed in their
//! village; some carry a phone in place of the hall's PC.
//!
//! A hall's line is bad: what a cadre decides on a page may be sent an hour later, with the time at which he decided.

use std::sync::Arc;

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::directory::Person;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::DocumentId;
use patrol_core::domain::place::{Place, VillageCode};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::carrier::Carrier;
use super::city::City;
use super::decide;
use super::desk::{Desk, Pending};
use super::page::{Choice, Page};
use super::phone::Phone;
use super::words;

/// Cases that one sitting deals with at most.
const SITTING: usize = 6;

/// Somebody who fixes, at a PC.
#[derive(Debug)]
pub struct Fixer {
    desk: Desk,
    /// The village of a cadre; none for an operator.
    village: Option<VillageCode>,
    /// Decided while the hall had no line.
    kept: Vec<Pending>,
    next: u64,
}

/// What somebody who fixes does with a case, now.
fn choose(rng: &mut ChaCha8Rng, page: &Page) -> Option<Choice> {
    // Much is left for later.
    if rng.random_range(0..100) < 25 {
        return None;
    }
    decide::fix(rng, page).or_else(|| decide::check(rng, page))
}

impl Fixer {
    /// A cadre in his hall.
    pub fn cadre(city: &City, person: &Person, village: VillageCode) -> Self {
        Self::at(city.village_desk(person), Some(village), city)
    }

    /// An operator of a department or enterprise.
    pub fn operator(city: &City, person: &Person) -> Self {
        Self::at(city.desk(person), None, city)
    }

    fn at(mut desk: Desk, village: Option<VillageCode>, city: &City) -> Self {
        let next = desk.rng().random_range(0..city.plan.share(70));
        Self {
            desk,
            village,
            kept: Vec::new(),
            next,
        }
    }

    /// When he sits down next.
    pub fn due(&self) -> u64 {
        self.next
    }

    /// Sits down at the PC once.
    pub async fn step(&mut self, city: &City, minute: u64) {
        let plan = &city.plan;
        let pause = if self.village.is_some() { 80 } else { 30 };
        let pause = plan.share(pause) + self.desk.rng().random_range(0..plan.share(pause));
        self.next = minute + pause;
        if !self.desk.ask_again(city).await {
            return;
        }
        for pending in std::mem::take(&mut self.kept) {
            self.desk.hand_in(city, pending).await;
        }
        let stages = if self.village.is_some() {
            "stage=dispatched,resolved&limit=60"
        } else {
            "stage=dispatched&limit=60"
        };
        let rows = self.desk.list(stages).await;
        let is_line_down = self.village.is_some() && self.desk.happens(30);
        for row in rows.iter().rev().take(SITTING) {
            let Some(page) = self.desk.open(row.document).await else {
                continue;
            };
            let Some(choice) = choose(self.desk.rng(), &page) else {
                continue;
            };
            if is_line_down {
                self.kept.push(self.desk.decide(city, &page, &choice));
            } else {
                self.desk.act(city, &page, &choice).await;
            }
        }
        if self.village.is_some() && self.desk.happens(2) {
            self.report(city).await;
        }
    }

    /// A villager has come to the hall.
    async fn report(&mut self, city: &City) {
        let Some(village) = self.village else { return };
        let matter = words::matter(self.desk.rng());
        let place = Place {
            words: Some(matter.spot),
            ..Place::village(village)
        };
        let choice = Choice {
            fields: vec![
                FieldValue::Place(place),
                FieldValue::Category(matter.category),
                FieldValue::Words(matter.words),
            ],
            ..Choice::new(Action::Report, Body::default())
        };
        self.desk.begin(city, &choice).await;
    }

    /// Hands in what is still kept. True: nothing is left.
    pub async fn finish(&mut self, city: &City) -> bool {
        for pending in std::mem::take(&mut self.kept) {
            self.desk.hand_in(city, pending).await;
        }
        self.desk.ask_again(city).await
    }
}

/// A cadre who carries a phone in place of the hall's PC, and fixes where there is no line.
#[derive(Debug)]
pub struct Walker {
    /// His phone.
    pub carrier: Carrier,
    rng: ChaCha8Rng,
    next: u64,
}

impl Walker {
    /// A cadre with an enrolled phone.
    pub fn new(city: &City, person: &Person, phone: Phone) -> Self {
        let seed = city.seed_for(u64::from_be_bytes(person.id.0));
        Self {
            carrier: Carrier::new(phone),
            rng: ChaCha8Rng::seed_from_u64(seed),
            next: 0,
        }
    }

    /// When something is to do next.
    pub fn due(&self) -> u64 {
        self.next.min(self.carrier.due())
    }

    /// A round where there is a line, or something done.
    pub async fn step(&mut self, city: &City, minute: u64) {
        self.carrier.walk(city, minute, &mut self.rng);
        for phone in self.carrier.due_for_round(minute) {
            if phone.sync(city).await {
                self.carrier.note_whole_round(city, minute);
            } else {
                self.carrier.note_broken_round(city, minute);
            }
        }
        if minute < self.next {
            return;
        }
        let pause = city.plan.share(40);
        self.next = minute + pause + self.rng.random_range(0..pause);
        let Some(phone) = self.carrier.phone.clone() else {
            return;
        };
        let cases = phone.cases(&["dispatched", "resolved"]);
        for (document, _) in cases.iter().rev().take(SITTING) {
            self.act(city, &phone, *document);
        }
    }

    fn act(&mut self, city: &City, phone: &Arc<Phone>, document: DocumentId) -> Option<()> {
        let page = phone.open_case(document)?;
        let choice = choose(&mut self.rng, &page)?;
        phone
            .act(city, self.carrier.line(), document, &choice)
            .map(drop)
    }
}
