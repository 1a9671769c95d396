//! Examines the check on a small sound city, spoilt in one way after the other.

use super::super::tests::{
    CADRE, DACHIKAN, DISPATCHER, GENGGUAN, GUANGFENG, LINGDING, OPERATOR, WALKER, city, post,
    village,
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
    BeatVillage {
        village: village(village_code),
        from: Timestamp(from),
        until: until.map(Timestamp),
    }
}

#[test]
fn a_sound_city_has_no_faults_at_any_time_since_its_beats_began() {
    for ms in [0, 50, 99, 100, 1_000] {
        assert_eq!(city().check(Timestamp(ms)), []);
    }
    assert_eq!(Directory::default().check(NOW), []);
}

#[test]
fn a_village_that_has_ended_needs_no_beat_any_more() {
    let ends = |until| {
        faults_after(|city| {
            city.villages[0].until = Some(Timestamp(until));
            let rows = city.beats.iter_mut().flat_map(|beat| &mut beat.villages);
            for row in rows.filter(|row| row.village == village(LINGDING)) {
                row.until = Some(Timestamp(50));
            }
        })
    };
    assert_eq!(ends(50), []);
    let village = village(LINGDING);
    assert_eq!(ends(51), [DirectoryFault::NoBeat { village }]);
}

#[test]
fn ids_are_unique_and_ascend() {
    let same = faults_after(|city| city.units.push(city.units[0].clone()));
    assert_eq!(
        same,
        [DirectoryFault::Duplicate {
            row: Row::Unit(UnitId(101))
        }]
    );
    let swapped = faults_after(|city| city.districts.swap(0, 1));
    assert_eq!(
        swapped,
        [DirectoryFault::OutOfOrder {
            row: Row::District(440_402)
        }]
    );
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
            DirectoryFault::UnknownDistrict {
                row: Row::Town(440_402_107),
                district: 440_402
            },
            DirectoryFault::UnknownDistrict {
                row: Row::Village(lingding),
                district: 440_402
            },
            DirectoryFault::UnknownTown {
                village: dachikan,
                town: 440_403_103
            },
        ]
    );
    let later = faults_after(|city| {
        city.districts.push(District {
            code: 440_404,
            name: "金湾区".to_owned(),
        });
    });
    assert_eq!(later, [], "a district may be empty");
}

#[test]
fn a_village_without_a_beat_today_is_named() {
    let faults = faults_after(|city| city.beats[2].villages = vec![row(LINGDING, 51, None)]);
    assert_eq!(
        faults,
        [DirectoryFault::NoBeat {
            village: village(LINGDING)
        }]
    );
}

#[test]
fn a_village_in_two_beats_at_a_time_is_named_also_when_that_time_is_far() {
    let faults = faults_after(|city| {
        city.beats[1]
            .villages
            .push(row(GENGGUAN, 5_000, Some(5_001)));
    });
    let two = DirectoryFault::TwoBeats {
        village: village(GENGGUAN),
        first: BeatId(1),
        second: BeatId(2),
        from: Timestamp(5_000),
    };
    assert_eq!(faults, [two]);
    let twice = faults_after(|city| city.beats[0].villages.push(row(GENGGUAN, 0, Some(20))));
    assert!(
        matches!(
            twice[..],
            [DirectoryFault::TwoBeats {
                first: BeatId(1),
                second: BeatId(1),
                ..
            }]
        ),
        "{twice:?}"
    );
}

#[test]
fn a_long_stretch_overlaps_every_later_one() {
    let faults = faults_after(|city| {
        city.beats[1]
            .villages
            .extend([row(GENGGUAN, 10, Some(20)), row(GENGGUAN, 30, Some(40))]);
    });
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn a_beat_keeps_to_one_district_and_to_listed_villages() {
    let faults = faults_after(|city| city.beats[0].villages.push(row(440_402_107_299, 0, None)));
    let (beat, village) = (BeatId(1), village(440_402_107_299));
    let expected = [
        DirectoryFault::CrossesDistricts { beat, village },
        DirectoryFault::UnknownVillage { beat, village },
    ];
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
                DirectoryFault::EndsBeforeItBegins {
                    row: Row::Beat(BeatId(1)),
                    village: Some(_),
                    ..
                },
                DirectoryFault::EndsBeforeItBegins {
                    row: Row::Person(DISPATCHER),
                    village: None,
                    ..
                },
            ]
        ),
        "{faults:?}"
    );
}

#[test]
fn a_unit_has_an_id_of_its_kind_and_a_place() {
    let unit = |id, kind| Unit {
        id: UnitId(id),
        kind,
        name: "单位".to_owned(),
    };
    let faults = faults_after(|city| {
        city.units.insert(0, unit(0, UnitKind::Department));
        city.units[3].kind = UnitKind::Village;
        city.units.push(unit(999_999_999_999, UnitKind::Village));
    });
    let expected = [
        DirectoryFault::UnitOutOfRange {
            unit: UnitId::CITY,
            kind: UnitKind::Department,
        },
        DirectoryFault::UnitOutOfRange {
            unit: UnitId(440_403_100),
            kind: UnitKind::Village,
        },
        DirectoryFault::UnitWithoutPlace {
            unit: UnitId(999_999_999_999),
        },
    ];
    assert_eq!(faults, expected);
    let town = faults_after(|city| city.units.insert(2, unit(440_403_099, UnitKind::Town)));
    assert_eq!(
        town,
        [DirectoryFault::UnitWithoutPlace {
            unit: UnitId(440_403_099)
        }]
    );
}

#[test]
fn a_post_names_what_is_listed() {
    let faults = faults_after(|city| {
        city.people[0]
            .posts
            .push(post(Role::Inspector, PostAt::Beat(BeatId(7))));
        city.people[2]
            .posts
            .push(post(Role::UnitOperator, PostAt::Unit(UnitId(7))));
    });
    let expected = [
        DirectoryFault::UnknownBeat {
            person: WALKER,
            beat: BeatId(7),
        },
        DirectoryFault::UnknownUnit {
            person: OPERATOR,
            unit: UnitId(7),
        },
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
        assert_eq!(
            faults,
            [DirectoryFault::MisplacedPost {
                person: CADRE,
                role,
                at
            }]
        );
    }
}

#[test]
fn a_category_is_a_component_or_a_matter() {
    let faults = faults_after(|city| city.categories[0].key.kind = 3);
    assert!(
        matches!(faults[..], [DirectoryFault::UnknownCategoryKind { .. }]),
        "{faults:?}"
    );
}

#[test]
fn all_faults_come_at_once() {
    let faults = faults_after(|city| {
        city.towns.push(Town {
            code: 440_499_100,
            name: String::new(),
        });
        city.beats.remove(2);
        city.categories[0].key.kind = 0;
    });
    assert_eq!(faults.len(), 4, "{faults:?}");
}
