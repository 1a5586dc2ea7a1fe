//! Where the delicate words of a frame lie, and how one who knows them spoils it.
//!
//! ```
//! use qadataswap_fuzz::{anatomy::Anatomy, catalogue};
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! let mut frame = catalogue().swap_remove(0);
//! let anatomy = Anatomy::of(&frame);
//! let (at, bytes) = anatomy.change(&frame, &mut StdRng::seed_from_u64(7));
//! frame[at..at + bytes.len()].copy_from_slice(&bytes);
//! ```

use arrow_ipc::{MessageHeader, root_as_message};
use rand::{Rng, RngExt};
use std::ops::Range;

/// What kind of word it is that a change hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The tables of a message: types, ids, vectors' lengths.
    Metadata,
    /// The length and place of a buffer, or the rows and nulls of a node.
    Count,
    /// A word of a body: an offset, a view, a key, a size before compressed bytes.
    Body,
    /// The first words of a buffer: its first offsets, or how long it is once it is decompressed.
    Head,
}

/// Where a valid frame can be hurt.
#[derive(Clone, Debug)]
pub struct Anatomy {
    metadata: Vec<Range<usize>>,
    counts: Vec<usize>,
    buffers: Vec<Range<usize>>,
}

/// Words that are often the end of something.
const ODD: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 40,
    i64::MAX as u64,
    i64::MIN as u64,
    u64::MAX,
];

impl Anatomy {
    /// The anatomy of a frame that a writer wrote.
    ///
    /// # Panics
    /// If it is no such frame.
    #[must_use]
    pub fn of(frame: &[u8]) -> Anatomy {
        let mut anatomy = Anatomy { metadata: Vec::new(), counts: Vec::new(), buffers: Vec::new() };
        let mut at = 0;
        loop {
            let length = u32::from_le_bytes(std::array::from_fn(|i| frame[at + 4 + i])) as usize;
            if length == 0 {
                return anatomy;
            }
            let start = at + 8;
            let message = root_as_message(&frame[start..start + length]).expect("a message of ours");
            let body = start + length;
            anatomy.metadata.push(at..body);
            let batch = match message.header_type() {
                MessageHeader::RecordBatch => message.header_as_record_batch(),
                MessageHeader::DictionaryBatch => {
                    message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data())
                }
                _ => None,
            };
            if let Some(batch) = batch {
                let here = |bytes: &[u8]| {
                    let place = bytes.as_ptr() as usize - frame.as_ptr() as usize;
                    (place..place + bytes.len()).step_by(8)
                };
                batch.nodes().iter().for_each(|nodes| anatomy.counts.extend(here(nodes.bytes())));
                batch.buffers().iter().for_each(|buffers| anatomy.counts.extend(here(buffers.bytes())));
                let buffers = batch.buffers().into_iter().flatten().filter(|buffer| buffer.length() > 0);
                anatomy.buffers.extend(buffers.map(|buffer| {
                    let start = body + buffer.offset() as usize;
                    start..start + buffer.length() as usize
                }));
            }
            at = body + message.bodyLength() as usize;
        }
    }

    /// One change of `frame`: a place, and what stands there from now on.
    pub fn change(&self, frame: &[u8], rng: &mut impl Rng) -> (usize, Vec<u8>) {
        let part = [Part::Metadata, Part::Count, Part::Body, Part::Head][rng.random_range(0..4)];
        let within = |range: &Range<usize>, rng: &mut dyn Rng, width: usize| {
            let place = rng.random_range(range.clone());
            place - place % width
        };
        let (at, width) = match part {
            Part::Count if !self.counts.is_empty() => {
                (self.counts[rng.random_range(0..self.counts.len())], 8)
            }
            Part::Body | Part::Head if !self.buffers.is_empty() => {
                let buffer = &self.buffers[rng.random_range(0..self.buffers.len())];
                let width = [1, 2, 4, 8][rng.random_range(0..4)];
                let end = if part == Part::Head { buffer.end.min(buffer.start + 16) } else { buffer.end };
                (within(&(buffer.start..end), rng, width), width)
            }
            _ => {
                let range = &self.metadata[rng.random_range(0..self.metadata.len())];
                let width = [1, 1, 2, 4][rng.random_range(0..4)];
                (within(range, rng, width), width)
            }
        };
        let width = width.min(frame.len() - at);
        let mut old = [0; 8];
        old[..width].copy_from_slice(&frame[at..at + width]);
        let old = u64::from_le_bytes(old);
        let new = match rng.random_range(0..6) {
            0 => old ^ 1 << rng.random_range(0..width * 8),
            1 => old.wrapping_add(1),
            2 => old.wrapping_sub(1),
            3 => old.wrapping_mul([2, 8, 64, 4096][rng.random_range(0..4)]),
            4 => rng.random(),
            _ => ODD[rng.random_range(0..ODD.len())],
        };
        (at, new.to_le_bytes()[..width].to_vec())
    }
}
