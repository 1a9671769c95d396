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
        // A town that could not be read is no department.
        "people.csv:3: at: unknown_place".to_owned(),
    ];
    assert_eq!(faults.len(), starts.len(), "{faults:#?}");
    for (fault, start) in faults.iter().zip(starts) {
        assert!(fault.starts_with(&start), "{fault} is not {start}");
    }
}

/// Villages of one district, 200 in a town, each with its code and name as a file has them.
fn many_villages(count: u64) -> (Directory, Vec<VillageCode>) {
    let codes = (0..count).map(|no| 440_402_100_200 + no / 200 * 1_000 + no % 200);
    let codes: Vec<VillageCode> = codes.filter_map(VillageCode::new).collect();
    let mut csv = [
        "code,name\n440402,香洲区\n".to_owned(),
        "code,name,district_code\n".to_owned(),
        "code,name,town_code\n".to_owned(),
    ];
    for (no, code) in codes.iter().enumerate() {
        let town = code.town();
        if no % 200 == 0 {
            csv[1] += &format!("{town},镇,440402\n");
        }
        csv[2] += &format!("{code},村,{town}\n");
    }
    let [districts, towns, villages] = &csv;
    let given = [
        (Table::Districts, districts),
        (Table::Towns, towns),
        (Table::Villages, villages),
    ];
    (laid(&given, &Directory::default()).directory, codes)
}

/// Tables laid over a directory in force.
fn laid(given: &[(Table, &String)], force: &Directory) -> Laid {
    let given = given.iter().map(|(table, text)| {
        let file: Arc<str> = format!("{}.csv", table.word()).into();
        let bytes = text.as_bytes().to_vec();
        let rows = sheet::csv::rows(&file, &move || Ok(Box::new(Cursor::new(bytes.clone()))));
        (*table, file, rows.expect("a table"))
    });
    let basis = Basis {
        said: force.people.clone(),
        leaves: Vec::new(),
    };
    let today = Today {
        now: NOW,
        ends: NOW,
    };
    read_over(
        given.collect(),
        (force, &basis),
        (Ends::of(&basis), Names::default()),
        (today, Faults::default()),
    )
}

/// With a search through all rows for each fault it would be some 600 million steps.
#[test]
fn of_twenty_thousand_rows_each_fault_finds_its_place_without_a_search_through_the_others() {
    let (force, codes) = many_villages(16_000);
    assert_eq!(codes.len(), force.villages.len());
    // Each village comes into its beat on a later day, some of them twice.
    let mut beats = "beat_id,beat_name,village_code,from,until\n".to_owned();
    for (no, code) in (0..20_000).zip(codes.iter().cycle()) {
        let (beat, year) = (no % 16_000 / 2 + 1, 2030 + no / 16_000);
        beats += &format!("{beat},网格,{code},{year}-01-01,{year}-12-31\n");
    }
    let told = laid(&[(Table::Beats, &beats)], &force);
    assert_eq!(told.faults.total, 16_000);
    let [first, second] = [0, 1].map(|no| told.faults.shown[no].to_string());
    assert_eq!(first, "beats.csv:2: no_beat (440402100200 村, 2026-01-01)");
    assert_eq!(second, "beats.csv:3: no_beat (440402100201 村, 2026-01-01)");
    assert_eq!(told.warnings.total, 16_000, "each has no beat then either");
}

#[test]
fn sixteen_thousand_villages_that_end_and_posts_that_go_on_in_them_are_counted_in_one_pass() {
    let (mut force, codes) = many_villages(16_000);
    let post = |at, until| Post {
        role: Role::Cadre,
        at,
        from: Timestamp(0),
        until,
    };
    let people = codes.iter().zip(1_u64..).map(|(code, no)| Person {
        id: patrol_core::domain::id::PersonId(no.to_be_bytes()),
        name: "甲".to_owned(),
        posts: vec![post(PostAt::Unit(code.unit()), None)],
    });
    force.people = people.collect();
    let villages = "code,name,town_code\n440402999299,新村,440402999\n".to_owned();
    let told = laid(&[(Table::Villages, &villages)], &force);
    assert_eq!(told.directory.villages.len(), 16_001);
    assert_eq!(told.directory.units.len(), force.units.len() + 1);
    assert_eq!(told.endings.len(), 16_000);
    let goes_on = told.endings.iter().filter(|(ending, _)| ending.posts == 1);
    assert_eq!(goes_on.count(), 16_000);
}
