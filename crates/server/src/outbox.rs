use crate::defaults::{MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES};
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use openpeer_core::Code;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// What waits to be sent on one session. An empty one allocates nothing, unlike a channel: most sessions are idle.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    end: Option<Code>,
}

/// What a session does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this frame.
    Frame(Bytes),
    /// Close for this reason.
    Close(Code),
}

impl Outbox {
    /// Queues a frame. If the reader is too slow for it, what waits is dropped and the session ends instead: a peer that
    /// lost a frame had better start anew.
    pub(crate) fn push(&self, frame: Bytes) {
        let mut queue = self.lock();
        if queue.end.is_some() {
            return;
        }
        queue.bytes += frame.len();
        queue.frames.push_back(frame);
        if queue.frames.len() > MAX_QUEUED_FRAMES || queue.bytes > MAX_QUEUED_BYTES {
            *queue = Queue { end: Some(Code::LimitExceeded), ..Queue::default() };
        }
        drop(queue);
        self.waker.wake();
    }

    /// Ends the session once everything queued before is sent. The first reason stays.
    pub(crate) fn close(&self, code: Code) {
        self.lock().end.get_or_insert(code);
        self.waker.wake();
    }

    /// For the one task that sends.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Next> {
        self.waker.register(context.waker());
        let mut queue = self.lock();
        if let Some(frame) = queue.frames.pop_front() {
            queue.bytes -= frame.len();
            if queue.frames.is_empty() {
                queue.frames = VecDeque::new();
            }
            return Poll::Ready(Next::Frame(frame));
        }
        queue.end.map_or(Poll::Pending, |code| Poll::Ready(Next::Close(code)))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::task::noop_waker;

    fn next(outbox: &Outbox) -> Poll<Next> {
        outbox.poll_next(&Context::from_waker(&noop_waker()))
    }

    #[test]
    fn frames_come_before_the_end() {
        let outbox = Outbox::default();
        assert_eq!(next(&outbox), Poll::Pending);
        outbox.push(Bytes::from_static(b"1"));
        outbox.close(Code::Replaced);
        outbox.close(Code::Draining);
        outbox.push(Bytes::from_static(b"2"));
        assert_eq!(next(&outbox), Poll::Ready(Next::Frame(Bytes::from_static(b"1"))));
        assert_eq!(next(&outbox), Poll::Ready(Next::Close(Code::Replaced)));
    }

    #[test]
    fn slow_readers_are_dropped() {
        for (count, length) in [(MAX_QUEUED_FRAMES + 1, 1), (MAX_QUEUED_BYTES / 4096 + 1, 4096)] {
            let outbox = Outbox::default();
            (0..count).for_each(|_| outbox.push(Bytes::from(vec![0; length])));
            assert_eq!(next(&outbox), Poll::Ready(Next::Close(Code::LimitExceeded)));
            assert_eq!(outbox.lock().bytes, 0);
        }
    }
}
