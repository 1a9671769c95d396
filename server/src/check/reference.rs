//! What is imported as a whole: that each directory can be read and the last has the people that follow, that components stand in columns as in their bytes, that the rows of a code follow each
//! other, and that imports and villages' tags are what the rows say.
//!
//! Whether a directory is sound was asked when it was put in force.

use std::collections::BTreeMap;

use patrol_core::domain::component::near;
use patrol_core::domain::directory::{Directory, Person};
use patrol_core::domain::id::PersonId;
use patrol_core::sync::components::{self, decode, join};

use super::Checking;
use crate::app::unpack;
use crate::directory::leaves::Basis;
use crate::store::Result;
use crate::store::reference::{ComponentImport, Weighed};
use crate::store::whole::{VillageComponents, WholeComponent};

/// What the rows of components say, played import by import.
#[derive(Default)]
struct Rows {
    /// The last import that counts.
    last: u64,
    /// One is being prepared; its rows do not count yet.
    is_open: bool,
    weighed: BTreeMap<u64, Weighed>,
    /// The row before: its code, and until when it counts.
    before: Option<(u64, Option<u64>)>,
}

impl Rows {
    fn count(&mut self, import: u64) -> &mut Weighed {
        self.weighed.entry(import).or_default()
    }

    /// Whether a row is one of an import that counts. None: it cannot be there.
    fn counts(&self, import: u64) -> Option<bool> {
        match import {
            0 => None,
            _ if import <= self.last => Some(true),
            _ => (self.is_open && import == self.last + 1).then_some(false),
        }
    }

    /// Ends what came before a row of another code.
    fn end(&mut self) {
        if let Some((_, Some(until))) = self.before.take() {
            self.count(until).removed += 1;
        }
    }
}

impl Checking<'_> {
    pub(super) fn directories(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        let mut last = None;
        snapshot.all_directories(&mut |row| {
            last = None;
            match row.map(|(no, kept)| (no, unpack(&kept))) {
                Ok((no, Ok(unpacked))) => last = Some((no, unpacked)),
                Ok((no, Err(column))) => {
                    self.find(format!(
                        "directories: `{column}` of number {no} cannot be read"
                    ));
                }
                Err(unread) => self.find(format!("directories: {unread}")),
            }
            Ok(())
        })?;
        if let Some((no, (directory, basis))) = last {
            self.people(no, &directory, &basis);
        }
        Ok(())
    }

    /// The people in force are those that follow from what files say and from leaves.
    fn people(&mut self, no: u64, directory: &Directory, basis: &Basis) {
        let due = basis.in_force();
        let mut known: BTreeMap<PersonId, &Person> =
            due.iter().map(|person| (person.id, person)).collect();
        for person in &directory.people {
            if known.remove(&person.id) != Some(person) {
                let id = person.id;
                self.find(format!(
                    "directories: `bytes` of number {no}: person {id} is not as `said` and `leaves` say"
                ));
            }
        }
        for id in known.into_keys() {
            self.find(format!(
                "directories: `bytes` of number {no}: person {id} is missing, whom `said` has"
            ));
        }
    }

    pub(super) fn components(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        let mut imports: Vec<ComponentImport> = Vec::new();
        snapshot.all_imports(&mut |row| {
            match row {
                Ok(import) => imports.push(import),
                Err(unread) => self.find(format!("component_imports: {unread}")),
            }
            Ok(())
        })?;
        let mut rows = Rows {
            last: imports.last().map_or(0, |import| import.no),
            is_open: snapshot.preparing()?.is_some_and(|it| it.is_open),
            ..Rows::default()
        };
        snapshot.all_components(&mut |row| {
            match row {
                Ok(row) => {
                    self.columns(&row);
                    self.follows(&mut rows, &row);
                }
                Err(unread) => self.find(format!("components: {unread}")),
            }
            Ok(())
        })?;
        rows.end();
        self.imports(&imports, &rows.weighed);
        snapshot.all_villages(&mut |row| {
            match row {
                Ok(row) => self.tag(&row),
                Err(unread) => self.find(format!("component_villages: {unread}")),
            }
            Ok(())
        })
    }

    /// The columns say what the bytes say.
    fn columns(&mut self, row: &WholeComponent) {
        let (code, since) = (row.code, row.since);
        let Ok(component) = decode(&row.bytes) else {
            self.find(format!(
                "components: `row` of {code} since import {since} cannot be read"
            ));
            return;
        };
        let position = component.position;
        for (column, is_same) in [
            ("code", component.code.number() == code),
            ("village", component.village.number() == row.village),
            ("cell", near::cell(position) == row.cell),
            ("lon_e7", position.lon_e7 == row.lon_e7),
            ("lat_e7", position.lat_e7 == row.lat_e7),
        ] {
            if !is_same {
                self.find(format!(
                    "components: `{column}` of {code} since import {since} is not what `row` says"
                ));
            }
        }
    }

    /// A row begins where the one before it has ended, or later; what that did is counted for its imports.
    fn follows(&mut self, rows: &mut Rows, row: &WholeComponent) {
        let (code, since) = (row.code, row.since);
        let mut find = |what: &str| {
            self.find(format!("components: {code} since import {since}: {what}"));
        };
        match rows.counts(since) {
            Some(true) => {}
            Some(false) => return,
            None => return find("`since` is no import"),
        }
        let until = match row.until.map(|until| (until, rows.counts(until))) {
            None | Some((_, Some(false))) => None,
            Some((_, None)) => {
                find("`until` is no import");
                None
            }
            Some((until, Some(true))) => {
                if until <= since {
                    find("`until` is not after `since`");
                }
                Some(until)
            }
        };
        if rows.before.is_some_and(|(before, _)| before != code) {
            rows.end();
        }
        match rows.before.take() {
            None => rows.count(since).added += 1,
            Some((_, Some(ended))) if ended == since => rows.count(since).changed += 1,
            Some((_, ended)) => {
                match ended {
                    Some(ended) if ended < since => rows.count(ended).removed += 1,
                    _ => find("the row before is in force too"),
                }
                rows.count(since).added += 1;
            }
        }
        rows.before = Some((code, until));
    }

    fn imports(&mut self, imports: &[ComponentImport], derived: &BTreeMap<u64, Weighed>) {
        let mut in_force = 0;
        for ComponentImport { no, weighed, .. } in imports {
            let due = derived.get(no).copied().unwrap_or_default();
            for (column, is_same) in [
                ("added", weighed.added == due.added),
                ("changed", weighed.changed == due.changed),
                ("removed", weighed.removed == due.removed),
                (
                    "unchanged",
                    weighed.unchanged.saturating_add(due.changed + due.removed) <= in_force,
                ),
            ] {
                if !is_same {
                    self.find(format!(
                        "component_imports: `{column}` of number {no} is not what `components` says"
                    ));
                }
            }
            in_force = (in_force + due.added).saturating_sub(due.removed);
        }
    }

    fn tag(&mut self, row: &VillageComponents) {
        let is_empty = row.joined == join(row.village, std::iter::empty());
        let due = (!is_empty).then(|| components::tag(&row.joined));
        if row.tag != due {
            let village = row.village;
            self.find(format!(
                "component_villages: `tag` of {village} is not that of its components"
            ));
        }
    }
}
