//! Who is meant by a row of people: by an id, or, where there is none, by the name, if only one person has it.
//!
//! Whoever is new and has no id gets one.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::directory::{Person, Post};
use patrol_core::domain::id::PersonId;

use super::over::{PostKey, post_key};
use crate::sheet::{Faults, Line, Reason};

/// Who is known by which name, and where ids come from. The default draws none: then every row has its id.
#[derive(Default)]
pub(crate) struct Names {
    known: BTreeMap<String, BTreeSet<PersonId>>,
    /// The posts of people who are in the directory already.
    posts: BTreeMap<PersonId, BTreeSet<PostKey>>,
    draw: Option<Box<dyn FnMut() -> PersonId>>,
}

impl Names {
    /// People who are there already, and a source of ids for those who are not.
    pub(crate) fn new(people: &[Person], draw: Box<dyn FnMut() -> PersonId>) -> Self {
        let mut names = Self {
            draw: Some(draw),
            ..Self::default()
        };
        for person in people {
            names.note(&person.name, person.id);
            let posts = person.posts.iter().map(post_key).collect();
            names.posts.insert(person.id, posts);
        }
        names
    }

    /// Whether somebody is in the directory already, without this post.
    pub(super) fn is_other(&self, person: PersonId, post: &Post) -> bool {
        let posts = self.posts.get(&person);
        posts.is_some_and(|posts| !posts.contains(&post_key(post)))
    }

    fn note(&mut self, name: &str, id: PersonId) {
        self.known.entry(name.to_owned()).or_default().insert(id);
    }

    /// The person of a row.
    pub(super) fn person(&mut self, line: &Line, faults: &mut Faults) -> Option<PersonId> {
        let name = line.field("name");
        let draw = self
            .draw
            .as_mut()
            .filter(|_| line.field("person").is_empty() && !name.is_empty());
        let Some(draw) = draw else {
            let id = line.read("person", Reason::NotAnId, PersonId::from_hex, faults)?;
            self.note(name, id);
            return Some(id);
        };
        let meant: Vec<PersonId> = self
            .known
            .get(name)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        match meant.as_slice() {
            [] => {
                let id = draw();
                self.note(name, id);
                Some(id)
            }
            [id] => Some(*id),
            _ => {
                faults.push(line.fault("person", Reason::AmbiguousName));
                None
            }
        }
    }
}
