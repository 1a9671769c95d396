//! The walk through full disks, damaged files and wrong clocks, as far as it needs no rights of its own.

use patrol_tests::proof::walk::{self, Step, Wrong};

fn run(step: impl Future<Output = Step>) -> Step {
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(step)
}

/// That a step ended in the state of that name, and that entries had been told before.
fn is_named(step: &Step, state: &str) {
    let is_so = step
        .as_ref()
        .is_ok_and(|ended| ended.state == state && ended.told > 0);
    assert!(is_so, "{step:?}");
}

#[test]
fn a_server_whose_disk_takes_nothing_more_shows_what_is_there_and_goes_on_without_a_restart() {
    is_named(&run(walk::takes_no_more()), "unwritable");
}

#[test]
fn a_database_that_may_only_be_read_is_left_as_it_is() {
    is_named(&run(walk::read_only()), "unwritable");
}

#[test]
fn a_server_finds_a_damaged_page_when_it_starts_and_writes_nothing_more() {
    is_named(&run(walk::damaged_at_rest()), "damaged");
}

#[test]
fn a_server_that_reads_a_damaged_page_shows_nothing_of_it_and_writes_nothing_more() {
    is_named(&run(walk::damaged_while_it_runs()), "damaged");
}

#[test]
fn no_damaged_page_of_a_database_is_taken_for_what_it_was() {
    is_named(&run(walk::every_page_damaged()), "damaged");
}

#[test]
fn a_server_whose_database_is_moved_away_acknowledges_nothing() {
    is_named(&run(walk::moved_away()), "moved");
}

#[test]
fn a_server_whose_clock_was_wrong_has_taken_in_everything_and_retired_nothing() {
    for wrong in [Wrong::Ahead, Wrong::Behind] {
        is_named(&walk::wrong_clock_of_the_server(wrong), "clock");
    }
    is_named(&run(walk::wrong_clock_of_the_program()), "clock");
}

#[test]
fn work_that_comes_before_all_posts_by_a_wrong_clock_goes_to_review() {
    is_named(&walk::before_the_posts(), "review");
}

#[test]
fn a_full_phone_records_nothing_and_goes_on_when_there_is_room() {
    is_named(&run(walk::full_phone()), "no room left");
}

#[test]
fn a_phones_file_that_may_only_be_read_is_shown_and_left_as_it_is() {
    is_named(&run(walk::read_only_phone()), "may not be written");
}

#[test]
fn a_phone_with_a_damaged_file_begins_a_new_one_and_keeps_the_old() {
    is_named(&run(walk::damaged_phone()), "damaged");
}

#[test]
fn a_phone_whose_clock_is_wrong_works_as_any_other_from_its_first_contact() {
    for wrong in [Wrong::Ahead, Wrong::Behind] {
        is_named(&walk::wrong_clock_of_a_phone(wrong), "anchored");
    }
}
