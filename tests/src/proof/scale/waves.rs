//! Many phones that come to a server at their times, each measured from when it set out and from when it was due.
//!
//! It sends what was composed elsewhere. Who had to wait because the server was slow with others has waited: where only the time from
//! setting out counts, that is left out.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use patrol_core::sync::wire::Fate;

use super::super::town::Call;
use crate::bench::client::{Connection, fated};
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
}

/// Sends a call. None: no answer, not a good one, or not all is in.
pub(in crate::proof) fn answered(address: SocketAddr, call: &Call) -> Option<Vec<u8>> {
    let asked = Connection::try_open(address).and_then(|mut line| line.try_ask(&call.request));
    let (status, body) = asked.ok()?;
    let is_in = || fated(&body, &Fate::Ok) + fated(&body, &Fate::Dup) == call.changes;
    (status == 200 && is_in()).then_some(body)
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
        while answered(address, call).is_none() && errors < TRIES {
            errors += 1;
            pause(PAUSE);
        }
        let done = begun.elapsed();
        let mut wave = wave.lock().unwrap_or_else(PoisonError::into_inner);
        wave.errors += errors as usize;
        if errors == TRIES {
            wave.failed += 1;
        } else {
            wave.from_start.push(micros(done - set_out) / 1e3);
            wave.from_due.push(micros(done - due) / 1e3);
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

    use super::*;

    #[test]
    fn who_waits_while_the_server_stalls_with_another_is_measured_from_when_he_was_due() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let calls: Vec<Call> = (0..10)
            .map(|_| Call {
                request: b"x".to_vec(),
                changes: 0,
            })
            .collect();
        let server = std::thread::spawn(move || {
            for (number, client) in listener.incoming().take(10).enumerate() {
                let mut client = client.expect("a client");
                client.read_exact(&mut [0]).expect("its request");
                let stall = Watch::start();
                while number == 0 && stall.elapsed() < Duration::from_millis(500) {
                    std::thread::yield_now();
                }
                client
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .expect("it listens");
            }
        });
        let wave = wave(address, &calls, Duration::from_millis(100), 1);
        server.join().expect("it has answered all");
        assert_eq!((wave.errors, wave.failed), (0, 0));
        let over = |times: &[f64]| times.iter().filter(|time| **time > 300.0).count();
        assert_eq!(over(&wave.from_start), 1, "{wave:?}");
        assert_eq!(over(&wave.from_due), 10, "{wave:?}");
    }
}
