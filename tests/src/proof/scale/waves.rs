//! Many phones that come to a server at their times, each measured from when it set out and from when it was due.
//!
//! It sends what was composed elsewhere. Who had to wait because the server was slow with others has waited: where only the time from
//! setting out counts, that is left out.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use patrol_core::sync::session::{Incoming, Session};
use patrol_core::sync::wire::Fate;

use super::super::town::Call;
use crate::bench::client::Connection;
use crate::bench::{Watch, micros};

/// Tries of a phone before it counts as turned away.
pub(in crate::proof) const TRIES: u32 = 8;
/// Between them.
const PAUSE: Duration = Duration::from_millis(50);
/// The same of a phone whose server is killed and started again meanwhile.
const RUSH_TRIES: u32 = 2_000;
const RUSH_PAUSE: Duration = Duration::from_millis(5);

/// How a wave went, in milliseconds for each call that was answered.
#[derive(Debug, Default)]
pub(super) struct Wave {
    /// From when it set out.
    pub(super) from_start: Vec<f64>,
    /// From when it was due; the same, where all come as fast as they can.
    pub(super) from_due: Vec<f64>,
    /// Tries that had no good answer.
    pub(super) errors: usize,
    /// Phones that never had one.
    pub(super) failed: usize,
    /// Phones whose answer held no page.
    pub(super) without_news: usize,
}

/// What a good answer said.
pub(in crate::proof) struct Told {
    /// Changes that had been taken in before.
    pub(super) known: usize,
    /// Pages of what is new to the phone.
    pub(super) pages: usize,
}

/// Sends a call and reads the answer as a phone does. None: no answer, one that is none or has no end, or not all is in.
pub(in crate::proof) fn answered(address: SocketAddr, call: &Call) -> Option<Told> {
    let asked = Connection::try_open(address).and_then(|mut line| line.try_ask(&call.request));
    let (status, body) = asked.ok()?;
    if status != 200 {
        return None;
    }
    let pushed = if call.changes > 0 {
        vec![call.changes]
    } else {
        Vec::new()
    };
    let mut session = Session::new(pushed);
    let incoming = session.receive(&body).ok()?;
    let mut told = Told { known: 0, pages: 0 };
    for frame in &incoming {
        match frame {
            Incoming::Page(_) => told.pages += 1,
            Incoming::Fates(fates) => {
                let fates = fates.outcome.as_ref().ok()?;
                let known = fates.iter().filter(|fate| **fate == Fate::Dup);
                told.known += known.count();
                let is_in = |fate: &Fate| matches!(fate, Fate::Ok | Fate::Dup);
                fates.iter().all(is_in).then_some(())?;
            }
            _ => {}
        }
    }
    session.is_done().then_some(told)
}

#[expect(clippy::disallowed_methods, reason = "a morning has its pace")]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Lets everybody call, each on a connection of his own, spread over so much time; no more than so many at once.
pub(super) fn wave(address: SocketAddr, calls: &[Call], over: Duration, at_once: usize) -> Wave {
    let (next, wave) = (AtomicUsize::new(0), Mutex::new(Wave::default()));
    let begun = Watch::start();
    let one = |number: usize, call: &Call| {
        let due = over * number as u32 / calls.len().max(1) as u32;
        pause(due.saturating_sub(begun.elapsed()));
        let due = if over.is_zero() { begun.elapsed() } else { due };
        let set_out = begun.elapsed();
        let mut errors = 0;
        let told = loop {
            let told = answered(address, call);
            errors += u32::from(told.is_none());
            if told.is_some() || errors == TRIES {
                break told;
            }
            pause(PAUSE);
        };
        let done = begun.elapsed();
        let mut wave = wave.lock().unwrap_or_else(PoisonError::into_inner);
        wave.errors += errors as usize;
        if let Some(told) = told {
            wave.from_start.push(micros(done - set_out) / 1e3);
            wave.from_due.push(micros(done - due) / 1e3);
            wave.without_news += usize::from(told.pages == 0);
        } else {
            wave.failed += 1;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(call) = calls.get(number) else {
                        break;
                    };
                    one(number, call);
                }
            });
        }
    });
    wave.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What phones saw while a server was killed under them.
#[derive(Debug, Default)]
pub(super) struct Rush {
    /// Calls that were answered before the kill.
    pub(super) before: Vec<usize>,
    /// Calls that were under way when it came.
    pub(super) open: usize,
    /// Tries that failed.
    pub(super) errors: usize,
}

/// Lets all push at once, again and again until they are answered or it is hopeless; `kill` kills the server and starts another on the same address,
/// when so many have been.
pub(super) fn rush<T>(
    address: SocketAddr,
    calls: &[Call],
    (kill_after, at_once): (usize, usize),
    kill: impl FnOnce() -> T,
) -> (Rush, T) {
    let (next, open, errors) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let (is_killed, before) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let one = |number: usize, call: &Call| {
        for _ in 0..RUSH_TRIES {
            open.fetch_add(1, Ordering::SeqCst);
            let is_answered = answered(address, call).is_some();
            // Under the lock that the killer takes: what is in the list was answered before.
            let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
            open.fetch_sub(1, Ordering::SeqCst);
            if is_answered {
                if !is_killed.load(Ordering::SeqCst) {
                    before.push(number);
                }
                return;
            }
            drop(before);
            errors.fetch_add(1, Ordering::Relaxed);
            pause(RUSH_PAUSE);
        }
    };
    let mut rush = Rush::default();
    let killed = std::thread::scope(|scope| {
        let all = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(call) = calls.get(number) else {
                    break;
                };
                one(number, call);
            }
        };
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(all)).collect();
        loop {
            let before = before.lock().unwrap_or_else(PoisonError::into_inner);
            // Finished also by a panic, which comes through when the scope ends.
            if before.len() >= kill_after || workers.iter().all(ScopedJoinHandle::is_finished) {
                is_killed.store(true, Ordering::SeqCst);
                rush.open = open.load(Ordering::SeqCst);
                break;
            }
            drop(before);
            std::thread::yield_now();
        }
        kill()
    });
    rush.before = before.into_inner().unwrap_or_else(PoisonError::into_inner);
    rush.errors = errors.load(Ordering::Relaxed);
    (rush, killed)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use patrol_core::domain::id::Epoch;
    use patrol_core::domain::time::Timestamp;
    use patrol_core::sync::frame::{FrameWriter, Volume};
    use patrol_core::sync::wire::{Done, Fates, Welcome, kind};

    use super::*;

    /// Frames of an answer.
    enum Said {
        Welcome,
        Fates(Vec<Fate>),
        Page,
        Done,
    }

    fn body(said: &[Said]) -> Vec<u8> {
        let mut writer = FrameWriter::new(Volume::Little);
        let mut write = |kind, payload: Vec<u8>| writer.write(kind, &payload);
        for said in said {
            match said {
                Said::Welcome => {
                    let welcome = Welcome {
                        server_time: Timestamp(5),
                        lowest: 1,
                        protocol: 1,
                        epoch: Epoch([1; 4]),
                        notices: Vec::new(),
                    };
                    write(kind::WELCOME, welcome.encode());
                }
                Said::Fates(fates) => {
                    let (frame, outcome) = (0, Ok(fates.clone()));
                    write(kind::FATES, Fates { frame, outcome }.encode());
                }
                Said::Page => write(kind::PAGE, vec![4]),
                Said::Done => write(kind::DONE, Done::default().encode()),
            }
        }
        let mut bytes = writer.take();
        bytes.extend(writer.finish());
        bytes
    }

    /// Answers so many calls with that body, the first only after a while.
    fn server(
        (calls, stall): (usize, Duration),
        body: Vec<u8>,
    ) -> (SocketAddr, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let server = std::thread::spawn(move || {
            for (number, client) in listener.incoming().take(calls).enumerate() {
                let mut client = client.expect("a client");
                client.read_exact(&mut [0]).expect("its request");
                let stalled = Watch::start();
                while number == 0 && stalled.elapsed() < stall {
                    std::thread::yield_now();
                }
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let answer = [head.as_bytes(), &body].concat();
                client.write_all(&answer).expect("it listens");
            }
        });
        (address, server)
    }

    fn calls(count: usize, changes: usize) -> Vec<Call> {
        let call = || Call {
            request: b"x".to_vec(),
            changes,
            reported: Vec::new(),
        };
        (0..count).map(|_| call()).collect()
    }

    #[test]
    fn who_waits_while_the_server_stalls_with_another_is_measured_from_when_he_was_due() {
        let body = body(&[Said::Welcome, Said::Page, Said::Done]);
        let (address, server) = server((10, Duration::from_millis(500)), body);
        let wave = wave(address, &calls(10, 0), Duration::from_millis(100), 1);
        server.join().expect("it has answered all");
        assert_eq!((wave.errors, wave.failed, wave.without_news), (0, 0, 0));
        let over = |times: &[f64]| times.iter().filter(|time| **time > 300.0).count();
        assert_eq!(over(&wave.from_start), 1, "{wave:?}");
        assert_eq!(over(&wave.from_due), 10, "{wave:?}");
    }

    #[test]
    fn an_answer_that_is_empty_or_has_no_end_or_not_all_fates_is_a_try_that_failed() {
        let (welcome, done) = (|| Said::Welcome, || Said::Done);
        for (said, changes) in [
            (vec![], 0),
            (vec![welcome(), Said::Page], 0),
            (vec![welcome(), done()], 1),
            (vec![welcome(), Said::Fates(vec![Fate::Ok]), done()], 2),
            (vec![welcome(), Said::Fates(vec![Fate::Review]), done()], 1),
        ] {
            let body = if said.is_empty() {
                Vec::new()
            } else {
                body(&said)
            };
            let tries = TRIES as usize;
            let (address, server) = server((tries, Duration::ZERO), body);
            let wave = wave(address, &calls(1, changes), Duration::ZERO, 1);
            server.join().expect("it has answered all");
            assert_eq!((wave.errors, wave.failed), (tries, 1), "{wave:?}");
        }
    }

    #[test]
    fn a_phone_that_is_told_nothing_new_is_counted() {
        let fates = || Said::Fates(vec![Fate::Ok, Fate::Dup]);
        for (said, without) in [
            (vec![Said::Welcome, fates(), Said::Done], 1),
            (vec![Said::Welcome, fates(), Said::Page, Said::Done], 0),
        ] {
            let (address, server) = server((1, Duration::ZERO), body(&said));
            let wave = wave(address, &calls(1, 2), Duration::ZERO, 1);
            server.join().expect("it has answered all");
            assert_eq!((wave.failed, wave.without_news), (0, without), "{wave:?}");
        }
    }
}
