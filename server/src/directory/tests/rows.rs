//! Rows of which a field cannot be read, and very many rows with faults.

use super::*;

#[test]
fn a_field_that_cannot_be_read_hides_nothing_else_that_is_wrong_with_its_row() {
    let villages = ZHUHAI.villages.to_owned()
        + "440402105299, ,44040210,,\n\
           440402105299,又一村,440402105,,\n\
           440499105298,无镇村,440402105x,,\n";
    let beats = "beat_id,beat_name,village_code,from,until\n\
        1,担杆镇01号网格（演示划分）,440402105200,2020-01-01,\n\
        1,别的名字,440402999201,2020-02-30,\n\
        x, ,440402105201,2026-01-01,2025-01-01\n\
        1,,440402105201,,2025-01-01\n";
    let people = "person,name,role,at,from,last_day\n\
        00000000000000b2,王芳,inspector,unit:101,2020-1-1,\n\
        00000000000000b2,王方,substitute,unit:999,2020-02-30,\n\
        b2, ,cadre,unit:101,2020-01-01,2019-01-01\n\
        00000000000000b2,王芳,mayor,beat:x,2020-01-01,2019-12-31\n";
    let faults = faults_of(&Files {
        districts: "code,name\n440402,香洲区\n44040, \n440403,斗门区\n440404,金湾区\n",
        units: &(ZHUHAI.units.to_owned() + "101,thing,\n"),
        categories: "scheme,kind,code,name\n1,thing,6,\n",
        villages: &villages,
        beats,
        people,
        ..ZHUHAI
    });
    let (last, unit) = (
        ZHUHAI.villages.lines().count(),
        ZHUHAI.units.lines().count() + 1,
    );
    assert_eq!(
        faults,
        [
            "districts.csv:3: code: not_a_code".to_owned(),
            "districts.csv:3: name: empty".to_owned(),
            format!("villages.csv:{}: town_code: not_a_code", last + 1),
            format!("villages.csv:{}: name: empty", last + 1),
            format!("villages.csv:{}: code: duplicate", last + 2),
            format!("villages.csv:{}: town_code: not_a_code", last + 3),
            "beats.csv:3: from: not_a_day".to_owned(),
            "beats.csv:3: beat_name: contradiction".to_owned(),
            "beats.csv:4: beat_id: not_a_number".to_owned(),
            "beats.csv:4: beat_name: empty".to_owned(),
            "beats.csv:4: until: ends_before_it_begins".to_owned(),
            "beats.csv:5: from: not_a_day".to_owned(),
            "beats.csv:5: beat_name: empty".to_owned(),
            format!("units.csv:{unit}: kind: unknown_word"),
            format!("units.csv:{unit}: id: duplicate"),
            format!("units.csv:{unit}: name: empty"),
            "people.csv:2: from: not_a_day".to_owned(),
            "people.csv:3: from: not_a_day".to_owned(),
            "people.csv:3: last_day: missing_end".to_owned(),
            "people.csv:3: name: contradiction".to_owned(),
            "people.csv:4: person: not_an_id".to_owned(),
            "people.csv:4: name: empty".to_owned(),
            "people.csv:4: last_day: ends_before_it_begins".to_owned(),
            "people.csv:5: role: unknown_word".to_owned(),
            "people.csv:5: at: not_a_place".to_owned(),
            "people.csv:5: last_day: ends_before_it_begins".to_owned(),
            "categories.csv:2: kind: unknown_word".to_owned(),
            "categories.csv:2: name: empty".to_owned(),
            format!(
                "villages.csv:{}: town_code: unknown_town (440499105298, 440499105)",
                last + 3
            ),
            "people.csv:2: at: misplaced_post".to_owned(),
            "people.csv:4: at: misplaced_post".to_owned(),
        ]
    );
}

#[test]
fn what_a_row_names_that_is_not_there_is_told_although_another_field_cannot_be_read() {
    let towns = ZHUHAI.towns.to_owned() + "440499105,无区镇,44049\n";
    let beats = ZHUHAI.beats.replacen("2020-01-01", "2020-1-1", 1)
        + "61,另一个名字,440402107299,2020-1-1\n\
           62,又一网格,440402107299,2020-1-1\n";
    let people = "person,name,role,at,from\n\
        00000000000000b2,王芳,dispatcher,city,2020-1-1\n\
        00000000000000b2,王芳,unit_operator,unit:999,2020-1-1\n";
    let faults = faults_of(&Files {
        towns: &towns,
        beats: &beats,
        people,
        ..ZHUHAI
    });
    let town = ZHUHAI.towns.lines().count() + 1;
    let starts = [
        format!("towns.csv:{town}: district_code: not_a_code"),
        "beats.csv:2: from: not_a_day".to_owned(),
        "beats.csv:124: from: not_a_day".to_owned(),
        "beats.csv:124: beat_name: contradiction".to_owned(),
        "beats.csv:125: from: not_a_day".to_owned(),
        "people.csv:2: from: not_a_day".to_owned(),
        "people.csv:3: from: not_a_day".to_owned(),
        format!("towns.csv:{town}: district_code: unknown_district (440499105, 440499)"),
        "beats.csv:124: village_code: unknown_village (beat:61 ".to_owned(),
        "beats.csv:125: village_code: unknown_village (beat:62, 440402107299)".to_owned(),
    ];
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    for (fault, start) in faults.iter().zip(starts) {
        assert!(fault.starts_with(&start), "{fault} is not {start}");
    }
}
