//! What a writer says of its stream, for whoever reads it: where it begins, how many rows it will have, and why it was
//! broken off.
//!
//! Law: where it begins is stored after the rest of the beginning, with Release; that it was broken off is stored before
//! the state that ends it. So whoever sees the one sees the other. A writer that takes over says first that there is none,
//! then what its own is: whoever must not take the one for the other looks under the gate. All of it is foreign to a reader: any word is a value.

use crate::layout::{REASON_WORDS, Stream};
use crate::sync::Ordering;

/// Most bytes of a reason; longer ones are cut.
const MOST: usize = REASON_WORDS * 8;

/// Where a stream begins, and how many rows it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Beginning {
    /// Sequence of the first frame.
    pub(crate) first: u64,
    /// Rows that the ring had published before.
    pub(crate) rows_before: u64,
    /// Rows that it will have, if that is known.
    pub(crate) total_rows: Option<u64>,
}

impl Stream {
    /// Says that what is written from now on is this stream, or none.
    pub(crate) fn announce(&self, beginning: Option<Beginning>) {
        self.begins.store(0, Ordering::Release);
        self.aborted.store(0, Ordering::Release);
        let Some(Beginning { first, rows_before, total_rows }) = beginning else { return };
        self.rows_before.store(rows_before, Ordering::Relaxed);
        self.total_rows.store(total_rows.map_or(0, |total| total.saturating_add(1)), Ordering::Relaxed);
        self.begins.store(first + 1, Ordering::Release);
    }

    /// The stream that is written, if it is one.
    pub(crate) fn beginning(&self) -> Option<Beginning> {
        let first = self.begins.load(Ordering::Acquire).checked_sub(1)?;
        Some(Beginning {
            first,
            rows_before: self.rows_before.load(Ordering::Relaxed),
            total_rows: self.total_rows.load(Ordering::Relaxed).checked_sub(1),
        })
    }

    /// Says that it is broken off, and why.
    pub(crate) fn break_off(&self, reason: &str) {
        let mut bytes = reason.len().min(MOST);
        while !reason.is_char_boundary(bytes) {
            bytes -= 1;
        }
        for (word, chunk) in self.reason.iter().zip(reason.as_bytes()[..bytes].chunks(8)) {
            let mut padded = [0; 8];
            padded[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(padded), Ordering::Relaxed);
        }
        self.reason_bytes.store(bytes as u32, Ordering::Relaxed);
        self.aborted.store(1, Ordering::Release);
    }

    /// Why it was broken off, if it was.
    pub(crate) fn broken_off(&self) -> Option<String> {
        if self.aborted.load(Ordering::Acquire) == 0 {
            return None;
        }
        let bytes = (self.reason_bytes.load(Ordering::Relaxed) as usize).min(MOST);
        let words = self.reason.iter().map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        let text: Vec<u8> = words.flatten().take(bytes).collect();
        Some(String::from_utf8_lossy(&text).into_owned())
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn notice() -> Stream {
        // Every word of a fresh region is 0.
        use crate::sync::{AtomicU32, AtomicU64};
        Stream {
            begins: AtomicU64::new(0),
            rows_before: AtomicU64::new(0),
            total_rows: AtomicU64::new(0),
            aborted: AtomicU32::new(0),
            reason_bytes: AtomicU32::new(0),
            reason: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    #[test]
    fn a_fresh_region_announces_no_stream() {
        assert_eq!((notice().beginning(), notice().broken_off()), (None, None));
    }

    #[test]
    fn a_beginning_is_read_as_it_was_announced() {
        let notice = notice();
        for total_rows in [None, Some(0), Some(7)] {
            let beginning = Beginning { first: 3, rows_before: 9, total_rows };
            notice.announce(Some(beginning));
            assert_eq!(notice.beginning(), Some(beginning));
        }
        notice.break_off("because");
        notice.announce(None);
        assert_eq!((notice.beginning(), notice.broken_off()), (None, None));
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let notice = notice();
        for reason in
            ["", "disk full", &"x".repeat(MOST), &"é".repeat(MOST), &format!("x{}", "é".repeat(MOST))]
        {
            notice.break_off(reason);
            let read = notice.broken_off().expect("broken off");
            assert!(reason.starts_with(&read) && read.len() >= reason.len().min(MOST - 1), "{read}");
        }
    }

    #[test]
    fn any_bytes_are_a_reason() {
        let notice = notice();
        notice.break_off("x");
        notice.reason_bytes.store(u32::MAX, Ordering::Relaxed);
        notice.reason.iter().for_each(|word| word.store(u64::MAX, Ordering::Relaxed));
        assert_eq!(notice.broken_off().expect("broken off").chars().count(), MOST);
    }
}
