//! Search: whatever part of two characters or more a person types, what contains it is found and nothing else.

use std::collections::BTreeSet;

use patrol_core::domain::id::DocumentId;
use patrol_core::domain::limits;
use patrol_core::replica::Replica;
use proptest::prelude::*;

use super::phone::*;

fn found(replica: &Replica, typed: &str) -> Vec<DocumentId> {
    let rows = replica.search("case", typed, 0, 100).expect("a search");
    rows.into_iter().map(|row| row.id).collect()
}

#[test]
fn a_case_is_found_by_its_words_its_notes_its_place_and_what_the_directory_calls_it() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let (lamp, _) = replica.begin(&report("村口路灯不亮 LED")).expect("kept");
    let (waste, _) = replica.begin(&report("桥头堆放杂物")).expect("kept");
    assert_eq!(found(&replica, "路灯"), [lamp]);
    assert_eq!(found(&replica, "灯不亮"), [lamp]);
    assert_eq!(found(&replica, "亮"), [lamp]);
    assert_eq!(found(&replica, "led"), [lamp]);
    assert_eq!(found(&replica, "ＬＥ"), [lamp]);
    assert_eq!(found(&replica, "灯亮"), []);
    let (lid, _) = replica.begin(&report("换井盖，盖子裂了")).expect("kept");
    assert_eq!(found(&replica, "井盖子"), [], "over a comma");
    assert_eq!(found(&replica, "盖子裂"), [lid]);
    assert_eq!(found(&replica, "  ，"), []);
    assert_eq!(found(&replica, "\" OR ones : \"亮"), []);
    note(&replica, waste, "已通知王师傅").expect("kept");
    assert_eq!(found(&replica, "王师"), [waste]);
    // All are in that village, one of them at the bridge.
    assert_eq!(found(&replica, "耕管").len(), 3);
    assert_eq!(found(&replica, "耕管 桥头"), [waste]);
    let page = replica.search("case", "耕管", 1, 1).expect("a search");
    assert_eq!(page.len(), 1);
    assert_eq!(replica.search("tally", "耕管", 0, 9).expect("a search"), []);
}

#[test]
fn of_a_case_with_more_words_than_are_indexed_the_newest_notes_are_found() {
    let folder = Folder::new();
    let replica = phone(&folder.file(), 1);
    let (case, _) = replica.begin(&report("桥头堆放杂物")).expect("kept");
    note(&replica, case, "最早一条").expect("kept");
    for number in 0..=limits::SEARCH_TEXT_CHARS_MAX / limits::ENTRY_WORDS_MAX {
        let words: String = (0..limits::ENTRY_WORDS_MAX - 9).map(|_| '续').collect();
        note(&replica, case, &format!("{number}{words}")).expect("kept");
    }
    note(&replica, case, "最新一条").expect("kept");
    assert_eq!(found(&replica, "最新"), [case]);
    assert_eq!(found(&replica, "杂物"), [case]);
    assert_eq!(found(&replica, "最早"), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_found_is_what_contains_it(
        texts in proptest::collection::vec("[甲乙丙1aA，]{1,9}", 1..12),
        typed in "[甲乙丙1a]{1,4}",
    ) {
        let folder = Folder::new();
        let replica = phone(&folder.file(), 1);
        let mut wanted = BTreeSet::new();
        for text in &texts {
            let (id, _) = replica.begin(&report(text)).expect("kept");
            if text.to_lowercase().contains(&typed) {
                wanted.insert(id);
            }
        }
        let found: BTreeSet<DocumentId> = found(&replica, &typed).into_iter().collect();
        prop_assert_eq!(found, wanted);
    }
}
