//! How often a secret was tried in vain: who tries too often waits, longer each time.
//!
//! It keeps no secret and knows no address, is the same for a login that there is not, and lives in memory: a restart forgets. Sessions that
//! exist are not its business.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use patrol_core::domain::id::PersonId;
use patrol_core::domain::limits;
use patrol_core::domain::time::Timestamp;

use crate::auth;

/// What was tried in vain of late, as hashes, so that each takes the same room.
#[derive(Clone, Debug, Default)]
pub struct Tries(Arc<Mutex<Rows>>);

type Rows = BTreeMap<[u8; 32], Vain>;

/// Whose secret is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of<'n> {
    /// That of a login, whoever tries, and what is kept of it: nothing where there is no such login. Another secret was not tried yet.
    Login(&'n str, &'n str),
    /// His own, by who is signed in, and what is kept of it.
    Own(PersonId, &'n str),
    /// That of the first administrator.
    SetupCode,
}

impl Of<'_> {
    /// No login is like what is none.
    fn key(self) -> [u8; 32] {
        auth::hash_of(&match self {
            Self::Login(login, kept) => format!("login {kept} {login}"),
            Self::Own(person, kept) => format!("own {kept} {}", person.hex()),
            Self::SetupCode => "setup code".to_owned(),
        })
    }
}

/// Tries of one secret, the right one not yet among them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Vain {
    /// Wrong ones.
    failed: u32,
    /// When the last of those was begun.
    failed_at: Timestamp,
    /// Those that are under way.
    open: u32,
    /// When the last of all was begun.
    begun_at: Timestamp,
}

/// A try that is under way. It counts as one in vain, so that many at once are not free; if it is dropped unsettled, it was not made.
#[derive(Debug)]
#[must_use]
pub struct Try {
    tries: Tries,
    key: [u8; 32],
    begun_at: Timestamp,
}

/// Too many tries: in how many milliseconds the next one may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooMany(pub i64);

impl Tries {
    /// Begins a try, if it need not wait.
    pub fn begin(&self, of: Of<'_>, now: Timestamp) -> Result<Try, TooMany> {
        let mut rows = self.lock();
        let key = of.key();
        let mut vain = Vain {
            failed: 0,
            failed_at: now,
            open: 0,
            begun_at: now,
        };
        if let Some(known) = rows.get_mut(&key) {
            // A clock that was set back would lengthen the wait.
            known.failed_at = known.failed_at.min(now);
            known.begun_at = known.begun_at.min(now);
            if !known.is_forgotten_at(now) {
                vain = *known;
            }
        }
        let left = vain.wait_ms() - now.ms_since(vain.last_at());
        if left > 0 {
            return Err(TooMany(left));
        }
        if rows.len() >= limits::TRIES_LOGINS_MAX && !rows.contains_key(&key) {
            make_room(&mut rows, now);
        }
        vain.open = vain.open.saturating_add(1);
        vain.begun_at = now;
        rows.insert(key, vain);
        Ok(Try {
            tries: self.clone(),
            key,
            begun_at: now,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Try {
    /// Says what it came to: the right one is the end of all before it, and one that could not be made does not count.
    pub fn settle<T, E>(self, checked: &Result<Option<T>, E>) {
        let mut rows = self.tries.lock();
        match checked {
            Ok(Some(_)) => {
                rows.remove(&self.key);
            }
            Ok(None) => {
                if let Some(vain) = rows.get_mut(&self.key) {
                    vain.failed = vain.failed.saturating_add(1);
                    vain.failed_at = vain.failed_at.max(self.begun_at);
                }
            }
            Err(_) => {}
        }
    }
}

impl Drop for Try {
    fn drop(&mut self) {
        if let Some(vain) = self.tries.lock().get_mut(&self.key) {
            vain.open = vain.open.saturating_sub(1);
        }
    }
}

impl Vain {
    /// How long after the last one the next may be made.
    fn wait_ms(self) -> i64 {
        let count = self.failed.saturating_add(self.open);
        match count.checked_sub(limits::TRIES_FREE_MAX) {
            None => 0,
            Some(doublings) => {
                (limits::TRIES_WAIT_MS << doublings.min(16)).min(limits::TRIES_WAIT_MS_MAX)
            }
        }
    }

    /// When the last one was begun that counts.
    fn last_at(self) -> Timestamp {
        match self.open {
            0 => self.failed_at,
            _ => self.begun_at,
        }
    }

    fn is_forgotten_at(self, now: Timestamp) -> bool {
        let is_empty = (self.failed, self.open) == (0, 0);
        is_empty || now.ms_since(self.last_at()) >= limits::TRIES_KEPT_MS
    }
}

/// Forgets what is old, and where that is not enough the quarter that was tried least: made-up logins push none out that has to wait.
fn make_room(rows: &mut Rows, now: Timestamp) {
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
        let tried = tries.begin(Of::Login(name, ""), Timestamp(now))?;
        tried.settle(&WRONG);
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
        let tried = tries.begin(Of::Login("a", ""), Timestamp(now));
        tried.expect("the wait is over").settle(&RIGHT);
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
        let begin = || tries.begin(Of::Login("a", ""), Timestamp(0));
        let mut begun: Vec<Try> = (0..limits::TRIES_FREE_MAX)
            .map(|_| begin().expect("a free one"))
            .collect();
        assert!(begin().is_err());
        let first = begun.pop().expect("there are some");
        first.settle(&Err::<Option<()>, ()>(()));
        let tried = begin().expect("one was not made");
        assert!(begin().is_err());
        drop(tried);
        assert!(begin().is_ok());
    }

    #[test]
    fn a_try_that_is_not_made_lengthens_no_wait() {
        let tries = failed_often("a");
        let over = limits::TRIES_WAIT_MS;
        for _ in 0..3 {
            let tried = tries.begin(Of::Login("a", ""), Timestamp(over));
            drop(tried.expect("the wait is over"));
        }
        assert_eq!(fail(&tries, "a", over), Ok(()));
        // Nor does one that is given up while a later one is made.
        let later = 3 * over;
        let given_up = tries.begin(Of::Login("a", ""), Timestamp(later));
        let given_up = given_up.expect("the wait is over");
        assert_eq!(
            fail(&tries, "a", later),
            Err(TooMany(4 * over)),
            "it counts until then"
        );
        drop(given_up);
        assert_eq!(fail(&tries, "a", later), Ok(()));
        assert_eq!(fail(&tries, "a", later), Err(TooMany(4 * over)));
    }

    #[test]
    fn what_is_tried_of_one_secret_is_no_try_of_another() {
        let person = PersonId(*b"setup co");
        let names = [
            "setup code",
            &person.hex(),
            &format!("own {}", person.hex()),
        ];
        let others = [Of::Own(person, ""), Of::SetupCode];
        for name in names {
            let tries = failed_often(name);
            let begun = others.map(|of| tries.begin(of, Timestamp(0)).is_ok());
            assert_eq!(begun, [true; 2], "{name}");
        }
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
