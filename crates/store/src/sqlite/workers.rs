//! Threads that own connections and take jobs from a bounded queue.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use tokio::sync::mpsc;

use crate::defaults::QUEUE;
use crate::error::StoreError;

/// Some threads and the queue they work off. A full queue makes its callers wait. Dropping it lets the threads finish
/// what is queued and waits for them.
pub(super) struct Workers<J> {
    queue: mpsc::Sender<J>,
    threads: Vec<JoinHandle<()>>,
}

/// The end of the queue that the threads share.
pub(super) struct Jobs<J>(Arc<Mutex<mpsc::Receiver<J>>>);

impl<J: Send + 'static> Workers<J> {
    /// Starts one thread for each worker.
    pub(super) fn start<W>(name: &str, workers: Vec<W>) -> Result<Self, StoreError>
    where
        W: FnOnce(Jobs<J>) + Send + 'static,
    {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        let start = |worker: W| {
            let jobs = Jobs(Arc::clone(&receiver));
            Builder::new().name(name.to_owned()).spawn(move || worker(jobs))
        };
        let threads = workers.into_iter().map(start).collect::<Result<_, _>>();
        Ok(Self { queue, threads: threads.map_err(StoreError::unavailable)? })
    }

    /// Hands a job over, when there is room.
    pub(super) async fn submit(&self, job: J) -> Result<(), StoreError> {
        self.queue.send(job).await.map_err(|_| ended())
    }

    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

/// The threads end early only by a panic, which its message has already told.
pub(super) fn ended() -> StoreError {
    StoreError::Internal { detail: "a thread of the store has ended".to_owned() }
}

impl<J> Jobs<J> {
    /// The next job; `None` once the queue is empty and closed. Idle threads wait behind each other here.
    pub(super) fn next(&self) -> Option<J> {
        self.receiver().blocking_recv()
    }

    /// The next job if one waits already.
    pub(super) fn next_waiting(&self) -> Option<J> {
        self.receiver().try_recv().ok()
    }

    fn receiver(&self) -> std::sync::MutexGuard<'_, mpsc::Receiver<J>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Drop for Workers<J> {
    fn drop(&mut self) {
        // Replacing the only sender closes the queue.
        self.queue = mpsc::channel(1).0;
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so on its own; there is nothing more to do about it here.
            let _ = thread.join();
        }
    }
}
