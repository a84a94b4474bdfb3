use openpeer_core::Time;
use sha2::{Digest, Sha256};
use std::fmt;

/// A running hash over everything that happens in a world. Two runs are the same run exactly if theirs are equal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Sha256);

/// The hash of a run, or of its beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceHash([u8; 32]);

impl Trace {
    /// Adds an event: when, what kind, and everything about it. Every field is preceded by its length.
    pub(crate) fn record(&mut self, at: Time, kind: &str, fields: &[&[u8]]) {
        self.0.update(at.as_millis().to_be_bytes());
        for field in std::iter::once(kind.as_bytes()).chain(fields.iter().copied()) {
            self.0.update((field.len() as u64).to_be_bytes());
            self.0.update(field);
        }
    }

    pub(crate) fn hash(&self) -> TraceHash {
        TraceHash(self.0.clone().finalize().into())
    }
}

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
