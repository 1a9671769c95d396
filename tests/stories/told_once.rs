//! A large write fills several pages: what one of them has told, in whichever scope, no other tells again.

use std::sync::Arc;

use patrol_core::cbor::Reader;
use patrol_core::sync::frame::Frame;
use patrol_core::sync::wire::{Cursor, kind};
use patrol_server::round::Round;
use patrol_tests::pushing::{enrolment_of, hello_of};
use patrol_tests::world::{Phone, World};

const INSPECTOR: &str = "巡查员01";
const CASES: usize = 23;
/// A few cases, so that the last page ends one scope and begins another.
const PAGE_BYTES: usize = 500;

/// How many changes each page holds that answers a phone which has caught up so far.
fn told(world: &World, phone: &Phone) -> Vec<usize> {
    let mut device = None;
    let read = world.app.store.read(&mut |snapshot| {
        device = snapshot.device(phone.device())?;
        Ok(())
    });
    read.unwrap();
    let round = Round::new(Arc::clone(&world.app), device.unwrap());
    let mut round = round.with_pages_of(PAGE_BYTES);
    let hello = hello_of(phone, &enrolment_of(phone));
    let is_tail = |(_, cursor): &(u64, Cursor)| matches!(cursor, Cursor::Tail(_));
    assert!(hello.cursors.len() > 1 && hello.cursors.iter().all(is_tail));
    let payload = hello.encode();
    round
        .receive(&Frame {
            kind: kind::HELLO,
            payload,
        })
        .unwrap();
    let mut pages = Vec::new();
    while let Some((kind, payload)) = round.next_frame().unwrap() {
        if kind == kind::PAGE {
            let mut reader = Reader::new(&payload);
            reader.array().unwrap();
            reader.uint().unwrap();
            pages.push(reader.array().unwrap());
        }
    }
    pages
}

#[test]
fn a_write_that_fills_several_pages_is_told_once_however_many_scopes_it_is_in() {
    let mut world = World::new(97);
    let village = world.villages(INSPECTOR)[0];
    let other = world.enrol_as(INSPECTOR, 2);
    world.phone(INSPECTOR).report(village, "第一件");
    world.phones[INSPECTOR].sync().unwrap();
    // Another phone of the same person is in the village's scope and in the person's.
    other.sync().unwrap();
    let phone = &world.phones[INSPECTOR];
    for number in 0..CASES {
        phone.report(village, &format!("第{number}件"));
    }
    phone.sync().unwrap();
    let pages = told(&world, &other);
    assert!(pages.len() > 3, "{pages:?}");
    // Each report, and what the server has written beneath it.
    assert_eq!(pages.iter().sum::<usize>(), 2 * CASES, "{pages:?}");
}

#[test]
fn a_page_without_a_change_proves_nothing_and_is_not_kept() {
    let mut world = World::new(98);
    let village = world.villages(INSPECTOR)[0];
    let phone = world.phone(INSPECTOR);
    let kept = |phone: &Phone| {
        let sql = "SELECT count(*) FROM frames";
        let store = phone.replica.store();
        let count = store.read(|connection| {
            let count: u32 = connection.query_row(sql, [], |row| row.get(0))?;
            Ok(count)
        });
        count.unwrap()
    };
    phone.sync().unwrap();
    assert_eq!(kept(phone), 0, "its scopes are empty");
    phone.report(village, "第一件");
    phone.sync().unwrap();
    assert_eq!(kept(phone), 1);
}
