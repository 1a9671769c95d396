//! A clock that is years wrong, on either end, and then put right.

use std::path::Path;
use std::sync::Arc;

use patrol_core::domain::action::Action;
use patrol_core::domain::entry::Body;
use patrol_core::domain::id::EntryId;
use patrol_core::domain::time::{DAY_MS, Timestamp};
use patrol_core::replica::Replica;
use patrol_core::store::Store;
use patrol_server::app::{App, draw_identity};
use patrol_server::directory::{synthetic_people, zhuhai};
use patrol_server::retire::retire_ended;
use patrol_server::store::sqlite::SqliteStore;
use patrol_server::store::{Account, BrowserSession};
use patrol_server::{auth, check, clock, devices, office};

use super::{Ended, INSPECTOR, Office, Phone as Remote, Step, all_are_in, is_said, said};
use crate::clock::{Machine, START};
use crate::link::Link;
use crate::proof::Program;
use crate::served::Folder;
use crate::simulation::audit;
use crate::world::{Phone, World, city, enrol_into};

/// Two years.
const WRONG_MS: i64 = 730 * DAY_MS;

/// Which way a clock is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// It shows a time two years later.
    Ahead,
    /// It shows a time two years earlier.
    Behind,
}

impl Wrong {
    fn ms(self) -> i64 {
        match self {
            Self::Ahead => WRONG_MS,
            Self::Behind => -WRONG_MS,
        }
    }
}

fn open(file: &Path, machine: &Arc<Machine>) -> Result<Arc<App>, String> {
    let store = SqliteStore::open(file, || draw_identity(machine.as_ref())).map_err(said)?;
    let app = App::open(Arc::new(store), machine.clone()).map_err(said)?;
    Ok(Arc::new(app))
}

/// What a server does at its start and every day.
fn a_day(app: &App) -> Result<usize, String> {
    let now = app.environment.now();
    app.store.look_through().map_err(said)?;
    app.store.tidy(now).map_err(said)?;
    retire_ended(app, now).map_err(said)
}

fn enrolled(world: &World, app: &Arc<App>, seed: u64) -> Result<Phone, String> {
    let machine = Arc::new(Machine::new(&world.clock, seed));
    let store = Store::in_memory().map_err(said)?;
    let person = world.person(INSPECTOR);
    enrol_into(app, &store, &machine, person, INSPECTOR);
    Ok(Phone {
        replica: Replica::on(store, machine.clone()),
        machine,
        link: Link::new(Arc::clone(app), seed),
        person,
    })
}

fn words(words: &str) -> Body {
    Body {
        words: Some(words.to_owned()),
        ..Body::default()
    }
}

/// A server whose clock is wrong for a while, from one start to another.
///
/// # Errors
/// What did not hold.
pub fn of_the_server(wrong: Wrong) -> Step {
    let folder = Folder::new("walk-clock").map_err(said)?;
    let file = folder.file("server.db");
    let world = World::new(71);
    let machine = Arc::new(Machine::new(&world.clock, 1));
    let app = open(&file, &machine)?;
    let mut directory = zhuhai();
    directory.people = synthetic_people(&directory, START.plus_ms(-2 * WRONG_MS));
    app.put_directory(&directory).map_err(said)?;
    let phone = enrolled(&world, &app, 2)?;
    let village = world.villages(INSPECTOR)[0];
    let (ended, first) = phone.report(village, "看错了");
    let (open_case, second) = phone.report(village, "桥头垃圾");
    let mut told = vec![first, second];
    phone.sync().map_err(said)?;
    told.push(
        phone
            .act(ended, Action::Withdraw, words("不是"))
            .map_err(said)?,
    );
    phone.sync().map_err(said)?;
    let session = BrowserSession {
        person: phone.person,
        until: START.plus_ms(DAY_MS),
    };
    let account = Account {
        login: "one".to_owned(),
        person: phone.person,
        password_hash: "no password".to_owned(),
    };
    app.store.put_account(&account).map_err(said)?;
    let hash = &account.password_hash;
    app.store
        .put_session([7; 32], &session, hash)
        .map_err(said)?;
    let code = devices::issue_code(&app, phone.person, "").map_err(said)?;
    let code = code.ok_or("a code")?.code;
    a_day(&app)?;

    machine.set_skew_ms(wrong.ms());
    drop(app);
    let app = open(&file, &machine)?;
    phone.link.lead_to(Arc::clone(&app));
    let retired = a_day(&app)?;
    (retired == 0)
        .then_some(())
        .ok_or_else(|| format!("{retired} cases left the phones"))?;
    is_named(&app, wrong, Wrong::Behind)?;
    told.push(phone.note(open_case, "还在").map_err(said)?);
    shows_all(&phone)?;

    machine.set_skew_ms(0);
    drop(app);
    let app = open(&file, &machine)?;
    phone.link.lead_to(Arc::clone(&app));
    a_day(&app)?;
    // It was ahead when it received, which is seen from now on.
    is_named(&app, wrong, Wrong::Ahead)?;
    told.push(phone.note(open_case, "清走了").map_err(said)?);
    shows_all(&phone)?;
    let stage = phone.stage(ended);
    (stage == "withdrawn")
        .then_some(())
        .ok_or_else(|| format!("what had ended is {stage}"))?;
    secrets(&app, &code, wrong)?;
    holds(&app, &told)?;
    Ok(Ended {
        state: "clock".to_owned(),
        told: told.len(),
    })
}

/// That the server says that something was received ahead of its clock, if its clock was wrong in this way.
fn is_named(app: &App, wrong: Wrong, due: Wrong) -> Result<(), String> {
    let ahead = clock::received_ahead(app).map_err(said)?;
    let is_so = ahead.is_some() == (wrong == due);
    is_so
        .then_some(())
        .ok_or_else(|| format!("{wrong:?}: {ahead:?}"))
}

/// All is handed in, nothing of it refused or held, and the list is whole.
fn shows_all(phone: &Phone) -> Result<(), String> {
    for _ in 0..2 {
        phone.sync().map_err(said)?;
    }
    let status = phone.replica.status().map_err(said)?;
    let boxed = (status.outbox, status.held, status.refused);
    let cases = phone.replica.list("case", 0, 10).map_err(said)?.len();
    ((boxed, cases) == ((0, 0, 0), 2))
        .then_some(())
        .ok_or_else(|| format!("{status:?}, {cases} cases"))
}

/// What a clock ahead has ended stays ended; what a clock behind has not ended is as good as it was.
fn secrets(app: &App, code: &str, wrong: Wrong) -> Result<(), String> {
    let session = app.store.session([7; 32]).map_err(said)?.is_some();
    let now = app.environment.now();
    let key = [9; 32];
    let used = app.store.enrol(auth::hash_of(code), key, [8; 32], now);
    let used = used.map_err(said)?.is_some();
    let expected = wrong == Wrong::Behind;
    ((session, used) == (expected, expected))
        .then_some(())
        .ok_or_else(|| format!("{wrong:?}: session {session}, code {used}"))
}

fn holds(app: &App, told: &[EntryId]) -> Result<(), String> {
    let report = check::check(app.store.as_ref()).map_err(said)?;
    report
        .findings
        .is_empty()
        .then_some(())
        .ok_or_else(|| format!("{report:?}"))?;
    let found = audit::entries_of_sound(app)?;
    all_are_in(&told.iter().copied().collect(), &found)
}

/// A server whose clock shows a time before anybody's post had begun: nothing is refused for it, and nothing is lost.
///
/// # Errors
/// What did not hold.
pub fn before_the_posts() -> Step {
    let folder = Folder::new("walk-clock-posts").map_err(said)?;
    let file = folder.file("server.db");
    let world = World::new(73);
    let machine = Arc::new(Machine::new(&world.clock, 1));
    let app = open(&file, &machine)?;
    app.put_directory(city()).map_err(said)?;
    let phone = enrolled(&world, &app, 2)?;
    let village = world.villages(INSPECTOR)[0];
    let (case, first) = phone.report(village, "桥头垃圾");
    phone.sync().map_err(said)?;
    let second = phone.note(case, "还在").map_err(said)?;
    machine.set_skew_ms(Wrong::Behind.ms());
    phone.sync().map_err(said)?;
    let status = phone.replica.status().map_err(said)?;
    let boxed = (status.outbox, status.held, status.refused);
    let is_held = boxed == (0, 1, 0);
    is_held.then_some(()).ok_or_else(|| format!("{status:?}"))?;
    machine.set_skew_ms(0);
    for _ in 0..2 {
        phone.sync().map_err(said)?;
    }
    let stage = phone.stage(case);
    (stage == "reported")
        .then_some(())
        .ok_or_else(|| format!("it is {stage:?}"))?;
    let told = [first, second];
    holds(&app, &told)?;
    Ok(Ended {
        state: "review".to_owned(),
        told: told.len(),
    })
}

/// The server's program on a database that received something two years from now: it says so at its start and in a check, and goes on.
///
/// # Errors
/// What did not hold.
pub async fn of_the_program() -> Step {
    let office = Office::new("walk-clock-program")?;
    let server = office.start()?;
    let mut phone = Remote::enrol(&server, &office.database, 1).await?;
    phone.hand_in(10).await?;
    is_said(&server, 200, "ok").await?;
    let port = server.port();
    server.kill();
    let connection = rusqlite::Connection::open(&office.database).map_err(said)?;
    for sql in [
        "UPDATE batches SET received_at = received_at + ?1",
        "UPDATE changes SET received_at = received_at + ?1",
        "UPDATE documents SET opened_at = opened_at + ?1, changed_at = changed_at + ?1, ended_at = ended_at + ?1",
    ] {
        connection.execute(sql, [WRONG_MS]).map_err(said)?;
    }
    drop(connection);
    let server = Program::start(&office.database, port, &[])?;
    let is_logged = server.log.contains("set the clock right");
    is_logged.then_some(()).ok_or_else(|| server.log.clone())?;
    is_said(&server, 200, "clock").await?;
    let checked = office.errand(&["check"])?;
    let is_told = checked.contains("received_ahead_of_the_clock");
    is_told.then_some(()).ok_or_else(|| checked.clone())?;
    phone.hand_in(10).await?;
    server.kill();
    Ok(Ended {
        state: "clock".to_owned(),
        told: office.holds(&phone.recorded)?,
    })
}

/// A phone whose clock is wrong from its start on: it works as any other from its first contact, offline and after a restart too.
///
/// # Errors
/// What did not hold.
pub fn of_a_phone(wrong: Wrong) -> Step {
    let mut world = World::new(72);
    let villages = world.villages(INSPECTOR);
    world.phone(INSPECTOR);
    let phone = &world.phones[INSPECTOR];
    phone.machine.set_skew_ms(wrong.ms());
    phone.sync().map_err(said)?;
    let known = phone.replica.villages().map_err(said)?;
    (known == villages)
        .then_some(())
        .ok_or_else(|| format!("it works in {known:?}"))?;
    let (case, report) = phone.report(villages[0], "桥头垃圾");
    world.clock.advance_ms(3_600_000);
    let note = phone.note(case, "还在").map_err(said)?;
    phone.sync().map_err(said)?;
    let status = phone.replica.status().map_err(said)?;
    let boxed = (status.outbox, status.held, status.refused);
    (boxed == (0, 0, 0))
        .then_some(())
        .ok_or_else(|| format!("{status:?}"))?;
    let now = world.clock.now();
    (status.synced_at == Some(now))
        .then_some(())
        .ok_or_else(|| format!("{status:?}"))?;
    let dispatcher = world.person("受理派遣员01");
    let view = office::view(&world.app, dispatcher, case).map_err(|why| format!("{why:?}"))?;
    let times: Vec<(Timestamp, Option<Timestamp>)> = view
        .reading
        .lines
        .iter()
        .filter(|line| line.entry.person == phone.person)
        .map(|line| (line.entry.at.wall, line.entry.at.anchored))
        .collect();
    let due = [START, now].map(|time| (time.plus_ms(wrong.ms()), Some(time)));
    (times == due)
        .then_some(())
        .ok_or_else(|| format!("{times:?}, not {due:?}"))?;
    Ok(Ended {
        state: "anchored".to_owned(),
        told: [report, note].len(),
    })
}
