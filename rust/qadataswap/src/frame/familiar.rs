//! Metadata seen before: all but its numbers is known, so it need not be verified again.
//!
//! The flatbuffers verifier and the way through the tables cost more than all other checks of a small frame.
//! Frames of one writer have metadata that differs in numbers only, so once a message has been verified, the
//! next is compared with it outside its numbers. If all else is equal, the numbers are where they were.
//!
//! The law: numbers are read from places that were found in verified metadata of the same length, and go
//! through the same door ([`View::read`](super::view::View::read)) as any others; so even metadata made to
//! look alike can only be wrong, not harmful.

use std::ops::Range;

use arrow_ipc::{CompressionType, Message, MessageHeader};

use super::template::{Places, batch_of};
use super::view::Raw;

/// Shapes remembered for one schema; messages of any further one are verified each time.
const SHAPES: usize = 8;

/// The metadata of record batches that were verified.
#[derive(Debug, Default)]
pub(super) struct Familiar(Vec<Shape>);

#[derive(Debug)]
struct Shape {
    bytes: Vec<u8>,
    /// What lies between the numbers.
    fixed: Vec<Range<usize>>,
    rows: Range<usize>,
    nodes: Range<usize>,
    buffers: Range<usize>,
    variadic: Range<usize>,
    body: Range<usize>,
    codec: Option<CompressionType>,
}

impl Familiar {
    /// The numbers of a batch and the length of its body, if its metadata is like one seen before.
    #[inline]
    pub(super) fn recognise<'a>(&self, metadata: &'a [u8]) -> Option<(Raw<'a>, i64)> {
        let shape = self.0.iter().find(|shape| shape.is_like(metadata))?;
        let raw = Raw {
            rows: number(metadata, &shape.rows)?,
            nodes: &metadata[shape.nodes.clone()],
            buffers: &metadata[shape.buffers.clone()],
            variadic: &metadata[shape.variadic.clone()],
            codec: shape.codec,
        };
        Some((raw, number(metadata, &shape.body)?))
    }

    /// Remembers the metadata of a verified message, if it is a record batch and there is room.
    pub(super) fn learn(&mut self, metadata: &[u8], message: &Message<'_>) {
        if self.0.len() < SHAPES && message.header_type() == MessageHeader::RecordBatch {
            self.0.extend(Shape::of(metadata, message));
        }
    }
}

impl Shape {
    fn of(metadata: &[u8], message: &Message<'_>) -> Option<Self> {
        let batch = batch_of(message)?;
        let places = Places::of(metadata)?;
        let stretch = |at: usize, len: usize| at..at + len;
        let rows = stretch(places.rows, size_of::<i64>());
        let nodes = stretch(places.nodes, batch.nodes()?.bytes().len());
        let buffers = stretch(places.buffers, batch.buffers()?.bytes().len());
        let counts = batch.variadicBufferCounts().map(|counts| counts.bytes().len());
        let variadic = stretch(places.variadic.unwrap_or(0), counts.unwrap_or(0));
        let body = stretch(places.body, size_of::<i64>());
        let mut numbers = [&rows, &nodes, &buffers, &variadic, &body].map(Clone::clone);
        numbers.sort_unstable_by_key(|range| range.start);
        let mut fixed = Vec::new();
        let mut at = 0;
        for range in numbers.iter().filter(|range| !range.is_empty()) {
            if range.start < at || range.end > metadata.len() {
                // Numbers within numbers: no honest writer's.
                return None;
            }
            fixed.push(at..range.start);
            at = range.end;
        }
        fixed.push(at..metadata.len());
        let codec = batch.compression().map(|compression| compression.codec());
        Some(Self { bytes: metadata.to_vec(), fixed, rows, nodes, buffers, variadic, body, codec })
    }

    #[inline]
    fn is_like(&self, metadata: &[u8]) -> bool {
        metadata.len() == self.bytes.len()
            && self.fixed.iter().all(|range| metadata[range.clone()] == self.bytes[range.clone()])
    }
}

#[inline]
fn number(metadata: &[u8], range: &Range<usize>) -> Option<i64> {
    metadata.get(range.clone())?.try_into().ok().map(i64::from_le_bytes)
}
