//! Batches of any size, cut and joined into frames of a given number of rows.
//!
//! Law: the rows and their order stay; every frame but the last has exactly that number, in one chunk, so that
//! readers get it in one chunk too.

use super::Frames;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use std::sync::Arc;

/// See the file's head.
pub(super) struct Cut {
    schema: SchemaRef,
    batches: Frames,
    rows: usize,
    /// What is left of the batch read last.
    rest: Option<RecordBatch>,
}

impl Cut {
    pub(super) fn new(schema: SchemaRef, batches: Frames, rows: usize) -> Cut {
        Cut { schema, batches, rows: rows.max(1), rest: None }
    }

    /// Up to `wanted` rows in one chunk.
    fn piece(&mut self, wanted: usize) -> Option<Result<RecordBatch, ArrowError>> {
        let batch = match self.rest.take() {
            Some(rest) => rest,
            None => match self.batches.next()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            },
        };
        if batch.num_rows() <= wanted {
            return Some(Ok(batch));
        }
        self.rest = Some(batch.slice(wanted, batch.num_rows() - wanted));
        Some(compact(&batch.slice(0, wanted)))
    }
}

impl Iterator for Cut {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        let mut pieces = Vec::new();
        let mut wanted = self.rows;
        while wanted > 0 {
            match self.piece(wanted) {
                Some(Ok(piece)) => {
                    wanted -= piece.num_rows();
                    if piece.num_rows() > 0 {
                        pieces.push(piece);
                    }
                }
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        match pieces.len() {
            0 => None,
            1 => pieces.pop().map(Ok),
            _ => Some(concat_batches(&self.schema, &pieces)),
        }
    }
}

/// Lets go of the long strings that other rows of the uncut batch point to.
fn compact(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let column = |column: &ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
            _ => column.clone(),
        }
    };
    RecordBatch::try_new(batch.schema(), batch.columns().iter().map(column).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, StringViewArray};
    use arrow::buffer::Buffer;

    fn batch(range: std::ops::Range<i32>) -> RecordBatch {
        let text =
            StringViewArray::from_iter_values(range.clone().map(|n| format!("a rather long string {n}")));
        let numbers = Arc::new(Int32Array::from_iter_values(range)) as _;
        RecordBatch::try_from_iter([("n", numbers), ("s", Arc::new(text) as _)]).expect("two columns")
    }

    fn cut(sizes: &[i32], rows: usize) -> Vec<RecordBatch> {
        let mut start = 0;
        let mut batches = Vec::new();
        for size in sizes {
            batches.push(Ok(batch(start..start + size)));
            start += size;
        }
        let frames = Cut::new(batch(0..0).schema(), Box::new(batches.into_iter()), rows);
        frames.collect::<Result<_, _>>().expect("no error in the batches")
    }

    #[test]
    fn frames_are_of_one_size_and_rows_in_order() {
        for sizes in [vec![10], vec![3, 3, 4], vec![1, 0, 9], vec![4, 6]] {
            let frames = cut(&sizes, 4);
            assert_eq!(frames.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [4, 4, 2], "{sizes:?}");
            assert_eq!(concat_batches(&frames[0].schema(), &frames).expect("one schema"), batch(0..10));
        }
        assert!(cut(&[0, 0], 4).is_empty());
    }

    #[test]
    fn a_cut_frame_holds_its_own_strings_only() {
        let frames = cut(&[1000], 10);
        let held: usize = frames[0].column(1).as_string_view().data_buffers().iter().map(Buffer::len).sum();
        assert!(held < 10 * 40, "{held}");
    }
}
