use crate::defaults::SAFETY_NUMBER_ROUNDS;
use crate::document::PeerId;
use crate::encoding::hash_fields;

/// The safety number of two peers: 60 digits in 12 groups that both see alike and can compare in person or by phone.
///
/// It depends on the two peer ids only, so it stays the same over key rotations and new devices.
#[must_use]
pub fn safety_number(one: PeerId, other: PeerId) -> String {
    let (low, high) = if one < other { (one, other) } else { (other, one) };
    let digits = half(low) + &half(high);
    digits
        .as_bytes()
        .chunks(5)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// 30 digits of one peer id.
fn half(peer: PeerId) -> String {
    let mut hash = *peer.as_bytes();
    for _ in 0..SAFETY_NUMBER_ROUNDS {
        hash = hash_fields("openpeer/safety-number/v1", &[&hash, peer.as_bytes()]);
    }
    let group =
        |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) % 100_000;
    hash.chunks(5).take(6).map(|bytes| format!("{:05}", group(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_on_both_sides_and_different_for_others() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|payload| PeerId::of_inception(payload));
        assert_eq!(safety_number(a, b), safety_number(b, a));
        assert_ne!(safety_number(a, b), safety_number(a, c));
        assert_eq!(safety_number(a, b).split(' ').filter(|group| group.len() == 5).count(), 12);
    }
}
