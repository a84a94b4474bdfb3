use openpeer_core::Time;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// What will happen, soonest first; what happens at one moment, in the order in which it was planned.
#[derive(Debug)]
pub(crate) struct Schedule<E> {
    entries: BinaryHeap<Entry<E>>,
    planned: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    number: u64,
    event: E,
}

impl<E> Schedule<E> {
    pub(crate) const fn new() -> Self {
        Self { entries: BinaryHeap::new(), planned: 0 }
    }

    pub(crate) fn plan(&mut self, at: Time, event: E) {
        self.entries.push(Entry { at, number: self.planned, event });
        self.planned += 1;
    }

    pub(crate) fn next_at(&self) -> Option<Time> {
        self.entries.peek().map(|entry| entry.at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, E)> {
        self.entries.pop().map(|entry| (entry.at, entry.event))
    }
}

/// Reversed, because a [`BinaryHeap`] gives its greatest entry first.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_events_in_order_of_time_then_of_planning() {
        let mut schedule = Schedule::new();
        for (at, event) in [(2, "c"), (1, "a"), (2, "d"), (1, "b")] {
            schedule.plan(Time::from_millis(at), event);
        }
        let order: Vec<_> = std::iter::from_fn(|| schedule.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
