//! The directory: the city's districts, towns, villages, beats, units, people and categories, as one value that is
//! replaced as a whole, and what follows from it: who holds which right when, and what a phone catches up on.
//!
//! It does not say how a directory is written down ([`crate::sync::directory`]) or where it is read from. Rows are
//! dated and never deleted, because late work is judged by the rights of its day.

mod check;

use std::collections::BTreeSet;

pub use check::{DirectoryFault, Row};

use super::capability::{Holding, Right, Role};
use super::id::{PersonId, UnitId};
use super::limits;
use super::place::{Point, Scope, VillageCode};
use super::time::Timestamp;

/// A district.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct District {
    /// The 6-digit statistical code.
    pub code: u64,
    /// Its name.
    pub name: String,
}

/// A town or street; its district stands in its code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Town {
    /// The 9-digit statistical code.
    pub code: u64,
    /// Its name.
    pub name: String,
}

impl Town {
    /// The 6-digit code of the district.
    pub fn district(&self) -> u64 {
        self.code / 1_000
    }
}

/// A village; its town and district stand in its code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Village {
    /// The statistical code.
    pub code: VillageCode,
    /// Its name.
    pub name: String,
    /// A point within it, for maps.
    pub point: Option<Point>,
    /// When it ended, as one that has become part of another; open when absent. Never deleted: cases and posts of its time name it.
    pub until: Option<Timestamp>,
}

impl Village {
    /// Whether there is such a village at that time.
    pub fn is_in_force_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The number of a beat.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BeatId(pub u32);

/// An inspector's area: a dated set of villages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beat {
    /// Its number.
    pub id: BeatId,
    /// Its name.
    pub name: String,
    /// Which villages belong to it, and when.
    pub villages: Vec<BeatVillage>,
}

/// A village's belonging to a beat between two dates. Never deleted; an end is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeatVillage {
    /// The village.
    pub village: VillageCode,
    /// From when.
    pub from: Timestamp,
    /// Until when; open when absent.
    pub until: Option<Timestamp>,
}

impl BeatVillage {
    /// Whether the village belongs to the beat at that time.
    pub fn is_in_force_at(&self, now: Timestamp) -> bool {
        is_between(self.from, self.until, now)
    }
}

/// What kind of body a unit is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UnitKind {
    /// A department of the city or a district.
    Department,
    /// An enterprise that runs a part of the city.
    Enterprise,
    /// A town or street.
    Town,
    /// A village.
    Village,
}

impl UnitKind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[
        Self::Department,
        Self::Enterprise,
        Self::Town,
        Self::Village,
    ];

    /// The word in JSON, SQL, on the wire and in the translation layer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Department => "department",
            Self::Enterprise => "enterprise",
            Self::Town => "town",
            Self::Village => "village",
        }
    }

    /// The kind of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// Whether a unit of this kind may have that id: numbers below a million, town codes, village codes.
    pub fn allows(self, id: UnitId) -> bool {
        match self {
            Self::Department | Self::Enterprise => (1..limits::UNIT_NUMBER_MAX).contains(&id.0),
            Self::Town => (100_000_000..1_000_000_000).contains(&id.0),
            Self::Village => VillageCode::new(id.0).is_some(),
        }
    }
}

/// A body that fixes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unit {
    /// Its number or code.
    pub id: UnitId,
    /// What kind of body it is.
    pub kind: UnitKind,
    /// Its name.
    pub name: String,
}

/// Where a post is held.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PostAt {
    /// In the whole city.
    City,
    /// At a unit.
    Unit(UnitId),
    /// On a beat, whichever villages belong to it on the day.
    Beat(BeatId),
}

/// A role held between two dates. Never deleted; an end is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Post {
    /// Which role.
    pub role: Role,
    /// Where.
    pub at: PostAt,
    /// From when.
    pub from: Timestamp,
    /// Until when; open when absent.
    pub until: Option<Timestamp>,
}

impl Post {
    /// Whether the post is held at that time.
    pub fn is_in_force_at(&self, now: Timestamp) -> bool {
        is_between(self.from, self.until, now)
    }
}

/// A person who works with the system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The person's id.
    pub id: PersonId,
    /// The name that colleagues see.
    pub name: String,
    /// What the person is, was and will be.
    pub posts: Vec<Post>,
}

/// Names a category within its scheme.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CategoryKey {
    /// The scheme, for instance 476785 for GB/T 47678.5.
    pub scheme: u64,
    /// 1 for a component, 2 for a matter.
    pub kind: u64,
    /// The code within scheme and kind.
    pub code: u64,
}

impl CategoryKey {
    /// Scheme, kind and code with hyphens, such as `476785-2-06010`: how lists and apps name a category, whatever its condition.
    pub fn name(&self) -> String {
        format!("{}-{}-{:05}", self.scheme, self.kind, self.code)
    }

    /// The kind of components.
    pub const COMPONENT: u64 = 1;
    /// The kind of matters.
    pub const MATTER: u64 = 2;
}

/// A category and its name. Names change between schemes; keys do not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CategoryRow {
    /// The key.
    pub key: CategoryKey,
    /// The name.
    pub name: String,
}

/// The reference data of a city. Every table ascends by id or code.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Directory {
    /// The districts.
    pub districts: Vec<District>,
    /// Towns and streets.
    pub towns: Vec<Town>,
    /// The villages.
    pub villages: Vec<Village>,
    /// The beats.
    pub beats: Vec<Beat>,
    /// The bodies that fix; towns and villages among them.
    pub units: Vec<Unit>,
    /// The people.
    pub people: Vec<Person>,
    /// The categories.
    pub categories: Vec<CategoryRow>,
}

/// Stands in for a unit where only the rights that hold for the whole city are asked for.
const NOWHERE: UnitId = UnitId(u64::MAX);

impl Directory {
    /// The person of an id.
    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    /// The unit of an id.
    pub fn unit(&self, id: UnitId) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.id == id)
    }

    /// The village of a code.
    pub fn village(&self, code: VillageCode) -> Option<&Village> {
        self.villages.iter().find(|village| village.code == code)
    }

    /// The beat of a number.
    pub fn beat(&self, id: BeatId) -> Option<&Beat> {
        self.beats.iter().find(|beat| beat.id == id)
    }

    /// The beat to which a village belongs at that time.
    pub fn beat_of(&self, village: VillageCode, now: Timestamp) -> Option<&Beat> {
        self.beats.iter().find(|beat| {
            beat.villages
                .iter()
                .any(|row| row.village == village && row.is_in_force_at(now))
        })
    }

    /// Every right of every person, with its dates. The same right may be held through several posts.
    pub fn holdings(&self) -> Vec<Holding> {
        self.people
            .iter()
            .flat_map(|person| self.holdings_through_posts(person))
            .collect()
    }

    /// Every right of one person, with its dates; none for somebody who is not in the directory.
    pub fn holdings_of(&self, person: PersonId) -> Vec<Holding> {
        self.person(person)
            .map(|person| self.holdings_through_posts(person))
            .unwrap_or_default()
    }

    fn holdings_through_posts(&self, person: &Person) -> Vec<Holding> {
        let mut holdings = Vec::new();
        for post in &person.posts {
            let mut hold = |rights: Vec<Right>, (from, until): (Timestamp, Option<Timestamp>)| {
                holdings.extend(rights.into_iter().map(|right| Holding {
                    person: person.id,
                    right,
                    from,
                    until,
                }));
            };
            let whole = overlap((post.from, post.until), (post.from, None));
            match (whole, post.at) {
                (None, _) => {}
                (Some(dates), PostAt::City) => hold(post.role.rights(UnitId::CITY), dates),
                (Some(dates), PostAt::Unit(unit)) => hold(post.role.rights(unit), dates),
                (Some(dates), PostAt::Beat(beat)) => {
                    let (city, _) = split_city(post.role.rights(NOWHERE));
                    hold(city, dates);
                    for row in self
                        .beat(beat)
                        .map(|beat| beat.villages.as_slice())
                        .unwrap_or_default()
                    {
                        if let Some(dates) = overlap(dates, (row.from, row.until)) {
                            hold(split_city(post.role.rights(row.village.unit())).1, dates);
                        }
                    }
                }
            }
        }
        holdings
    }

    /// What a person's phone catches up on at that time: the villages of an inspector's beats, a cadre's village, the
    /// unit of an operator or cadre, and always the person's own scope. Posts for the whole city add nothing: who
    /// holds them works at the office.
    pub fn scopes_of(&self, person: PersonId, now: Timestamp) -> BTreeSet<Scope> {
        self.scopes_where(person, |from, until| is_between(from, until, now))
    }

    /// All scopes that a person has or has had: of what happens there he may be told even after he has left.
    pub fn scopes_until(&self, person: PersonId, now: Timestamp) -> BTreeSet<Scope> {
        self.scopes_where(person, |from, _| from <= now)
    }

    fn scopes_where(
        &self,
        person: PersonId,
        counts: impl Fn(Timestamp, Option<Timestamp>) -> bool,
    ) -> BTreeSet<Scope> {
        let mut scopes = BTreeSet::from([Scope::Person(person)]);
        let posts = self
            .person(person)
            .map(|person| person.posts.as_slice())
            .unwrap_or_default();
        for post in posts.iter().filter(|post| counts(post.from, post.until)) {
            match (post.role, post.at) {
                (Role::Inspector, PostAt::Beat(beat)) => {
                    let rows = self
                        .beat(beat)
                        .map(|beat| beat.villages.as_slice())
                        .unwrap_or_default();
                    let counted = rows.iter().filter(|row| counts(row.from, row.until));
                    scopes.extend(counted.map(|row| Scope::Village(row.village)));
                }
                (Role::Cadre, PostAt::Unit(unit)) => {
                    scopes.insert(Scope::Unit(unit));
                    scopes.extend(VillageCode::new(unit.0).map(Scope::Village));
                }
                (Role::UnitOperator, PostAt::Unit(unit)) => {
                    scopes.insert(Scope::Unit(unit));
                }
                _ => {}
            }
        }
        scopes
    }
}

/// Rights for the whole city, and rights for one unit.
fn split_city(rights: Vec<Right>) -> (Vec<Right>, Vec<Right>) {
    rights
        .into_iter()
        .partition(|right| right.unit == UnitId::CITY)
}

/// Whether `now` lies between two dates, the second excluded.
fn is_between(from: Timestamp, until: Option<Timestamp>, now: Timestamp) -> bool {
    from <= now && until.is_none_or(|until| now < until)
}

type Dates = (Timestamp, Option<Timestamp>);

/// What two stretches of time have in common, unless it is nothing.
fn overlap(one: Dates, other: Dates) -> Option<Dates> {
    let from = one.0.max(other.0);
    let until = one.1.into_iter().chain(other.1).min();
    until
        .is_none_or(|until| from < until)
        .then_some((from, until))
}

#[cfg(test)]
mod tests;
