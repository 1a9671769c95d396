//! The machine below: clocks, randomness, free space. The app may provide them; what it does not provide, or throws on, is the
//! program's own, so that no report is lost to a broken callback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime};

use patrol_core::domain::time::Timestamp;
use patrol_core::replica::Environment;

use crate::error::CallbackError;

/// What an app knows of its machine better than this library. Called on whichever thread needs it, perhaps while the file is
/// locked: of `Patrol` it may call `shutdown` and nothing else.
#[uniffi::export(foreign)]
pub trait Host: Send + Sync {
    /// The wall clock: milliseconds since 1970 UTC.
    fn now_ms(&self) -> Result<i64, CallbackError>;
    /// Milliseconds of a clock that never jumps and runs while the phone sleeps (on Android `elapsedRealtime`).
    fn monotonic_ms(&self) -> Result<u64, CallbackError>;
    /// Names the stretch in which that clock runs: another number after each restart of the phone (on Android `BOOT_COUNT`).
    fn boot(&self) -> Result<u64, CallbackError>;
    /// So many random bytes. They are mixed with the operating system's, so poor ones do no harm.
    fn random(&self, len: u32) -> Result<Vec<u8>, CallbackError>;
    /// Free bytes where the file is, if known; the office sees when a phone runs full.
    fn free_bytes(&self) -> Result<Option<u64>, CallbackError>;
    /// The app's version, for the office.
    fn app_version(&self) -> Result<String, CallbackError>;
}

/// The app's machine where it answers, else the program's own.
pub(crate) struct Machine {
    host: Option<Arc<dyn Host>>,
    /// A clock callback has failed: two monotonic clocks must not be mixed, so from then on all clocks are the program's own.
    own_clocks: AtomicBool,
    started: Instant,
    boot: u64,
}

impl Machine {
    pub(crate) fn new(host: Option<Arc<dyn Host>>) -> Self {
        let mut boot = [0; 8];
        fill(&mut boot);
        Self {
            own_clocks: AtomicBool::new(host.is_none()),
            host,
            started: instant(),
            // The program's monotonic clock begins with the program, so each start counts as a boot.
            boot: u64::from_be_bytes(boot) >> 11,
        }
    }

    fn clock<T>(&self, ask: impl Fn(&dyn Host) -> Result<T, CallbackError>, own: T) -> T {
        let host = self
            .host
            .as_deref()
            .filter(|_| !self.own_clocks.load(Ordering::Acquire));
        match host.map(ask) {
            Some(Ok(value)) => value,
            Some(Err(_)) => {
                self.own_clocks.store(true, Ordering::Release);
                own
            }
            None => own,
        }
    }

    fn ask<T>(&self, ask: impl Fn(&dyn Host) -> Result<T, CallbackError>) -> Option<T> {
        self.host.as_deref().and_then(|host| ask(host).ok())
    }
}

impl Environment for Machine {
    fn now(&self) -> Timestamp {
        let since = wall().duration_since(SystemTime::UNIX_EPOCH);
        let own = i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.clock(|host| host.now_ms(), own))
    }

    fn monotonic_ms(&self) -> u64 {
        let since = instant().duration_since(self.started).as_millis();
        self.clock(
            |host| host.monotonic_ms(),
            u64::try_from(since).unwrap_or(u64::MAX),
        )
    }

    fn boot(&self) -> u64 {
        self.clock(|host| host.boot(), self.boot)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        fill(bytes);
        let given = u32::try_from(bytes.len())
            .ok()
            .and_then(|len| self.ask(|host| host.random(len)))
            .unwrap_or_default();
        for (byte, given) in bytes.iter_mut().zip(given) {
            *byte ^= given;
        }
    }

    fn free_bytes(&self) -> Option<u64> {
        self.ask(|host| host.free_bytes()).flatten()
    }

    fn app_version(&self) -> String {
        self.ask(|host| host.app_version())
            .unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
    }
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the shell reads the clock for everybody"
)]
fn wall() -> SystemTime {
    SystemTime::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the shell reads the clock for everybody"
)]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host whose name of the boot throws, and whose randomness is none.
    struct Faulty;

    fn thrown<T>() -> Result<T, CallbackError> {
        Err(CallbackError::Thrown {
            reason: "it threw".to_owned(),
        })
    }

    impl Host for Faulty {
        fn now_ms(&self) -> Result<i64, CallbackError> {
            Ok(1)
        }
        fn monotonic_ms(&self) -> Result<u64, CallbackError> {
            Ok(u64::MAX)
        }
        fn boot(&self) -> Result<u64, CallbackError> {
            thrown()
        }
        fn random(&self, len: u32) -> Result<Vec<u8>, CallbackError> {
            Ok(vec![0; len as usize / 2])
        }
        fn free_bytes(&self) -> Result<Option<u64>, CallbackError> {
            thrown()
        }
        fn app_version(&self) -> Result<String, CallbackError> {
            Ok("1.2".to_owned())
        }
    }

    #[test]
    fn clocks_of_two_hosts_are_never_mixed() {
        let machine = Machine::new(Some(Arc::new(Faulty)));
        assert_eq!(machine.now(), Timestamp(1));
        assert_eq!(machine.boot(), machine.boot);
        assert!(machine.now() > Timestamp(1));
        assert!(machine.monotonic_ms() < u64::MAX);
        assert_eq!(
            (machine.free_bytes(), machine.app_version()),
            (None, "1.2".to_owned())
        );
    }

    #[test]
    fn poor_randomness_of_a_host_does_no_harm() {
        let machine = Machine::new(Some(Arc::new(Faulty)));
        let (mut one, mut other) = ([0; 32], [0; 32]);
        machine.fill_random(&mut one);
        machine.fill_random(&mut other);
        assert!(one != [0; 32] && one != other);
    }
}
