//! When an attack goes on and when it rests: windows that threads wait for, and what honest rounds and the disk took within each.
//!
//! Between two windows every strike that is under way comes to its end, so that none reaches into a quiet window.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// What goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Phase {
    /// Strikes end, nothing is measured.
    #[default]
    Between,
    /// Honest phones alone.
    Quiet,
    /// The attack beside them.
    Attacked,
    /// Everybody goes home.
    Over,
}

/// What took so long, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// Rounds of honest phones.
    pub(super) rounds: Vec<f64>,
    /// Bare fsyncs of the disk that the server writes to.
    pub(super) syncs: Vec<f64>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Strikes under way.
    striking: usize,
    quiet: Times,
    attacked: Times,
    fault: Option<String>,
}

/// Ends everything where its thread panics: nobody waits for what will not come.
struct Ends<'g>(&'g Gate);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.change(|state| state.phase = Phase::Over);
        }
    }
}

/// Tells threads when to go on.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    news: Condvar,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.news.notify_all();
    }

    /// Strikes again and again while the attack goes on, on a thread that lets all others go first; a strike that fails ends everything.
    pub(super) fn repeat_meekly(&self, strike: impl Fn(usize) -> Result<(), String>) {
        let _ends = Ends(self);
        let meek = setpriority_process(Some(gettid()), 19);
        meek.expect("whoever may run may run later");
        for number in 0.. {
            let waits = |state: &mut State| !matches!(state.phase, Phase::Attacked | Phase::Over);
            let state = self.news.wait_while(self.lock(), waits);
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            if state.phase == Phase::Over {
                return;
            }
            state.striking += 1;
            drop(state);
            let struck = strike(number);
            self.change(|state| {
                state.striking -= 1;
                if let Err(fault) = struck {
                    state.fault.get_or_insert(fault);
                    state.phase = Phase::Over;
                }
            });
        }
    }

    /// Calls again and again, with a pause before each, until everything is over.
    pub(super) fn repeat(&self, pause: Duration, mut call: impl FnMut()) {
        let _ends = Ends(self);
        while self.pause(pause) {
            call();
        }
    }

    /// Waits so long. False: everything is over.
    fn pause(&self, pause: Duration) -> bool {
        let waits = |state: &mut State| state.phase != Phase::Over;
        let waited = self.news.wait_timeout_while(self.lock(), pause, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.phase != Phase::Over
    }

    /// Notes how long something took, if it lies within one window.
    pub(super) fn timed(&self, of: fn(&mut Times) -> &mut Vec<f64>, call: impl FnOnce() -> f64) {
        let before = self.lock().phase;
        let took = call();
        let mut state = self.lock();
        match state.phase {
            Phase::Quiet if before == Phase::Quiet => of(&mut state.quiet).push(took),
            Phase::Attacked if before == Phase::Attacked => of(&mut state.attacked).push(took),
            _ => {}
        }
    }

    /// A window of so long.
    pub(super) fn open(&self, phase: Phase, long: Duration) {
        if self.settle(phase) {
            self.pause(long);
        }
    }

    /// A window until it is enough, as judged by the number of honest rounds beside the attack.
    pub(super) fn open_until(&self, phase: Phase, is_enough: impl Fn(usize) -> bool) {
        if self.settle(phase) {
            let waits = |state: &mut State| {
                state.phase != Phase::Over && !is_enough(state.attacked.rounds.len())
            };
            drop(self.news.wait_while(self.lock(), waits));
        }
    }

    /// Begins a phase when all strikes have ended. False: everything is over.
    fn settle(&self, phase: Phase) -> bool {
        let mut state = self.lock();
        if state.phase == Phase::Over {
            return false;
        }
        state.phase = Phase::Between;
        let waits = |state: &mut State| state.phase != Phase::Over && state.striking > 0;
        let state = self.news.wait_while(state, waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.phase == Phase::Over {
            return false;
        }
        state.phase = phase;
        drop(state);
        self.news.notify_all();
        true
    }

    /// Ends everything.
    ///
    /// # Errors
    /// What went wrong first.
    pub(super) fn close(&self) -> Result<(), String> {
        self.change(|state| state.phase = Phase::Over);
        self.lock().fault.take().map_or(Ok(()), Err)
    }

    /// What was timed: without the attack, beside it.
    pub(super) fn times(&self) -> [Times; 2] {
        let mut state = self.lock();
        [
            std::mem::take(&mut state.quiet),
            std::mem::take(&mut state.attacked),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread::scope;

    use super::*;

    #[test]
    fn nobody_waits_for_a_thread_that_has_panicked() {
        let meek = |gate: &Gate| gate.repeat_meekly(|_| panic!("a strike"));
        let honest = |gate: &Gate| gate.repeat(Duration::ZERO, || panic!("a round"));
        let threads: [&(dyn Fn(&Gate) + Sync); 2] = [&meek, &honest];
        for thread in threads {
            let gate = Gate::default();
            let ended = catch_unwind(AssertUnwindSafe(|| {
                scope(|scope| {
                    scope.spawn(|| thread(&gate));
                    gate.open_until(Phase::Attacked, |_| false);
                });
            }));
            assert!(ended.is_err());
        }
    }
}
