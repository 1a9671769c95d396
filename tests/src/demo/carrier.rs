//! Somebody who carries a phone between places with a line and places without one.
//!
//! It knows when there is a line and when a round is due; what its owner does is not its business.

use std::sync::Arc;

use rand::Rng;

use super::city::City;
use super::phone::{Line, Phone};

/// The phone in somebody's pocket, and those he had before.
#[derive(Debug)]
pub struct Carrier {
    /// The phone in use; none between the loss of one and the next.
    pub phone: Option<Arc<Phone>>,
    /// Phones that he had before, or has besides.
    pub others: Vec<Arc<Phone>>,
    line: Line,
    /// When the line changes.
    turn: u64,
    next_round: u64,
}

impl Carrier {
    /// A phone in a place with a line.
    pub fn new(phone: Phone) -> Self {
        Self {
            phone: Some(Arc::new(phone)),
            others: Vec::new(),
            line: Line::There,
            turn: 0,
            next_round: 0,
        }
    }

    /// Whether there is a line.
    pub fn line(&self) -> Line {
        self.line
    }

    /// Another phone takes the place of the one in use, which is kept.
    pub fn change_to(&mut self, phone: Phone) {
        self.lay_aside();
        self.phone = Some(Arc::new(phone));
    }

    /// The phone in use is so no more.
    pub fn lay_aside(&mut self) {
        self.others.extend(self.phone.take());
    }

    /// Goes on to the next place when it is time: long walks without a line, short stops with one, the evening at the hall.
    pub fn walk(&mut self, city: &City, minute: u64, rng: &mut impl Rng) {
        if minute < self.turn {
            return;
        }
        let plan = &city.plan;
        let evening = city.morning() + plan.share(930);
        let (line, minutes) = if minute >= evening {
            (Line::There, plan.share(70))
        } else if self.line == Line::There {
            let walk = rng.random_range(plan.share(70)..=plan.share(190));
            (Line::None, walk.min(evening - minute))
        } else {
            (
                Line::There,
                rng.random_range(plan.share(6)..=plan.share(14)),
            )
        };
        self.line = line;
        self.turn = minute + minutes.max(1);
        self.next_round = minute;
    }

    /// There is no line before that minute, whatever the walk.
    pub fn stay_away_until(&mut self, minute: u64) {
        self.line = Line::None;
        self.turn = self.turn.max(minute);
    }

    /// Finds a line now.
    pub fn find_line(&mut self, city: &City, minute: u64) {
        self.line = Line::There;
        self.turn = minute + city.plan.share(12);
        self.next_round = minute;
    }

    /// The phones for which a round is due now.
    pub fn due_for_round(&self, minute: u64) -> Vec<Arc<Phone>> {
        if self.line == Line::None || minute < self.next_round {
            return Vec::new();
        }
        self.phone.iter().map(Arc::clone).collect()
    }

    /// A round went through: the next one follows after a while.
    pub fn note_whole_round(&mut self, city: &City, minute: u64) {
        self.next_round = minute + city.plan.share(11).max(1);
    }

    /// A round was broken off: the next one follows when the phone says.
    pub fn note_broken_round(&mut self, city: &City, minute: u64) {
        let wait = self.phone.as_ref().map(|phone| phone.retry_in_minutes());
        self.next_round = minute + wait.unwrap_or_else(|| city.plan.share(11)).max(1);
    }

    /// When something is to do next.
    pub fn due(&self) -> u64 {
        match self.line {
            Line::There => self.turn.min(self.next_round),
            Line::None => self.turn,
        }
    }

    /// Every phone, in use or not.
    pub fn all(&self) -> Vec<Arc<Phone>> {
        self.phone
            .iter()
            .chain(&self.others)
            .map(Arc::clone)
            .collect()
    }
}
