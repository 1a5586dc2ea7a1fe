//! Copies around the caches: for what is too large to stay there, so that the processor need not first fetch the lines that
//! it is about to overwrite, nor throw out what others still use.
//!
//! The law: when [`copy`] returns, what it has stored is ordered before whatever is stored next, as after any other
//! copy. Streaming stores are not by themselves: a fence ends each copy.

#![allow(unsafe_code)]

/// From this many bytes in a frame on, its buffers are copied around the caches: a ring of some such frames does not fit into
/// them anyway.
pub(super) const FRAME: u64 = 4 << 20;

/// Shorter buffers are copied as usual, whatever the frame.
const BUFFER: usize = 64 << 10;

/// As `place.copy_from_slice(source)`.
///
/// # Panics
/// If they differ in length.
pub(super) fn copy(place: &mut [u8], source: &[u8]) {
    assert_eq!(place.len(), source.len(), "one length");
    if place.len() < BUFFER {
        place.copy_from_slice(source);
    } else {
        stream(place, source);
    }
}

#[cfg(target_arch = "x86_64")]
fn stream(place: &mut [u8], source: &[u8]) {
    use std::arch::x86_64::{
        __m128i, _MM_HINT_NTA, _mm_loadu_si128, _mm_prefetch, _mm_sfence, _mm_stream_si128,
    };
    /// How far ahead of the copy the source is fetched: two pages, since what the processor fetches ahead by itself ends
    /// with each page.
    const AHEAD: usize = 8 << 10;
    let ahead = place.as_ptr().align_offset(align_of::<__m128i>()).min(place.len());
    let (head, place) = place.split_at_mut(ahead);
    let (head_source, source) = source.split_at(ahead);
    head.copy_from_slice(head_source);
    let (lines, rest) = place.as_chunks_mut::<64>();
    let (line_sources, rest_source) = source.as_chunks::<64>();
    for (line, source) in lines.iter_mut().zip(line_sources) {
        let (to, from) = (line.as_mut_ptr().cast::<__m128i>(), source.as_ptr().cast::<__m128i>());
        // SAFETY: both have room for four of them; what is stored to is aligned, since the first line is (above) and
        // lines are of 64 bytes. SSE2 is a part of x86-64. The fence below comes before anything that others may see.
        // Fetching ahead touches nothing, wherever it points to.
        unsafe {
            _mm_prefetch::<_MM_HINT_NTA>(source.as_ptr().wrapping_add(AHEAD).cast());
            let four = [0, 1, 2, 3].map(|each| _mm_loadu_si128(from.add(each)));
            for (each, part) in four.into_iter().enumerate() {
                _mm_stream_si128(to.add(each), part);
            }
        }
    }
    rest.copy_from_slice(rest_source);
    // SAFETY: a part of x86-64.
    unsafe { _mm_sfence() };
}

/// Elsewhere the library's copy is the best there is.
#[cfg(not(target_arch = "x86_64"))]
fn stream(place: &mut [u8], source: &[u8]) {
    place.copy_from_slice(source);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_across_and_none_beside_it() {
        let source: Vec<u8> = (0..BUFFER + 200).map(|byte| (byte * 7 + byte / 251) as u8).collect();
        for length in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, BUFFER + 63, BUFFER + 64, BUFFER + 130] {
            for (to, from) in [(0, 0), (1, 0), (15, 3), (16, 1), (33, 7)] {
                let mut place = vec![0xa5; BUFFER + 200];
                copy(&mut place[to..to + length], &source[from..from + length]);
                assert!(place[..to].iter().all(|&byte| byte == 0xa5), "{length} bytes to {to}: before");
                assert_eq!(place[to..to + length], source[from..from + length], "{length} bytes to {to}");
                assert!(
                    place[to + length..].iter().all(|&byte| byte == 0xa5),
                    "{length} bytes to {to}: behind"
                );
            }
        }
    }
}
