//! Examines the import on the files for Zhuhai, whole and spoilt.

use std::collections::BTreeSet;

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{Person, Post, PostAt, UnitKind};
use patrol_core::domain::limits;
use patrol_core::domain::place::{Scope, VillageCode};

use super::over::place_name;
use super::*;

mod rows;

/// 2026-01-01 in +08:00.
const NOW: Timestamp = Timestamp(1_767_196_800_000);

fn lines(faults: &[ImportFault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

fn faults_of(files: &Files<'_>) -> Vec<String> {
    lines(&parse(files, NOW).expect_err("the files are spoilt"))
}

#[test]
fn the_files_for_zhuhai_are_sound() {
    assert_eq!(read(&ZHUHAI, NOW, &Basis::default()).1, Faults::default());
    assert_eq!(zhuhai().check(NOW), []);
    assert_eq!(parse(&ZHUHAI, NOW), Ok(zhuhai()));
}

#[test]
fn zhuhai_has_its_published_numbers() {
    let zhuhai = zhuhai();
    assert_eq!(
        (
            zhuhai.districts.len(),
            zhuhai.towns.len(),
            zhuhai.villages.len()
        ),
        (3, 31, 122)
    );
    let in_district = |code| {
        zhuhai
            .villages
            .iter()
            .filter(|village| village.code.district() == code)
            .count()
    };
    assert_eq!([440_402, 440_403, 440_404].map(in_district), [7, 101, 14]);
    let of_kind = |kind| zhuhai.units.iter().filter(|unit| unit.kind == kind).count();
    assert_eq!(
        UnitKind::ALL
            .iter()
            .copied()
            .map(of_kind)
            .collect::<Vec<_>>(),
        [16, 14, 11, 122]
    );
    assert_eq!(
        zhuhai
            .villages
            .iter()
            .filter(|village| village.point.is_some())
            .count(),
        37
    );
    assert_eq!(zhuhai.categories.len(), 12);
    assert_eq!(zhuhai.people, []);
}

#[test]
fn sixty_one_beats_cover_all_villages_and_cross_no_district() {
    let zhuhai = zhuhai();
    assert_eq!(zhuhai.beats.len(), 61);
    let mut sizes = [0; 4];
    for beat in &zhuhai.beats {
        sizes[beat.villages.len()] += 1;
        let districts: BTreeSet<_> = beat
            .villages
            .iter()
            .map(|row| row.village.district())
            .collect();
        assert_eq!(districts.len(), 1, "{}", beat.name);
        assert!(
            beat.name.contains("演示"),
            "{} is labelled synthetic",
            beat.name
        );
    }
    assert_eq!(sizes, [0, 1, 59, 1]);
    for village in &zhuhai.villages {
        assert!(
            zhuhai.beat_of(village.code, NOW).is_some(),
            "{}",
            village.name
        );
    }
}

#[test]
fn a_village_has_the_name_of_the_place_and_its_unit_that_of_the_committee() {
    let zhuhai = zhuhai();
    let code = VillageCode::new(440_404_100_201).expect("twelve digits");
    assert_eq!(
        zhuhai.village(code).map(|village| village.name.as_str()),
        Some("鱼月村")
    );
    assert_eq!(
        zhuhai.unit(code.unit()).map(|unit| unit.name.as_str()),
        Some("鱼月村民委员会")
    );
    assert_eq!(
        [place_name("夏村村委会"), place_name("别处")],
        ["夏村村", "别处"]
    );
}

#[test]
fn made_up_people_fill_every_place_and_are_always_the_same() {
    let mut zhuhai = zhuhai();
    zhuhai.people = synthetic_people(&zhuhai, NOW);
    assert_eq!(zhuhai.check(NOW), []);
    assert_eq!(zhuhai.people, synthetic_people(&zhuhai, NOW));
    let posts = |wanted: fn(&Post) -> bool| {
        zhuhai
            .people
            .iter()
            .flat_map(|person| &person.posts)
            .filter(|post| wanted(post))
            .count()
    };
    assert_eq!(posts(|post| post.role == Role::Inspector), 61);
    assert_eq!(posts(|post| post.role == Role::Cadre), 122);
    assert_eq!(posts(|post| post.role == Role::UnitOperator), 30);
    assert_eq!(posts(|post| post.role == Role::Dispatcher), 3);
    assert_eq!(posts(|post| post.role == Role::Canceller), 1);
    assert_eq!(posts(|post| post.role == Role::Granter), 1);
    assert_eq!(posts(|post| post.at == PostAt::City), 9);
    assert_eq!(zhuhai.people.len(), 220);
    let walker = zhuhai
        .people
        .iter()
        .find(|person| person.name == "巡查员01")
        .expect("there is a first inspector");
    let scopes = zhuhai.scopes_of(walker.id, NOW);
    assert_eq!(
        scopes
            .iter()
            .filter(|scope| matches!(scope, Scope::Village(_)))
            .count(),
        2
    );
}

#[test]
fn a_directory_with_its_people_fits_and_comes_back_from_its_bytes() {
    let mut zhuhai = zhuhai();
    zhuhai.people = synthetic_people(&zhuhai, NOW);
    let bytes = patrol_core::sync::directory::encode(&zhuhai);
    assert!(bytes.len() < 32 * 1024, "{} bytes", bytes.len());
    assert_eq!(patrol_core::sync::directory::decode(&bytes), Ok(zhuhai));
}

#[test]
fn every_bad_field_is_named_with_file_line_and_column() {
    let faults = faults_of(&Files {
        districts: "code,name\n440402,香洲区\n44040,斗门区\n440403,斗门区\n440404, \n440402,又一\n",
        units: &format!(
            "id,kind,name\nx,department,甲\n1,town,乙\n1000000,enterprise,丙\n#N/A,thing,#REF!\n7,enterprise,{}\n",
            "长".repeat(101)
        ),
        categories: "scheme,kind,code,name\n,matter,06010,暴露垃圾\n1,thing,+6,垃圾\n1,matter,6\n",
        ..ZHUHAI
    });
    assert_eq!(
        faults,
        [
            "districts.csv:3: code: not_a_code",
            "districts.csv:6: code: duplicate",
            "units.csv:2: id: not_a_number",
            "units.csv:3: kind: unknown_word",
            "units.csv:5: id: error_cell",
            "units.csv:5: name: error_cell",
            "units.csv:5: kind: unknown_word",
            "units.csv:6: name: too_long (100)",
            "categories.csv:2: scheme: not_a_number",
            "categories.csv:3: kind: unknown_word",
            "categories.csv:3: code: not_a_number",
            "categories.csv:4: wrong_field_count (3/4)",
            "districts.csv:5: name: empty (440404)",
            "units.csv:4: id: unit_out_of_range (enterprise unit:1000000 丙)",
        ]
    );
}

#[test]
fn places_and_points_that_contradict_themselves_are_named() {
    let villages = ZHUHAI
        .villages
        .replace(
            "440402105200,桂海村委会,440402105,,",
            "440402105200,桂海村委会,440402106,113.5,",
        )
        .replace(
            "440402105201,桂山村委会,440402105,,",
            "440402105201,桂山村委会,440402105,181,22.12345678",
        )
        .replace(
            "440402106200,万山村委会,440402106,,",
            "440402106200,万山村委会,440402106,0.0,0",
        );
    let towns = ZHUHAI.towns.replace("桂山镇,440402", "桂山镇,440403");
    let faults = faults_of(&Files {
        villages: &villages,
        towns: &towns,
        ..ZHUHAI
    });
    assert_eq!(
        faults,
        [
            "towns.csv:14: district_code: contradiction",
            "villages.csv:2: lat_gcj02: not_a_coordinate",
            "villages.csv:2: town_code: contradiction",
            "villages.csv:3: lon_gcj02: not_a_coordinate",
            "villages.csv:3: lat_gcj02: not_a_coordinate",
            "villages.csv:4: lon_gcj02: not_a_coordinate",
        ]
    );
}

#[test]
fn beats_that_do_not_fit_are_named() {
    let beats = ZHUHAI.beats.replacen("2020-01-01", "2020-02-30", 1)
        + "61,另一个名字,440402107299,2020-01-01\n";
    let faults = faults_of(&Files {
        beats: &beats,
        ..ZHUHAI
    });
    let starts = [
        "beats.csv:2: from: not_a_day",
        "beats.csv:124: beat_name: contradiction",
        "beats.csv:122: village_code: crosses_districts (beat:61 ",
        "beats.csv:124: village_code: unknown_village (beat:61 ",
    ];
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    for (fault, start) in faults.iter().zip(starts) {
        assert!(fault.starts_with(start), "{fault} is not {start}");
    }
}

#[test]
fn a_village_changes_its_beat_by_an_end_and_a_new_row() {
    let mut beats = String::from("beat_id,beat_name,village_code,from,until\n");
    for row in ZHUHAI.beats.lines().skip(1) {
        let until = if row.contains("440402105200") {
            "2026-01-01"
        } else {
            ""
        };
        beats += &format!("{row},{until}\n");
    }
    beats += "3,担杆镇01号网格（演示划分）,440402105200,2026-01-01,\n";
    let directory = parse(
        &Files {
            beats: &beats,
            ..ZHUHAI
        },
        NOW,
    )
    .expect("sound");
    let village = VillageCode::new(440_402_105_200).expect("twelve digits");
    let beat_at = |now| directory.beat_of(village, now).map(|beat| beat.id.0);
    assert_eq!([beat_at(NOW.plus_ms(-1)), beat_at(NOW)], [Some(1), Some(3)]);
    let overlapping = beats.replace(",2026-01-01,\n", ",2025-12-31,\n");
    let faults = faults_of(&Files {
        beats: &overlapping,
        ..ZHUHAI
    });
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(
        faults[0].starts_with("beats.csv:124: village_code: two_beats (440402105200 桂海村, beat:1, beat:3, 2025-12-31)"),
        "{faults:#?}"
    );
    let (head, twice) = (ZHUHAI.beats.lines().count(), ZHUHAI.beats.lines().nth(1));
    let beats = format!("{}{}\n", ZHUHAI.beats, twice.expect("a row"));
    let faults = faults_of(&Files {
        beats: &beats,
        ..ZHUHAI
    });
    let second = format!("beats.csv:{}: village_code: two_beats ", head + 1);
    assert!(
        faults.iter().any(|fault| fault.starts_with(&second)),
        "{faults:#?}"
    );
}

#[test]
fn people_hold_their_posts_between_days() {
    let people = "person,name,role,at,from,until\n\
        00000000000000b2,王芳,inspector,beat:1,2020-01-01,2026-01-01\n\
        00000000000000a1,李强,dispatcher,city,2020-01-01,\n\
        00000000000000b2,王芳,unit_operator,unit:101,2026-01-01,\n\
        00000000000000a1,李强,canceller,city,2025-01-01,\n";
    let directory = parse(&Files { people, ..ZHUHAI }, NOW).expect("sound");
    let [li, wang] = directory.people.as_slice() else {
        panic!("{:?}", directory.people);
    };
    assert_eq!([&li.name, &wang.name], ["李强", "王芳"]);
    let held = |person: &Person, now| {
        let posts = person.posts.iter().filter(|post| post.is_in_force_at(now));
        posts.map(|post| post.role).collect::<Vec<_>>()
    };
    assert_eq!(held(li, NOW), [Role::Dispatcher, Role::Canceller]);
    assert_eq!(held(wang, NOW.plus_ms(-1)), [Role::Inspector]);
    assert_eq!(held(wang, NOW), [Role::UnitOperator]);
    for post in li.posts.iter().chain(&wang.posts) {
        assert_eq!(fields::post_at(&post_at_text(post.at)), Some(post.at));
    }
}

#[test]
fn a_last_day_is_the_day_before_an_end() {
    let until = |column: &str, day: &str| {
        let people = format!(
            "person,name,role,at,from,{column}\n00000000000000b2,王芳,inspector,beat:1,2020-01-01,{day}\n"
        );
        let people = &people;
        let directory = parse(&Files { people, ..ZHUHAI }, NOW).expect("sound");
        directory.people[0].posts[0].until
    };
    assert_eq!(until("until", "2026-01-01"), Some(NOW));
    for column in ["last_day", "结束日期", "截止日期", "止"] {
        assert_eq!(until(column, "2025-12-31"), Some(NOW), "{column}");
    }
    let both = "person,name,role,at,from,until,结束日期\n\
        00000000000000b2,王芳,inspector,beat:1,2020-01-01,2026-01-01,2025-12-31\n\
        00000000000000b2,王芳,inspector,beat:2,2020-01-01,2026-01-01,2026-01-01\n";
    let both = Files {
        people: both,
        ..ZHUHAI
    };
    assert_eq!(faults_of(&both), ["people.csv:3: 结束日期: contradiction"]);
}

#[test]
fn the_same_post_is_not_held_twice_at_a_time() {
    let rows = |rows: &str| format!("person,name,role,at,from,until\n{rows}");
    let row = "00000000000000b2,王芳,inspector,beat:1,";
    let apart = rows(&format!(
        "{row}2022-01-01,\n{row}2020-01-01,2021-01-01\n{row}2021-01-01,2022-01-01\n"
    ));
    assert!(
        parse(
            &Files {
                people: &apart,
                ..ZHUHAI
            },
            NOW
        )
        .is_ok()
    );
    for second in [
        "2020-01-01,2021-01-01",
        "2019-01-01,2020-01-02",
        "2020-06-01,",
    ] {
        let twice = rows(&format!("{row}2020-01-01,2021-01-01\n{row}{second}\n"));
        let faults = faults_of(&Files {
            people: &twice,
            ..ZHUHAI
        });
        assert_eq!(faults, ["people.csv:3: from: overlap"], "{second}");
    }
}

#[test]
fn a_table_without_rows_or_with_too_many_or_with_an_unknown_column_is_one_fault() {
    let faults = |units: &str| faults_of(&Files { units, ..ZHUHAI });
    assert_eq!(faults("id,kind,name\n"), ["units.csv: no_rows"]);
    assert_eq!(faults("id,kind,name\n,,\n\n"), ["units.csv: no_rows"]);
    let strange = "id,kind,name,colour\n101,department,甲,红\n102,department,乙,绿\n";
    assert_eq!(faults(strange), ["units.csv:1: colour: unknown_column"]);
    let mut many = "id,kind,name\n".to_owned();
    for id in 1..=limits::IMPORT_ROWS_MAX + 9 {
        many += &format!("{id},department,甲\n");
    }
    let line = limits::IMPORT_ROWS_MAX + 2;
    assert_eq!(faults(&many), [format!("units.csv:{line}: too_large")]);
    // An empty form of people in a folder leaves people as they are.
    let people = "person,name,role,at,from\n";
    assert_eq!(parse(&Files { people, ..ZHUHAI }, NOW), Ok(zhuhai()));
}

#[test]
fn of_a_row_that_is_spoilt_in_part_the_rest_is_told_and_nothing_else() {
    let people = "person,name,role,at,from\n\
        1.23457E+15,张伟,mayor,beat:1,2020-01-01\n\
        ,张\u{200b}伟,inspector,beat:x,2020-01-01\n\
        00000000000000c3,#N/A,cadre,unit:101,2020-01-01\n\
        00000000000000c3,张伟,leader,city,2020-01-01\n\
        00000000000000c3,李伟,leader,unit:101,2020-01-01\n\
        ,\u{fffd}-,leader,city,2020-01-01\n";
    let faults = faults_of(&Files { people, ..ZHUHAI });
    assert_eq!(
        faults,
        [
            "people.csv:2: person: lost_digits",
            "people.csv:2: role: unknown_word",
            "people.csv:3: name: control_character",
            "people.csv:3: at: not_a_place",
            "people.csv:4: name: error_cell",
            "people.csv:6: name: contradiction",
            "people.csv:7: name: control_character",
            "people.csv:4: at: misplaced_post",
            "people.csv:6: at: misplaced_post",
        ]
    );
}

#[test]
fn what_could_not_be_read_hides_only_what_it_could_have_brought() {
    let people = "person,name,role,at,from\n\
        00000000000000b2,王芳,cadre,村:440402999299,2020-01-01\n\
        00000000000000c3,李伟,unit_operator,unit:777,2020-01-01\n";
    let units = "id,kind,name\n101,nobody,城市管理局\n";
    let faults = faults_of(&Files {
        people,
        units,
        ..ZHUHAI
    });
    let told: Vec<&str> = faults
        .iter()
        .map(|fault| fault.split(" (").next().unwrap_or(fault))
        .collect();
    assert_eq!(
        told,
        [
            "units.csv:2: kind: unknown_word",
            "people.csv:2: at: unknown_place"
        ]
    );
}

#[test]
fn bad_rows_of_people_are_named() {
    let people = "person,name,role,at,from\n\
        b2,王芳,inspector,beat:1,2020-01-01\n\
        00000000000000b2,王芳,mayor,beat:x,2020-1-1\n\
        00000000000000b2,王芳,cadre,village:1,2020-01-01\n\
        00000000000000b2,王芳,inspector,beat:999,2020-01-01\n\
        00000000000000b2,王方,inspector,beat:1,2020-01-01\n\
        00000000000000c3, ,leader,city,2020-01-01\n\
        00000000000000c3, ,leader,unit:101,2020-01-01\n";
    let faults = faults_of(&Files { people, ..ZHUHAI });
    let starts = [
        "people.csv:2: person: not_an_id",
        "people.csv:3: role: unknown_word",
        "people.csv:3: at: not_a_place",
        "people.csv:3: from: not_a_day",
        "people.csv:4: at: not_a_place",
        "people.csv:6: name: contradiction",
        "people.csv:7: name: empty (00000000000000c3)",
        "people.csv:5: at: unknown_place",
        "people.csv:8: at: misplaced_post",
    ];
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    for (fault, start) in faults.iter().zip(starts) {
        assert!(fault.starts_with(start), "{fault} is not {start}");
    }
}

#[test]
fn a_folder_is_read_as_its_files_are_and_each_missing_file_is_named() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/zhuhai");
    assert_eq!(load(&folder, NOW, &Basis::default()), Ok(zhuhai()));
    let missing =
        load(&folder.join("nowhere"), NOW, &Basis::default()).expect_err("there is no such folder");
    assert_eq!(
        lines(&missing),
        NAMES.map(|file| format!("{file}: unreadable (entity not found)"))
    );
}
