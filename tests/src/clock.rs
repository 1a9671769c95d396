//! Time and randomness that a test sets: one shared clock for the server, a skewed view of it for each phone.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use patrol_core::domain::time::Timestamp;
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// 2026-11-23 08:00 in Zhuhai.
pub const START: Timestamp = Timestamp(1_795_392_000_000);

/// The time that everybody would read from a good clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(START.0)))
    }
}

impl Clock {
    /// The true time.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    /// Lets time pass.
    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

/// A machine's clock and randomness.
#[derive(Debug)]
pub struct Machine {
    clock: Clock,
    skew_ms: AtomicI64,
    boot: AtomicU64,
    booted_at: AtomicI64,
    rng: Mutex<ChaCha8Rng>,
}

impl Machine {
    /// A machine whose randomness follows from a seed.
    pub fn new(clock: &Clock, seed: u64) -> Self {
        Self {
            clock: clock.clone(),
            skew_ms: AtomicI64::new(0),
            boot: AtomicU64::new(seed % 1_000_000 + 1),
            booted_at: AtomicI64::new(clock.now().0),
            rng: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
        }
    }

    /// Sets the wall clock wrong by so much.
    pub fn set_skew_ms(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::Relaxed);
    }

    /// Restarts the machine: its monotonic clock begins anew.
    pub fn reboot(&self) {
        self.boot.fetch_add(1, Ordering::Relaxed);
        self.booted_at.store(self.clock.now().0, Ordering::Relaxed);
    }

    fn fill(&self, bytes: &mut [u8]) {
        self.rng
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(bytes);
    }

    fn wall(&self) -> Timestamp {
        self.clock
            .now()
            .plus_ms(self.skew_ms.load(Ordering::Relaxed))
    }
}

impl patrol_core::replica::Environment for Machine {
    fn now(&self) -> Timestamp {
        self.wall()
    }

    fn monotonic_ms(&self) -> u64 {
        let since = self.clock.now().0 - self.booted_at.load(Ordering::Relaxed);
        u64::try_from(since).unwrap_or(0)
    }

    fn boot(&self) -> u64 {
        self.boot.load(Ordering::Relaxed)
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.fill(bytes);
    }
}

impl patrol_server::app::Environment for Machine {
    fn now(&self) -> Timestamp {
        self.wall()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.fill(bytes);
    }
}
