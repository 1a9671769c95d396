//! Rows of which a field could not be read. What else they say is held against the directory that there would be, so that everything that is
//! wrong with a row is told at once.
//!
//! They are in no directory, and nothing is told of what they would bring.

use std::collections::BTreeMap;

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{
    Beat, BeatId, BeatVillage, Directory, DirectoryFault, Person, Post, PostAt, Row, Town, Village,
};
use patrol_core::domain::id::PersonId;
use patrol_core::domain::place::VillageCode;
use patrol_core::domain::time::Timestamp;

use super::fault::{Lines, Posts, of_post, place};
use crate::sheet::{ImportFault, Line, Place};

/// What such rows name, each with where it stands.
#[derive(Default)]
pub(super) struct Halves {
    towns: Vec<(u64, Place)>,
    villages: Vec<(VillageCode, Place)>,
    beats: Vec<((BeatId, VillageCode), Place)>,
    posts: Vec<((Role, PostAt), Place)>,
}

impl Halves {
    pub(super) fn town(&mut self, code: Option<u64>, line: &Line) {
        self.towns.extend(code.map(|code| (code, line.place())));
    }

    pub(super) fn village(&mut self, code: Option<VillageCode>, line: &Line) {
        self.villages.extend(code.map(|code| (code, line.place())));
    }

    pub(super) fn beat(&mut self, row: Option<(BeatId, VillageCode)>, line: &Line) {
        self.beats.extend(row.map(|row| (row, line.place())));
    }

    pub(super) fn post(&mut self, post: Option<(Role, PostAt)>, line: &Line) {
        self.posts.extend(post.map(|post| (post, line.place())));
    }

    fn is_empty(&self) -> bool {
        let places = self.towns.is_empty() && self.villages.is_empty();
        places && self.beats.is_empty() && self.posts.is_empty()
    }

    /// What they name that is not there, or not where it may be.
    pub(super) fn unsound(
        self,
        directory: &Directory,
        now: Timestamp,
    ) -> Vec<(DirectoryFault, ImportFault)> {
        if self.is_empty() {
            return Vec::new();
        }
        let Self {
            towns,
            villages,
            beats,
            posts,
        } = self;
        let mut trial = Directory {
            people: Vec::new(),
            ..directory.clone()
        };
        let (mut lines, mut held) = (Lines::default(), Posts::new());
        for (code, place) in towns {
            lines.note((Row::Town(code), None), &place);
            let name = String::new();
            trial.towns.push(Town { code, name });
        }
        for (code, place) in villages {
            lines.note((Row::Village(code), None), &place);
            trial.villages.push(Village {
                code,
                name: String::new(),
                point: None,
                until: None,
            });
        }
        // Each row is a beat and a person of its own, so that each is told.
        let mut real = BTreeMap::new();
        for (no, ((beat, village), place)) in (0..).zip(beats) {
            let id = BeatId(u32::MAX - no);
            real.insert(id, beat);
            lines.note((Row::Beat(id), Some(village)), &place);
            let (name, villages) = (String::new(), vec![never(village, now)]);
            trial.beats.push(Beat { id, name, villages });
        }
        for (no, ((role, at), place)) in (0_u64..).zip(posts) {
            let (id, name) = (PersonId(no.to_be_bytes()), String::new());
            let post = Post {
                role,
                at,
                from: now,
                until: None,
            };
            held.insert(id, vec![(post, place)]);
            let posts = vec![post];
            trial.people.push(Person { id, name, posts });
        }
        let found = trial.check(now).into_iter();
        found
            .filter_map(|fault| placed(fault, &real, (&lines, &held)))
            .collect()
    }
}

/// A village in a beat at no time, so that it is in no other's way.
fn never(village: VillageCode, now: Timestamp) -> BeatVillage {
    BeatVillage {
        village,
        from: now,
        until: Some(now),
    }
}

/// What such a row can be told of, at its place.
fn placed(
    fault: DirectoryFault,
    real: &BTreeMap<BeatId, BeatId>,
    (lines, posts): (&Lines, &Posts),
) -> Option<(DirectoryFault, ImportFault)> {
    use DirectoryFault as F;
    match fault {
        F::UnknownDistrict { .. } | F::UnknownTown { .. } => Some((fault, place(fault, lines)?)),
        F::UnknownVillage { beat, village } => {
            let beat = *real.get(&beat)?;
            Some((F::UnknownVillage { beat, village }, place(fault, lines)?))
        }
        F::UnknownUnit { .. } | F::UnknownBeat { .. } | F::MisplacedPost { .. } => {
            Some((fault, of_post(fault, 0, posts)?))
        }
        _ => None,
    }
}
