//! How large a slot must be for frames like the one at hand.
//!
//! Memory is reserved only as frames touch it, so a slot that is too large costs address space and nothing else.

use arrow::array::{Array, ArrayData, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema};
use std::collections::HashMap;

/// What a buffer may take on top of its values: padding, and its place in the message.
const BUFFER_BYTES: usize = 160;
/// What a field takes in the messages, its name and metadata not counted.
const FIELD_BYTES: usize = 512;

/// About the bytes that `batch` takes as a frame, rather more than fewer.
pub(crate) fn frame_bytes(batch: &RecordBatch) -> usize {
    let columns: usize = batch.columns().iter().map(|column| column_bytes(&column.to_data())).sum();
    columns + schema_bytes(batch.schema_ref()) + 4096
}

/// A slot that holds frames of about `frame` bytes, also the larger ones among them.
pub(crate) fn slot_bytes(frame: usize) -> u64 {
    (2 * frame as u64 + (64 << 10)).next_multiple_of(4096)
}

fn column_bytes(data: &ArrayData) -> usize {
    data.get_slice_memory_size().unwrap_or_else(|_| data.get_buffer_memory_size()) + beside_the_values(data)
}

/// What the size of a slice leaves out: padding, and the long strings of views.
fn beside_the_values(data: &ArrayData) -> usize {
    let is_view = matches!(data.data_type(), DataType::Utf8View | DataType::BinaryView);
    let long: usize = if is_view { data.buffers().iter().skip(1).map(Buffer::len).sum() } else { 0 };
    let children: usize = data.child_data().iter().map(beside_the_values).sum();
    long + children + (data.buffers().len() + 1) * BUFFER_BYTES
}

fn schema_bytes(schema: &Schema) -> usize {
    let of = |metadata: &HashMap<String, String>| -> usize {
        metadata.iter().map(|(key, value)| key.len() + value.len() + 64).sum()
    };
    let fields = schema.flattened_fields();
    let fields = fields.iter().map(|field| FIELD_BYTES + field.name().len() + of(field.metadata()));
    of(schema.metadata()) + fields.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn long_strings_count() {
        let of = |text: &str| {
            let strings = Arc::new(StringViewArray::from(vec![text; 100])) as _;
            frame_bytes(&RecordBatch::try_from_iter([("s", strings)]).expect("one column"))
        };
        assert!(of(&"x".repeat(1000)) > of("x") + 1000 * 99);
    }

    #[test]
    fn a_slice_counts_for_its_own_rows() {
        let numbers = Arc::new(Int64Array::from(vec![0; 100_000])) as _;
        let batch = RecordBatch::try_from_iter([("n", numbers)]).expect("one column");
        assert!(frame_bytes(&batch.slice(500, 100)) < 10_000);
    }

    #[test]
    fn a_slot_has_room_to_spare_in_whole_pages() {
        let slot = slot_bytes(80_000);
        assert!(slot >= 160_000 && slot.is_multiple_of(4096));
    }
}
