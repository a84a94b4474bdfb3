//! Reading: a few connections, each with its thread. Every job is one statement and so sees one state.

use std::path::Path;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::fault::fault;
use super::schema;
use super::workers::{Jobs, Workers, ended};
use crate::defaults::READERS;
use crate::error::StoreError;

type Job = Box<dyn FnOnce(&Connection) + Send>;

pub(super) struct Readers {
    workers: Workers<Job>,
}

impl Readers {
    pub(super) fn start(database: &Path) -> Result<Self, StoreError> {
        let connections =
            (0..READERS).map(|_| schema::open_reader(database)).collect::<Result<Vec<_>, _>>()?;
        let workers =
            connections.into_iter().map(|connection| move |jobs| work(&connection, &jobs)).collect();
        Ok(Self { workers: Workers::start("store-reader", workers)? })
    }

    /// Runs `job` on one of the connections.
    pub(super) async fn read<T, F>(&self, job: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Nobody waits any more if the caller has dropped its future.
            let _ = reply.send(job(connection).map_err(fault));
        });
        self.workers.submit(job).await?;
        answer.await.map_err(|_| ended())?
    }
}

fn work(connection: &Connection, jobs: &Jobs<Job>) {
    while let Some(job) = jobs.next() {
        job(connection);
    }
}
