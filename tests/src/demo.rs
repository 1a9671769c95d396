//! A city at work: the real server on a real port, inspectors with real replicas on files, a bad network between, and people in
//! browsers; in the end an audit of every entry that anybody was told is recorded.
//!
//! The seed drives every choice. Sockets and threads are real, so the course of events is not the same each time, but what the audit
//! asks must hold in each. Time passes here and nowhere else: a minute of the story for each beat of the driver.

pub mod accounts;
pub mod audit;
pub mod carrier;
pub mod city;
pub mod decide;
pub mod desk;
pub mod hall;
pub mod inspector;
pub mod log;
pub mod office;
pub mod page;
pub mod people;
pub mod phone;
pub mod plan;
pub mod screen;
pub mod trouble;
pub mod words;

use std::sync::Arc;
use std::time::Duration;

use patrol_core::domain::time::DAY_MS;
use patrol_server::app::Environment as _;
use patrol_server::host::SystemEnvironment;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::clock::Clock;
use crate::proxy::FAIR;
use audit::Audit;
use city::City;
use people::Actor;
use phone::{Phone, PhoneFile};
use plan::{Plan, Span};
use screen::Screen;

/// People who are busy at once; with more of them, time stands still until they have caught up.
const BUSY_MAX: usize = 64;
/// Times that everybody catches up in the end, at most.
const PASSES_MAX: usize = 16;
/// Phones that catch up at once in the end.
const CATCHING_UP: usize = 12;
/// A minute of the story on an injected clock.
const MINUTE_MS: i64 = 60_000;

/// A run.
#[derive(Debug)]
pub struct Demo {
    /// The city.
    pub city: Arc<City>,
    idle: Vec<Actor>,
    busy: JoinSet<Actor>,
}

/// A run whose people have gone home and whose phones are closed.
#[derive(Debug)]
pub struct Closed {
    /// The city; its server is still up.
    pub city: Arc<City>,
    /// Every phone's file.
    pub files: Vec<PhoneFile>,
}

impl Demo {
    /// Starts the server and the network, and enrols everybody.
    pub async fn start(plan: Plan) -> std::io::Result<Self> {
        let clock = Clock::default();
        if plan.span == Span::Live {
            clock.advance_ms(SystemEnvironment.now().ms_since(clock.now()));
        }
        let city = Arc::new(City::start(plan, clock).await?);
        let idle = people::gather(&city).await?;
        city.proxy.set_weather(plan.weather);
        Ok(Self {
            city,
            idle,
            busy: JoinSet::new(),
        })
    }

    /// Lets time pass until the span is over or somebody says stop.
    pub async fn run(&mut self, stop: &mut oneshot::Receiver<()>, screen: &mut Screen) {
        let mut beat = tokio::time::interval(self.city.plan.minute);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut *stop => return,
                _ = second.tick() => screen.second(&self.city),
                _ = beat.tick() => if self.pass_minute() { return },
            }
        }
    }

    /// A minute passes, unless too many people are still busy with the last. True: the span is over.
    fn pass_minute(&mut self) -> bool {
        while let Some(joined) = self.busy.try_join_next() {
            self.take_back(joined);
        }
        let city = Arc::clone(&self.city);
        let is_night = (city.minute() + 1).is_multiple_of(city.plan.day_minutes);
        if self.busy.len() > BUSY_MAX || (is_night && !self.busy.is_empty()) {
            return false;
        }
        match city.plan.span {
            Span::Live => city
                .clock
                .advance_ms(SystemEnvironment.now().ms_since(city.clock.now()).max(0)),
            Span::Days(_) if is_night => {
                let day_ms = MINUTE_MS * i64::try_from(city.plan.day_minutes).unwrap_or(0);
                city.clock.advance_ms(MINUTE_MS + (DAY_MS - day_ms).max(0));
            }
            Span::Days(_) => city.clock.advance_ms(MINUTE_MS),
        }
        city.next_minute();
        if matches!(city.plan.span, Span::Days(days) if city.day() >= days) {
            return true;
        }
        let minute = city.minute();
        for actor in self.idle.extract_if(.., |actor| actor.due(&city) <= minute) {
            self.busy.spawn(actor.step(Arc::clone(&city)));
        }
        false
    }

    fn take_back(&mut self, joined: Result<Actor, tokio::task::JoinError>) {
        match joined {
            Ok(actor) => self.idle.push(actor),
            Err(error) => self
                .city
                .counters
                .note_disagreement(format!("somebody stopped short: {error}")),
        }
    }

    /// The weather clears up, and everybody catches up until nothing moves any more. Nobody does anything new, but the office looks
    /// once more at what is held.
    pub async fn settle(&mut self) {
        while let Some(joined) = self.busy.join_next().await {
            self.take_back(joined);
        }
        self.city.proxy.set_weather(FAIR);
        for pass in 0..PASSES_MAX {
            let mut is_done = true;
            for actor in &mut self.idle {
                is_done &= actor.finish(&self.city).await;
            }
            is_done &= self.catch_up().await == 0;
            if pass == 0 {
                self.look_at_held().await;
            } else if is_done {
                return;
            }
        }
        let fault = "the phones did not come to rest".to_owned();
        self.city.counters.note_disagreement(fault);
    }

    /// One call of sync of every phone. Returns how many are not at rest: they moved something, were broken off, or have made something
    /// again after the office refused what it rested on.
    async fn catch_up(&self) -> usize {
        let mut restless = 0;
        let mut rounds = JoinSet::new();
        for phone in self.phones() {
            if rounds.len() >= CATCHING_UP {
                restless += usize::from(rounds.join_next().await.is_none_or(is_restless));
            }
            let city = Arc::clone(&self.city);
            rounds.spawn(async move { phone.comes_to_rest(&city).await });
        }
        while let Some(joined) = rounds.join_next().await {
            restless += usize::from(is_restless(joined));
        }
        restless
    }

    async fn look_at_held(&mut self) {
        for actor in &mut self.idle {
            if let Actor::Dispatcher(dispatcher) = actor {
                dispatcher.settle_reviews(&self.city, 70).await;
                return;
            }
        }
    }

    /// Every phone of everybody who is not busy. Let go of them before [`Self::close`].
    pub fn phones(&self) -> Vec<Arc<Phone>> {
        self.idle.iter().flat_map(Actor::phones).collect()
    }

    /// Closes every phone. What is left is files.
    pub fn close(self) -> Closed {
        let files = self.phones().iter().map(|phone| phone.file()).collect();
        Closed {
            files,
            city: self.city,
        }
    }
}

fn is_restless(joined: Result<bool, tokio::task::JoinError>) -> bool {
    !matches!(joined, Ok(true))
}

impl Closed {
    /// Opens every phone's file again and compares everything with the log and the server.
    pub fn audit(&self) -> Audit {
        audit::audit(&self.city, &self.files)
    }
}
