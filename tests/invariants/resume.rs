//! I3, I6, I9: a response may end after any frame. What is here then is what the cursors say, no work has left the outbox without a fate,
//! and what the next round makes of it is what a whole one would have made.

use std::sync::Arc;

use patrol_core::replica::Replica;
use patrol_core::store::Store;
use patrol_server::app::App;
use patrol_server::store::memory::MemoryStore;
use patrol_tests::clock::Machine;
use patrol_tests::link::Link;
use patrol_tests::simulation::{Mutation, Simulation, audit};
use patrol_tests::world::{Phone, World, enrol_into};

use super::held;

const PAGE_BYTES: [usize; 3] = [300, 3_000, 65_536];

/// A history of so many steps, under a calm sky.
fn history(seed: u64, steps: usize) -> Simulation {
    let mut course = Simulation::new(seed, Mutation::None);
    for _ in 0..steps {
        course.step();
    }
    course.calm();
    course
}

/// The server as it stands, going its own way from here on; the same one each time.
fn fork(world: &World) -> Arc<App> {
    let machine = Arc::new(Machine::new(&world.clock, 77));
    let store: MemoryStore = world.store.inner().fork();
    Arc::new(App::open(Arc::new(store), machine).expect("the model opens"))
}

/// A phone on a store, with a way to a server that fills pages of that size.
fn on(store: Store, app: &Arc<App>, world: &World, like: &Phone, page_bytes: usize) -> Phone {
    let machine = Arc::new(Machine::new(&world.clock, 78));
    let link = Link::new(Arc::clone(app), 79);
    link.set_page_bytes(page_bytes);
    Phone {
        replica: Replica::on(store, machine.clone()),
        machine,
        link,
        person: like.person,
    }
}

/// The program dies; what it had written is there when it starts again.
fn restarted(phone: Phone) -> Phone {
    let store = phone
        .replica
        .store()
        .copy()
        .expect("a store in memory is copied");
    Phone {
        replica: Replica::on(store, phone.machine.clone()),
        ..phone
    }
}

/// The frames of the response that a phone would get, counted without telling it.
fn frames_to_come(
    phone: &Phone,
    store: &Store,
    app: &Arc<App>,
    world: &World,
    page_bytes: usize,
) -> usize {
    let probe = on(store.copy().expect("a copy"), app, world, phone, page_bytes);
    probe.link.listen();
    probe.sync().expect("the server answers");
    probe.link.listen().len()
}

/// Cuts at most so many, spread over a response.
fn cuts(frames: usize) -> impl Iterator<Item = usize> {
    let step = (frames / 8).max(1);
    (0..frames).step_by(step)
}

#[test]
fn any_prefix_of_a_listing_then_a_crash_then_the_rest_is_the_whole() {
    for seed in 1..=2 {
        let course = history(seed, 160);
        let world = course.world();
        for like in course.phones().iter().take(3) {
            for page_bytes in PAGE_BYTES {
                // A new enrolment, which has everything to pull.
                let enrolled = || {
                    let app = fork(world);
                    let store = Store::in_memory().expect("a store in memory opens");
                    let machine = Machine::new(&world.clock, 80);
                    enrol_into(&app, &store, &machine, like.person, "新机");
                    (app, store)
                };
                let (app, store) = enrolled();
                let frames = frames_to_come(like, &store, &app, world, page_bytes);
                let (app, store) = enrolled();
                let whole = on(store, &app, world, like, page_bytes);
                whole.sync().expect("the server answers");
                let expected = held::dump(whole.replica.store());
                for cut in cuts(frames) {
                    let (app, store) = enrolled();
                    let part = on(store, &app, world, like, page_bytes);
                    part.link.cut_after(cut);
                    assert!(part.sync().is_err(), "seed {seed}: the cut was not noticed");
                    assert_eq!(
                        held::promised_and_not_here(part.replica.store(), &app),
                        Vec::<String>::new(),
                        "seed {seed}, pages of {page_bytes}, cut after {cut}"
                    );
                    let part = restarted(part);
                    part.sync().expect("the server answers");
                    let found = held::dump(part.replica.store());
                    assert!(
                        found == expected,
                        "seed {seed}, pages of {page_bytes}, cut after {cut} of {frames}"
                    );
                }
            }
        }
    }
}

#[test]
fn any_prefix_of_a_round_then_a_crash_then_the_rest_leaves_the_same_work() {
    for seed in 1..=2 {
        let course = history(seed, 200);
        let world = course.world();
        for (number, like) in course.phones().iter().enumerate() {
            if like.is_revoked(&world.app) {
                continue;
            }
            for page_bytes in [300, 65_536] {
                let copy = || like.replica.store().copy().expect("a copy");
                let frames = frames_to_come(like, &copy(), &fork(world), world, page_bytes);
                let whole = on(copy(), &fork(world), world, like, page_bytes);
                whole.sync().expect("the server answers");
                let expected = held::shown(&whole);
                let before = audit::entries_on_phone(like.replica.store());
                let bundles = like.replica.carried().expect("a look");
                let carries = bundles.iter().any(|bundle| bundle.waiting > 0);
                for cut in cuts(frames) {
                    let what = format!(
                        "seed {seed}, phone {number}, pages of {page_bytes}, cut after {cut} of {frames}"
                    );
                    let app = fork(world);
                    let part = on(copy(), &app, world, like, page_bytes);
                    part.link.cut_after(cut);
                    // Where it fell into the handing in of others' work, this phone's own was done.
                    let is_noticed = part.sync().is_err();
                    assert!(is_noticed || carries, "{what}: not noticed");
                    assert_eq!(
                        held::promised_and_not_here(part.replica.store(), &app),
                        Vec::<String>::new(),
                        "{what}"
                    );
                    let mut here = audit::entries_on_phone(part.replica.store());
                    here.extend(audit::entries_of_sound(&app).expect("the server is sound"));
                    let gone: Vec<_> = before.difference(&here).collect();
                    let was: Vec<String> = gone
                        .iter()
                        .map(|entry| held::whereabouts(like.replica.store(), **entry))
                        .collect();
                    assert!(
                        gone.is_empty(),
                        "{what}: went before its fate had come: {gone:?}, {was:?}"
                    );
                    let part = restarted(part);
                    part.sync().expect("the server answers");
                    assert_eq!(held::shown(&part), expected, "{what}");
                }
            }
        }
    }
}
