//! Where the columns of a frame lie: inside the shared slot, or in a copy.
//!
//! Law: this is asked of addresses, of every buffer of every array, down to dictionaries and the long strings of
//! views; not of what the library says of itself.

use arrow::array::{ArrayData, RecordBatch};
use arrow::buffer::NullBuffer;
use qadataswap::Frame;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Buffers by where they lie. Empty ones lie nowhere.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Buffers {
    pub(super) inside: u64,
    pub(super) outside: u64,
}

impl Buffers {
    /// Counts the buffers of a frame.
    pub(super) fn add(&mut self, frame: &Frame) {
        let slot = frame.bytes().as_ptr_range();
        for column in frame.batches().iter().flat_map(RecordBatch::columns) {
            self.array(&column.to_data(), &slot);
        }
    }

    fn array(&mut self, data: &ArrayData, slot: &Range<*const u8>) {
        let nulls = data.nulls().map(NullBuffer::buffer);
        for buffer in data.buffers().iter().chain(nulls).filter(|buffer| !buffer.is_empty()) {
            let bytes = buffer.as_slice().as_ptr_range();
            match slot.start <= bytes.start && bytes.end <= slot.end {
                true => self.inside += 1,
                false => self.outside += 1,
            }
        }
        for child in data.child_data() {
            self.array(child, slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray, StringViewArray};
    use std::sync::Arc;

    fn long_strings() -> RecordBatch {
        let strings =
            Arc::new(StringViewArray::from(vec![Some("longer than a view holds inline"), None])) as _;
        RecordBatch::try_from_iter([("s", strings)]).expect("one column")
    }

    #[test]
    fn views_their_strings_and_nulls_are_looked_at() {
        let column = long_strings().column(0).to_data();
        let mut found = Buffers::default();
        found.array(&column, &(std::ptr::null()..std::ptr::null()));
        assert_eq!(found, Buffers { inside: 0, outside: 3 });
    }

    #[test]
    fn what_lies_in_the_slot_is_inside() {
        let batch = long_strings();
        let views = batch.column(0).as_string_view().views().inner().as_slice().as_ptr_range();
        let mut found = Buffers::default();
        found.array(&batch.column(0).to_data(), &views);
        assert_eq!(found, Buffers { inside: 1, outside: 2 });
    }
}
