//! What is wrong with a directory, all of it at once, so that whoever maintains it corrects it in one go.
//!
//! It repairs nothing: a directory with faults is not published.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Beat, BeatId, BeatVillage, CategoryKey, Directory, PersonId, Post, PostAt, Role, Timestamp,
    UnitId, UnitKind, VillageCode, is_between, overlap,
};

/// Names a row of the directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Row {
    /// A district by its 6-digit code.
    District(u64),
    /// A town by its 9-digit code.
    Town(u64),
    /// A village.
    Village(VillageCode),
    /// A beat.
    Beat(BeatId),
    /// A unit.
    Unit(UnitId),
    /// A person.
    Person(PersonId),
    /// A category.
    Category(CategoryKey),
}

/// One thing that is wrong with a directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DirectoryFault {
    /// Two rows of a table have the same id.
    Duplicate {
        /// Which row.
        row: Row,
    },
    /// A row stands behind one with a greater id.
    OutOfOrder {
        /// Which row.
        row: Row,
    },
    /// A name is empty or blank.
    EmptyName {
        /// Whose name.
        row: Row,
    },
    /// A town or village lies in a district that is not listed.
    UnknownDistrict {
        /// The town or village.
        row: Row,
        /// The district in its code.
        district: u64,
    },
    /// A village lies in a town that is not listed.
    UnknownTown {
        /// The village.
        village: VillageCode,
        /// The town in its code.
        town: u64,
    },
    /// A beat names a village that is not listed.
    UnknownVillage {
        /// The beat.
        beat: BeatId,
        /// The village.
        village: VillageCode,
    },
    /// A beat has villages in more than one district.
    CrossesDistricts {
        /// The beat.
        beat: BeatId,
        /// The first village that lies in another district than the beat's first.
        village: VillageCode,
    },
    /// A village belongs to no beat at the time of the check.
    NoBeat {
        /// The village.
        village: VillageCode,
    },
    /// A village belongs to two beats at a time, or twice to one.
    TwoBeats {
        /// The village.
        village: VillageCode,
        /// The beat that had it first.
        first: BeatId,
        /// The other beat.
        second: BeatId,
        /// Since when both.
        from: Timestamp,
    },
    /// A unit's id is not one of its kind.
    UnitOutOfRange {
        /// The unit.
        unit: UnitId,
        /// Its kind.
        kind: UnitKind,
    },
    /// A town or village is a unit, but not listed as a place.
    UnitWithoutPlace {
        /// The unit.
        unit: UnitId,
    },
    /// A post names a unit that is not listed.
    UnknownUnit {
        /// Whose post.
        person: PersonId,
        /// The unit.
        unit: UnitId,
    },
    /// A post names a beat that is not listed.
    UnknownBeat {
        /// Whose post.
        person: PersonId,
        /// The beat.
        beat: BeatId,
    },
    /// A role is held where it means nothing: an inspector's is held on a beat, a cadre's at a village, an operator's
    /// at a unit, all others in the city.
    MisplacedPost {
        /// Whose post.
        person: PersonId,
        /// The role.
        role: Role,
        /// Where it is held.
        at: PostAt,
    },
    /// A post or a village's belonging to a beat ends before or when it begins.
    EndsBeforeItBegins {
        /// The person or beat.
        row: Row,
        /// The village, for a beat.
        village: Option<VillageCode>,
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// A category is neither component nor matter.
    UnknownCategoryKind {
        /// The category.
        key: CategoryKey,
    },
}

impl Directory {
    /// Everything that is wrong, in the order of the tables; nothing for a directory that may be published. That each
    /// village belongs to some beat is asked of the time `now`, that it belongs to one only of all times.
    pub fn check(&self, now: Timestamp) -> Vec<DirectoryFault> {
        let mut check = Check::new(self);
        check.names();
        check.places(now);
        check.beats();
        check.cover();
        check.units();
        check.people();
        check.categories();
        check.faults
    }
}

/// A check under way: what is listed, and the faults so far.
struct Check<'d> {
    directory: &'d Directory,
    districts: BTreeSet<u64>,
    towns: BTreeSet<u64>,
    villages: BTreeSet<VillageCode>,
    beats: BTreeSet<BeatId>,
    units: BTreeMap<UnitId, UnitKind>,
    faults: Vec<DirectoryFault>,
}

impl<'d> Check<'d> {
    fn new(directory: &'d Directory) -> Self {
        Self {
            directory,
            districts: directory
                .districts
                .iter()
                .map(|district| district.code)
                .collect(),
            towns: directory.towns.iter().map(|town| town.code).collect(),
            villages: directory
                .villages
                .iter()
                .map(|village| village.code)
                .collect(),
            beats: directory.beats.iter().map(|beat| beat.id).collect(),
            units: directory
                .units
                .iter()
                .map(|unit| (unit.id, unit.kind))
                .collect(),
            faults: Vec::new(),
        }
    }

    fn names(&mut self) {
        let directory = self.directory;
        self.table(
            directory
                .districts
                .iter()
                .map(|row| (Row::District(row.code), &*row.name)),
        );
        self.table(
            directory
                .towns
                .iter()
                .map(|row| (Row::Town(row.code), &*row.name)),
        );
        self.table(
            directory
                .villages
                .iter()
                .map(|row| (Row::Village(row.code), &*row.name)),
        );
        self.table(
            directory
                .beats
                .iter()
                .map(|row| (Row::Beat(row.id), &*row.name)),
        );
        self.table(
            directory
                .units
                .iter()
                .map(|row| (Row::Unit(row.id), &*row.name)),
        );
        self.table(
            directory
                .people
                .iter()
                .map(|row| (Row::Person(row.id), &*row.name)),
        );
        self.table(
            directory
                .categories
                .iter()
                .map(|row| (Row::Category(row.key), &*row.name)),
        );
    }

    /// Checks that the ids of a table are unique and ascend, and that names are there.
    fn table(&mut self, rows: impl Iterator<Item = (Row, &'d str)>) {
        let mut greatest = None;
        let mut seen = BTreeSet::new();
        for (row, name) in rows {
            if !seen.insert(row) {
                self.faults.push(DirectoryFault::Duplicate { row });
            } else if greatest > Some(row) {
                self.faults.push(DirectoryFault::OutOfOrder { row });
            }
            greatest = greatest.max(Some(row));
            if name.trim().is_empty() {
                self.faults.push(DirectoryFault::EmptyName { row });
            }
        }
    }

    fn places(&mut self, now: Timestamp) {
        let rows = self.directory.beats.iter().flat_map(|beat| &beat.villages);
        let in_force = rows.filter(|row| row.is_in_force_at(now));
        let with_beat: BTreeSet<VillageCode> = in_force.map(|row| row.village).collect();
        for town in &self.directory.towns {
            self.district(Row::Town(town.code), town.district());
        }
        for village in &self.directory.villages {
            let code = village.code;
            self.district(Row::Village(code), code.district());
            if !self.towns.contains(&code.town()) {
                self.faults.push(DirectoryFault::UnknownTown {
                    village: code,
                    town: code.town(),
                });
            }
            if village.is_in_force_at(now) && !with_beat.contains(&code) {
                self.faults.push(DirectoryFault::NoBeat { village: code });
            }
        }
    }

    fn district(&mut self, row: Row, district: u64) {
        if !self.districts.contains(&district) {
            self.faults
                .push(DirectoryFault::UnknownDistrict { row, district });
        }
    }

    fn beats(&mut self) {
        for Beat { id, villages, .. } in &self.directory.beats {
            let district = villages.first().map(|row| row.village.district());
            if let Some(stray) = villages
                .iter()
                .find(|row| Some(row.village.district()) != district)
            {
                self.faults.push(DirectoryFault::CrossesDistricts {
                    beat: *id,
                    village: stray.village,
                });
            }
            for BeatVillage {
                village,
                from,
                until,
            } in villages
            {
                if !self.villages.contains(village) {
                    self.faults.push(DirectoryFault::UnknownVillage {
                        beat: *id,
                        village: *village,
                    });
                }
                self.dates(Row::Beat(*id), Some(*village), *from, *until);
            }
        }
    }

    /// Checks that no village belongs to two beats at a time, at any time.
    fn cover(&mut self) {
        let mut rows_of: BTreeMap<VillageCode, Vec<(BeatId, BeatVillage)>> = BTreeMap::new();
        for beat in &self.directory.beats {
            for row in &beat.villages {
                rows_of
                    .entry(row.village)
                    .or_default()
                    .push((beat.id, *row));
            }
        }
        for (village, mut rows) in rows_of {
            rows.sort_by_key(|(beat, row)| (row.from, *beat));
            let mut earlier: Vec<(BeatId, BeatVillage)> = Vec::new();
            for (second, row) in rows {
                let dates = (row.from, row.until);
                let first = earlier
                    .iter()
                    .find(|(_, earlier)| overlap((earlier.from, earlier.until), dates).is_some());
                if let Some((first, _)) = first {
                    self.faults.push(DirectoryFault::TwoBeats {
                        village,
                        first: *first,
                        second,
                        from: row.from,
                    });
                }
                // What has ended by now overlaps nothing that begins later.
                earlier.retain(|(_, earlier)| is_between(earlier.from, earlier.until, row.from));
                earlier.push((second, row));
            }
        }
    }

    fn units(&mut self) {
        for unit in &self.directory.units {
            if !unit.kind.allows(unit.id) {
                self.faults.push(DirectoryFault::UnitOutOfRange {
                    unit: unit.id,
                    kind: unit.kind,
                });
                continue;
            }
            let has_place = match unit.kind {
                UnitKind::Department | UnitKind::Enterprise => true,
                UnitKind::Town => self.towns.contains(&unit.id.0),
                UnitKind::Village => {
                    VillageCode::new(unit.id.0).is_some_and(|code| self.villages.contains(&code))
                }
            };
            if !has_place {
                self.faults
                    .push(DirectoryFault::UnitWithoutPlace { unit: unit.id });
            }
        }
    }

    fn people(&mut self) {
        for person in &self.directory.people {
            for post in &person.posts {
                self.post(person.id, post);
                self.dates(Row::Person(person.id), None, post.from, post.until);
            }
        }
    }

    fn post(&mut self, person: PersonId, post: &Post) {
        let Post { role, at, .. } = *post;
        let kind = match at {
            PostAt::Unit(unit) => match self.units.get(&unit) {
                Some(kind) => Some(*kind),
                None => {
                    return self
                        .faults
                        .push(DirectoryFault::UnknownUnit { person, unit });
                }
            },
            PostAt::Beat(beat) if !self.beats.contains(&beat) => {
                return self
                    .faults
                    .push(DirectoryFault::UnknownBeat { person, beat });
            }
            PostAt::Beat(_) | PostAt::City => None,
        };
        let is_placed = match role {
            Role::Inspector => matches!(at, PostAt::Beat(_)),
            Role::Cadre => kind == Some(UnitKind::Village),
            Role::UnitOperator => kind.is_some(),
            Role::Dispatcher
            | Role::Leader
            | Role::Evaluator
            | Role::Administrator
            | Role::Canceller
            | Role::Granter => at == PostAt::City,
        };
        if !is_placed {
            self.faults
                .push(DirectoryFault::MisplacedPost { person, role, at });
        }
    }

    fn dates(
        &mut self,
        row: Row,
        village: Option<VillageCode>,
        from: Timestamp,
        until: Option<Timestamp>,
    ) {
        if let Some(until) = until.filter(|until| *until <= from) {
            self.faults.push(DirectoryFault::EndsBeforeItBegins {
                row,
                village,
                from,
                until,
            });
        }
    }

    fn categories(&mut self) {
        for category in &self.directory.categories {
            if ![CategoryKey::COMPONENT, CategoryKey::MATTER].contains(&category.key.kind) {
                self.faults
                    .push(DirectoryFault::UnknownCategoryKind { key: category.key });
            }
        }
    }
}

#[cfg(test)]
mod tests;
