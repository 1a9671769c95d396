//! How often a secret was tried in vain under a name: who tries too often waits, longer each time.
//!
//! It knows no secret and no address, does not ask whether there is such a name, and lives in memory: a restart forgets. Sessions that
//! exist are not its business.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;

use crate::auth;

/// Names under which something was tried in vain of late, as hashes, so that each takes the same room.
#[derive(Debug, Default)]
pub struct Tries(Mutex<BTreeMap<[u8; 32], Vain>>);

/// Tries under one name, the right one not yet among them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Vain {
    count: u32,
    last_at: Timestamp,
}

/// A try that is under way. Until something else is said it counts as one in vain, so that many at once are not free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Try([u8; 32]);

/// Too many tries: in how many milliseconds the next one may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany(pub i64);

impl Tries {
    /// Begins a try under a name, if it need not wait.
    pub fn begin(&self, name: &str, now: Timestamp) -> Result<Try, TooMany> {
        let mut rows = self.lock();
        let key = auth::hash_of(name);
        let vain = rows.get_mut(&key).map(|vain| {
            // A clock that was set back would lengthen the wait.
            vain.last_at = vain.last_at.min(now);
            *vain
        });
        let vain = vain.filter(|vain| !vain.is_forgotten_at(now));
        let left = vain.map_or(0, |vain| vain.wait_ms() - now.ms_since(vain.last_at));
        if left > 0 {
            return Err(TooMany(left));
        }
        if rows.len() >= limits::TRIES_LOGINS_MAX && vain.is_none() {
            make_room(&mut rows, now);
        }
        let count = vain.map_or(0, |vain| vain.count).saturating_add(1);
        let last_at = now;
        rows.insert(key, Vain { count, last_at });
        Ok(Try(key))
    }

    /// Says what a try came to: the right one is the end of all before it, and one that could not be made does not count.
    pub fn settle<T, E>(&self, tried: Try, checked: &Result<Option<T>, E>) {
        match checked {
            Ok(Some(_)) => {
                self.lock().remove(&tried.0);
            }
            Ok(None) => {}
            Err(_) => self.take_back(tried),
        }
    }

    /// Forgets what was tried under a name: its secret is another one now.
    pub fn forget(&self, name: &str) {
        self.lock().remove(&auth::hash_of(name));
    }

    /// Takes a try back that was not made.
    pub fn take_back(&self, tried: Try) {
        if let Some(vain) = self.lock().get_mut(&tried.0) {
            vain.count = vain.count.saturating_sub(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Vain>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vain {
    /// How long after the last one the next may be made.
    fn wait_ms(self) -> i64 {
        match self.count.checked_sub(limits::TRIES_FREE_MAX) {
            None => 0,
            Some(doublings) => {
                (limits::TRIES_WAIT_MS << doublings.min(16)).min(limits::TRIES_WAIT_MS_MAX)
            }
        }
    }

    fn is_forgotten_at(self, now: Timestamp) -> bool {
        now.ms_since(self.last_at) >= limits::TRIES_KEPT_MS
    }
}

/// Forgets what is old, and where that is not enough the quarter that was tried least: made-up names push no name out that has to wait.
fn make_room(rows: &mut BTreeMap<[u8; 32], Vain>, now: Timestamp) {
    rows.retain(|_, vain| !vain.is_forgotten_at(now));
    let room = limits::TRIES_LOGINS_MAX / 4;
    if rows.len() + room <= limits::TRIES_LOGINS_MAX {
        return;
    }
    let mut least: Vec<(Vain, [u8; 32])> = rows.iter().map(|(key, vain)| (*vain, *key)).collect();
    least.sort_unstable();
    for (_, key) in least.iter().take(room) {
        rows.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: Result<Option<()>, ()> = Ok(None);
    const RIGHT: Result<Option<()>, ()> = Ok(Some(()));

    fn fail(tries: &Tries, name: &str, now: i64) -> Result<(), TooMany> {
        let tried = tries.begin(name, Timestamp(now))?;
        tries.settle(tried, &WRONG);
        Ok(())
    }

    fn failed_often(name: &str) -> Tries {
        let tries = Tries::default();
        for _ in 0..limits::TRIES_FREE_MAX {
            assert_eq!(fail(&tries, name, 0), Ok(()));
        }
        tries
    }

    #[test]
    fn waits_grow_to_a_bound_and_a_right_one_ends_them() {
        let tries = failed_often("a");
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..8 {
            let Err(TooMany(wait)) = fail(&tries, "a", now) else {
                panic!("it need not wait at {now}");
            };
            assert_eq!(fail(&tries, "a", now + wait - 1), Err(TooMany(1)));
            now += wait;
            assert_eq!(fail(&tries, "a", now), Ok(()));
            waits.push(wait / 1_000);
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(fail(&tries, "b", now), Ok(()));
        now += limits::TRIES_WAIT_MS_MAX;
        let tried = tries.begin("a", Timestamp(now)).expect("the wait is over");
        tries.settle(tried, &RIGHT);
        for _ in 0..limits::TRIES_FREE_MAX {
            assert_eq!(fail(&tries, "a", now), Ok(()));
        }
        assert!(fail(&tries, "a", now).is_err());
        assert_eq!(fail(&tries, "a", now + limits::TRIES_KEPT_MS), Ok(()));
        assert_eq!(fail(&tries, "a", now + limits::TRIES_KEPT_MS), Ok(()));
    }

    #[test]
    fn many_at_once_are_not_free_and_one_that_was_not_made_does_not_count() {
        let tries = Tries::default();
        let begin = || tries.begin("a", Timestamp(0));
        let begun: Vec<Try> = (0..limits::TRIES_FREE_MAX)
            .map(|_| begin().expect("a free one"))
            .collect();
        assert!(begin().is_err());
        tries.settle(begun[0], &Err::<Option<()>, ()>(()));
        let tried = begin().expect("one was not made");
        assert!(begin().is_err());
        tries.take_back(tried);
        assert!(begin().is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_longer() {
        let tries = failed_often("a");
        let earlier = -365 * 24 * 3_600_000;
        let wait = limits::TRIES_WAIT_MS;
        assert_eq!(fail(&tries, "a", earlier), Err(TooMany(wait)));
        assert_eq!(fail(&tries, "a", earlier + wait), Ok(()));
    }

    #[test]
    fn made_up_names_stay_within_bounds_and_free_nobody_who_waits() {
        let tries = failed_often("a");
        for number in 0..100_000 {
            assert_eq!(fail(&tries, &number.to_string(), 1), Ok(()));
            assert!(number % 1_000 > 0 || tries.lock().len() <= limits::TRIES_LOGINS_MAX);
        }
        assert!(tries.lock().len() <= limits::TRIES_LOGINS_MAX);
        assert!(fail(&tries, "a", 2).is_err());
    }
}
