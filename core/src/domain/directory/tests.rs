//! Examines what follows from a directory, on a small city; what is wrong with one is examined beside the check.

use super::super::capability::Capability;
use super::*;

/// A city of two districts with four villages; beat 2 gives its second village to beat 1 at time 100.
#[expect(
    clippy::too_many_lines,
    reason = "one value of every form, spelled out"
)]
pub(super) fn city() -> Directory {
    let open = |village, from| BeatVillage {
        village,
        from: Timestamp(from),
        until: None,
    };
    let name = |text: &str| text.to_owned();
    Directory {
        districts: vec![
            District {
                code: 440_402,
                name: name("香洲区"),
            },
            District {
                code: 440_403,
                name: name("斗门区"),
            },
        ],
        towns: vec![
            Town {
                code: 440_402_107,
                name: name("担杆镇"),
            },
            Town {
                code: 440_403_100,
                name: name("莲洲镇"),
            },
            Town {
                code: 440_403_103,
                name: name("斗门镇"),
            },
        ],
        villages: [
            (LINGDING, "伶仃村"),
            (GENGGUAN, "耕管村"),
            (GUANGFENG, "广丰村"),
            (DACHIKAN, "大赤坎村"),
        ]
        .map(|(code, text)| Village {
            code: village(code),
            name: name(text),
            point: None,
            until: None,
        })
        .to_vec(),
        beats: vec![
            Beat {
                id: BeatId(1),
                name: name("一号"),
                villages: vec![open(village(GENGGUAN), 0), open(village(GUANGFENG), 100)],
            },
            Beat {
                id: BeatId(2),
                name: name("二号"),
                villages: vec![
                    open(village(DACHIKAN), 0),
                    BeatVillage {
                        until: Some(Timestamp(100)),
                        ..open(village(GUANGFENG), 0)
                    },
                ],
            },
            Beat {
                id: BeatId(3),
                name: name("三号"),
                villages: vec![open(village(LINGDING), 0)],
            },
        ],
        units: vec![
            Unit {
                id: UnitId(101),
                kind: UnitKind::Department,
                name: name("城市管理局"),
            },
            Unit {
                id: UnitId(201),
                kind: UnitKind::Enterprise,
                name: name("供水公司"),
            },
            Unit {
                id: UnitId(440_403_100),
                kind: UnitKind::Town,
                name: name("莲洲镇"),
            },
            Unit {
                id: UnitId(GENGGUAN),
                kind: UnitKind::Village,
                name: name("耕管村委会"),
            },
        ],
        people: vec![
            person(
                WALKER,
                "巡查员",
                vec![post(Role::Inspector, PostAt::Beat(BeatId(1)))],
            ),
            person(
                CADRE,
                "村干部",
                vec![post(Role::Cadre, PostAt::Unit(UnitId(GENGGUAN)))],
            ),
            person(
                OPERATOR,
                "操作员",
                vec![post(Role::UnitOperator, PostAt::Unit(UnitId(201)))],
            ),
            person(
                DISPATCHER,
                "受理员",
                vec![post(Role::Dispatcher, PostAt::City)],
            ),
        ],
        categories: vec![CategoryRow {
            key: CategoryKey {
                scheme: 476_785,
                kind: CategoryKey::MATTER,
                code: 6_010,
            },
            name: name("暴露垃圾"),
        }],
    }
}

pub(super) const LINGDING: u64 = 440_402_107_200;
pub(super) const GENGGUAN: u64 = 440_403_100_200;
pub(super) const GUANGFENG: u64 = 440_403_100_201;
pub(super) const DACHIKAN: u64 = 440_403_103_200;
pub(super) const WALKER: PersonId = PersonId([1; 8]);
pub(super) const CADRE: PersonId = PersonId([2; 8]);
pub(super) const OPERATOR: PersonId = PersonId([3; 8]);
pub(super) const DISPATCHER: PersonId = PersonId([4; 8]);

pub(super) fn village(code: u64) -> VillageCode {
    VillageCode::new(code).expect("twelve digits")
}

pub(super) fn post(role: Role, at: PostAt) -> Post {
    Post {
        role,
        at,
        from: Timestamp(10),
        until: None,
    }
}

fn person(id: PersonId, name: &str, posts: Vec<Post>) -> Person {
    Person {
        id,
        name: name.to_owned(),
        posts,
    }
}

fn dates(holdings: &[Holding], capability: Capability, unit: u64) -> Vec<(i64, Option<i64>)> {
    let same = |holding: &&Holding| {
        holding.right
            == Right {
                capability,
                unit: UnitId(unit),
            }
    };
    holdings
        .iter()
        .filter(same)
        .map(|holding| (holding.from.0, holding.until.map(|until| until.0)))
        .collect()
}

#[test]
fn an_inspector_holds_each_village_of_the_beat_while_it_belongs_to_the_beat() {
    let holdings = city().holdings_of(WALKER);
    assert_eq!(
        dates(&holdings, Capability::Inspect, GENGGUAN),
        [(10, None)]
    );
    assert_eq!(
        dates(&holdings, Capability::Count, GUANGFENG),
        [(100, None)]
    );
    assert_eq!(
        dates(&holdings, Capability::Report, 0),
        [(10, None)],
        "once, however many villages"
    );
    assert_eq!(holdings.len(), 5);
}

#[test]
fn the_dates_of_a_post_and_of_a_beat_are_intersected() {
    let mut city = city();
    city.people[0].posts = vec![Post {
        role: Role::Inspector,
        at: PostAt::Beat(BeatId(2)),
        from: Timestamp(50),
        until: Some(Timestamp(200)),
    }];
    let holdings = city.holdings_of(WALKER);
    assert_eq!(
        dates(&holdings, Capability::Inspect, GUANGFENG),
        [(50, Some(100))]
    );
    assert_eq!(
        dates(&holdings, Capability::Inspect, DACHIKAN),
        [(50, Some(200))]
    );
    city.people[0].posts[0].from = Timestamp(100);
    assert_eq!(
        dates(&city.holdings_of(WALKER), Capability::Inspect, GUANGFENG),
        []
    );
}

#[test]
fn a_post_that_ends_before_it_begins_or_names_an_unknown_beat_gives_no_village() {
    let mut city = city();
    city.people[0].posts[0].at = PostAt::Beat(BeatId(99));
    let holdings = city.holdings_of(WALKER);
    assert_eq!(holdings.len(), 1, "reporting is allowed anywhere");
    city.people[0].posts[0].until = Some(Timestamp(10));
    assert_eq!(city.holdings_of(WALKER), []);
}

#[test]
fn rights_at_a_unit_and_in_the_city_are_those_of_the_role() {
    let city = city();
    assert_eq!(
        dates(&city.holdings_of(CADRE), Capability::Confirm, GENGGUAN),
        [(10, None)]
    );
    assert_eq!(
        dates(&city.holdings_of(OPERATOR), Capability::Fix, 201),
        [(10, None)]
    );
    assert_eq!(
        dates(&city.holdings_of(DISPATCHER), Capability::Dispatch, 0),
        [(10, None)]
    );
    assert_eq!(city.holdings_of(PersonId([9; 8])), []);
    let each: usize = city
        .people
        .iter()
        .map(|person| city.holdings_of(person.id).len())
        .sum();
    assert_eq!(city.holdings().len(), each);
}

#[test]
fn a_phone_catches_up_on_what_its_person_is_responsible_for_today() {
    let city = city();
    let at = |person, ms| city.scopes_of(person, Timestamp(ms));
    let (gengguan, guangfeng) = (
        Scope::Village(village(GENGGUAN)),
        Scope::Village(village(GUANGFENG)),
    );
    assert_eq!(at(WALKER, 9), [Scope::Person(WALKER)].into());
    assert_eq!(at(WALKER, 99), [gengguan, Scope::Person(WALKER)].into());
    assert_eq!(
        at(WALKER, 100),
        [gengguan, guangfeng, Scope::Person(WALKER)].into()
    );
    assert_eq!(
        at(CADRE, 50),
        [
            gengguan,
            Scope::Unit(UnitId(GENGGUAN)),
            Scope::Person(CADRE)
        ]
        .into()
    );
    assert_eq!(
        at(OPERATOR, 50),
        [Scope::Unit(UnitId(201)), Scope::Person(OPERATOR)].into()
    );
    assert_eq!(at(DISPATCHER, 50), [Scope::Person(DISPATCHER)].into());
}

#[test]
fn an_ended_post_leaves_the_own_scope() {
    let mut city = city();
    city.people[1].posts[0].until = Some(Timestamp(20));
    assert_eq!(
        city.scopes_of(CADRE, Timestamp(20)),
        [Scope::Person(CADRE)].into()
    );
}

#[test]
fn a_village_moves_to_another_beat_at_a_date() {
    let city = city();
    let beat = |ms| {
        city.beat_of(village(GUANGFENG), Timestamp(ms))
            .map(|beat| beat.id.0)
    };
    assert_eq!(
        [beat(-1), beat(0), beat(99), beat(100)],
        [None, Some(2), Some(2), Some(1)]
    );
}

#[test]
fn rows_are_found_by_id() {
    let city = city();
    assert_eq!(
        city.person(CADRE).map(|person| person.name.as_str()),
        Some("村干部")
    );
    assert_eq!(
        city.unit(UnitId(101)).map(|unit| unit.kind),
        Some(UnitKind::Department)
    );
    assert_eq!(
        city.village(village(LINGDING))
            .map(|village| village.name.as_str()),
        Some("伶仃村")
    );
    assert_eq!(city.beat(BeatId(4)), None);
    assert_eq!(city.unit(UnitId::CITY), None);
}

#[test]
fn kinds_of_units_come_back_from_their_words() {
    for kind in UnitKind::ALL {
        assert_eq!(UnitKind::from_word(kind.word()), Some(*kind));
    }
    assert_eq!(UnitKind::from_word("city"), None);
}
