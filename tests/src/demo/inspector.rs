//! An inspector's day: he walks his villages, mostly without a line, reports what he sees, counts whom he persuaded, notes, corrects,
//! takes back, and checks what others say they have solved.
//!
//! What goes wrong with his phone or his post is `trouble`'s.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use patrol_core::doc::register::FieldValue;
use patrol_core::domain::action::Action;
use patrol_core::domain::directory::{BeatId, Person};
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::{DocumentId, PersonId};
use patrol_core::domain::place::{Datum, Place, Point, VillageCode};
use rand::seq::{IndexedRandom as _, IteratorRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::carrier::Carrier;
use super::city::City;
use super::decide;
use super::page::Choice;
use super::phone::{Line, Phone};
use super::trouble::Trouble;
use super::words;

/// Own cases that he still thinks of.
const REMEMBERED: usize = 40;

/// Something that he will do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errand {
    /// Reports a matter.
    Report,
    /// Counts somebody persuaded or a banner taken down.
    Count,
    /// Notes something on a case.
    Note,
    /// Corrects a case.
    Amend,
    /// Takes back a report.
    Withdraw,
    /// Checks a result, or a report.
    Check(DocumentId),
    /// Gives way in a conflict.
    Concede(DocumentId),
    /// Something goes wrong.
    Trouble(Trouble),
}

/// An inspector.
#[derive(Debug)]
pub struct Inspector {
    /// Who.
    pub person: PersonId,
    /// The label.
    pub name: String,
    /// Where.
    pub beat: BeatId,
    /// Who stands in for him.
    pub substitute: PersonId,
    /// His place among the inspectors.
    pub place: usize,
    /// His phones.
    pub carrier: Carrier,
    /// His dice.
    pub rng: ChaCha8Rng,
    pub(super) errands: BTreeMap<(u64, u64), Errand>,
    pub(super) is_away: bool,
    /// A second phone on a copy of the first one's file, in use beside it.
    pub(super) copy: Option<Arc<Phone>>,
    /// A copy is to be made as soon as nothing waits on the phone.
    pub(super) wants_copy: bool,
    /// A phone that lies somewhere.
    pub(super) lost: Option<Arc<Phone>>,
    villages: Vec<(VillageCode, Option<Point>)>,
    tallies: BTreeMap<VillageCode, DocumentId>,
    own: VecDeque<DocumentId>,
    planned: BTreeSet<DocumentId>,
    day: Option<u64>,
    serial: u64,
}

impl Inspector {
    /// An inspector with an enrolled phone.
    pub fn new(
        city: &City,
        person: &Person,
        (place, beat): (usize, BeatId),
        substitute: PersonId,
        phone: Phone,
    ) -> Self {
        let directory = city.directory();
        let point = |village| directory.village(village).and_then(|village| village.point);
        let villages = city.villages_of(beat);
        Self {
            person: person.id,
            name: person.name.clone(),
            beat,
            substitute,
            place,
            carrier: Carrier::new(phone),
            rng: ChaCha8Rng::seed_from_u64(city.seed_for(10_000 + place as u64)),
            errands: BTreeMap::new(),
            is_away: false,
            copy: None,
            wants_copy: false,
            lost: None,
            villages: villages
                .into_iter()
                .map(|village| (village, point(village)))
                .collect(),
            tallies: BTreeMap::new(),
            own: VecDeque::new(),
            planned: BTreeSet::new(),
            day: None,
            serial: 0,
        }
    }

    /// When something is to do next.
    pub fn due(&self, city: &City) -> u64 {
        let errand = self
            .errands
            .keys()
            .next()
            .map_or(u64::MAX, |(minute, _)| *minute);
        let tomorrow = city.morning() + city.plan.day_minutes;
        errand.min(self.carrier.due()).min(tomorrow)
    }

    /// Every phone that he has or had.
    pub fn phones(&self) -> Vec<Arc<Phone>> {
        let mut phones = self.carrier.all();
        phones.extend(self.copy.clone());
        phones
    }

    /// Puts something on his list.
    pub(super) fn intend(&mut self, minute: u64, errand: Errand) {
        self.serial += 1;
        self.errands.insert((minute, self.serial), errand);
    }

    /// Does what is due: errands, and a round where there is a line, both at once as on a real phone.
    pub async fn step(&mut self, city: &City, minute: u64) {
        if self.day != Some(city.day()) {
            self.begin_day(city);
        }
        self.carrier.walk(city, minute, &mut self.rng);
        let due = self.carrier.due_for_round(minute);
        let Some(phone) = due.first().map(Arc::clone) else {
            self.run_errands(city, minute).await;
            return;
        };
        let (went_well, ()) = tokio::join!(phone.sync(city), self.run_errands(city, minute));
        if let Some(copy) = self.copy.clone() {
            copy.sync(city).await;
        }
        if went_well {
            self.carrier.note_whole_round(city, minute);
            self.look_around(city, minute, &phone);
            self.after_round(city, minute).await;
        } else {
            self.carrier.note_broken_round(city, minute);
        }
    }

    fn begin_day(&mut self, city: &City) {
        self.day = Some(city.day());
        self.tallies.clear();
        if self.is_away {
            city.return_post(self.person, self.beat);
            self.is_away = false;
        }
        let (plan, morning) = (city.plan, city.morning());
        let hours = morning + plan.share(20)..morning + plan.share(890);
        let reports = plan.reports_a_day;
        let counts = [
            (Errand::Report, reports),
            (Errand::Count, 4 * reports),
            (Errand::Note, 2 * reports),
            (Errand::Amend, reports / 4 + 1),
            (Errand::Withdraw, u64::from(self.rng.random_bool(0.3))),
        ];
        for (errand, count) in counts {
            for _ in 0..count {
                let minute = self.rng.random_range(hours.clone());
                self.intend(minute, errand);
            }
        }
        for (minute, trouble) in Trouble::of_day(city, self.place) {
            self.intend(minute, Errand::Trouble(trouble));
        }
    }

    async fn run_errands(&mut self, city: &City, minute: u64) {
        while let Some(entry) = self
            .errands
            .first_entry()
            .filter(|entry| entry.key().0 <= minute)
        {
            match entry.remove() {
                Errand::Trouble(trouble) => self.suffer(city, minute, trouble).await,
                errand => drop(self.run_errand(city, errand)),
            }
        }
    }

    /// The phone that he happens to have in his hand.
    fn in_hand(&mut self) -> Option<Arc<Phone>> {
        let copy = self.copy.clone();
        copy.filter(|_| self.rng.random_bool(0.5))
            .or_else(|| self.carrier.phone.clone())
    }

    /// Runs one errand. None: there was nothing to do, no phone, or the rules said no.
    pub(super) fn run_errand(&mut self, city: &City, errand: Errand) -> Option<()> {
        let phone = self.in_hand()?;
        let line = self.carrier.line();
        match errand {
            Errand::Report => self.report(city, &phone, line),
            Errand::Count => self.count(city, &phone, line),
            Errand::Note => {
                let document = self.some_case(&phone)?;
                let choice = Choice::saying(Action::Note, words::note(&mut self.rng));
                phone.act(city, line, document, &choice).map(drop)
            }
            Errand::Amend => {
                let document = self.some_case(&phone)?;
                let page = phone.open_case(document)?;
                let choice = decide::amend(&mut self.rng, &page)?;
                phone.act(city, line, document, &choice).map(drop)
            }
            Errand::Withdraw => {
                let document = *self.own.back()?;
                let choice = Choice::saying(Action::Withdraw, "误报，撤回".to_owned());
                phone.act(city, line, document, &choice).map(drop)
            }
            Errand::Check(document) => {
                let page = phone.open_case(document)?;
                let choice = decide::check(&mut self.rng, &page)
                    .or_else(|| decide::pre_check(&mut self.rng, &page))?;
                self.planned.remove(&document);
                phone.act(city, line, document, &choice).map(drop)
            }
            Errand::Concede(document) => {
                let choice = decide::concede(&phone.open_case(document)?)?;
                phone.act(city, line, document, &choice).map(drop)
            }
            Errand::Trouble(_) => None,
        }
    }

    fn report(&mut self, city: &City, phone: &Phone, line: Line) -> Option<()> {
        let (village, point) = *self.villages.choose(&mut self.rng)?;
        let matter = words::matter(&mut self.rng);
        let mut off = || self.rng.random_range(-30_000..30_000);
        let point = point.map(|center| Point {
            lon_e7: center.lon_e7 + off(),
            lat_e7: center.lat_e7 + off(),
            datum: Datum::Gcj02,
            accuracy_m: Some(10),
        });
        let place = Place {
            village,
            point,
            words: Some(matter.spot),
        };
        let choice = Choice {
            fields: vec![
                FieldValue::Place(place),
                FieldValue::Category(matter.category),
                FieldValue::Words(matter.words),
            ],
            ..Choice::new(Action::Report, Body::default())
        };
        let (document, _) = phone.begin(city, line, &choice)?;
        self.own.push_back(document);
        if self.own.len() > REMEMBERED {
            self.own.pop_front();
        }
        Some(())
    }

    /// One tally a day and village, opened by the first count.
    fn count(&mut self, city: &City, phone: &Phone, line: Line) -> Option<()> {
        let (village, _) = *self.villages.choose(&mut self.rng)?;
        let what = if self.rng.random_bool(0.8) { 1 } else { 2 };
        let body = Body {
            count: Some((what, 1)),
            ..Body::default()
        };
        let mut choice = Choice::new(Action::Count, body);
        if let Some(tally) = self.tallies.get(&village)
            && phone.act(city, line, *tally, &choice).is_some()
        {
            return Some(());
        }
        choice.fields = vec![FieldValue::Place(Place::village(village))];
        let (document, _) = phone.begin(city, line, &choice)?;
        self.tallies.insert(village, document);
        Some(())
    }

    /// A case that he thinks of: mostly one of his own.
    pub(super) fn some_case(&mut self, phone: &Phone) -> Option<DocumentId> {
        let own = self.own.iter().copied().choose(&mut self.rng);
        own.filter(|_| self.rng.random_bool(0.8)).or_else(|| {
            let cases = phone.cases(&["reported", "accepted", "dispatched", "resolved"]);
            cases.choose(&mut self.rng).map(|(document, _)| *document)
        })
    }

    /// What the last round brought: he plans to look at what others say they have solved.
    fn look_around(&mut self, city: &City, minute: u64, phone: &Phone) {
        let evening = city.morning() + city.plan.share(900);
        for (document, _) in phone.cases(&["resolved", "post_checking", "pre_checking"]) {
            if self.planned.contains(&document) || self.rng.random_bool(0.15) {
                continue;
            }
            self.planned.insert(document);
            let walk = self
                .rng
                .random_range(city.plan.share(20)..city.plan.share(150));
            let mut when = minute + walk;
            if when > evening {
                when += city
                    .plan
                    .day_minutes
                    .saturating_sub(evening - city.morning());
            }
            self.intend(when, Errand::Check(document));
        }
        let contested = phone.replica.list("case", 0, 10_000).unwrap_or_default();
        for row in contested.iter().filter(|row| row.conflicts > 0) {
            if self.rng.random_bool(0.05) {
                self.intend(minute + 1, Errand::Concede(row.id));
            }
        }
    }
}
