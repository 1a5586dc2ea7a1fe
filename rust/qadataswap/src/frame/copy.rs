//! Every copy of column data into a slot, and nothing else: whole buffers, shifted bitmaps, rebased offsets.
//!
//! The law: a destination is written from its first byte to its last, so nothing stale stands behind it, and
//! the unused bits of a bitmap's last byte are zero.

use super::nontemporal;
use crate::crash;

/// Copies `source` whole.
#[inline]
pub(super) fn bytes(place: &mut [u8], source: &[u8]) {
    crash::point();
    place.copy_from_slice(source);
}

/// As [`bytes`], for a part of a frame that is too large for the caches.
#[inline]
pub(super) fn streamed(place: &mut [u8], source: &[u8]) {
    crash::point();
    nontemporal::copy(place, source);
}

/// Zeros `place`.
#[inline]
pub(super) fn zero(place: &mut [u8]) {
    crash::point();
    place.fill(0);
}

/// The bytes that `len` bits take.
pub(crate) const fn bytes_of_bits(len: usize) -> usize {
    len.div_ceil(8)
}

/// Copies `len` bits that start at bit `offset` of `source` to the start of `place`.
pub(super) fn bits(place: &mut [u8], source: &[u8], offset: usize, len: usize) {
    let source = &source[offset / 8..bytes_of_bits(offset + len)];
    let shift = offset % 8;
    if shift == 0 {
        bytes(place, source);
    } else {
        shifted(place, source, shift);
    }
    if let (1.., Some(last)) = (len % 8, place.last_mut()) {
        *last &= (1 << (len % 8)) - 1;
    }
}

/// `place[i] = source bits [8i + shift, 8i + shift + 8)`, bits behind the source's end being zero.
fn shifted(place: &mut [u8], source: &[u8], shift: usize) {
    crash::point();
    let (words, tail) = place.as_chunks_mut::<8>();
    let done = words.len() * 8;
    for (word, from) in words.iter_mut().zip((0..).step_by(8)) {
        let mut low = [0; 8];
        low.copy_from_slice(&source[from..from + 8]);
        let high = u64::from(source.get(from + 8).copied().unwrap_or(0));
        *word = (u64::from_le_bytes(low) >> shift | high << (64 - shift)).to_le_bytes();
    }
    for (byte, from) in tail.iter_mut().zip(done..) {
        let high = source.get(from + 1).copied().unwrap_or(0);
        *byte = source[from] >> shift | high << (8 - shift);
    }
}

/// An integer type that counts positions in Arrow: offsets, sizes, run ends.
pub(crate) trait Position: Copy + Ord + Default + bytemuck::Pod {
    /// The value as a length, if it can be one.
    fn length(self) -> Option<usize>;
    /// `self - base`; wraps when the caller's array is not what it claims to be.
    fn less(self, base: Self) -> Self;
    /// The value that stands for `length`, if there is one.
    fn of(length: usize) -> Option<Self>;
}

macro_rules! position {
    ($($native:ty),*) => {$(
        impl Position for $native {
            #[inline]
            fn length(self) -> Option<usize> {
                usize::try_from(self).ok()
            }
            #[inline]
            fn less(self, base: Self) -> Self {
                self.wrapping_sub(base)
            }
            fn of(length: usize) -> Option<Self> {
                Self::try_from(length).ok()
            }
        }
    )*};
}
position!(i16, i32, i64);

/// Writes `values` one behind the other, each through `change`.
#[inline]
pub(super) fn mapped<T: Copy, U: bytemuck::Pod>(place: &mut [u8], values: &[T], change: impl Fn(T) -> U) {
    crash::point();
    for (place, value) in place.chunks_exact_mut(size_of::<U>()).zip(values) {
        place.copy_from_slice(bytemuck::bytes_of(&change(*value)));
    }
}

/// Writes `offsets` so that the first is zero.
pub(super) fn rebased<T: Position>(place: &mut [u8], offsets: &[T]) {
    match offsets.first() {
        // An empty array still has one offset.
        None => zero(place),
        Some(&base) if base == T::default() => bytes(place, bytemuck::cast_slice(offsets)),
        Some(&base) => mapped(place, offsets, |offset| offset.less(base)),
    }
}
