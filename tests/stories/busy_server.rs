//! A server with much to do serves a round and asks the phone to come later; the phone ends its call and says so.

use patrol_core::domain::limits;
use patrol_tests::world::World;

const INSPECTOR: &str = "巡查员01";

#[test]
fn a_busy_server_serves_one_round_and_is_left_alone_for_a_while() {
    let mut world = World::new(94);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = world.phone(INSPECTOR).report(village, "桥头垃圾");
    let phone = &world.phones[INSPECTOR];
    let app = std::sync::Arc::clone(&world.app);
    let works: Vec<_> = (0..=limits::WORKS_BUSY).map(|_| app.begin_work()).collect();

    let summary = phone.sync().unwrap();
    let asked = summary.retry_after_ms.expect("the server is busy");
    let bounds = limits::BUSY_RETRY_MS..2 * limits::BUSY_RETRY_MS;
    assert!(bounds.contains(&asked), "{asked} ms");
    assert_eq!(phone.replica.next_round_in_ms(Some(asked)).unwrap(), asked);
    assert_eq!(world.stage(case), "reported");
    // Whatever is left, such as a listing that the sums ask for: the call has ended.
    let damaged = phone.replica.store().write(|transaction| {
        transaction.execute("UPDATE cursors SET digest = zeroblob(16)", [])?;
        Ok(())
    });
    damaged.unwrap();
    assert_eq!(phone.sync().unwrap().rounds, 1);

    drop(works);
    let summary = phone.sync().unwrap();
    assert_eq!(
        (summary.retry_after_ms, phone.stage(case).as_str()),
        (None, "reported")
    );
}
