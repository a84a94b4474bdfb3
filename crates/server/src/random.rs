//! Randomness of the operating system.

/// Random bytes.
///
/// # Panics
/// If the operating system has none. A server without randomness must not go on: its nonces and keys would be guessed.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}

/// A number from 0 to 1.
pub(crate) fn unit() -> f64 {
    f64::from(u32::from_be_bytes(bytes())) / f64::from(u32::MAX)
}
