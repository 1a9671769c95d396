//! What one device may ask of the server, at once and in a row, so that a single one, hostile or mad, leaves the rest to the others.
//!
//! Those that have had much take turns with each other. How much all devices may ask together is bounded by connections and by threads.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use patrol_core::domain::id::DeviceId;
use patrol_core::domain::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::error::ApiError;

/// The shares of all devices that ask for something, or did a moment ago.
#[derive(Debug)]
pub struct Shares {
    all: Mutex<BTreeMap<DeviceId, Arc<Share>>>,
    modest: Arc<Modest>,
    /// Turns of those that have had much, for as long as there are others.
    immodest: Arc<Semaphore>,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            all: Mutex::default(),
            modest: Arc::default(),
            immodest: Arc::new(Semaphore::new(limits::IMMODEST_WORKS_AT_ONCE)),
        }
    }
}

/// When work was last done for a device that has had little of it.
#[derive(Debug, Default)]
struct Modest(Mutex<Option<Instant>>);

impl Modest {
    fn last(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there are such devices at this time.
    fn are_here(&self, now: Instant) -> bool {
        let patience = Duration::from_millis(limits::DEVICE_MODEST_MS);
        self.last()
            .is_some_and(|last| now.saturating_duration_since(last) <= patience)
    }
}

/// The share of one device.
#[derive(Debug)]
struct Share {
    turns: Arc<Semaphore>,
    /// Places taken.
    places: AtomicUsize,
    /// Bytes that requests keep in memory.
    kept: AtomicUsize,
    debt: Mutex<Debt>,
    modest: Arc<Modest>,
    immodest: Arc<Semaphore>,
}

/// A place among a device's requests, until it is dropped.
#[derive(Debug)]
pub struct Place(Arc<Share>);

impl Place {
    fn of(share: &Arc<Share>) -> Self {
        share.places.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(share))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a request keeps in memory, until it is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    share: Arc<Share>,
    bytes: usize,
}

impl Kept {
    /// Notes how much it is now.
    ///
    /// # Errors
    /// `Busy`: all of the device's requests together keep too much, and this one is not alone.
    pub(crate) fn note(&mut self, bytes: usize) -> Result<(), ApiError> {
        let before = std::mem::replace(&mut self.bytes, bytes);
        self.share.kept.fetch_sub(before, Ordering::Relaxed);
        let others = self.share.kept.fetch_add(bytes, Ordering::Relaxed);
        if others > 0 && others + bytes > limits::DEVICE_KEPT_BYTES_MAX {
            return Err(ApiError::Busy);
        }
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.share.kept.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Work that was done for a device and for which it has not rested yet, as it stood at a moment.
#[derive(Clone, Copy, Debug)]
struct Debt {
    work: Duration,
    at: Instant,
}

impl Debt {
    /// What is left of it: rest wears it off.
    fn left(self, now: Instant) -> Duration {
        let rested = now.saturating_duration_since(self.at) / limits::DEVICE_REST;
        self.work.saturating_sub(rested)
    }
}

/// A device's turn, until it is dropped. It has a place of its own, so that the share of a request that was cut while its work is done is
/// not forgotten.
#[derive(Debug)]
pub(crate) struct Turn {
    place: Place,
    _permit: OwnedSemaphorePermit,
    /// Of those that have had much.
    _immodest: Option<OwnedSemaphorePermit>,
}

impl Shares {
    /// A place for one more request of a device.
    pub(crate) fn enter(&self, device: DeviceId, now: Instant) -> Result<Place, ApiError> {
        let mut shares = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&device) {
            let has_place = share.requests() < limits::DEVICE_REQUESTS_AT_ONCE;
            return has_place.then(|| Place::of(share)).ok_or(ApiError::Busy);
        }
        shares.retain(|_, share| share.places() > 0 || share.owes(now));
        let share = Arc::new(Share {
            turns: Arc::new(Semaphore::new(limits::DEVICE_WORKS_AT_ONCE)),
            places: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            debt: Mutex::new(Debt {
                work: Duration::ZERO,
                at: now,
            }),
            modest: Arc::clone(&self.modest),
            immodest: Arc::clone(&self.immodest),
        });
        let place = Place::of(&share);
        shares.insert(device, share);
        Ok(place)
    }
}

impl Place {
    /// What the request keeps in memory: nothing yet.
    pub(crate) fn keeps(&self) -> Kept {
        let share = Arc::clone(&self.0);
        Kept { share, bytes: 0 }
    }

    /// Waits for the device's turn to have work done; and if it has had much and others are modest, until it has rested from that, and until
    /// no work is done for others that have had much.
    pub(crate) async fn turn(&self) -> Result<Turn, ApiError> {
        let Self(share) = self;
        let closed = |_| ApiError::Unavailable;
        let permit = Arc::clone(&share.turns).acquire_owned().await;
        let mut turn = Turn {
            place: Self::of(share),
            _permit: permit.map_err(closed)?,
            _immodest: None,
        };
        let rest = share.rest(Instant::now());
        if !rest.is_zero() {
            drop(timeout(rest, pending::<()>()).await);
        }
        if share.is_immodest(Instant::now()) {
            let permit = Arc::clone(&share.immodest).acquire_owned().await;
            turn._immodest = Some(permit.map_err(closed)?);
        }
        Ok(turn)
    }
}

impl Share {
    fn places(&self) -> usize {
        self.places.load(Ordering::Relaxed)
    }

    /// Requests that are open: a turn's place is another.
    fn requests(&self) -> usize {
        let at_work = limits::DEVICE_WORKS_AT_ONCE - self.turns.available_permits();
        self.places().saturating_sub(at_work)
    }

    fn debt(&self) -> MutexGuard<'_, Debt> {
        self.debt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owes(&self, now: Instant) -> bool {
        !self.debt().left(now).is_zero()
    }

    /// How much it has had beyond what is modest.
    fn excess(&self, now: Instant) -> Duration {
        let burst = Duration::from_millis(limits::DEVICE_BURST_MS);
        self.debt().left(now).saturating_sub(burst)
    }

    /// Whether it has had little: well below what makes it rest. Else those who all want much would take turns at holding each other back.
    fn is_modest(&self, now: Instant) -> bool {
        self.debt().left(now) <= Duration::from_millis(limits::DEVICE_BURST_MS / 2)
    }

    /// Whether it has had much, and others are there who have not.
    fn is_immodest(&self, now: Instant) -> bool {
        !self.is_modest(now) && self.modest.are_here(now)
    }

    /// How long it must rest. Among those who all want much, nobody is held back.
    fn rest(&self, now: Instant) -> Duration {
        if self.modest.are_here(now) {
            self.excess(now) * limits::DEVICE_REST
        } else {
            Duration::ZERO
        }
    }
}

/// Work in a device's turn. However it ends, also by a panic, the device has had it.
#[derive(Debug)]
pub(crate) struct Working {
    turn: Turn,
    begun: Instant,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.turn.end(self.begun.elapsed(), Instant::now());
    }
}

impl Turn {
    /// The work begins now.
    pub(crate) fn begin(self) -> Working {
        Working {
            turn: self,
            begun: Instant::now(),
        }
    }

    /// Charges the device with work that took so long.
    fn end(&self, work: Duration, now: Instant) {
        let Place(share) = &self.place;
        // What it had while nobody else was there is not held against it for long: no line waits half a minute.
        let most = Duration::from_millis(2 * limits::DEVICE_BURST_MS);
        {
            let mut debt = share.debt();
            *debt = Debt {
                work: most.min(debt.left(now) + work),
                at: now,
            };
        }
        if share.is_modest(now) {
            *share.modest.last() = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const ONE: DeviceId = DeviceId([1; 8]);
    const OTHER: DeviceId = DeviceId([2; 8]);

    /// How long a device must rest at a moment.
    fn rest(place: &Place, now: Instant) -> u128 {
        place.0.rest(now).as_millis()
    }

    fn works(place: &Place, ms: u64, now: Instant) {
        let turn = place.turn().now_or_never().expect("a turn").expect("open");
        turn.end(Duration::from_millis(ms), now);
    }

    #[test]
    fn a_device_has_one_piece_of_work_done_at_a_time_whatever_others_do() {
        let (shares, now) = (Shares::default(), Instant::now());
        let enter = |device| shares.enter(device, now).expect("a place");
        let [first, second, other] = [ONE, ONE, OTHER].map(enter);
        let turn = first.turn().now_or_never().expect("nobody is before it");
        assert!(second.turn().now_or_never().is_none());
        assert!(other.turn().now_or_never().is_some());
        drop(turn);
        assert!(second.turn().now_or_never().is_some());
    }

    #[test]
    fn work_that_goes_on_after_its_request_was_cut_keeps_the_turn() {
        let (shares, now) = (Shares::default(), Instant::now());
        let cut = shares.enter(ONE, now).expect("a place");
        let turn = cut.turn().now_or_never();
        drop(cut);
        shares.enter(OTHER, now).expect("a place");
        let next = shares.enter(ONE, now).expect("a place");
        assert!(next.turn().now_or_never().is_none());
        drop(turn);
        assert!(next.turn().now_or_never().is_some());
    }

    #[test]
    fn a_device_with_too_many_requests_is_told_to_wait_until_one_ends() {
        let (shares, now) = (Shares::default(), Instant::now());
        let enter = |device| shares.enter(device, now);
        let requests = (0..limits::DEVICE_REQUESTS_AT_ONCE).map(|_| enter(ONE).expect("a place"));
        let mut requests: Vec<_> = requests.collect();
        assert!(matches!(enter(ONE), Err(ApiError::Busy)));
        // One that has its turn is one.
        drop(requests.pop());
        let _turn = requests[0].turn().now_or_never();
        requests.push(enter(ONE).expect("a place"));
        assert!(matches!(enter(ONE), Err(ApiError::Busy)));
        assert!(enter(OTHER).is_ok());
        drop(requests.pop());
        assert!(enter(ONE).is_ok());
    }

    #[test]
    fn what_a_devices_requests_keep_in_memory_is_bounded_together_and_one_alone_is_never_told_to_wait()
     {
        let (shares, now) = (Shares::default(), Instant::now());
        let places = [ONE, ONE, ONE, OTHER].map(|device| shares.enter(device, now));
        let [mut first, mut second, mut third, mut other] =
            places.map(|place| place.expect("a place").keeps());
        let largest = limits::FRAME_BYTES_MAX + (1 << limits::ZSTD_WINDOW_LOG_MAX);
        assert!(largest <= limits::DEVICE_KEPT_BYTES_MAX);
        assert!(first.note(largest).is_ok());
        let rest = limits::DEVICE_KEPT_BYTES_MAX - largest;
        assert!(second.note(rest).is_ok());
        assert!(matches!(second.note(largest), Err(ApiError::Busy)));
        assert!(other.note(largest).is_ok());
        drop(second);
        assert!(first.note(0).is_ok());
        assert!(third.note(largest).is_ok(), "what has ended keeps nothing");
        drop(first);
        assert!(third.note(2 * limits::DEVICE_KEPT_BYTES_MAX).is_ok());
    }

    #[test]
    fn who_has_had_much_work_done_in_a_row_rests_while_there_are_others_who_had_little() {
        let (shares, now) = (Shares::default(), Instant::now());
        let [place, other] = [ONE, OTHER].map(|device| shares.enter(device, now).expect("a place"));
        works(&place, limits::DEVICE_BURST_MS, now);
        assert_eq!(rest(&place, now), 0);
        works(&place, 10, now);
        works(&other, 1, now);
        let due = u64::from(10 * limits::DEVICE_REST);
        assert_eq!(rest(&place, now), u128::from(due));
        assert_eq!(rest(&place, now + Duration::from_millis(due)), 0);
        assert_eq!(rest(&other, now), 0);
    }

    #[test]
    fn who_is_alone_or_among_those_who_want_as_much_is_not_held_back() {
        let (shares, now) = (Shares::default(), Instant::now());
        let [place, other] = [ONE, OTHER].map(|device| shares.enter(device, now).expect("a place"));
        works(&place, 100 * limits::DEVICE_BURST_MS, now);
        assert_eq!(rest(&place, now), 0);
        works(&other, 1, now);
        let longest = u64::from(limits::DEVICE_REST) * limits::DEVICE_BURST_MS;
        assert_eq!(rest(&place, now), u128::from(longest));
        assert!(longest < limits::STALL_MS / 2);
        works(&other, 2 * limits::DEVICE_BURST_MS, now);
        let later = now + Duration::from_millis(limits::DEVICE_MODEST_MS + 1);
        assert_eq!([&place, &other].map(|place| rest(place, later)), [0, 0]);
    }

    #[test]
    fn those_who_have_had_much_have_work_done_one_after_the_other_while_others_are_modest() {
        let (shares, now) = (Shares::default(), Instant::now());
        let ids = [[1; 8], [2; 8], [3; 8]].map(DeviceId);
        let [first, second, other] = ids.map(|id| shares.enter(id, now).expect("a place"));
        works(&first, limits::DEVICE_BURST_MS, now);
        works(&second, limits::DEVICE_BURST_MS, now);
        let begin = |place: &Place| place.turn().now_or_never();
        // Nobody is there for whom they would have to wait.
        assert!(matches!(
            (begin(&first), begin(&second)),
            (Some(_), Some(_))
        ));
        works(&other, 1, now);
        let turn = begin(&first);
        assert!(turn.is_some());
        assert!(begin(&second).is_none());
        assert!(begin(&other).is_some());
        drop(turn);
        assert!(begin(&second).is_some());
    }

    #[test]
    fn those_who_all_want_much_do_not_hold_each_other_back() {
        let (shares, now) = (Shares::default(), Instant::now());
        let [place, other] = [ONE, OTHER].map(|device| shares.enter(device, now).expect("a place"));
        works(&other, 2 * limits::DEVICE_BURST_MS, now);
        works(&place, limits::DEVICE_BURST_MS + 200, now);
        // It has rested from what was too much, and goes on.
        let later = now + Duration::from_secs(1);
        works(&place, 10, later);
        assert_eq!(rest(&other, later), 0);
    }

    #[test]
    fn work_that_panics_is_work_all_the_same() {
        let (shares, now) = (Shares::default(), Instant::now());
        let place = shares.enter(ONE, now).expect("a place");
        let turn = place.turn().now_or_never().expect("a turn").expect("open");
        let working = turn.begin();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _working = working;
            panic!("in the middle of it");
        }));
        assert!(panicked.is_err());
        assert!(place.0.owes(now));
        assert!(place.turn().now_or_never().is_some(), "its turn has ended");
    }

    #[test]
    fn who_comes_back_at_once_has_not_rested_and_who_has_is_forgotten() {
        let (shares, now) = (Shares::default(), Instant::now());
        let enter = |device, at| shares.enter(device, at).expect("a place");
        works(&enter(ONE, now), 2 * limits::DEVICE_BURST_MS, now);
        works(&enter(OTHER, now), 1, now);
        assert_ne!(rest(&enter(ONE, now), now), 0);
        let known = || shares.all.lock().map(|shares| shares.len()).ok();
        assert_eq!(known(), Some(2));
        drop(enter(DeviceId([3; 8]), now + Duration::from_hours(1)));
        assert_eq!(known(), Some(1));
    }
}
