//! Commits of several threads share one transaction and one wait for the disk, because the wait is what a commit costs.
//!
//! Whoever finds nobody writing writes for all who wait, itself among them. A commit that fails takes no other with it; if the
//! transaction fails, all of it fails. It knows nothing of SQL.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::store::{Commit, Result, StoreError};

/// What becomes of a commit: the ordinal of each document's first added change.
type Outcome = Result<Vec<u64>>;

/// The commits that wait, and those whose outcome has not been fetched.
#[derive(Default)]
pub(super) struct Group {
    state: Mutex<State>,
    turned: Condvar,
}

#[derive(Default)]
struct State {
    is_led: bool,
    next: u64,
    waiting: Vec<(u64, Arc<Commit>)>,
    outcomes: BTreeMap<u64, Outcome>,
}

impl Group {
    /// Has a commit written, by this thread or another. `write` writes several in one transaction, with an outcome for each.
    pub(super) fn commit(
        &self,
        commit: &Commit,
        write: impl FnOnce(&[Arc<Commit>]) -> Result<Vec<Outcome>>,
    ) -> Outcome {
        let mut state = self.lock();
        let ticket = state.next;
        state.next += 1;
        state.waiting.push((ticket, Arc::new(commit.clone())));
        loop {
            if let Some(outcome) = state.outcomes.remove(&ticket) {
                return outcome;
            }
            if !state.is_led {
                break;
            }
            state = self
                .turned
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.is_led = true;
        let (tickets, commits): (Vec<u64>, Vec<Arc<Commit>>) =
            std::mem::take(&mut state.waiting).into_iter().unzip();
        drop(state);
        let mut turn = Turn {
            group: self,
            tickets,
            written: None,
        };
        turn.written = Some(write(&commits));
        drop(turn);
        // The leader's own ticket was among those it wrote.
        self.lock().outcomes.remove(&ticket).unwrap_or_else(lost)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lost() -> Outcome {
    Err(StoreError::Broken("a commit was not written".to_owned()))
}

/// A leader's turn. Its end, also by a panic, tells everybody what became of his commit.
struct Turn<'g> {
    group: &'g Group,
    tickets: Vec<u64>,
    written: Option<Result<Vec<Outcome>>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.group.lock();
        match self.written.take() {
            Some(Ok(outcomes)) => {
                let outcomes = outcomes.into_iter().chain(std::iter::repeat_with(lost));
                state.outcomes.extend(self.tickets.drain(..).zip(outcomes));
            }
            Some(Err(error)) => {
                let outcomes = self
                    .tickets
                    .drain(..)
                    .map(|ticket| (ticket, Err(error.again())));
                state.outcomes.extend(outcomes);
            }
            None => {
                let outcomes = self.tickets.drain(..).map(|ticket| (ticket, lost()));
                state.outcomes.extend(outcomes);
            }
        }
        state.is_led = false;
        self.group.turned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_fails_takes_no_other_with_it_and_a_transaction_that_fails_takes_all() {
        let group = Group::default();
        let commit = Commit::default();
        let alone = group.commit(&commit, |commits| {
            assert_eq!(commits.len(), 1);
            Ok(vec![Ok(vec![7])])
        });
        assert_eq!(alone.ok(), Some(vec![7]));
        let failed = group.commit(&commit, |_| Err(StoreError::Full));
        assert!(matches!(failed, Err(StoreError::Full)));
        let next = group.commit(&commit, |_| Ok(vec![Err(StoreError::Stale)]));
        assert!(matches!(next, Err(StoreError::Stale)));
    }

    #[test]
    fn those_who_wait_are_written_together_and_each_gets_its_own_outcome() {
        let group = Group::default();
        let sizes = Mutex::new(Vec::new());
        let write = |commits: &[Arc<Commit>]| {
            sizes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(commits.len());
            // The first leader goes on only when all the others wait.
            while sizes.lock().unwrap_or_else(PoisonError::into_inner).len() == 1
                && group.lock().waiting.len() < 3
            {
                std::thread::yield_now();
            }
            Ok(commits
                .iter()
                .map(|commit| Ok(vec![commit.revoked_bytes.map_or(0, |(_, bytes)| bytes)]))
                .collect())
        };
        std::thread::scope(|scope| {
            for number in 0..4u64 {
                let (group, write) = (&group, &write);
                scope.spawn(move || {
                    let device = patrol_core::domain::id::DeviceId([1; 8]);
                    let commit = Commit {
                        revoked_bytes: Some((device, number)),
                        ..Commit::default()
                    };
                    let outcome = group.commit(&commit, write);
                    assert_eq!(outcome.ok(), Some(vec![number]));
                });
            }
        });
        let sizes = sizes.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(sizes, [1, 3]);
    }

    #[test]
    fn a_leader_that_panics_leaves_the_turn_to_the_next() {
        let group = Group::default();
        let commit = Commit::default();
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            group.commit(&commit, |_| panic!("a leader breaks"))
        }));
        assert!(broken.is_err());
        let next = group.commit(&commit, |commits| {
            assert_eq!(commits.len(), 1);
            Ok(vec![Ok(vec![])])
        });
        assert!(next.is_ok());
    }
}
