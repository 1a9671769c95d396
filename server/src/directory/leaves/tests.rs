//! Who holds what by files and by leaves, case by case.

use patrol_core::domain::directory::BeatId;
use patrol_core::domain::time::DAY_MS;

use super::*;

/// When a day of a made-up month begins in the city.
fn day(no: i64) -> Timestamp {
    const EIGHT_HOURS_MS: i64 = 8 * 3_600_000;
    Timestamp(no * DAY_MS - EIGHT_HOURS_MS)
}

fn post(beat: u32, from: i64, until: Option<i64>) -> Post {
    Post {
        role: Role::Inspector,
        at: PostAt::Beat(BeatId(beat)),
        from: day(from),
        until: until.map(day),
    }
}

fn id(no: u8) -> PersonId {
    PersonId([no; 8])
}

/// People 1, 2, 3 …, each with posts of his own.
fn said<const N: usize>(posts: [&[Post]; N]) -> Basis {
    let people = posts.iter().zip(1..).map(|(posts, no)| Person {
        id: id(no),
        name: no.to_string(),
        posts: posts.to_vec(),
    });
    Basis {
        said: people.collect(),
        leaves: Vec::new(),
    }
}

/// Three people, each with his own beat since ever.
fn three() -> Basis {
    said([
        &[post(1, 0, None)],
        &[post(2, 0, None)],
        &[post(3, 0, None)],
    ])
}

impl Basis {
    /// Enters a leave: who, from which day on, and who takes over.
    fn leaves(mut self, person: u8, from: i64, substitute: Option<u8>) -> Self {
        let no = self.next_no();
        let mut people = self.said.iter().filter(|said| said.id == id(person));
        let posts = people.next().map_or(&[][..], |said| &said.posts);
        let goes_on = |post: &&Post| post.until.is_none_or(|until| day(from) < until);
        let known = posts.iter().filter(goes_on).map(post_key).collect();
        self.leaves.push(Leave {
            no,
            person: id(person),
            asked: day(from),
            from: day(from),
            known,
            substitutes: Vec::new(),
        });
        match substitute {
            Some(substitute) => self.named(substitute, from),
            None => self,
        }
    }

    /// Names who takes over by the last leave, since a day.
    fn named(mut self, person: u8, since: i64) -> Self {
        let named = Named {
            no: self.next_no(),
            person: id(person),
            since: day(since),
        };
        let last = self.leaves.last_mut().expect("a leave");
        last.substitutes.push(named);
        self
    }

    /// What files say of somebody from now on.
    fn says(mut self, person: u8, posts: &[Post]) -> Self {
        self.said[usize::from(person) - 1].posts = posts.to_vec();
        self
    }

    /// What a person holds: beat, first day, and the day on which it ends.
    fn holds(&self, person: u8) -> Vec<String> {
        let people = self.in_force();
        let person = people.iter().find(|known| known.id == id(person));
        let of_day = |time: Timestamp| (time.0 - day(0).0) / DAY_MS;
        let posts = person.expect("he is there").posts.iter();
        let told = posts.map(|post| {
            let PostAt::Beat(beat) = post.at else {
                panic!("all posts are on beats")
            };
            let until = post.until.map(of_day).map(|day| day.to_string());
            let (beat, from) = (beat.0, of_day(post.from));
            format!("{beat}: {from}..{}", until.unwrap_or_default())
        });
        told.collect()
    }
}

#[test]
fn who_takes_over_and_leaves_passes_it_on_whichever_leave_was_entered_first() {
    let one = three().leaves(1, 5, Some(2)).leaves(2, 10, Some(3));
    let other = three().leaves(2, 10, Some(3)).leaves(1, 5, Some(2));
    for basis in [one, other] {
        assert_eq!(basis.holds(1), ["1: 0..5"]);
        assert_eq!(basis.holds(2), ["2: 0..10", "1: 5..10"]);
        assert_eq!(basis.holds(3), ["3: 0..", "1: 10..", "2: 10.."]);
    }
    // What begins for him after he has left, he never has.
    let basis = three().leaves(1, 20, Some(2)).leaves(2, 10, Some(3));
    assert_eq!(basis.holds(2), ["2: 0..10"]);
    assert_eq!(basis.holds(3), ["3: 0..", "1: 20..", "2: 10.."]);
}

#[test]
fn of_two_leaves_of_a_person_each_gives_until_the_next_that_names_somebody() {
    let later = || three().leaves(1, 20, Some(3));
    let both = later().leaves(1, 5, Some(2));
    assert_eq!(both.holds(2), ["2: 0..", "1: 5..20"]);
    assert_eq!(both.holds(3), ["3: 0..", "1: 20.."]);
    let earlier = three().leaves(1, 20, None).leaves(1, 5, Some(2));
    assert_eq!(earlier.holds(2), ["2: 0..", "1: 5.."]);
    let gap = later().leaves(1, 5, None);
    assert_eq!(
        (gap.holds(1), gap.holds(3).len()),
        (vec!["1: 0..5".to_owned()], 2)
    );
    let same = three().leaves(1, 20, Some(2)).leaves(1, 5, Some(2));
    assert_eq!(same.holds(2), ["2: 0..", "1: 5.."]);
    // What would have begun after both is his who was named for the later one.
    let posts = [post(1, 0, None), post(7, 30, None)];
    let begins = said([&posts, &[post(2, 0, None)], &[post(3, 0, None)]]);
    let begins = begins.leaves(1, 20, Some(3)).leaves(1, 5, Some(2));
    assert_eq!(begins.holds(1), ["1: 0..5"]);
    assert_eq!(begins.holds(2), ["2: 0..", "1: 5..20"]);
    assert_eq!(begins.holds(3), ["3: 0..", "1: 20..", "7: 30.."]);
}

#[test]
fn who_is_named_later_has_it_from_then_on() {
    let alone = three().leaves(1, 5, None).named(2, 8);
    assert_eq!(alone.holds(2), ["2: 0..", "1: 8.."]);
    let replaced = three().leaves(1, 5, Some(2)).named(3, 8);
    assert_eq!(replaced.holds(2), ["2: 0..", "1: 5..8"]);
    assert_eq!(replaced.holds(3), ["3: 0..", "1: 8.."]);
    let once_more = three().leaves(1, 5, Some(2)).named(2, 8);
    assert_eq!(once_more.holds(2), ["2: 0..", "1: 5.."]);
}

#[test]
fn what_somebody_holds_anyway_he_is_not_given_besides() {
    let own = [post(2, 0, None), post(1, 0, Some(8)), post(1, 12, Some(15))];
    let basis = said([&[post(1, 0, None)], &own, &[]]).leaves(1, 5, Some(2));
    assert_eq!(
        basis.holds(2),
        ["2: 0..", "1: 0..8", "1: 12..15", "1: 8..12", "1: 15.."]
    );
    // From two people he has it once.
    let posts = [post(1, 0, None)];
    let basis = said([&posts, &[post(2, 0, None)], &posts]);
    let basis = basis.leaves(1, 5, Some(2)).leaves(3, 9, Some(2));
    assert_eq!(basis.holds(2), ["2: 0..", "1: 5.."]);
    // Two rows of the same post are one for him.
    let posts = [post(1, 0, Some(6)), post(1, 1, None)];
    let basis = said([&posts, &[post(2, 0, None)]]).leaves(1, 5, Some(2));
    assert_eq!(basis.holds(2), ["2: 0..", "1: 5.."]);
    // Whoever holds it for good is not given it.
    let basis = said([&[post(1, 0, None)], &[post(1, 3, None)]]).leaves(1, 5, Some(2));
    assert_eq!(basis.holds(2), ["1: 3.."]);
}

#[test]
fn who_has_nothing_of_his_own_any_more_takes_nothing_over() {
    let basis = |own: &[Post]| said([&[post(1, 0, None)], own]).leaves(1, 5, Some(2));
    assert_eq!(
        basis(&[post(2, 0, Some(10))]).holds(2),
        ["2: 0..10", "1: 5..10"]
    );
    // Another row of his own that follows goes on with it; one after a gap does not.
    assert_eq!(
        basis(&[post(2, 0, Some(10)), post(4, 10, None)]).holds(2),
        ["2: 0..10", "4: 10..", "1: 5.."]
    );
    assert_eq!(
        basis(&[post(2, 0, Some(10)), post(4, 11, None)]).holds(2),
        ["2: 0..10", "4: 11..", "1: 5..10"]
    );
    assert_eq!(basis(&[post(2, 6, None)]).holds(2), ["2: 6.."]);
    // Nor while he is away.
    let back = three().leaves(2, 10, None);
    let back = back.says(2, &[post(2, 0, None), post(2, 20, None)]);
    let back = back.leaves(1, 5, Some(2));
    assert_eq!(back.holds(2), ["2: 0..10", "2: 20..", "1: 5..10"]);
}

#[test]
fn a_row_goes_on_after_a_leave_only_if_it_is_a_return() {
    let left = || three().leaves(1, 10, None);
    for from in [-3, 0, 2, 9] {
        let basis = left().says(1, &[post(1, from, None)]);
        assert_eq!(basis.holds(1), [format!("1: {from}..10")]);
    }
    for from in [10, 11] {
        let basis = left().says(1, &[post(1, 0, None), post(1, from, None)]);
        assert_eq!(
            basis.holds(1),
            ["1: 0..10".to_owned(), format!("1: {from}..")]
        );
    }
    // One that was there when he left is none, and has not begun.
    let known = said([&[post(1, 0, None), post(1, 10, None), post(2, 12, None)]]);
    assert_eq!(known.leaves(1, 10, None).holds(1), ["1: 0..10"]);
    // Whoever left at noon may come back on that day.
    let mut noon = left();
    noon.leaves[0].from = day(10).plus_ms(DAY_MS / 2);
    let noon = noon.says(1, &[post(1, 10, None)]);
    assert_eq!(noon.holds(1), ["1: 10.."]);
    // Another leave goes for what came after the first.
    let twice = left().says(1, &[post(1, 0, None), post(1, 12, None)]);
    assert_eq!(
        twice.leaves(1, 15, None).holds(1),
        ["1: 0..10", "1: 12..15"]
    );
}

#[test]
fn what_a_file_has_ended_before_a_leave_gives_to_nobody() {
    for end in [4, 5] {
        let basis = three()
            .leaves(1, 5, Some(2))
            .says(1, &[post(1, 0, Some(end))]);
        assert_eq!(basis.holds(1), [format!("1: 0..{end}")]);
        assert_eq!(basis.holds(2), ["2: 0.."]);
    }
    let basis = three()
        .leaves(1, 5, Some(2))
        .says(1, &[post(1, 0, Some(9))]);
    assert_eq!(basis.holds(2), ["2: 0..", "1: 5..9"]);
}

#[test]
fn what_each_leave_has_ended_is_told_and_what_it_has_given_comes_of_a_row() {
    let basis = three().leaves(1, 5, Some(2)).leaves(2, 10, Some(3));
    let Decided { given, ended, .. } = basis.decided();
    let of = |no| {
        let of_leave = ended.iter().filter(|(leave, _)| *leave == no);
        of_leave.map(|(_, post)| *post).collect::<Vec<_>>()
    };
    assert_eq!(of(1), [post(1, 0, None)]);
    assert_eq!(of(3), [post(2, 0, None), post(1, 5, None)]);
    let first = |beat: u8| (id(beat), post_key(&post(beat.into(), 0, None)));
    let held = |person, beat, from| (id(person), post_key(&post(beat, from, None)));
    assert_eq!(
        given,
        [
            (held(2, 1, 5), first(1)),
            (held(3, 1, 10), first(1)),
            (held(3, 2, 10), first(2)),
        ]
    );
}

#[test]
fn a_row_that_never_begins_by_itself_stays_to_be_told() {
    let basis = said([&[post(1, 9, Some(3))]]).leaves(1, 1, None);
    assert_eq!(basis.holds(1), ["1: 9..3"]);
}

/// Four people, each with his own beat since ever.
fn four() -> Basis {
    let posts = [1, 2, 3, 4].map(|beat| [post(beat, 0, None)]);
    let [one, two, three, four] = &posts;
    said([one, two, three, four])
}

#[test]
fn a_chain_does_not_ask_which_of_its_leaves_was_entered_first() {
    let one = four()
        .leaves(3, 10, Some(1))
        .leaves(2, 10, Some(4))
        .leaves(4, 5, Some(3));
    let other = four()
        .leaves(2, 10, Some(4))
        .leaves(4, 5, Some(3))
        .leaves(3, 10, Some(1));
    for basis in [one, other] {
        assert_eq!(basis.holds(1), ["1: 0..", "2: 10..", "3: 10..", "4: 10.."]);
        assert_eq!(basis.holds(3), ["3: 0..10", "4: 5..10"]);
        assert_eq!(basis.holds(4), ["4: 0..5"]);
    }
    // What had not begun goes the same way, also where he who passes it on is back by then.
    let posts = [post(1, 0, None), post(7, 15, None)];
    let begins = || said([&posts, &[post(2, 0, None)], &[post(3, 0, None)]]);
    let one = begins().leaves(1, 5, Some(2)).leaves(2, 10, Some(3));
    let other = begins().leaves(2, 10, Some(3)).leaves(1, 5, Some(2));
    for basis in [one, other] {
        let all = ["3: 0..", "1: 10..", "2: 10..", "7: 15.."];
        assert_eq!(basis.holds(3), all);
        let back = basis.says(2, &[post(2, 0, None), post(2, 12, None)]);
        assert_eq!(back.holds(2), ["2: 0..10", "2: 12..", "1: 5..10"]);
        assert_eq!(back.holds(3), all);
    }
    let basis = four()
        .leaves(1, 5, Some(3))
        .leaves(4, 11, Some(2))
        .leaves(2, 2, Some(1));
    let basis = basis.says(1, &[post(1, 0, None), post(1, 9, None)]);
    assert_eq!(basis.holds(1), ["1: 0..5", "1: 9..", "2: 2..5"]);
    assert_eq!(basis.holds(3), ["3: 0..", "1: 5..", "2: 5..", "4: 11.."]);
    // Who is named after he came back has it.
    let back = three().leaves(2, 10, Some(3));
    let back = back.says(2, &[post(2, 0, None), post(2, 12, None)]);
    let back = back.leaves(1, 15, Some(2));
    assert_eq!(back.holds(2), ["2: 0..10", "2: 12..", "1: 15.."]);
}

#[test]
fn those_who_leave_and_name_each_other_have_nothing_of_it() {
    let posts = [post(1, 0, None), post(7, 30, None)];
    let two = || said([&posts, &[post(2, 0, None)]]);
    let one = two().leaves(1, 10, Some(2)).leaves(2, 5, Some(1));
    let other = two().leaves(2, 5, Some(1)).leaves(1, 10, Some(2));
    for basis in [one, other] {
        assert_eq!(basis.holds(1), ["1: 0..10", "2: 5..10"]);
        assert_eq!(basis.holds(2), ["2: 0..5"]);
    }
}

#[test]
fn who_leaves_passes_on_only_what_he_held_up_to_then() {
    // A file ends his own posts for a while: then he has lost what he had taken over.
    let own = [post(2, 0, Some(10)), post(2, 15, None)];
    let basis = said([&[post(1, 0, None)], &own, &[post(3, 0, None)]]);
    let basis = basis.leaves(1, 1, Some(2)).leaves(2, 20, Some(3));
    assert_eq!(basis.holds(2), ["2: 0..10", "2: 15..20", "1: 1..10"]);
    assert_eq!(basis.holds(3), ["3: 0..", "2: 20.."]);
    // Nor what he had not begun to hold.
    let own = [post(2, 15, None)];
    let basis = said([&[post(1, 0, None)], &own, &[post(3, 0, None)]]);
    let basis = basis.leaves(1, 1, Some(2)).leaves(2, 20, Some(3));
    assert_eq!(basis.holds(3), ["3: 0..", "2: 20.."]);
}
