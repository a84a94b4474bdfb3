//! Writing: one thread, one connection, group commit.
//!
//! The thread takes a write, adds those that wait already, runs each in a savepoint of one transaction, commits, and
//! only then answers them. While it waits for the disk, the next group gathers by itself; a lone write is not
//! delayed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::fault::fault;
use super::workers::{Jobs, Workers, ended};
use crate::defaults::MAX_GROUP;
use crate::error::StoreError;

pub(super) struct Writer {
    workers: Workers<Box<dyn Job>>,
    counters: Arc<Counters>,
}

/// How well writes share transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteStats {
    /// Calls that write, successful or not.
    pub writes: u64,
    /// Transactions they were committed in, each with at most one fsync.
    pub commits: u64,
}

#[derive(Default)]
struct Counters {
    writes: AtomicU64,
    commits: AtomicU64,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let counters = Arc::new(Counters::default());
        let shared = Arc::clone(&counters);
        let worker = move |jobs| work(connection, &jobs, &shared);
        Ok(Self { workers: Workers::start("store-writer", vec![worker])?, counters })
    }

    /// Runs `job` and returns what it said, once that is on the disk. A job that fails leaves nothing behind and
    /// does not disturb the others of its group.
    pub(super) async fn write<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.workers.submit(Box::new(Write { work: Some(job), result: None, reply })).await?;
        answer.await.map_err(|_| ended())?
    }

    pub(super) fn stats(&self) -> WriteStats {
        WriteStats {
            writes: self.counters.writes.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
        }
    }
}

fn work(mut connection: Connection, jobs: &Jobs<Box<dyn Job>>, counters: &Counters) {
    while let Some(first) = jobs.next() {
        let mut group = vec![first];
        while group.len() < MAX_GROUP
            && let Some(job) = jobs.next_waiting()
        {
            group.push(job);
        }
        let outcome = commit(&mut connection, &mut group);
        if let Err(error) = &outcome {
            tracing::error!(code = error.code(), writes = group.len(), %error, "writes were not kept");
        }
        counters.writes.fetch_add(group.len() as u64, Ordering::Relaxed);
        counters.commits.fetch_add(1, Ordering::Relaxed);
        for job in group {
            job.answer(&outcome);
        }
    }
}

fn commit(connection: &mut Connection, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    let mut transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fault)?;
    for job in group {
        let savepoint = transaction.savepoint().map_err(fault)?;
        match job.run(&savepoint) {
            Ok(()) => savepoint.commit().map_err(fault)?,
            // After some failures, such as a full disk, SQLite has rolled back everything, also what the jobs
            // before this one did.
            Err(error) if savepoint.is_autocommit() => return Err(error),
            Err(_) => drop(savepoint),
        }
    }
    transaction.commit().map_err(fault)
}

/// A write on its way through the thread.
trait Job: Send {
    /// Does the work and keeps the result.
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError>;

    /// Tells the caller, who gets the work's own error if it failed, else the error of the transaction.
    fn answer(self: Box<Self>, transaction: &Result<(), StoreError>);
}

struct Write<T, F> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        match self.result.insert(work(connection).map_err(fault)) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone()),
        }
    }

    fn answer(self: Box<Self>, transaction: &Result<(), StoreError>) {
        let answer = match (self.result, transaction) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(error.clone()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(ended()),
        };
        // Nobody waits any more if the caller has dropped its future.
        let _ = self.reply.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn writer() -> (tempfile::TempDir, Writer, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        std::fs::File::create(&path).unwrap();
        let writer = Writer::start(super::super::schema::open(&path).unwrap()).unwrap();
        (directory, writer, path)
    }

    fn insert(connection: &Connection, key: &str) -> rusqlite::Result<()> {
        connection.execute("INSERT INTO server_values (key, value) VALUES (?1, x'00')", [key]).map(drop)
    }

    async fn keys(writer: &Writer) -> Vec<String> {
        let read = |db: &Connection| {
            let mut statement = db.prepare("SELECT key FROM server_values ORDER BY id")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        writer.write(read).await.unwrap()
    }

    /// Queues the write and returns how to wait for it.
    fn queue<T: Send + 'static>(
        writer: &Writer,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> {
        let mut write = Box::pin(writer.write(job));
        let polled = write.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending() || matches!(polled, Poll::Ready(Ok(_))));
        write
    }

    /// Holds the thread within a group of its own until the returned sender is dropped or used.
    async fn occupy(writer: &Writer) -> (mpsc::Sender<()>, impl Future<Output = Result<(), StoreError>>) {
        let (release, wait) = mpsc::channel();
        let (started, starts) = oneshot::channel();
        let occupied = queue(writer, move |_| {
            let _ = started.send(());
            let _ = wait.recv();
            Ok(())
        });
        starts.await.unwrap();
        (release, occupied)
    }

    #[tokio::test]
    async fn writes_that_wait_share_one_transaction() {
        let (_directory, writer, _) = writer();
        let (release, occupied) = occupy(&writer).await;
        let waiting: Vec<_> =
            (0..100).map(|key| queue(&writer, move |db| insert(db, &key.to_string()))).collect();
        assert_eq!(writer.workers.queued(), 100);
        release.send(()).unwrap();
        occupied.await.unwrap();
        for write in waiting {
            write.await.unwrap();
        }
        assert_eq!(writer.stats(), WriteStats { writes: 101, commits: 2 });
    }

    #[tokio::test]
    async fn a_failing_write_leaves_nothing_and_spares_its_group() {
        let (_directory, writer, _) = writer();
        let (release, occupied) = occupy(&writer).await;
        let before = queue(&writer, |db| insert(db, "before"));
        let failing = queue(&writer, |db| insert(db, "half").and_then(|()| insert(db, "half")));
        let after = queue(&writer, |db| insert(db, "after"));
        release.send(()).unwrap();
        occupied.await.unwrap();
        before.await.unwrap();
        failing.await.unwrap_err();
        after.await.unwrap();
        assert_eq!(keys(&writer).await, ["before", "after"]);
    }

    #[tokio::test]
    async fn when_the_transaction_is_lost_nobody_is_told_otherwise() {
        let (_directory, writer, _) = writer();
        let (release, occupied) = occupy(&writer).await;
        let before = queue(&writer, |db| insert(db, "before"));
        // As when the disk is full: SQLite rolls back everything and fails the statement.
        let failing = queue(&writer, |db| db.execute_batch("ROLLBACK; SELECT missing"));
        let after = queue(&writer, |db| insert(db, "after"));
        release.send(()).unwrap();
        occupied.await.unwrap();
        before.await.unwrap_err();
        failing.await.unwrap_err();
        after.await.unwrap_err();
        writer.write(|db| insert(db, "later")).await.unwrap();
        assert_eq!(keys(&writer).await, ["later"]);
    }

    #[tokio::test]
    async fn a_failed_commit_fails_every_write_of_its_group() {
        const TABLES: &str = "CREATE TABLE parent (id INTEGER PRIMARY KEY);
            CREATE TABLE child (parent REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);";
        let (_directory, writer, _) = writer();
        writer.write(|db| db.execute_batch(TABLES)).await.unwrap();
        let (release, occupied) = occupy(&writer).await;
        let before = queue(&writer, |db| insert(db, "before"));
        // Passes now and makes the commit fail: constraints of this kind are checked there.
        let orphan = queue(&writer, |db| db.execute("INSERT INTO child (parent) VALUES (1)", []));
        release.send(()).unwrap();
        occupied.await.unwrap();
        before.await.unwrap_err();
        orphan.await.unwrap_err();
        writer.write(|db| insert(db, "later")).await.unwrap();
        assert_eq!(keys(&writer).await, ["later"]);
    }

    #[tokio::test]
    async fn a_write_waits_while_another_program_holds_the_database() {
        let (_directory, writer, path) = writer();
        let blocker = Connection::open(&path).unwrap();
        blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut write = pin!(writer.write(|db| insert(db, "k")));
        assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        blocker.execute_batch("COMMIT").unwrap();
        write.await.unwrap();
        let count = blocker.query_row("SELECT count(*) FROM server_values", [], |row| row.get::<_, u32>(0));
        assert_eq!(count.unwrap(), 1);
    }

    #[tokio::test]
    async fn dropping_the_writer_finishes_what_is_queued() {
        let (_directory, writer, path) = writer();
        let (release, occupied) = occupy(&writer).await;
        drop(occupied);
        for key in 0..50 {
            drop(queue(&writer, move |db| insert(db, &key.to_string())));
        }
        drop(release);
        drop(writer);
        let connection = Connection::open(&path).unwrap();
        let count =
            connection.query_row("SELECT count(*) FROM server_values", [], |row| row.get::<_, u32>(0));
        assert_eq!(count.unwrap(), 50);
    }
}
