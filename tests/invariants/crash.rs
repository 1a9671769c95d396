//! I3, I4, I5, I9: one case's life with a crash at every call of a store there is, one after the other, on the phones and on the server.
//! Nothing that was shown as recorded is lost, nothing is sent that was not stored, and all end equal.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::{Body, Part};
use patrol_core::domain::id::{DocumentId, EntryId};
use patrol_core::replica::Replica;
use patrol_core::store::{Fault, Faults};
use patrol_server::store::faulty::Break;
use patrol_tests::simulation::audit;
use patrol_tests::world::World;

use super::held;

const INSPECTOR: &str = "巡查员01";
const DISPATCHER: &str = "受理派遣员01";

/// What goes wrong in one telling of the story.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Nothing,
    /// At that write of the phones, counted over both.
    Phone(usize, Fault),
    /// At that call of the server's store.
    Server(usize, Break),
}

struct Story {
    world: World,
    names: [String; 2],
    case: Option<DocumentId>,
    /// Entries that somebody was told are recorded.
    told: BTreeSet<EntryId>,
    writes: Arc<AtomicUsize>,
    broken: Arc<Mutex<bool>>,
    plan: Plan,
}

impl Story {
    fn new(plan: Plan) -> Self {
        let mut world = World::new(41);
        let cadre = world.cadre_of(world.villages(INSPECTOR)[0]);
        let names = [INSPECTOR.to_owned(), cadre];
        let story_phones = names.clone();
        for name in &story_phones {
            world.phone(name);
        }
        let story = Self {
            world,
            names,
            case: None,
            told: BTreeSet::new(),
            writes: Arc::default(),
            broken: Arc::default(),
            plan,
        };
        for name in &story.names {
            story.watch(name);
        }
        if let Plan::Server(after, how) = plan {
            story.world.store.break_call(after, how);
        }
        story
    }

    /// Counts a phone's writes, and lets the planned one fail.
    fn watch(&self, name: &str) {
        let (writes, broken, plan) = (self.writes.clone(), self.broken.clone(), self.plan);
        let faults: Faults = Box::new(move || {
            let number = writes.fetch_add(1, Ordering::Relaxed);
            match plan {
                Plan::Phone(at, fault) if at == number => {
                    *broken.lock().expect("nobody panics") = true;
                    Some(fault)
                }
                _ => None,
            }
        });
        self.world.phones[name]
            .replica
            .store()
            .set_faults(Some(faults));
    }

    /// Programs that died start again.
    fn restart(&mut self) {
        if !self.world.store.take_broken().is_empty() {
            self.world.restart();
        }
        if std::mem::take(&mut *self.broken.lock().expect("nobody panics")) {
            for name in self.names.clone() {
                let phone = self
                    .world
                    .phones
                    .get_mut(&name)
                    .expect("a phone of the story");
                let store = phone.replica.store().copy().expect("a copy");
                phone.replica = Replica::on(store, phone.machine.clone());
                self.watch(&name);
            }
        }
    }

    fn tell(&mut self, entry: Option<EntryId>) {
        self.told.extend(entry);
        self.restart();
        // I5: what the server has of a phone's is on that phone.
        for name in &self.names {
            let phone = &self.world.phones[name];
            let here = audit::entries_on_phone(phone.replica.store());
            let missing: Vec<EntryId> = held::of_device(self.world.store.inner(), phone.device())
                .difference(&here)
                .copied()
                .collect();
            assert_eq!(missing, [], "{:?}: sent and not stored", self.plan);
        }
    }

    fn sync(&mut self, who: usize) {
        drop(self.world.phones[&self.names[who]].sync());
        self.tell(None);
    }

    fn act(&mut self, who: usize, action: Action, body: Body) {
        let Some(case) = self.case else { return };
        let done = self.world.phones[&self.names[who]].act(case, action, body);
        self.tell(done.ok());
    }

    /// The office does something; told that it failed, it asks again with the same key, as a browser does.
    fn office(&mut self, action: Action, body: &Body) {
        let Some(case) = self.case else { return };
        let mut done = self.world.office(DISPATCHER, case, action, body.clone());
        if done.is_err() {
            self.restart();
            done = self.world.office(DISPATCHER, case, action, body.clone());
        }
        self.tell(done.ok());
    }

    fn run(&mut self) {
        let village = self.world.villages(INSPECTOR)[0];
        let deed = patrol_core::replica::Deed {
            fields: patrol_tests::world::matter(village, "桥头垃圾"),
            ..patrol_core::replica::Deed::new(Action::Report, Body::default())
        };
        let begun = self.world.phones[INSPECTOR].replica.begin(&deed).ok();
        self.case = begun.map(|(case, _)| case);
        self.tell(begun.map(|(_, entry)| entry));
        self.sync(0);
        self.sync(0);
        self.office(Action::Accept, &Body::default());
        self.office(Action::Register, &Body::default());
        let body = Body {
            assign: vec![(village.unit(), Part::Main)],
            ..Body::default()
        };
        self.office(Action::Dispatch, &body);
        self.sync(1);
        self.sync(1);
        let assignment = self.case.and_then(|case| {
            let view = self.world.phones[&self.names[1]].replica.case(case).ok()?;
            view.reading
                .case
                .workflow
                .assignments
                .first()
                .map(|assignment| assignment.id)
        });
        let body = Body {
            assignment,
            words: Some("已清理".into()),
            ..Body::default()
        };
        self.act(1, Action::Resolve, body);
        let note = Body {
            words: Some("路过".into()),
            ..Body::default()
        };
        self.act(0, Action::Note, note);
        for who in [0, 1, 0] {
            self.sync(who);
        }
    }

    /// Everybody catches up, and everything is in its place.
    fn ends_well(&mut self) {
        self.world.store.mend();
        for name in &self.names {
            self.world.phones[name].replica.store().set_faults(None);
        }
        for who in [0, 1, 0, 1] {
            self.world.phones[&self.names[who]]
                .sync()
                .expect("nothing stands in the way");
        }
        let found =
            audit::entries_of_sound(&self.world.app).expect("feeds and documents are sound");
        let lost: Vec<&EntryId> = self.told.difference(&found).collect();
        assert!(lost.is_empty(), "{:?}: lost {lost:?}", self.plan);
        for name in &self.names {
            let phone = &self.world.phones[name];
            assert_eq!(
                phone.replica.status().expect("a look").outbox,
                0,
                "{:?}",
                self.plan
            );
            assert_eq!(
                held::promised_and_not_here(phone.replica.store(), &self.world.app),
                Vec::<String>::new()
            );
        }
        let [first, second] = [0, 1].map(|who| held::shown(&self.world.phones[&self.names[who]]));
        assert_eq!(first, second, "{:?}", self.plan);
    }
}

fn told(plan: Plan) -> Story {
    let mut story = Story::new(plan);
    story.run();
    story.ends_well();
    story
}

#[test]
fn a_phone_may_die_or_be_full_at_any_write() {
    let writes = told(Plan::Nothing).writes.load(Ordering::Relaxed);
    assert!(writes > 25, "{writes}");
    for at in 0..writes {
        for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::Full] {
            told(Plan::Phone(at, fault));
        }
    }
}

#[test]
fn a_server_may_die_at_any_call_of_its_store() {
    let mut broken = 0;
    for at in 0.. {
        for how in [Break::Before, Break::After] {
            let mut story = Story::new(Plan::Server(at, how));
            story.run();
            let is_beyond_the_story = story.world.store.mend();
            if is_beyond_the_story {
                assert!(broken > 60, "{broken}");
                return;
            }
            broken += 1;
            story.ends_well();
        }
    }
}

#[test]
fn a_deed_that_was_not_stored_is_never_sent() {
    let mut story = Story::new(Plan::Phone(0, Fault::CrashBefore));
    let village = story.world.villages(INSPECTOR)[0];
    let deed = patrol_core::replica::Deed {
        fields: patrol_tests::world::matter(village, "没存下"),
        ..patrol_core::replica::Deed::new(Action::Report, Body::default())
    };
    assert!(story.world.phones[INSPECTOR].replica.begin(&deed).is_err());
    story.restart();
    story.world.phones[INSPECTOR]
        .sync()
        .expect("the server answers");
    let found = audit::entries_of_sound(&story.world.app).expect("nothing is wrong");
    assert_eq!(found, BTreeSet::new());
}
