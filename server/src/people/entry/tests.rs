//! Leaves and rows of files in any order, entered one after the other, and what must hold of whatever comes of them. The oracle asks of one time alone.

use patrol_core::domain::capability::Role;
use patrol_core::domain::directory::{BeatId, PostAt};
use patrol_core::domain::time::DAY_MS;
use proptest::prelude::*;

use super::*;
use crate::directory::leaves::first_gap;

/// Half a day.
const HALF_MS: i64 = DAY_MS / 2;

fn half(no: i64) -> Timestamp {
    Timestamp(no * HALF_MS - DAY_MS / 3)
}

fn id(no: u8) -> PersonId {
    PersonId([no; 8])
}

fn post(beat: u32, from: i64, until: Option<i64>) -> Post {
    Post {
        role: Role::Inspector,
        at: PostAt::Beat(BeatId(beat)),
        from: half(2 * from),
        until: until.map(|until| half(2 * until)),
    }
}

fn basis(posts: &[Vec<Post>]) -> Basis {
    let people = posts.iter().zip(1..).map(|(posts, no)| Person {
        id: id(no),
        name: no.to_string(),
        posts: posts.clone(),
    });
    Basis {
        said: people.collect(),
        leaves: Vec::new(),
    }
}

fn leaving(person: u8, from: i64, substitute: Option<u8>) -> Leaving {
    Leaving {
        person: id(person),
        from: half(from),
        substitute: substitute.map(id),
    }
}

/// Something that is done on a half day.
#[derive(Clone, Debug)]
enum Deed {
    /// Who, from when on, and who takes over.
    Leave(u8, i64, Option<u8>),
    /// A file gives a row to somebody.
    Row(u8, u32, i64),
}

fn deeds(of: impl Strategy<Value = Deed>) -> impl Strategy<Value = Vec<(i64, Deed)>> {
    prop::collection::vec((0_i64..6, of), 1..9)
}

fn leaves() -> impl Strategy<Value = Deed> {
    let substitute = prop::option::weighted(0.7, 1_u8..5);
    (1_u8..5, 0_i64..50, substitute)
        .prop_map(|(who, from, substitute)| Deed::Leave(who, from, substitute))
}

fn anything() -> impl Strategy<Value = Deed> {
    let row = (1_u8..5, 1_u32..5, 0_i64..25);
    let row = row.prop_map(|(who, beat, from)| Deed::Row(who, beat, from));
    prop_oneof![4 => leaves(), 1 => row]
}

/// Rows of four people: where, from which day on, and until which.
fn rows() -> impl Strategy<Value = Vec<Vec<Post>>> {
    let row = (1_u32..5, 0_i64..12, prop::option::weighted(0.3, 12_i64..25));
    let row = row.prop_map(|(beat, from, until)| post(beat, from, until));
    let rows = prop::collection::vec(row, 0..4).prop_map(|mut rows: Vec<Post>| {
        rows.sort_by_key(post_key);
        rows.dedup_by_key(|row| post_key(row));
        rows
    });
    prop::collection::vec(rows, 4)
}

/// Does it all, as far as it is let be done.
fn lived(mut basis: Basis, deeds: &[(i64, Deed)]) -> Basis {
    let mut now = 0;
    for (pause, deed) in deeds {
        now += pause;
        match deed {
            Deed::Leave(who, from, substitute) => {
                let leaving = leaving(*who, *from, *substitute);
                let before = basis.clone();
                if enter(&mut basis, leaving, half(now)).is_err() {
                    assert_eq!(basis, before, "what is refused changes nothing");
                }
            }
            Deed::Row(who, beat, from) => {
                let row = post(*beat, *from, None);
                let posts = &mut basis.said[usize::from(*who) - 1].posts;
                if !posts.iter().any(|known| post_key(known) == post_key(&row)) {
                    posts.push(row);
                }
            }
        }
    }
    basis
}

/// Who holds a post at a time.
#[derive(PartialEq, Eq, Debug)]
enum Holder {
    /// This person.
    Is(PersonId),
    /// Nobody: who had it has left, and nobody was named by then.
    Left,
    /// Nobody: this person, who was named, has not had posts of his own all the time since then.
    Bare(PersonId),
    /// Nobody: it has not begun, or is over.
    Past,
}

/// Asked of one time alone: whoever has left gives it to who is named last by his latest leave that names anybody, and no leave gives it twice.
fn holder(
    basis: &Basis,
    person: PersonId,
    (post, given_by): (Post, Option<Named>),
    (at, passed): (Timestamp, &[u64]),
) -> Holder {
    if !post.is_in_force_at(at) {
        return Holder::Past;
    }
    let said = basis.said.iter().filter(|said| said.id == person);
    let left_before = |own: &Post| {
        let (mut end, mut is_over) = (own.until, false);
        for leave in basis.leaves.iter().filter(|leave| leave.person == person) {
            let is_ended = end.is_none_or(|end| leave.from < end) && leave.goes_for(own, None);
            if is_ended && !leave.goes_for(&post, given_by) {
                end = Some(leave.from);
                is_over = leave.from <= own.from;
            }
        }
        (!is_over).then_some(Post { until: end, ..*own })
    };
    let said = said.flat_map(|said| &said.posts);
    let said: Vec<Post> = said.filter_map(left_before).collect();
    let gap = first_gap(said.iter(), post.from);
    if given_by.is_some() && gap.is_some_and(|gap| gap <= at) {
        return Holder::Bare(person);
    }
    let mut end = None;
    let mut over: Vec<&Leave> = Vec::new();
    for leave in basis.leaves.iter().filter(|leave| leave.person == person) {
        let is_earlier = end.is_none_or(|end| leave.from < end);
        if is_earlier && leave.goes_for(&post, given_by) {
            end = Some(leave.from);
            over.push(leave);
        }
    }
    over.retain(|leave| leave.from <= at);
    if over.is_empty() {
        let people = Basis {
            leaves: basis.leaves.clone(),
            said: basis.said.clone(),
        }
        .decided();
        let own = people.people.iter().find(|known| known.id == person);
        let own = own.map_or(&[][..], |own| &own.posts);
        let said = own.iter().filter(|post| {
            let key = (person, post_key(post));
            !people.given.iter().any(|(given, _)| *given == key)
        });
        let gap = first_gap(said, post.from);
        return match given_by.is_none() || gap.is_none_or(|gap| at < gap) {
            true => Holder::Is(person),
            false => Holder::Bare(person),
        };
    }
    let latest = over.iter().filter(|leave| !leave.substitutes.is_empty());
    let Some(latest) = latest.max_by_key(|leave| leave.from) else {
        return Holder::Left;
    };
    let begin = post.from.max(latest.from);
    let named = latest.substitutes.iter().rfind(|named| named.since <= at);
    let Some(named) = named else {
        return Holder::Left;
    };
    if passed.contains(&latest.no) {
        return Holder::Left;
    }
    let post = Post {
        from: begin.max(named.since),
        ..post
    };
    let passed = [passed, &[latest.no]].concat();
    holder(basis, named.person, (post, Some(*named)), (at, &passed))
}

/// Each row that files say, with who holds it at a time.
fn holders(basis: &Basis, at: Timestamp) -> Vec<(Post, Holder)> {
    let rows = basis.said.iter().flat_map(|person| {
        let posts = person.posts.iter();
        posts.map(|post| (*post, holder(basis, person.id, (*post, None), (at, &[]))))
    });
    rows.collect()
}

/// Each pair of a person and a beat that he is on.
fn pairs(mut held: Vec<(PersonId, PostAt)>) -> Vec<(PersonId, PostAt)> {
    held.sort_unstable();
    held.dedup();
    held
}

/// How a leave that is entered is answered: its number, and whether it was said before.
fn said(basis: &mut Basis, leaving: Leaving, now: i64) -> (u64, Said) {
    let entered = enter(basis, leaving, half(now)).expect("it is entered");
    (entered.no, entered.said)
}

/// What a person holds.
fn held(basis: &Basis, person: u8) -> Vec<Post> {
    let people = basis.in_force();
    let person = people.iter().find(|known| known.id == id(person));
    person.expect("he is there").posts.clone()
}

#[test]
fn a_leave_that_is_said_once_more_is_the_one_whose_day_was_said() {
    let rows = [1, 2, 3].map(|beat| vec![post(beat, 0, None)]);
    // She comes back, leaves again today, and what was said first comes once more.
    let mut again = basis(&rows);
    let first = leaving(1, 10, Some(2));
    assert_eq!(said(&mut again, first, 0), (1, Said::First));
    again.said[0].posts.push(post(4, 6, None));
    assert_eq!(
        said(&mut again, leaving(1, 16, Some(3)), 16),
        (3, Said::First)
    );
    let before = again.in_force();
    assert_eq!(said(&mut again, first, 17), (1, Said::Again));
    assert_eq!(again.in_force(), before);
    // Without a substitute nothing ends that has come since.
    let mut back = basis(&rows);
    let alone = leaving(1, 10, None);
    assert_eq!(said(&mut back, alone, 0), (1, Said::First));
    back.said[0].posts.push(post(1, 10, None));
    assert_eq!(
        said(&mut back, leaving(1, 50, Some(3)), 0),
        (2, Said::First)
    );
    let before = back.in_force();
    let refused = enter(&mut back, alone, half(0));
    assert!(matches!(refused, Err(LeaveFault::LeavesThen)));
    assert_eq!(back.in_force(), before);
}

#[test]
fn who_comes_back_for_some_days_passes_on_what_he_was_given_for_those_days_alone() {
    let mut basis = basis(&[1, 2, 3].map(|beat| vec![post(beat, 0, None)]));
    said(&mut basis, leaving(2, 10, None), 0);
    basis.said[1].posts.push(post(2, 10, Some(20)));
    said(&mut basis, leaving(1, 30, Some(2)), 0);
    let own = [post(2, 0, Some(5)), post(2, 10, Some(20))];
    assert_eq!(
        held(&basis, 2),
        [&own[..], &[post(1, 15, Some(20))]].concat()
    );
    said(&mut basis, leaving(2, 36, Some(3)), 0);
    let taken = [post(1, 18, Some(20)), post(2, 18, Some(20))];
    assert_eq!(held(&basis, 3), [&[post(3, 0, None)][..], &taken].concat());
}

#[test]
fn who_takes_over_is_named_for_the_day_that_is_said_though_another_leave_was_entered_since() {
    let rows = [1, 2, 3].map(|beat| vec![post(beat, 0, None)]);
    // He comes back, and leaves once more.
    let mut twice = basis(&rows);
    assert_eq!(said(&mut twice, leaving(1, 10, None), 0), (1, Said::First));
    twice.said[0].posts.push(post(1, 20, None));
    assert_eq!(
        said(&mut twice, leaving(1, 50, Some(3)), 0),
        (2, Said::First)
    );
    let named = leaving(1, 10, Some(2));
    for _ in 0..2 {
        assert_eq!(said(&mut twice, named, 0), (1, Said::Again));
    }
    assert_eq!(
        held(&twice, 1),
        [post(1, 0, Some(5)), post(1, 20, Some(25))]
    );
    assert_eq!(held(&twice, 2), [post(2, 0, None), post(1, 5, None)]);
    // Another one is named for the later day, ahead of it and on it.
    let mut earlier = basis(&rows);
    assert_eq!(
        said(&mut earlier, leaving(1, 40, Some(3)), 0),
        (1, Said::First)
    );
    assert_eq!(
        said(&mut earlier, leaving(1, 10, None), 0),
        (3, Said::First)
    );
    assert_eq!(
        said(&mut earlier, leaving(1, 40, Some(2)), 0),
        (1, Said::Again)
    );
    assert_eq!(held(&earlier, 2), [post(2, 0, None), post(1, 20, None)]);
    assert_eq!(held(&earlier, 3), [post(3, 0, None)]);
    assert_eq!(
        said(&mut earlier, leaving(1, 40, Some(3)), 41),
        (1, Said::Again)
    );
    let since = Post {
        from: half(41),
        ..post(1, 0, None)
    };
    assert_eq!(held(&earlier, 3), [post(3, 0, None), since]);
    // Without anybody, it is the leave that is ahead.
    let none = enter(&mut earlier, leaving(1, 40, None), half(0));
    assert!(matches!(none, Err(LeaveFault::LeavesAlready)));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn at_each_time_each_row_has_the_holder_that_its_leaves_name(rows in rows(), deeds in deeds(anything())) {
        let basis = lived(basis(&rows), &deeds);
        let people = basis.in_force();
        for at in (0..60).map(half) {
            let due = holders(&basis, at).into_iter().filter_map(|(post, holder)| match holder {
                Holder::Is(person) => Some((person, post.at)),
                _ => None,
            });
            let is = people.iter().flat_map(|person| {
                let held = person.posts.iter().filter(|post| post.is_in_force_at(at));
                held.map(|post| (person.id, post.at))
            });
            prop_assert_eq!(pairs(is.collect()), pairs(due.collect()), "{:?}", at);
        }
    }

    #[test]
    fn who_has_left_holds_nothing_by_what_was_known_of_him(rows in rows(), deeds in deeds(anything())) {
        let basis = lived(basis(&rows), &deeds);
        let people = basis.in_force();
        for leave in &basis.leaves {
            let of = |people: &[Person]| {
                let found = people.iter().find(|known| known.id == leave.person);
                found.map(|known| known.posts.clone()).unwrap_or_default()
            };
            let named = basis.leaves.iter().flat_map(|leave| &leave.substitutes);
            let mut later = named.filter(|named| {
                named.person == leave.person && leave.no < named.no && leave.from <= named.since
            });
            let is_back = of(&basis.said).iter().any(|row| !leave.goes_for(row, None)) || later.next().is_some();
            let goes_on = of(&people).iter().any(|post| goes_on_at(post, leave.from));
            prop_assert!(is_back || !goes_on, "{:?}", leave);
        }
    }

    #[test]
    fn nobody_holds_a_post_twice_and_the_same_rows_read_again_change_nothing(rows in rows(), deeds in deeds(anything())) {
        let basis = lived(basis(&rows), &deeds);
        let decided = basis.decided();
        let mut turned = basis.clone();
        for person in &mut turned.said {
            person.posts.reverse();
        }
        for (person, other) in decided.people.iter().zip(turned.in_force()) {
            let (mut posts, mut others) = (person.posts.clone(), other.posts);
            posts.sort_by_key(post_key);
            others.sort_by_key(post_key);
            prop_assert_eq!(posts, others);
            let is_given = |post: &Post| {
                let held = (person.id, post_key(post));
                decided.given.iter().any(|(given, _)| *given == held)
            };
            let own: Vec<Post> = person.posts.iter().filter(|post| !is_given(post)).copied().collect();
            for given in person.posts.iter().filter(|post| is_given(post)) {
                let overlaps = person.posts.iter().filter(|other| {
                    other.at == given.at && goes_on_at(other, given.from) && goes_on_at(given, other.from)
                });
                prop_assert_eq!(overlaps.count(), 1, "{:?}", given);
                let gap = first_gap(own.iter(), given.from);
                prop_assert!(gap.is_none_or(|gap| given.until.is_some_and(|until| until <= gap)));
            }
        }
    }

    #[test]
    fn a_post_with_a_substitute_who_has_posts_of_his_own_is_never_nobodys(deeds in deeds(leaves())) {
        let rows = [1, 2, 3, 4].map(|beat| vec![post(beat, 0, None)]);
        let basis = lived(basis(&rows), &deeds);
        let people = basis.in_force();
        for at in (0..60).map(half) {
            for (post, holder) in holders(&basis, at) {
                prop_assert!(holder != Holder::Past);
                if let Holder::Bare(named) = holder {
                    let known = people.iter().find(|known| known.id == named);
                    prop_assert!(known.is_none_or(|known| !holds_at(known, at)), "{:?} {:?}", post, at);
                }
            }
        }
    }

    #[test]
    fn leaves_of_different_people_may_be_entered_in_any_order(
        rows in rows(),
        days in prop::array::uniform4((1_i64..50, prop::option::weighted(0.8, 1_u8..5))),
        orders in prop::collection::vec(Just([0_u8, 1, 2, 3]).prop_shuffle(), 6),
        own in any::<bool>(),
    ) {
        let rows = match own {
            true => [1, 2, 3, 4].map(|beat| vec![post(beat, 0, None), post(beat + 4, 12, None)]).to_vec(),
            false => rows,
        };
        let mut found: Option<Vec<Person>> = None;
        for order in orders {
            let mut basis = basis(&rows);
            let entered = order.map(|who| {
                let (from, substitute) = days[usize::from(who)];
                enter(&mut basis, leaving(who + 1, from, substitute), half(0))
            });
            // Whoever has left takes nothing over: in that order it is not entered.
            if entered.iter().all(Result::is_ok) {
                let people = basis.in_force();
                prop_assert_eq!(found.get_or_insert_with(|| people.clone()), &people);
            }
        }
    }

    #[test]
    fn what_is_said_once_more_changes_nothing(rows in rows(), deeds in deeds(anything()), who in 1_u8..5, from in 0_i64..50, by in 1_u8..5) {
        let mut basis = lived(basis(&rows), &deeds);
        let said = leaving(who, from, Some(by));
        let now = half(0);
        if let Ok(entered) = enter(&mut basis, said, now) {
            let before = basis.clone();
            let again = enter(&mut basis, said, now).expect("the answer was lost");
            prop_assert_eq!((again.no, again.from, again.said), (entered.no, entered.from, Said::Again));
            prop_assert_eq!(basis, before);
        }
    }
}
