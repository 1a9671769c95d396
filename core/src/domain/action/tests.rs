//! The table is whole: every action has its row, every row a right and stages.

use super::*;

#[test]
fn every_action_has_one_row_in_each_kind_that_knows_it() {
    for action in Action::ALL {
        assert!(TABLE.iter().any(|row| row.action == *action), "{action:?}");
        for kind in DocumentKind::ALL {
            let rows = TABLE
                .iter()
                .filter(|row| row.action == *action && row.kinds.contains(kind))
                .count();
            assert!(rows <= 1, "{action:?} in {kind:?}");
        }
    }
}

#[test]
fn what_only_one_place_can_grant_is_the_offices() {
    let at = |place| -> String {
        let rows = TABLE.iter().filter(|row| row.place == place);
        let words: Vec<&str> = rows.map(|row| row.action.word()).collect();
        words.join(" ")
    };
    assert_eq!(
        at(Where::Office),
        "accept register decline dispatch ask_post_check close cancel reopen ask_pre_check mark_duplicate decline"
    );
    // What says that a proposal has been adopted comes with the register that says so.
    assert_eq!(at(Where::Import), "accept");
}

#[test]
fn every_row_names_a_right_and_every_step_a_stage() {
    for row in TABLE {
        assert!(!row.by.is_empty(), "{:?}", row.action);
        assert!(
            !row.steps.is_empty() || row.demands.contains(&Demand::Settles),
            "{:?}",
            row.action
        );
        assert!(
            row.steps
                .iter()
                .all(|step| row.level == Level::Opening || !step.from.is_empty()),
            "{:?}",
            row.action
        );
        assert!(
            row.needs
                .iter()
                .all(|detail| !(row.allows.contains(detail) && *detail != Detail::Words)),
            "{:?}",
            row.action
        );
    }
}
