//! What a hello says of its device: that it is there, what is amiss on it, and, of a revoked one, that it has handed in everything.
//!
//! What is lost is `holes`' business. An idle round writes nothing durable here.

use patrol_core::domain::limits;
use patrol_core::sync::wire::{DIGEST, Hello, Notice, Status};

use crate::app::App;
use crate::store::{Commit, Device, Result};

/// Notes what a hello says, before anything else of its request is looked at.
pub fn note(app: &App, device: &Device, hello: &Hello) -> Result<()> {
    let now = app.environment.now();
    // Silence after something was amiss is news too.
    let has_news = !hello.status.is_empty() || device.status.tells_of_trouble();
    // The last contact is noted to the minute; one later than now is from before the clock was set back.
    let is_noted = device
        .seen_at
        .is_some_and(|seen| (0..limits::CONTACT_NOTE_MS).contains(&now.ms_since(seen)));
    if has_news || !is_noted {
        ask_for_logs(app, device, hello)?;
        app.store.note_contact(device.id, now, &hello.status)?;
    }
    let is_last = device.revoked_at.is_some() && !device.revoked_empty;
    // One that was held up on its way does not speak for what has come since; nor does one for what a lost server had.
    let speaks_for_now = hello.epoch == app.identity.epoch && hello.last_n >= device.n_max;
    if is_last && hello.outbox_empty && speaks_for_now && has_heard(app, device, hello)? {
        app.store.note_emptied(device.id)?;
    }
    Ok(())
}

/// Whether a device knows what has become of its work: what followed a refused deed it makes again, and has to hand that in then.
fn has_heard(app: &App, device: &Device, hello: &Hello) -> Result<bool> {
    let mut has_heard = true;
    app.store.read(&mut |snapshot| {
        let waiting = snapshot.notices(device.id, hello.notice)?;
        let is_outcome = |notice: &Notice| matches!(notice, Notice::Outcome { .. });
        has_heard = !waiting.iter().any(|(_, notice)| is_outcome(notice));
        Ok(())
    })?;
    Ok(has_heard)
}

/// Sums that a listing has not mended are for a person to look at: the phone is asked for its logs, once each time that it says so
/// anew and has heard what it was asked before. Asked before that is noted: a server that dies between the two asks anew, not never.
fn ask_for_logs(app: &App, device: &Device, hello: &Hello) -> Result<()> {
    let says = |status: &Status| status.last_error.as_deref() == Some(DIGEST);
    if !says(&hello.status) || says(&device.status) {
        return Ok(());
    }
    let (id, mut is_asked) = (device.id, false);
    app.store.read(&mut |snapshot| {
        let notices = snapshot.notices(id, hello.notice)?;
        is_asked = notices
            .iter()
            .any(|(_, notice)| *notice == Notice::SendLogs);
        Ok(())
    })?;
    if is_asked {
        return Ok(());
    }
    tracing::error!(device = %id, "device {id}: its sums stay wrong after a listing");
    app.store.commit(&Commit {
        notices: vec![(id, Notice::SendLogs)],
        ..Commit::default()
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use patrol_core::domain::id::PersonId;
    use patrol_core::domain::time::Timestamp;

    use super::*;
    use crate::app::{Environment, draw_identity};
    use crate::store::memory::MemoryStore;

    struct Clock(AtomicI64);

    impl Environment for Clock {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }

        fn fill_random(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    struct Bench {
        app: App,
        clock: Arc<Clock>,
        device: Device,
    }

    impl Bench {
        fn new() -> Self {
            let clock = Arc::new(Clock(AtomicI64::new(0)));
            let store = MemoryStore::new(draw_identity(clock.as_ref()));
            let app = App::open(Arc::new(store), clock.clone()).expect("a new model opens");
            let (until, now) = (Timestamp(9), Timestamp(0));
            let code = app.store.put_enrol_code([1; 32], PersonId([1; 8]), until);
            code.expect("a code is kept");
            let device = app.store.enrol([1; 32], [2; 32], [3; 32], now);
            let device = device.expect("the store answers").expect("a device");
            Self { app, clock, device }
        }

        /// A hello at a time, of what the server knows by then.
        fn hear(&mut self, now: i64, hello: &Hello) {
            self.clock.0.store(now, Ordering::Relaxed);
            note(&self.app, &self.device, hello).expect("it is noted");
            let id = self.device.id;
            let read = self.app.store.read(&mut |snapshot| {
                self.device = snapshot.device(id)?.expect("it is there");
                Ok(())
            });
            read.expect("the store answers");
        }

        fn notices(&self) -> Vec<(u64, Notice)> {
            let mut notices = Vec::new();
            let read = self.app.store.read(&mut |snapshot| {
                notices = snapshot.notices(self.device.id, 0)?;
                Ok(())
            });
            read.expect("the store answers");
            notices
        }
    }

    #[test]
    fn a_contact_is_noted_to_the_minute_also_after_the_clock_was_set_back() {
        let mut bench = Bench::new();
        let hello = Hello::first(bench.app.identity.epoch);
        let minute = limits::CONTACT_NOTE_MS;
        for (now, seen) in [
            (10 * minute, 10 * minute),
            (11 * minute - 1, 10 * minute),
            (11 * minute, 11 * minute),
            (11 * minute - 1, 11 * minute - 1),
            (minute, minute),
        ] {
            bench.hear(now, &hello);
            assert_eq!(bench.device.seen_at, Some(Timestamp(seen)), "{now}");
        }
    }

    #[test]
    fn a_phone_that_has_not_heard_that_it_is_asked_is_not_asked_again() {
        let mut bench = Bench::new();
        let quiet = Hello::first(bench.app.identity.epoch);
        let mut wrong = quiet.clone();
        wrong.status.last_error = Some(DIGEST.to_owned());
        for now in 0..10 {
            bench.hear(now, if now % 2 == 0 { &wrong } else { &quiet });
        }
        assert_eq!(bench.notices(), [(1, Notice::SendLogs)]);
        wrong.notice = 1;
        bench.hear(10, &wrong);
        assert_eq!(bench.notices().len(), 2);
    }
}
