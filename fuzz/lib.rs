//! What the fuzz targets share: reading an input as a list of instructions.
#![forbid(unsafe_code)]

use openpeer_core::Time;

/// The moment at which every target begins.
pub const START: Time = Time::from_secs(1_795_000_000);

/// Reads a fuzzer's input piece by piece; gives zeros once it has run out.
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// A script over an input.
    pub const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// Whether nothing is left.
    pub const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// The next bytes, preceded by their length in two bytes.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(u16::from_be_bytes([self.byte(), self.byte()]));
        self.take(length)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(length.min(self.0.len()));
        self.0 = tail;
        head
    }
}
