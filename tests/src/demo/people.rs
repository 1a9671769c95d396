//! Everybody of a run: who they are, where they come from, and one way to let any of them take a step.

use std::collections::BTreeSet;
use std::sync::Arc;

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{BeatId, Directory, Person, PostAt};
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::DAY_MS;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;

use super::city::City;
use super::hall::{Fixer, Walker};
use super::inspector::Inspector;
use super::office::Dispatcher;
use super::phone::Phone;
use super::plan::Plan;

/// Phones that are enrolled at a time.
const ENROLLING: usize = 8;

/// Somebody who acts.
#[derive(Debug)]
pub enum Actor {
    /// Walks a beat with a phone.
    Inspector(Box<Inspector>),
    /// A cadre with a phone.
    Walker(Box<Walker>),
    /// A cadre or an operator at a PC.
    Fixer(Box<Fixer>),
    /// One of the office's room.
    Dispatcher(Box<Dispatcher>),
}

impl Actor {
    /// When he has something to do next.
    pub fn due(&self, city: &City) -> u64 {
        match self {
            Self::Inspector(one) => one.due(city),
            Self::Walker(one) => one.due(),
            Self::Fixer(one) => one.due(),
            Self::Dispatcher(one) => one.due(),
        }
    }

    /// Does what is due, and is handed back.
    pub async fn step(mut self, city: Arc<City>) -> Self {
        let minute = city.minute();
        match &mut self {
            Self::Inspector(one) => one.step(&city, minute).await,
            Self::Walker(one) => one.step(&city, minute).await,
            Self::Fixer(one) => one.step(&city, minute).await,
            Self::Dispatcher(one) => one.step(&city, minute).await,
        }
        self
    }

    /// Every phone that he has or had.
    pub fn phones(&self) -> Vec<Arc<Phone>> {
        match self {
            Self::Inspector(one) => one.phones(),
            Self::Walker(one) => one.carrier.all(),
            Self::Fixer(_) | Self::Dispatcher(_) => Vec::new(),
        }
    }

    /// Hands in what he has decided and not sent. True: nothing is left.
    pub async fn finish(&mut self, city: &City) -> bool {
        match self {
            Self::Fixer(one) => one.finish(city).await,
            Self::Dispatcher(one) => one.finish(city).await,
            Self::Inspector(_) | Self::Walker(_) => true,
        }
    }
}

/// Where a person works, if it is one of those who act here.
enum Place {
    Beat(BeatId),
    Village(VillageCode),
    Unit,
    City,
}

fn place_of(person: &Person, role: Role) -> Option<Place> {
    let post = person.posts.iter().find(|post| post.role == role)?;
    Some(match post.at {
        PostAt::Beat(beat) => Place::Beat(beat),
        PostAt::Unit(unit) => VillageCode::new(unit.0).map_or(Place::Unit, Place::Village),
        PostAt::City => Place::City,
    })
}

/// Leaves in the directory those who are part of the run: so many inspectors, the cadres of their villages, and everybody else.
pub fn keep_cast(directory: &mut Directory, plan: &Plan) {
    let mut inspectors: Vec<(String, BeatId)> = Vec::new();
    for person in &directory.people {
        if let Some(Place::Beat(beat)) = place_of(person, Role::Inspector) {
            inspectors.push((person.name.clone(), beat));
        }
    }
    inspectors.sort();
    inspectors.truncate(plan.inspectors);
    let beats = inspectors
        .iter()
        .filter_map(|(_, beat)| directory.beat(*beat));
    let rows = beats.flat_map(|beat| &beat.villages);
    let villages: BTreeSet<VillageCode> = rows.map(|row| row.village).collect();
    directory.people.retain(|person| {
        let role = person.posts.first().map(|post| post.role);
        match role.and_then(|role| place_of(person, role)) {
            Some(Place::Beat(beat)) => inspectors.iter().any(|(_, kept)| *kept == beat),
            Some(Place::Village(village)) => villages.contains(&village),
            _ => true,
        }
    });
}

/// Gathers everybody: enrols the phones over HTTP, through the network as it is.
pub async fn gather(city: &Arc<City>) -> std::io::Result<Vec<Actor>> {
    let mut people = city.directory().people;
    people.sort_by(|a, b| a.name.cmp(&b.name));
    let mut actors = inspectors(city, &people).await?;
    actors.extend(cadres(city, &people).await?);
    let operators = people
        .iter()
        .filter(|person| place_of(person, Role::UnitOperator).is_some());
    actors.extend(operators.map(|person| Actor::Fixer(Box::new(Fixer::operator(city, person)))));
    let room: Vec<&Person> = people
        .iter()
        .filter(|person| matches!(place_of(person, Role::Dispatcher), Some(Place::City)))
        .collect();
    for (place, person) in room.iter().enumerate() {
        let dispatcher = Dispatcher::new(city, person, place, room.len());
        actors.push(Actor::Dispatcher(Box::new(dispatcher)));
    }
    Ok(actors)
}

async fn inspectors(city: &Arc<City>, people: &[Person]) -> std::io::Result<Vec<Actor>> {
    let mut rng = ChaCha8Rng::seed_from_u64(city.seed_for(1));
    let mut beats = Vec::new();
    for person in people {
        if let Some(Place::Beat(beat)) = place_of(person, Role::Inspector) {
            beats.push((person.clone(), beat));
        }
    }
    let mut wanted = Vec::new();
    for (person, _) in &beats {
        // Most clocks are off by a little, some by days.
        let skew_ms = if rng.random_bool(0.05) {
            rng.random_range(-2 * DAY_MS..2 * DAY_MS)
        } else {
            rng.random_range(-120_000..120_000)
        };
        wanted.push((person.clone(), skew_ms));
    }
    let phones = enrol(city, wanted).await?;
    let mut actors = Vec::new();
    for (place, phone) in phones.into_iter().enumerate() {
        let (person, beat) = &beats[place];
        let substitute = beats[(place + 1) % beats.len()].0.id;
        let inspector = Inspector::new(city, person, (place, *beat), substitute, phone);
        actors.push(Actor::Inspector(Box::new(inspector)));
    }
    Ok(actors)
}

async fn cadres(city: &Arc<City>, people: &[Person]) -> std::io::Result<Vec<Actor>> {
    let mut cadres = Vec::new();
    for person in people {
        if let Some(Place::Village(village)) = place_of(person, Role::Cadre) {
            cadres.push((person.clone(), village));
        }
    }
    cadres.shuffle(&mut ChaCha8Rng::seed_from_u64(city.seed_for(2)));
    let at_desks = cadres.split_off(cadres.len().min(city.plan.cadre_phones));
    let wanted = cadres
        .iter()
        .map(|(person, _)| (person.clone(), 0))
        .collect();
    let phones = enrol(city, wanted).await?;
    let walkers = cadres
        .iter()
        .zip(phones)
        .map(|((person, _), phone)| Actor::Walker(Box::new(Walker::new(city, person, phone))));
    let fixers = at_desks
        .iter()
        .map(|(person, village)| Actor::Fixer(Box::new(Fixer::cadre(city, person, *village))));
    Ok(walkers.chain(fixers).collect())
}

/// Enrols a phone for each, in their order.
async fn enrol(city: &Arc<City>, wanted: Vec<(Person, i64)>) -> std::io::Result<Vec<Phone>> {
    let mut enrolling = JoinSet::new();
    let mut phones = Vec::new();
    let mut take = |joined: Option<Result<(usize, Option<Phone>), tokio::task::JoinError>>| {
        match joined {
            Some(Ok((place, Some(phone)))) => phones.push((place, phone)),
            _ => return Err(std::io::Error::other("a phone could not be enrolled")),
        }
        Ok(())
    };
    for (place, (person, skew_ms)) in wanted.into_iter().enumerate() {
        if enrolling.len() >= ENROLLING {
            take(enrolling.join_next().await)?;
        }
        let city = Arc::clone(city);
        enrolling.spawn(async move {
            let phone = Phone::enrol(&city, person.id, &person.name, skew_ms).await;
            (place, phone)
        });
    }
    while !enrolling.is_empty() {
        take(enrolling.join_next().await)?;
    }
    phones.sort_by_key(|(place, _)| *place);
    Ok(phones.into_iter().map(|(_, phone)| phone).collect())
}
