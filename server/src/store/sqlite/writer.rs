//! The one connection that writes. Writes that wait for each other share a transaction, and so the wait for the disk.
//!
//! A write that finds others behind it leaves the transaction open for them; the last one commits, and only then does any of them
//! return. Each stands in a savepoint of its own: one that fails takes nothing of the others with it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use patrol_core::domain::limits;
use rusqlite::{Connection, Savepoint};

use crate::store::{Result, StoreError};

/// The connection that writes.
pub(super) struct Writer {
    inner: Mutex<Inner>,
    /// How many threads are about to take the connection.
    coming: AtomicUsize,
    /// Whether a transaction may stay open for the next thread.
    may_share: bool,
}

struct Inner {
    connection: Connection,
    open: Option<Open>,
}

/// The transaction that is open.
struct Open {
    writes: usize,
    end: Arc<End>,
}

/// How a transaction ended.
#[derive(Default)]
struct End {
    told: Mutex<Option<Result<()>>>,
    news: Condvar,
}

impl End {
    fn tell(&self, result: Result<()>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.news.notify_all();
    }

    fn wait(&self) -> Result<()> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(result) = &*told {
                return result.clone();
            }
            told = self.news.wait(told).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Writer {
    /// A writer whose writes may share transactions; readers have connections of their own then.
    pub(super) fn shared(connection: Connection) -> Self {
        Self {
            inner: Mutex::new(Inner {
                connection,
                open: None,
            }),
            coming: AtomicUsize::new(0),
            may_share: true,
        }
    }

    /// A writer whose connection is also read from, so that no transaction may stay open.
    pub(super) fn alone(connection: Connection) -> Self {
        Self {
            may_share: false,
            ..Self::shared(connection)
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses the connection without writing.
    pub(super) fn look<T>(&self, look: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        look(&mut self.lock().connection)
    }

    /// Writes everything or nothing. It is on the disk when this returns.
    pub(super) fn write<T>(&self, write: impl FnOnce(&Savepoint<'_>) -> Result<T>) -> Result<T> {
        self.coming.fetch_add(1, Ordering::SeqCst);
        let inner = self.lock();
        self.coming.fetch_sub(1, Ordering::SeqCst);
        let mut turn = Turn {
            writer: self,
            inner,
            failure: None,
        };
        let end = turn.begin()?;
        let value = turn.add(write);
        // The transaction is left to the next, or ended here.
        drop(turn);
        // One that failed waits too: it may have met what another had written and not yet committed.
        let ended = end.wait();
        let value = value?;
        ended?;
        Ok(value)
    }
}

/// A thread's time with the connection. However it ends, the transaction does not stay open without anybody to end it.
struct Turn<'w> {
    writer: &'w Writer,
    inner: MutexGuard<'w, Inner>,
    /// Why this write failed.
    failure: Option<StoreError>,
}

impl Turn<'_> {
    /// Joins the open transaction, or opens one.
    fn begin(&mut self) -> Result<Arc<End>> {
        let Inner { connection, open } = &mut *self.inner;
        if open.is_none() {
            connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        let open = open.get_or_insert_with(|| Open {
            writes: 0,
            end: Arc::default(),
        });
        open.writes += 1;
        Ok(Arc::clone(&open.end))
    }

    fn add<T>(&mut self, write: impl FnOnce(&Savepoint<'_>) -> Result<T>) -> Result<T> {
        let add = || -> Result<T> {
            let savepoint = self.inner.connection.savepoint()?;
            let value = write(&savepoint)?;
            savepoint.commit()?;
            Ok(value)
        };
        let value = add();
        self.failure = value.as_ref().err().cloned();
        value
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let others_come = self.writer.may_share && self.writer.coming.load(Ordering::SeqCst) > 0;
        let Inner { connection, open } = &mut *self.inner;
        let is_whole = !connection.is_autocommit();
        let is_done =
            |open: &mut Open| !(is_whole && others_come && open.writes < limits::WRITES_SHARED_MAX);
        let Some(open) = open.take_if(is_done) else {
            return;
        };
        open.end.tell(if is_whole {
            commit(connection)
        } else {
            // Where there is no room, SQLite may take back everything at once.
            let taken_back = || StoreError::Broken("the transaction was taken back".to_owned());
            Err(self.failure.take().unwrap_or_else(taken_back))
        });
    }
}

fn commit(connection: &Connection) -> Result<()> {
    connection.execute_batch("COMMIT").map_err(|error| {
        // What could not be committed must not stay open.
        drop(connection.execute_batch("ROLLBACK"));
        error.into()
    })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// A table whose rows must have a parent by the time of the commit.
    const SCHEMA: &str = "PRAGMA foreign_keys = 1;
        CREATE TABLE parents (no INTEGER PRIMARY KEY) STRICT;
        CREATE TABLE rows (no INTEGER PRIMARY KEY,
          parent INTEGER REFERENCES parents (no) DEFERRABLE INITIALLY DEFERRED) STRICT;";

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().expect("memory");
        connection.execute_batch(SCHEMA).expect("a schema");
        Writer::shared(connection)
    }

    fn put(writer: &Writer, no: i64, parent: Option<i64>) -> Result<()> {
        writer.write(|savepoint| {
            savepoint.execute(
                "INSERT INTO rows (no, parent) VALUES (?1, ?2)",
                (no, parent),
            )?;
            Ok(())
        })
    }

    fn rows(writer: &Writer) -> Vec<i64> {
        let rows = writer.look(|connection| {
            let mut select = connection.prepare("SELECT no FROM rows ORDER BY no")?;
            let rows = select.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        });
        rows.expect("a look")
    }

    /// The first write goes on until the second waits behind it; so both stand in one transaction. What became of the first.
    fn beside(writer: &Writer, second: impl FnOnce() + Send) -> Result<()> {
        std::thread::scope(|scope| {
            writer.write(|savepoint| {
                savepoint.execute("INSERT INTO rows (no, parent) VALUES (1, NULL)", [])?;
                scope.spawn(second);
                while writer.coming.load(Ordering::SeqCst) == 0 {
                    std::thread::yield_now();
                }
                Ok(())
            })
        })
    }

    #[test]
    fn writes_that_wait_for_each_other_share_a_transaction_and_both_stand() {
        let writer = writer();
        let first = beside(&writer, || {
            let second = writer.write(|savepoint| {
                assert!(!savepoint.is_autocommit());
                savepoint.execute(
                    "INSERT INTO rows (no, parent) SELECT max(no) + 1, NULL FROM rows",
                    [],
                )?;
                Ok(())
            });
            assert!(second.is_ok());
        });
        assert!(first.is_ok());
        assert_eq!(rows(&writer), [1, 2]);
    }

    #[test]
    fn one_that_fails_or_panics_takes_nothing_of_the_others_with_it() {
        let writer = writer();
        let first = beside(&writer, || {
            let second = writer.write(|savepoint| {
                savepoint.execute("INSERT INTO rows (no, parent) VALUES (2, NULL)", [])?;
                Err::<(), _>(StoreError::Stale)
            });
            assert!(matches!(second, Err(StoreError::Stale)));
            // What it met is committed when it hears of it.
            let is_over = writer.look(|connection| Ok(connection.is_autocommit()));
            assert!(matches!(is_over, Ok(true)));
        });
        assert!(first.is_ok());
        assert_eq!(rows(&writer), [1]);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            writer.write(|savepoint| -> Result<()> {
                savepoint.execute("INSERT INTO rows (no, parent) VALUES (3, NULL)", [])?;
                panic!("a test's panic")
            })
        }));
        assert!(panicked.is_err());
        assert!(put(&writer, 4, None).is_ok());
        assert_eq!(rows(&writer), [1, 4]);
    }

    #[test]
    fn all_of_a_transaction_that_cannot_be_committed_are_told_and_the_next_begins_anew() {
        let writer = writer();
        let first = beside(&writer, || {
            // What is missing is looked for only by the commit.
            assert!(put(&writer, 2, Some(7)).is_err());
        });
        assert!(first.is_err());
        assert_eq!(rows(&writer), [] as [i64; 0]);
        assert!(put(&writer, 3, None).is_ok());
        assert_eq!(rows(&writer), [3]);
    }
}
