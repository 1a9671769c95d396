//! Who is meant by a row of people: by an id, or, where there is none, by the name, if only one person has it.
//!
//! Whoever is new and has no id gets one. In which order the rows stand makes no difference.

use std::collections::{BTreeMap, BTreeSet};

use patrol_core::domain::directory::{Person, Post, PostAt};
use patrol_core::domain::id::PersonId;

use super::kept::{PostKey, post_key};
use crate::sheet::{Faults, Line, Place, Reason};

/// Who is known by which name, and where ids come from. The default draws none: then every row has its id.
#[derive(Default)]
pub(crate) struct Names {
    known: BTreeMap<String, BTreeSet<PersonId>>,
    /// Who is new, by name, without an id in the file.
    new: BTreeMap<String, PersonId>,
    /// Where those are who are new.
    seen: BTreeMap<PersonId, BTreeSet<PostAt>>,
    /// Names that stand in the file beside an id that the directory does not have for them.
    beside_ids: BTreeSet<String>,
    /// The rows without an id.
    without_id: BTreeMap<String, Vec<Place>>,
    /// The posts of people who are in the directory already.
    posts: BTreeMap<PersonId, BTreeSet<PostKey>>,
    draw: Option<Box<dyn FnMut() -> PersonId>>,
}

impl Names {
    /// People who are there already, some of them perhaps twice, and a source of ids for those who are not.
    pub(crate) fn new<'p>(
        people: impl Iterator<Item = &'p Person>,
        draw: Box<dyn FnMut() -> PersonId>,
    ) -> Self {
        let mut names = Self {
            draw: Some(draw),
            ..Self::default()
        };
        for person in people {
            let known = names.known.entry(person.name.clone()).or_default();
            known.insert(person.id);
            let posts = names.posts.entry(person.id).or_default();
            posts.extend(person.posts.iter().map(post_key));
        }
        names
    }

    /// Whether a row without an id gives somebody a post that may be a namesake's: one that he does not have in the directory, or, where he
    /// is new, one at another place than his earlier rows.
    pub(super) fn is_other(&mut self, person: PersonId, post: &Post) -> bool {
        if let Some(posts) = self.posts.get(&person) {
            return !posts.contains(&post_key(post));
        }
        let seen = self.seen.entry(person).or_default();
        let is_first = seen.is_empty();
        seen.insert(post.at) && !is_first
    }

    /// The person of a row.
    pub(super) fn person(&mut self, line: &Line, faults: &mut Faults) -> Option<PersonId> {
        let name = line.field("name");
        // Whose row it is cannot be told, and why has been.
        if line.is_spoilt("person") || (line.field("person").is_empty() && line.is_spoilt("name")) {
            return None;
        }
        let known = self.known.get(name);
        let draw = self
            .draw
            .as_mut()
            .filter(|_| line.field("person").is_empty() && !name.is_empty());
        let Some(draw) = draw else {
            let id = line.read("person", Reason::NotAnId, PersonId::from_hex, faults)?;
            if known.is_none_or(|known| !known.contains(&id)) {
                self.beside_ids.insert(name.to_owned());
            }
            return Some(id);
        };
        let mut known = known.into_iter().flatten();
        let id = match (known.next(), known.next()) {
            (None, _) => *self.new.entry(name.to_owned()).or_insert_with(draw),
            (Some(id), None) => *id,
            (Some(_), Some(_)) => {
                faults.push(line.fault("person", Reason::AmbiguousName));
                return None;
            }
        };
        let rows = self.without_id.entry(name.to_owned()).or_default();
        rows.push(line.place());
        Some(id)
    }

    /// After the last row: those without an id whose name stands beside a new id too are nobody's.
    pub(super) fn finish(&mut self, faults: &mut Faults) {
        let rows = std::mem::take(&mut self.without_id);
        for (_, rows) in rows
            .iter()
            .filter(|(name, _)| self.beside_ids.contains(*name))
        {
            for row in rows {
                faults.push(row.fault(Some("person"), Reason::AmbiguousName));
            }
        }
    }
}
