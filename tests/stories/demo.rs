//! The demo in small: it holds, and its audit can fail.

use std::sync::Arc;

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::replica::Deed;
use patrol_tests::demo::Demo;
use patrol_tests::demo::audit::{Audit, Demands};
use patrol_tests::demo::page::Choice;
use patrol_tests::demo::phone::{Line, Phone, PhoneFile};
use patrol_tests::demo::plan::Plan;
use patrol_tests::demo::screen::Screen;
use patrol_tests::world::matter;
use tokio::sync::oneshot;

/// A very short day, told to nobody, with everybody caught up.
async fn played(seed: u64) -> Demo {
    let mut demo = Demo::start(Plan::small(seed)).await.unwrap();
    let (_stop, mut stopped) = oneshot::channel();
    let mut screen = Screen::new(Box::new(std::io::sink()));
    demo.run(&mut stopped, &mut screen).await;
    demo.settle().await;
    demo
}

/// A report that never leaves the phone of the first who may report.
fn report_without_line(demo: &Demo) -> Arc<Phone> {
    let reports = |phone: &Arc<Phone>| {
        let village = phone.replica.directory().unwrap().villages[0].code;
        let choice = Choice {
            fields: matter(village, "夜里才看到的垃圾"),
            ..Choice::new(Action::Report, Body::default())
        };
        phone.begin(&demo.city, Line::None, &choice).is_some()
    };
    demo.phones().into_iter().find(reports).unwrap()
}

/// Takes rows out of a phone's file, as a damaged disk might.
fn forget(file: &PhoneFile, which: &str) {
    let connection = rusqlite::Connection::open(&file.path).unwrap();
    let sql = format!("DELETE FROM changes WHERE {which}");
    assert_eq!(connection.execute(&sql, []).unwrap(), 1);
}

fn assert_holds(audit: &Audit) {
    assert_eq!(
        audit.failures(Demands::None),
        Vec::<&str>::new(),
        "{}",
        audit.json(Demands::None)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_short_day_holds_and_what_vanishes_or_differs_is_noticed() {
    let demo = played(7).await;
    let file = report_without_line(&demo).file();
    let closed = demo.close();
    let whole = closed.audit();
    assert_holds(&whole);
    assert!(
        whole.cases > 10 && whole.cuts > 0,
        "{}",
        whole.json(Demands::None)
    );
    assert_eq!((whole.lost, whole.in_outbox > 0), (0, true));

    forget(
        &file,
        "state = 2 AND place = (SELECT max(place) FROM changes)",
    );
    let lost = closed.audit();
    assert_eq!(
        (lost.lost, lost.failures(Demands::None)),
        (1, vec!["lost", "faults"])
    );

    forget(
        &file,
        "(document, place) = (SELECT document, max(place) FROM changes WHERE state = 0 GROUP BY document LIMIT 1)",
    );
    assert!(!closed.audit().replicas_equal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_deed_that_became_two_cases_is_noticed() {
    let mut demo = played(8).await;
    let phone = report_without_line(&demo);
    let village = phone.replica.directory().unwrap().villages[0].code;
    let deed = Deed {
        fields: matter(village, "一事两报"),
        key: Some(vec![1, 2, 3]),
        ..Deed::new(Action::Report, Body::default())
    };
    for _ in 0..2 {
        phone.replica.begin(&deed).unwrap();
    }
    drop(phone);
    demo.settle().await;
    let audit = demo.close().audit();
    assert_eq!(
        (audit.doubled, audit.failures(Demands::None)),
        (1, vec!["doubled"]),
        "{}",
        audit.json(Demands::None)
    );
}
