//! What is wrong with a directory, all of it at once, so that whoever maintains it corrects it in one go.
//!
//! It repairs nothing: a directory with faults is not published.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Beat, BeatId, BeatVillage, CategoryKey, Directory, PersonId, Post, PostAt, Role, Timestamp, UnitId, UnitKind, VillageCode,
    is_between, overlap,
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
    units: BTreeMap<UnitId, UnitKind>,
    faults: Vec<DirectoryFault>,
}

impl<'d> Check<'d> {
    fn new(directory: &'d Directory) -> Self {
        Self {
            directory,
            districts: directory.districts.iter().map(|district| district.code).collect(),
            towns: directory.towns.iter().map(|town| town.code).collect(),
            villages: directory.villages.iter().map(|village| village.code).collect(),
            units: directory.units.iter().map(|unit| (unit.id, unit.kind)).collect(),
            faults: Vec::new(),
        }
    }

    fn names(&mut self) {
        let directory = self.directory;
        self.table(directory.districts.iter().map(|row| (Row::District(row.code), &*row.name)));
        self.table(directory.towns.iter().map(|row| (Row::Town(row.code), &*row.name)));
        self.table(directory.villages.iter().map(|row| (Row::Village(row.code), &*row.name)));
        self.table(directory.beats.iter().map(|row| (Row::Beat(row.id), &*row.name)));
        self.table(directory.units.iter().map(|row| (Row::Unit(row.id), &*row.name)));
        self.table(directory.people.iter().map(|row| (Row::Person(row.id), &*row.name)));
        self.table(directory.categories.iter().map(|row| (Row::Category(row.key), &*row.name)));
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
        for town in &self.directory.towns {
            self.district(Row::Town(town.code), town.district());
        }
        for village in &self.directory.villages {
            let code = village.code;
            self.district(Row::Village(code), code.district());
            if !self.towns.contains(&code.town()) {
                self.faults.push(DirectoryFault::UnknownTown { village: code, town: code.town() });
            }
            if self.directory.beat_of(code, now).is_none() {
                self.faults.push(DirectoryFault::NoBeat { village: code });
            }
        }
    }

    fn district(&mut self, row: Row, district: u64) {
        if !self.districts.contains(&district) {
            self.faults.push(DirectoryFault::UnknownDistrict { row, district });
        }
    }

    fn beats(&mut self) {
        for Beat { id, villages, .. } in &self.directory.beats {
            let district = villages.first().map(|row| row.village.district());
            if let Some(stray) = villages.iter().find(|row| Some(row.village.district()) != district) {
                self.faults.push(DirectoryFault::CrossesDistricts { beat: *id, village: stray.village });
            }
            for BeatVillage { village, from, until } in villages {
                if !self.villages.contains(village) {
                    self.faults.push(DirectoryFault::UnknownVillage { beat: *id, village: *village });
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
                rows_of.entry(row.village).or_default().push((beat.id, *row));
            }
        }
        for (village, mut rows) in rows_of {
            rows.sort_by_key(|(beat, row)| (row.from, *beat));
            let mut earlier: Vec<(BeatId, BeatVillage)> = Vec::new();
            for (second, row) in rows {
                let dates = (row.from, row.until);
                let first = earlier.iter().find(|(_, earlier)| overlap((earlier.from, earlier.until), dates).is_some());
                if let Some((first, _)) = first {
                    self.faults.push(DirectoryFault::TwoBeats { village, first: *first, second, from: row.from });
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
                self.faults.push(DirectoryFault::UnitOutOfRange { unit: unit.id, kind: unit.kind });
                continue;
            }
            let has_place = match unit.kind {
                UnitKind::Department | UnitKind::Enterprise => true,
                UnitKind::Town => self.towns.contains(&unit.id.0),
                UnitKind::Village => VillageCode::new(unit.id.0).is_some_and(|code| self.villages.contains(&code)),
            };
            if !has_place {
                self.faults.push(DirectoryFault::UnitWithoutPlace { unit: unit.id });
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
                None => return self.faults.push(DirectoryFault::UnknownUnit { person, unit }),
            },
            PostAt::Beat(beat) if self.directory.beat(beat).is_none() => {
                return self.faults.push(DirectoryFault::UnknownBeat { person, beat });
            }
            PostAt::Beat(_) | PostAt::City => None,
        };
        let is_placed = match role {
            Role::Inspector => matches!(at, PostAt::Beat(_)),
            Role::Cadre => kind == Some(UnitKind::Village),
            Role::UnitOperator => kind.is_some(),
            Role::Dispatcher | Role::Leader | Role::Evaluator | Role::Administrator => at == PostAt::City,
        };
        if !is_placed {
            self.faults.push(DirectoryFault::MisplacedPost { person, role, at });
        }
    }

    fn dates(&mut self, row: Row, village: Option<VillageCode>, from: Timestamp, until: Option<Timestamp>) {
        if let Some(until) = until.filter(|until| *until <= from) {
            self.faults.push(DirectoryFault::EndsBeforeItBegins { row, village, from, until });
        }
    }

    fn categories(&mut self) {
        for category in &self.directory.categories {
            if ![CategoryKey::COMPONENT, CategoryKey::MATTER].contains(&category.key.kind) {
                self.faults.push(DirectoryFault::UnknownCategoryKind { key: category.key });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{
        CADRE, DACHIKAN, DISPATCHER, GENGGUAN, GUANGFENG, LINGDING, OPERATOR, WALKER, city, post, village,
    };
    use super::super::{District, Town, Unit};
    use super::*;

    const NOW: Timestamp = Timestamp(50);

    /// The faults of the small city after a change.
    fn faults_after(change: impl FnOnce(&mut Directory)) -> Vec<DirectoryFault> {
        let mut city = city();
        change(&mut city);
        city.check(NOW)
    }

    fn row(village_code: u64, from: i64, until: Option<i64>) -> BeatVillage {
        BeatVillage { village: village(village_code), from: Timestamp(from), until: until.map(Timestamp) }
    }

    #[test]
    fn a_sound_city_has_no_faults_at_any_time_since_its_beats_began() {
        for ms in [0, 50, 99, 100, 1_000] {
            assert_eq!(city().check(Timestamp(ms)), []);
        }
        assert_eq!(Directory::default().check(NOW), []);
    }

    #[test]
    fn ids_are_unique_and_ascend() {
        let same = faults_after(|city| city.units.push(city.units[0].clone()));
        assert_eq!(same, [DirectoryFault::Duplicate { row: Row::Unit(UnitId(101)) }]);
        let swapped = faults_after(|city| city.districts.swap(0, 1));
        assert_eq!(swapped, [DirectoryFault::OutOfOrder { row: Row::District(440_402) }]);
    }

    #[test]
    fn names_are_not_blank() {
        let faults = faults_after(|city| {
            city.towns[0].name = " ".to_owned();
            city.people[0].name.clear();
        });
        let rows = [Row::Town(440_402_107), Row::Person(WALKER)];
        assert_eq!(faults, rows.map(|row| DirectoryFault::EmptyName { row }));
    }

    #[test]
    fn places_lie_in_listed_towns_and_districts() {
        let faults = faults_after(|city| {
            city.districts.remove(0);
            city.towns.remove(2);
        });
        let (lingding, dachikan) = (village(LINGDING), village(DACHIKAN));
        assert_eq!(
            faults,
            [
                DirectoryFault::UnknownDistrict { row: Row::Town(440_402_107), district: 440_402 },
                DirectoryFault::UnknownDistrict { row: Row::Village(lingding), district: 440_402 },
                DirectoryFault::UnknownTown { village: dachikan, town: 440_403_103 },
            ]
        );
        let later = faults_after(|city| city.districts.push(District { code: 440_404, name: "金湾区".to_owned() }));
        assert_eq!(later, [], "a district may be empty");
    }

    #[test]
    fn a_village_without_a_beat_today_is_named() {
        let faults = faults_after(|city| city.beats[2].villages = vec![row(LINGDING, 51, None)]);
        assert_eq!(faults, [DirectoryFault::NoBeat { village: village(LINGDING) }]);
    }

    #[test]
    fn a_village_in_two_beats_at_a_time_is_named_also_when_that_time_is_far() {
        let faults = faults_after(|city| city.beats[1].villages.push(row(GENGGUAN, 5_000, Some(5_001))));
        let two = DirectoryFault::TwoBeats {
            village: village(GENGGUAN),
            first: BeatId(1),
            second: BeatId(2),
            from: Timestamp(5_000),
        };
        assert_eq!(faults, [two]);
        let twice = faults_after(|city| city.beats[0].villages.push(row(GENGGUAN, 0, Some(20))));
        assert!(matches!(twice[..], [DirectoryFault::TwoBeats { first: BeatId(1), second: BeatId(1), .. }]), "{twice:?}");
    }

    #[test]
    fn a_long_stretch_overlaps_every_later_one() {
        let faults = faults_after(|city| {
            city.beats[1].villages.extend([row(GENGGUAN, 10, Some(20)), row(GENGGUAN, 30, Some(40))]);
        });
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn a_beat_keeps_to_one_district_and_to_listed_villages() {
        let faults = faults_after(|city| city.beats[0].villages.push(row(440_402_107_299, 0, None)));
        let (beat, village) = (BeatId(1), village(440_402_107_299));
        let expected = [DirectoryFault::CrossesDistricts { beat, village }, DirectoryFault::UnknownVillage { beat, village }];
        assert_eq!(faults, expected);
    }

    #[test]
    fn an_end_lies_after_its_beginning() {
        let faults = faults_after(|city| {
            city.beats[0].villages.push(row(GUANGFENG, 70, Some(70)));
            city.people[3].posts[0].until = Some(Timestamp(9));
        });
        assert!(
            matches!(
                faults[..],
                [
                    DirectoryFault::EndsBeforeItBegins { row: Row::Beat(BeatId(1)), village: Some(_), .. },
                    DirectoryFault::EndsBeforeItBegins { row: Row::Person(DISPATCHER), village: None, .. },
                ]
            ),
            "{faults:?}"
        );
    }

    #[test]
    fn a_unit_has_an_id_of_its_kind_and_a_place() {
        let unit = |id, kind| Unit { id: UnitId(id), kind, name: "单位".to_owned() };
        let faults = faults_after(|city| {
            city.units.insert(0, unit(0, UnitKind::Department));
            city.units[3].kind = UnitKind::Village;
            city.units.push(unit(999_999_999_999, UnitKind::Village));
        });
        let expected = [
            DirectoryFault::UnitOutOfRange { unit: UnitId::CITY, kind: UnitKind::Department },
            DirectoryFault::UnitOutOfRange { unit: UnitId(440_403_100), kind: UnitKind::Village },
            DirectoryFault::UnitWithoutPlace { unit: UnitId(999_999_999_999) },
        ];
        assert_eq!(faults, expected);
        let town = faults_after(|city| city.units.insert(2, unit(440_403_099, UnitKind::Town)));
        assert_eq!(town, [DirectoryFault::UnitWithoutPlace { unit: UnitId(440_403_099) }]);
    }

    #[test]
    fn a_post_names_what_is_listed() {
        let faults = faults_after(|city| {
            city.people[0].posts.push(post(Role::Inspector, PostAt::Beat(BeatId(7))));
            city.people[2].posts.push(post(Role::UnitOperator, PostAt::Unit(UnitId(7))));
        });
        let expected = [
            DirectoryFault::UnknownBeat { person: WALKER, beat: BeatId(7) },
            DirectoryFault::UnknownUnit { person: OPERATOR, unit: UnitId(7) },
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_role_is_held_where_it_means_something() {
        for (role, at) in [
            (Role::Inspector, PostAt::City),
            (Role::Cadre, PostAt::Unit(UnitId(101))),
            (Role::Cadre, PostAt::City),
            (Role::UnitOperator, PostAt::City),
            (Role::UnitOperator, PostAt::Beat(BeatId(1))),
            (Role::Leader, PostAt::Unit(UnitId(101))),
        ] {
            let faults = faults_after(|city| city.people[1].posts = vec![post(role, at)]);
            assert_eq!(faults, [DirectoryFault::MisplacedPost { person: CADRE, role, at }]);
        }
    }

    #[test]
    fn a_category_is_a_component_or_a_matter() {
        let faults = faults_after(|city| city.categories[0].key.kind = 3);
        assert!(matches!(faults[..], [DirectoryFault::UnknownCategoryKind { .. }]), "{faults:?}");
    }

    #[test]
    fn all_faults_come_at_once() {
        let faults = faults_after(|city| {
            city.towns.push(Town { code: 440_499_100, name: String::new() });
            city.beats.remove(2);
            city.categories[0].key.kind = 0;
        });
        assert_eq!(faults.len(), 4, "{faults:?}");
    }
}
