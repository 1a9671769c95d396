//! Twenty phones count in one tally under cuts and repeats, and the sum is exact everywhere.

use patrol_core::domain::action::Action;
use patrol_core::domain::directory::PostAt;
use patrol_core::domain::entry::Body;
use patrol_core::replica::Deed;
use patrol_tests::link::{FAIR, Weather};
use patrol_tests::world::{World, city, matter};

const PERSUADED: u64 = 1;

fn count(how_many: i64) -> Body {
    Body {
        count: Some((PERSUADED, how_many)),
        ..Body::default()
    }
}

#[test]
fn twenty_phones_count_offline_and_the_sum_is_exact() {
    let mut world = World::new(3);
    let village = world.villages("巡查员01")[0];
    // Twenty people who work in one village: the campaign week.
    let mut directory = city().clone();
    let helpers: Vec<String> = (1..=20)
        .map(|number| format!("巡查员{number:02}"))
        .collect();
    let post = directory
        .people
        .iter()
        .find(|person| person.name == helpers[0])
        .unwrap()
        .posts[0];
    for person in directory
        .people
        .iter_mut()
        .filter(|person| helpers.contains(&person.name))
    {
        if person.name != helpers[0] {
            person.posts.push(post);
        }
    }
    assert!(matches!(post.at, PostAt::Beat(_)));
    world.app.put_directory(&directory).unwrap();

    let opening = Deed {
        fields: vec![matter(village, "x").swap_remove(0)],
        ..Deed::new(Action::Count, count(1))
    };
    let (tally, _) = world.phone(&helpers[0]).replica.begin(&opening).unwrap();
    world.phone(&helpers[0]).sync().unwrap();
    for name in &helpers {
        world.phone(name).sync().unwrap();
        world.phone(name).link.set_weather(Weather {
            mishaps_percent: 50,
        });
    }
    let mut expected = 1;
    for round in 0..5i64 {
        for (number, name) in helpers.iter().enumerate() {
            let how_many = round + 1;
            let counted = world
                .phone(name)
                .act(tally, Action::Count, count(how_many))
                .unwrap();
            expected += how_many;
            if number % 7 == 0 {
                let body = Body {
                    withdraws: Some(counted),
                    ..Body::default()
                };
                world
                    .phone(name)
                    .act(tally, Action::Withdraw, body)
                    .unwrap();
                expected -= how_many;
            }
            // The network may well fail; nothing may be counted twice or not at all.
            drop(world.phone(name).sync());
        }
    }
    for _ in 0..2 {
        for name in &helpers {
            world.phone(name).link.set_weather(FAIR);
            world.phone(name).sync().unwrap();
        }
    }
    for name in &helpers {
        assert_eq!(
            world
                .phone(name)
                .replica
                .tally(tally)
                .unwrap()
                .get(&PERSUADED),
            Some(&expected),
            "{name}"
        );
    }
}
