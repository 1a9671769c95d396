//! The folder of `--directory`: what becomes of a start where it was changed, is gone, or does not fit what is in force.

use std::path::PathBuf;

use crate::imports::components::{HEAD, lamps};
use crate::program::{Folder, Running, errand};

const ZHUHAI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/zhuhai");

/// A database, and a folder of its own that was put in force with made-up people.
struct Trial {
    database: String,
    folder: PathBuf,
}

impl Trial {
    fn new(name: &str) -> Self {
        let own = Folder::new(name);
        let (database, folder) = (own.database(), own.file("directory"));
        std::fs::create_dir(&folder).expect("a folder");
        for table in std::fs::read_dir(ZHUHAI).expect("the folder is read") {
            let table = table.expect("a file");
            std::fs::copy(table.path(), folder.join(table.file_name())).expect("a copy");
        }
        let trial = Self { database, folder };
        trial.start(&["--synthetic-people"]);
        trial
    }

    /// Starts the server and stops it; returns what it said until it listened.
    fn start(&self, more: &[&str]) -> String {
        let folder = self.folder.display().to_string();
        let args = ["--database", &self.database, "--directory", &folder];
        Running::start(&[&args, more].concat()).started.clone()
    }

    fn edit(&self, table: &str, from: &str, to: &str) {
        let path = self.folder.join(table);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).expect("a file");
    }

    /// How many directories have been in force.
    fn directories(&self) -> usize {
        let list = errand(&["import", "list", "--database", &self.database], "");
        assert!(list.ok, "{}", list.log);
        list.lines.len()
    }
}

#[test]
fn a_changed_folder_that_does_not_fit_the_people_in_force_is_named_and_passed_over() {
    let trial = Trial::new("folder_unfit");
    let before = trial.directories();
    // The inspector of the beat is in force, and in no file.
    trial.edit("beats.csv", "\n61,", "\n62,");
    let said = trial.start(&[]);
    assert!(said.contains("unknown_place ("), "{said}");
    assert!(!said.contains("巡查员61"), "{said}");
    assert!(said.contains("what was in force stays"), "{said}");
    assert_eq!(trial.directories(), before);
}

#[test]
fn a_folder_that_is_gone_is_named_and_passed_over_while_a_directory_is_in_force() {
    let trial = Trial::new("folder_gone");
    std::fs::rename(&trial.folder, trial.folder.with_extension("old")).expect("it is moved");
    let said = trial.start(&[]);
    assert!(said.contains("is not a folder"), "{said}");
    assert!(said.contains("what was in force stays"), "{said}");
}

#[test]
fn without_a_directory_in_force_a_folder_that_is_gone_is_a_fault() {
    let own = Folder::new("folder_never");
    let database = own.database();
    drop(Running::start(&["--database", &database]));
    let nowhere = own.file("nowhere").display().to_string();
    let said = errand(
        &["serve", "--database", &database, "--directory", &nowhere],
        "",
    );
    assert!(!said.ok, "{}", said.log);
    assert!(said.log.contains("is not a folder"), "{}", said.log);
}

#[test]
fn what_a_changed_folder_takes_from_the_directory_in_force_is_told_with_its_numbers() {
    let trial = Trial::new("folder_over_imports");
    let units = std::fs::read_to_string(trial.folder.join("units.csv")).expect("a file");
    let own = trial.folder.with_file_name("units.csv");
    std::fs::write(&own, units + "777,enterprise,巡检公司\n").expect("a file");
    let own = own.display().to_string();
    let imported = errand(
        &["import", "--adopt", "--database", &trial.database, &own],
        "",
    );
    assert!(imported.ok, "{}", imported.log);
    trial.edit("villages.csv", "桂山村委会", "桂山新村委会");
    let said = trial.start(&[]);
    let folder = trial.folder.display();
    let told = format!(
        "{folder} is in force as directory 3; rows of 2 that it dropped or changed: 1 of villages, 1 of units"
    );
    assert!(said.contains(&told), "{said}");
    // Once it is in force there is nothing to tell.
    let said = trial.start(&[]);
    assert!(!said.contains("dropped or changed"), "{said}");
}

#[test]
fn a_table_under_a_name_that_is_not_read_is_named() {
    let trial = Trial::new("folder_unread");
    assert!(!trial.start(&[]).contains("is not read"));
    for name in ["人员.csv", "people.XLSX", "notes.txt"] {
        std::fs::write(trial.folder.join(name), "id,name\n").expect("a file");
    }
    let said = trial.start(&[]);
    let is_told = |name: &str| said.contains(&format!("{name} is not read"));
    assert_eq!(
        ["人员.csv", "people.XLSX", "notes.txt"].map(is_told),
        [true, true, false],
        "{said}"
    );
}

#[test]
fn a_folder_whose_people_would_lock_out_the_only_administrator_is_passed_over() {
    let trial = Trial::new("folder_lock_out");
    let made = errand(
        &[
            "person",
            "administrator",
            "--name",
            "管理员01",
            "--login",
            "li",
            "--database",
            &trial.database,
        ],
        "a long password",
    );
    assert!(made.ok, "{}", made.log);
    let listed = || {
        let list = errand(&["person", "list", "--database", &trial.database], "");
        assert!(list.ok, "{}", list.log);
        list.lines
    };
    let before = listed();
    let is_he = |row: &&serde_json::Value| row["name"] == "管理员01";
    let he = before.iter().find(is_he).expect("he is listed");
    let id = he["person"].as_str().expect("an id").to_owned();
    // Another id is another person, who has no account.
    let people =
        "person,name,role,at,from\n00000000000000f7,管理员01,administrator,city,2020-01-01\n";
    let file = trial.folder.join("people.csv");
    std::fs::write(&file, people).expect("a file");
    let versions = trial.directories();
    let said = trial.start(&[]);
    let told = format!(
        "{}: no administrator in it can sign in, though one can now: give his row the id that person list shows",
        file.display()
    );
    assert!(said.contains(&told), "{said}");
    assert!(said.contains("what was in force stays"), "{said}");
    assert_eq!((trial.directories(), listed()), (versions, before.clone()));
    // With his id it is put in force.
    std::fs::write(&file, people.replace("00000000000000f7", &id)).expect("a file");
    let said = trial.start(&[]);
    assert!(!said.contains("what was in force stays"), "{said}");
    assert_ne!(listed(), before);
}

#[test]
fn another_order_of_the_rows_of_people_is_no_other_folder() {
    let trial = Trial::new("folder_in_another_order");
    let rows = [
        "00000000000000a1,李强,administrator,city,2020-01-01",
        "00000000000000a1,李强,dispatcher,city,2020-01-01",
        "00000000000000b2,王芳,inspector,beat:1,2020-01-01",
    ];
    let write = |rows: &[&str]| {
        let text = format!("person,name,role,at,from\n{}\n", rows.join("\n"));
        std::fs::write(trial.folder.join("people.csv"), text).expect("a file");
    };
    write(&rows);
    trial.start(&[]);
    // What is imported since stays, as with a folder that is as it was.
    let own = trial.folder.with_file_name("people.csv");
    let imported = format!(
        "person,name,role,at,from\n{}\n00000000000000c3,张伟,leader,city,2020-01-01\n",
        rows.join("\n")
    );
    std::fs::write(&own, imported).expect("a file");
    let own = own.display().to_string();
    let words = [
        "import",
        "--adopt",
        "--database",
        &trial.database,
        own.as_str(),
    ];
    let imported = errand(&words, "");
    assert!(imported.ok, "{}", imported.log);
    let before = trial.directories();
    write(&[rows[2], rows[1], rows[0]]);
    let said = trial.start(&[]);
    assert_eq!(trial.directories(), before, "{said}");
    let list = errand(&["person", "list", "--database", &trial.database], "");
    let names = list.lines.iter().map(|row| row["name"].clone());
    assert!(
        names.clone().any(|name| name == "张伟"),
        "{:?}",
        names.collect::<Vec<_>>()
    );
}

#[test]
fn who_comes_back_after_a_leave_gets_a_row_in_the_folder_too() {
    let trial = Trial::new("folder_return");
    let people = "person,name,role,at,from\n00000000000000a1,李强,administrator,city,2020-01-01\n\
                  00000000000000a2,王芳,inspector,beat:1,2020-01-01\n";
    std::fs::write(trial.folder.join("people.csv"), people).expect("a file");
    trial.start(&[]);
    let words = ["person", "leave", "--name", "王芳", "--from", "2100-01-01"];
    let left = errand(&[&words[..], &["--database", &trial.database]].concat(), "");
    assert!(left.ok, "{}", left.log);
    let back = format!("{people}00000000000000a2,王芳,inspector,beat:1,2100-01-10\n");
    std::fs::write(trial.folder.join("people.csv"), back).expect("a file");
    let said = trial.start(&[]);
    assert!(said.contains("1 posts have ended earlier"), "{said}");
    let list = errand(&["person", "list", "--database", &trial.database], "");
    let posts = &list.lines[1]["posts"];
    let ends = [0, 1].map(|at| posts[at]["until"].clone());
    assert_eq!(ends[0], "2100-01-01T00:00:00.000+08:00");
    assert!(posts.as_array().is_some_and(|posts| posts.len() == 2) && ends[1].is_null());
}

#[test]
fn a_unit_that_a_row_of_who_has_left_names_is_dropped_by_no_folder() {
    let trial = Trial::new("folder_unit_of_a_leaver");
    let units = std::fs::read_to_string(trial.folder.join("units.csv")).expect("a file");
    let people = "person,name,role,at,from\n00000000000000a1,李强,administrator,city,2020-01-01\n\
                  00000000000000a2,王芳,inspector,beat:1,2020-01-01\n\
                  00000000000000a2,王芳,unit_operator,unit:777,2100-01-10\n";
    let write = |table: &str, text: &str| {
        std::fs::write(trial.folder.join(table), text).expect("a file");
    };
    write("units.csv", &format!("{units}777,enterprise,巡检公司\n"));
    write("people.csv", people);
    trial.start(&[]);
    let words = ["person", "leave", "--name", "王芳", "--from", "2100-01-01"];
    let left = errand(&[&words[..], &["--database", &trial.database]].concat(), "");
    assert!(left.ok, "{}", left.log);
    let before = trial.directories();
    write("units.csv", &units);
    let said = trial.start(&[]);
    assert!(said.contains("what was in force stays"), "{said}");
    // The people in force, if the folder has none.
    std::fs::remove_file(trial.folder.join("people.csv")).expect("it is gone");
    let said = trial.start(&[]);
    assert!(said.contains("what was in force stays"), "{said}");
    assert_eq!(trial.directories(), before);
}

#[test]
fn a_folder_takes_no_village_away_in_which_something_stands() {
    let trial = Trial::new("folder_in_use");
    let own = trial.folder.with_file_name("components.csv");
    let text = format!("{HEAD}{}", lamps(440_402_105_201, 1..3));
    std::fs::write(&own, text).expect("a file");
    let own = own.display().to_string();
    let adopt = ["import", "--adopt", "--database", &trial.database, &own];
    let imported = errand(&adopt, "");
    assert!(imported.ok, "{}", imported.log);
    let before = trial.directories();
    trial.edit("villages.csv", "440402105201,桂山村委会,440402105,,\n", "");
    let row = "1,桂山镇01号网格（演示划分）,440402105201,2020-01-01\n";
    trial.edit("beats.csv", row, "");
    let said = trial.start(&["--synthetic-people"]);
    let told =
        "/directory: village_in_use (440402105201 桂山村, beats 0, posts 0, components 2, cases 0)";
    assert!(said.contains(told), "{said}");
    assert!(said.contains("what was in force stays"), "{said}");
    assert_eq!(trial.directories(), before);
}

#[test]
fn a_fault_in_a_file_of_the_folder_is_named_with_the_folder() {
    let trial = Trial::new("folder_named");
    trial.edit("villages.csv", "440402105201,", "44040210520,");
    let said = trial.start(&[]);
    let told = format!(
        "{}/villages.csv:3: code: not_a_code",
        trial.folder.display()
    );
    assert!(said.contains(&told), "{said}");
}
