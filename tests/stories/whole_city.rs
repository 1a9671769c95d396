//! All sixty-one beats at once: the server goes back to a backup, and their phones bring the day back by themselves.

use patrol_core::domain::entry::Part;
use patrol_core::domain::id::DocumentId;
use patrol_server::store::sqlite::backup;
use patrol_server::{check, office};
use patrol_tests::served::Folder;
use patrol_tests::simulation::audit;
use patrol_tests::world::{Phone, World};

use super::gone_back::{begin_epoch, open, phone_of};

const DISPATCHER: &str = "受理派遣员01";
const BEATS: usize = 61;
/// Calls of `sync` after which a phone must be done.
const CALLS: usize = 3;

/// A phone with the cases that it has reported.
struct Beat {
    phone: Phone,
    cases: Vec<DocumentId>,
}

impl Beat {
    fn report(&mut self, world: &World, number: usize, words: &str) -> DocumentId {
        let name = format!("巡查员{number:02}");
        let (case, _) = self.phone.report(world.villages(&name)[0], words);
        self.cases.push(case);
        case
    }

    fn sync(&self) {
        self.phone.sync().expect("the server answers");
    }
}

#[test]
fn sixty_one_phones_bring_a_day_back_to_a_restored_server_without_anybodys_help() {
    let folder = Folder::new("whole-city").expect("a folder");
    let (file, copy) = (folder.file("server.db"), folder.file("backup.db"));
    let mut world = World::new(61);
    world.app = open(&file, &world, 2);
    let beat = |number| Beat {
        phone: phone_of(
            &world,
            &world.app,
            &format!("巡查员{number:02}"),
            100 + number as u64,
        ),
        cases: Vec::new(),
    };
    let mut beats: Vec<Beat> = (1..=BEATS).map(beat).collect();
    for (number, beat) in (1..).zip(&mut beats) {
        beat.report(&world, number, "备份之前");
        beat.sync();
    }
    backup::copy(&file, &copy).expect("a backup");

    // The day that is lost: reports and notes, what the office does with them, and phones that hear of it.
    for (number, beat) in (1..).zip(&mut beats) {
        let case = beat.report(&world, number, "备份之后");
        beat.phone.note(beat.cases[0], "又看一次").expect("kept");
        beat.sync();
        let name = format!("巡查员{number:02}");
        let unit = world.villages(&name)[0].unit();
        world.dispatch(DISPATCHER, case, &[(unit, Part::Main)]);
        beat.sync();
        // And what had not been handed in when the server was lost.
        beat.phone.note(case, "还没交上").expect("kept");
    }
    let seen = audit::entries_of_sound(&world.app).expect("sound");

    begin_epoch(&copy);
    world.app = open(&copy, &world, 5);
    for beat in &beats {
        beat.phone.link.lead_to(std::sync::Arc::clone(&world.app));
    }
    for _ in 0..CALLS {
        beats.iter().for_each(Beat::sync);
    }
    let healed = audit::entries_of_sound(&world.app).expect("sound");
    assert!(healed.is_superset(&seen));
    assert_eq!(healed.len(), seen.len() + BEATS);
    let report = check::check(world.app.store.as_ref()).expect("a look");
    assert_eq!(report.findings, [] as [String; 0]);
    for beat in &beats {
        let status = beat.phone.replica.status().expect("a look");
        assert_eq!((status.outbox, status.last_error), (0, None));
        let rounds = beat.phone.sync().expect("the server answers").rounds;
        assert_eq!(rounds, 1, "all is as ever");
        for case in &beat.cases {
            let ours = beat.phone.replica.case(*case).expect("it is here");
            let theirs = office::view(&world.app, world.person(DISPATCHER), *case);
            assert_eq!(
                ours.reading.lines.len(),
                theirs.expect("it is there").reading.lines.len()
            );
        }
    }
}
