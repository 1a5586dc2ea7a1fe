//! Hashes: one-to-one for what fits 8 bytes, XXH3 for what does not. Both are the same in every process, for good.

/// Returns a one-to-one image of `bits` that spreads over the whole range: close numbers end up far apart, and the top
/// bits, which choose worker, partition and place, depend on every bit. (The finalizer of MurmurHash3, with the
/// constants of David Stafford's variant 13.)
#[inline]
#[must_use]
pub const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Returns the hash of two parts, in that order.
#[inline]
#[must_use]
pub const fn combine(first: u64, second: u64) -> u64 {
    mix(first.rotate_left(23).wrapping_add(0x9e37_79b9_7f4a_7c15) ^ second)
}

/// Returns the hash of bytes.
#[inline]
pub(super) fn bytes(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}
