//! Many phones write to one case at the same moment: each gets in, though each makes the others judge again.

use std::sync::Arc;

use patrol_core::domain::action::Action;
use patrol_core::store::Store;
use patrol_core::sync::wire::Fate;
use patrol_server::app::{App, draw_identity};
use patrol_server::store::sqlite::SqliteStore;
use patrol_tests::clock::Machine;
use patrol_tests::link::Link;
use patrol_tests::pushing::{change_of, entry_of, ledger_of, push};
use patrol_tests::served::Folder;
use patrol_tests::world::{Phone, World, city, enrol_into};

const INSPECTOR: &str = "巡查员01";
const PHONES: u64 = 32;
const NOTES: u64 = 10;

#[test]
fn thirty_two_phones_that_write_to_one_case_at_once_all_get_in() {
    let folder = Folder::new("crowd").unwrap();
    let world = World::new(95);
    let machine = Arc::new(Machine::new(&world.clock, 1));
    let store = SqliteStore::open(folder.file("server.db"), || draw_identity(machine.as_ref()));
    let app = Arc::new(App::open(Arc::new(store.unwrap()), machine).unwrap());
    app.put_directory(city()).unwrap();
    let phone = |seed| {
        let machine = Arc::new(Machine::new(&world.clock, seed));
        let store = Store::in_memory().unwrap();
        let person = world.person(INSPECTOR);
        enrol_into(&app, &store, &machine, person, INSPECTOR);
        Phone {
            replica: patrol_core::replica::Replica::on(store, machine.clone()),
            machine,
            link: Link::new(Arc::clone(&app), seed),
            person,
        }
    };
    let first = phone(2);
    let village = world.villages(INSPECTOR)[0];
    let (case, _) = first.report(village, "众人围观");
    first.sync().unwrap();
    let phones: Vec<Phone> = (0..PHONES).map(|number| phone(10 + number)).collect();
    for phone in &phones {
        phone.sync().unwrap();
    }
    let write = |phone: &Phone| {
        let mut ledger = ledger_of(phone, case);
        for n in 1..=NOTES {
            let entry = entry_of(phone, &ledger, Action::Note.code(), village.unit(), n);
            let change = change_of(phone, &ledger, &entry, &[]);
            let fates = push(&app, phone, &[(case, change.bytes.clone())]);
            assert_eq!(fates, Ok(vec![Fate::Ok]));
            ledger.push(change).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for phone in &phones {
            scope.spawn(|| write(phone));
        }
    });
    first.sync().unwrap();
    let lines = first.replica.case(case).unwrap().reading.lines.len() as u64;
    assert_eq!(lines, 1 + PHONES * NOTES);
}
