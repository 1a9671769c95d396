//! The office's room: three who accept, file, dispatch and close, settle conflicts, and look at what is held for review.
//!
//! They work side by side on the same cases, so some of their pages are old when they act; the server says so.

use patrol_core::domain::directory::Person;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::city::City;
use super::decide;
use super::desk::{Answer, Desk, Row};
use super::log::Counters;
use super::page::{Choice, Page};

/// Cases that one sitting deals with at most.
const SITTING: usize = 14;
/// Steps of one case in a row: accepted, filed, dispatched.
const STEPS: usize = 4;

/// A dispatcher.
#[derive(Debug)]
pub struct Dispatcher {
    desk: Desk,
    /// His place in the room.
    place: usize,
    /// How many they are.
    of: usize,
    sittings: u64,
    next: u64,
    /// A page that was left open, and what he meant to do.
    left_open: Option<(Page, Choice)>,
}

impl Dispatcher {
    /// Somebody at his place in the room.
    pub fn new(city: &City, person: &Person, place: usize, of: usize) -> Self {
        Self {
            desk: city.desk(person),
            place,
            of,
            sittings: 0,
            next: place as u64 + 1,
            left_open: None,
        }
    }

    /// When he sits down next.
    pub fn due(&self) -> u64 {
        self.next
    }

    /// Sits down once.
    pub async fn step(&mut self, city: &City, minute: u64) {
        self.next = minute + city.plan.share(8);
        self.sittings += 1;
        self.desk.ask_again(city).await;
        if let Some((page, choice)) = self.left_open.take() {
            self.desk.act(city, &page, &choice).await;
        }
        let rows = self
            .desk
            .list("stage=reported,accepted,registered,awaiting_close&limit=200")
            .await;
        let mine: Vec<Row> = rows
            .iter()
            .rev()
            .filter(|row| self.is_mine(row))
            .take(SITTING)
            .cloned()
            .collect();
        for row in &mine {
            self.move_on(city, row, &rows).await;
        }
        if self.sittings.is_multiple_of(4) {
            self.settle_conflicts(city).await;
        }
        if self.place + 1 == self.of && self.sittings.is_multiple_of(3) {
            self.settle_reviews(city, 60).await;
        }
        if self.sittings.is_multiple_of(10) {
            self.call_back(city).await;
        }
    }

    /// They share the cases by their ids; now and then somebody helps out.
    fn is_mine(&mut self, row: &Row) -> bool {
        let share = row
            .document
            .0
            .iter()
            .map(|byte| usize::from(*byte))
            .sum::<usize>();
        share % self.of == self.place || self.desk.happens(4)
    }

    async fn move_on(&mut self, city: &City, row: &Row, rows: &[Row]) {
        let others: Vec<&Row> = rows
            .iter()
            .filter(|other| other.village == row.village && other.document != row.document)
            .collect();
        for _ in 0..STEPS {
            let Some(page) = self.desk.open(row.document).await else {
                return;
            };
            let other = others.choose(self.desk.rng()).map(|other| other.document);
            let Some(choice) = decide::office(self.desk.rng(), &page, other) else {
                return;
            };
            if self.desk.happens(1) {
                self.left_open = Some((page, choice));
                return;
            }
            if self.desk.act(city, &page, &choice).await.is_none() {
                return;
            }
        }
    }

    async fn settle_conflicts(&mut self, city: &City) {
        for row in self.desk.list("conflicts=true&limit=20").await {
            if !self.is_mine(&row) || self.desk.happens(50) {
                continue;
            }
            let Some(page) = self.desk.open(row.document).await else {
                continue;
            };
            if let Some(choice) = decide::settle(self.desk.rng(), &page) {
                self.desk.act(city, &page, &choice).await;
            }
        }
    }

    /// Looks at what is held: most is released, some refused, some left for another day.
    pub async fn settle_reviews(&mut self, city: &City, percent: u32) {
        let Answer::Done(page) = self.desk.call(Method::GET, "/v1/reviews", None).await else {
            return;
        };
        let reviews = page.get("reviews").and_then(Value::as_array);
        let reviews: Vec<&Value> = reviews.into_iter().flatten().collect();
        for change in &reviews {
            if !self.desk.happens(percent) {
                continue;
            }
            let is_released = self.desk.rng().random_range(0..100) < 65;
            let text = |name: &str| change.get(name).and_then(Value::as_str).unwrap_or_default();
            let path = format!("/v1/reviews/{}/{}", text("document"), text("change"));
            let (decision, words, counter) = if is_released {
                ("release", "离岗前所做，情况属实", &city.counters.released)
            } else {
                ("refuse", "与现场不符", &city.counters.dismissed)
            };
            let of_it = reviews
                .iter()
                .filter(|other| other.get("document") == change.get("document"));
            let seen: Vec<_> = of_it.filter_map(|other| other.get("change")).collect();
            let body = json!({ "decision": decision, "words": words, "seen": seen });
            let answer = self.desk.call(Method::POST, &path, Some(&body)).await;
            // One that follows another which is still held, or was settled with it, is refused or gone.
            if matches!(answer, Answer::Done(_)) {
                Counters::add(counter);
            }
        }
    }

    /// Calls back some who reported: is it really solved?
    async fn call_back(&mut self, city: &City) {
        for row in self.desk.list("stage=closed&limit=10").await {
            let Some(page) = self.desk.open(row.document).await else {
                continue;
            };
            if let Some(choice) = decide::office(self.desk.rng(), &page, None) {
                self.desk.act(city, &page, &choice).await;
            }
        }
    }

    /// Sends again what has had no answer. True: nothing is left.
    pub async fn finish(&mut self, city: &City) -> bool {
        self.desk.ask_again(city).await
    }
}
