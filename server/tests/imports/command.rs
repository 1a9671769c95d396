//! The same by command, beside a running server.

use crate::program::{Folder, Running, Said, errand};

const ZHUHAI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/zhuhai");

#[test]
fn a_command_shows_what_files_would_change_and_adopts_it_when_told_to() {
    let folder = Folder::new("import_by_command");
    let database = folder.database();
    let _server = Running::start(&["serve", "--database", &database, "--directory", ZHUHAI]);
    let run = |words: &[&str]| -> Said {
        errand(&[&["import", "--database", &database], words].concat(), "")
    };
    let past = |words: &[&str]| errand(&[words, &["--database", &database]].concat(), "").lines;
    let path = folder.file("类别.csv").display().to_string();
    let write = |text: &str| std::fs::write(&path, text).expect("a file is written");
    write("scheme,kind,code,name\n476785,component,01037,路灯\n476785,部件,01999,水车\n");
    let shown = run(&[&path]);
    assert!(shown.ok, "{}", shown.log);
    assert_eq!(
        super::counts(&shown.lines[0], "categories"),
        [1, 0, 0, 11, 1]
    );
    assert_eq!(
        past(&["import", "list"])[0]["directories"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );

    let adopted = run(&["--adopt", &path]);
    assert_eq!(adopted.lines[1]["adopted"]["directory"], 2);
    let list = past(&["import", "list"]);
    assert_eq!(list[0]["directories"][1]["in_force"], true);
    let rows = |no: &str| {
        past(&["import", "show", no])[6]["rows"]
            .as_array()
            .map(Vec::len)
    };
    assert_eq!((rows("1"), rows("2")), (Some(12), Some(2)));

    // A folder is all its files; what has a fault changes nothing.
    let whole = run(&["--adopt", ZHUHAI]);
    assert_eq!(whole.lines[1]["adopted"]["directory"], 3, "{}", whole.log);
    let restore = |words: &[&str]| past(&[&["import", "restore"], words].concat());
    let shown = restore(&["2"]);
    assert_eq!(super::counts(&shown[0], "categories"), [1, 0, 0, 11, 1]);
    let back = restore(&["2", "--adopt"]);
    assert_eq!(back[1]["adopted"]["directory"], 4);
    assert_eq!(rows("4"), Some(2));
    assert_eq!(restore(&["9"]), [] as [serde_json::Value; 0]);
    write("scheme,kind,code,name\n476785,thing,x,路灯\n");
    let wrong = run(&["--adopt", &path]);
    assert!(
        !wrong.ok && wrong.log.contains("类别.csv:2: kind: unknown_word"),
        "{}",
        wrong.log
    );
    assert!(wrong.log.contains("2 faults in all"), "{}", wrong.log);
    assert!(!errand(&["import", "--database", &database], "").ok);
    assert_eq!(
        past(&["import", "list"])[0]["directories"]
            .as_array()
            .map(Vec::len),
        Some(4)
    );
}

#[test]
fn a_start_with_the_same_folder_undoes_no_import() {
    let folder = Folder::new("import_outlives_a_start");
    let database = folder.database();
    let args = ["serve", "--database", &database, "--directory", ZHUHAI];
    let server = Running::start(&args);
    let path = folder.file("类别.csv").display().to_string();
    let text = "scheme,kind,code,name\n476785,部件,01999,水车\n";
    std::fs::write(&path, text).expect("a file is written");
    let words = ["import", "--database", &database, "--adopt", &path];
    let adopted = errand(&words, "");
    assert!(adopted.ok, "{}", adopted.log);
    drop(server);
    let _server = Running::start(&args);
    let list = errand(&["import", "list", "--database", &database], "").lines;
    let directories = list[0]["directories"].as_array().expect("versions");
    assert_eq!(directories.len(), 2, "nothing new was put in force");
    assert_eq!(directories[1]["in_force"], true);
}

#[test]
fn what_programs_leave_beside_a_table_is_passed_over_in_a_folder_and_named_alone() {
    let folder = Folder::new("import_beside_a_lock");
    let database = folder.database();
    let _server = Running::start(&["serve", "--database", &database, "--directory", ZHUHAI]);
    let tables = folder.file("tables");
    std::fs::create_dir(&tables).expect("a folder");
    let write = |name: &str, text: &str| {
        let path = tables.join(name);
        std::fs::write(&path, text).expect("a file is written");
        path.display().to_string()
    };
    write(
        "类别.csv",
        "scheme,kind,code,name\n476785,部件,01037,路灯\n",
    );
    write("._类别.csv", "\0");
    let lock = write("~$类别.xlsx", "\0");
    let run = |path: &str| errand(&["import", "--database", &database, path], "");
    write("说明.md", "这里是表");
    let whole = run(&tables.display().to_string());
    assert!(whole.ok, "{}", whole.log);
    // Under a table's name nothing is passed over without a word, whatever its ending.
    let older = write("人员.xls", "\u{0}");
    let whole = run(&tables.display().to_string());
    assert!(!whole.ok && whole.log.contains("人员.xls"), "{}", whole.log);
    std::fs::remove_file(older).expect("a file is removed");
    let alone = run(&lock);
    assert!(
        alone.log.contains("~$类别.xlsx: not_a_table"),
        "{}",
        alone.log
    );
}
