//! Phones on a poor line, a share of `proof soak` on one that is ten times as fast and dies ten times as soon.

use std::sync::Mutex;

use patrol_core::error::Error;
use patrol_core::replica::Cancel;
use patrol_core::sync::transport::{Request, Response, Transport, Unreachable, Waiting};
use patrol_tests::bench::content;
use patrol_tests::proof::soak::{Size, run};
use patrol_tests::proxy::{FAIR, Line, Weather};
use patrol_tests::world::World;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

const INSPECTOR: &str = "巡查员01";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_on_the_way_whole_frames_bring_phones_on_and_travel_once() {
    let line = Line {
        delay_ms: 60,
        loss: 30,
        bytes_a_second: 50_000,
        life_ms: (1_000, 3_000),
    };
    let size = Size {
        seconds: 8,
        phones: 2,
        cases: 120,
        outbox: 60,
        weather: Weather {
            line: Some(line),
            ..FAIR
        },
        pause_ms: 500,
    };
    let figures = run(size, 7).await.unwrap();
    let died = figures.iter().find(|figure| figure.name.contains("died"));
    assert_eq!(
        died.and_then(|figure| figure.is_ok()),
        Some(true),
        "{figures:?}"
    );
}

/// A line that takes everything and brings no answer. Remembers how much it was given each time.
#[derive(Default)]
struct Swallows(Mutex<Vec<usize>>);

impl Transport for Swallows {
    fn send(&self, request: Request) -> Waiting<'_, Result<Box<dyn Response>, Unreachable>> {
        self.0.lock().unwrap().push(request.body.len());
        Box::pin(async { Err(Unreachable) })
    }
}

#[tokio::test]
async fn a_line_that_dies_each_time_is_given_ever_less_to_carry() {
    let mut world = World::new(96);
    let mut rng = ChaCha8Rng::seed_from_u64(96);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    phone.sync().unwrap();
    for _ in 0..1_500 {
        phone.report(village, &content::words(&mut rng, 60));
    }
    let line = Swallows::default();
    let cancel = Cancel::default();
    for _ in 0..8 {
        let synced = phone.replica.sync(&line, &cancel, &|_| ()).await;
        assert!(matches!(synced, Err(Error::Offline { .. })), "{synced:?}");
    }
    let given = line.0.into_inner().unwrap();
    assert!(
        given.is_sorted_by(|before, after| before >= after),
        "{given:?}"
    );
    let (first, last) = (given[0], given[7]);
    assert!(first > 100_000 && last < 20_000, "{given:?}");
    phone.sync().unwrap();
    assert_eq!(phone.replica.status().unwrap().outbox, 0);
}
