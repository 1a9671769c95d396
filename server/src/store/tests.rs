//! Both backends before the same examination.

use patrol_core::domain::id::{Actor, DeviceId, Epoch, ServerId};

use super::memory::MemoryStore;
use super::sqlite::SqliteStore;
use super::*;

fn identity() -> Identity {
    let epoch = Epoch([1; 4]);
    let device = DeviceId::new(epoch, 0);
    Identity {
        server: ServerId([2; 16]),
        epoch,
        device,
        actor: Actor::new(device, [3; 8]),
        number_block: String::new(),
        page_key: [4; 32],
        rescue_key: [5; 32],
    }
}

#[test]
fn the_model_passes() {
    conformance::examine(&|| Box::new(MemoryStore::new(identity())));
}

#[test]
fn the_database_passes() {
    conformance::examine(&|| {
        Box::new(SqliteStore::in_memory(identity()).expect("a store in memory opens"))
    });
}

#[test]
fn the_serial_of_a_number_is_read_only_with_its_block() {
    assert_eq!(serial("2026-000042", ""), Some(42));
    assert_eq!(serial("2026-K7Q-000042", "K7Q"), Some(42));
    assert_eq!(serial("2026-K7Q-000042", ""), None);
    assert_eq!(serial("2026-000042", "K7Q"), None);
}
