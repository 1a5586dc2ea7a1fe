//! Where a walk over arrays goes: it is measured, or it is copied.
//!
//! The law: [`Measuring`] and [`Copying`] see the same calls in the same order, so a measured frame fits.

use super::ALIGNMENT;
use super::compress::Codec;
use super::copy::{self, bytes_of_bits};
use super::nontemporal;

/// What a walk tells about a batch: its nodes and its buffers, in IPC's order.
pub(crate) trait Sink {
    /// A node of `rows` rows, `nulls` of them null.
    fn node(&mut self, rows: usize, nulls: usize);
    /// A buffer that already lies somewhere as it must be.
    fn bytes(&mut self, source: &[u8]);
    /// A buffer of `length` bytes that `write` makes in place, every byte of it.
    fn fill(&mut self, length: usize, write: impl FnOnce(&mut [u8]));
    /// The node just told has `buffers` data buffers.
    fn variadic(&mut self, buffers: usize);
    /// A bitmap: `len` bits from bit `offset` of `source`.
    #[inline]
    fn bits(&mut self, source: &[u8], offset: usize, len: usize) {
        self.fill(bytes_of_bits(len), |place| copy::bits(place, source, offset, len));
    }
}

/// Counts what a batch will take.
#[derive(Debug)]
pub(super) struct Measuring {
    /// Bytes a buffer may take beyond its own length.
    extra: usize,
    pub(super) buffers: usize,
    pub(super) body: usize,
}

impl Measuring {
    pub(super) fn new(compressed: bool) -> Self {
        let extra = if compressed { size_of::<i64>() } else { 0 };
        Self { extra, buffers: 0, body: 0 }
    }

    #[inline]
    fn buffer(&mut self, length: usize) {
        self.buffers += 1;
        if length > 0 {
            self.body += (length + self.extra).next_multiple_of(ALIGNMENT);
        }
    }
}

impl Sink for Measuring {
    #[inline]
    fn node(&mut self, _rows: usize, _nulls: usize) {}

    #[inline]
    fn bytes(&mut self, source: &[u8]) {
        self.buffer(source.len());
    }

    #[inline]
    fn fill(&mut self, length: usize, _write: impl FnOnce(&mut [u8])) {
        self.buffer(length);
    }

    #[inline]
    fn variadic(&mut self, _buffers: usize) {}
}

/// The numbers of one batch, for its metadata; kept between frames so that they need no memory of their own.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Rows and nulls of each node.
    pub(super) nodes: Vec<[i64; 2]>,
    /// Position in the body and length of each buffer.
    pub(super) buffers: Vec<[i64; 2]>,
    pub(super) variadic: Vec<i64>,
}

impl Numbers {
    pub(super) fn clear(&mut self) {
        self.nodes.clear();
        self.buffers.clear();
        self.variadic.clear();
    }
}

/// Copies a batch into its body.
pub(super) struct Copying<'a> {
    body: &'a mut [u8],
    numbers: &'a mut Numbers,
    /// Whether it is a part of a frame that is too large for the caches.
    is_large: bool,
    at: usize,
    full: bool,
}

impl<'a> Copying<'a> {
    /// Into `body`, which is a part of a frame of `total` bytes.
    pub(super) fn new(body: &'a mut [u8], numbers: &'a mut Numbers, total: u64) -> Self {
        numbers.clear();
        Self { body, numbers, is_large: total >= nontemporal::FRAME, at: 0, full: false }
    }

    /// The length of the body, or `None` if it did not fit.
    pub(super) fn finish(self) -> Option<usize> {
        (!self.full).then_some(self.at)
    }
}

impl Sink for Copying<'_> {
    #[inline]
    fn node(&mut self, rows: usize, nulls: usize) {
        self.numbers.nodes.push([rows as i64, nulls as i64]);
    }

    #[inline]
    fn bytes(&mut self, source: &[u8]) {
        match self.is_large {
            true => self.fill(source.len(), |place| copy::streamed(place, source)),
            false => self.fill(source.len(), |place| copy::bytes(place, source)),
        }
    }

    #[inline]
    fn fill(&mut self, length: usize, write: impl FnOnce(&mut [u8])) {
        self.numbers.buffers.push([self.at as i64, length as i64]);
        if length == 0 {
            return;
        }
        let padded = length.next_multiple_of(ALIGNMENT);
        match self.body.get_mut(self.at..).and_then(|rest| rest.get_mut(..padded)) {
            Some(place) => {
                let (place, padding) = place.split_at_mut(length);
                write(place);
                copy::zero(padding);
                self.at += padded;
            }
            None => self.full = true,
        }
    }

    #[inline]
    fn variadic(&mut self, buffers: usize) {
        self.numbers.variadic.push(buffers as i64);
    }
}

/// Compresses a batch into its body, each buffer by itself behind its plain length.
pub(super) struct Compressing<'a> {
    copy: Copying<'a>,
    codec: &'a mut Codec,
    /// Where buffers are made that do not lie ready anywhere.
    made: &'a mut Vec<u8>,
}

impl<'a> Compressing<'a> {
    pub(super) fn new(copy: Copying<'a>, codec: &'a mut Codec, made: &'a mut Vec<u8>) -> Self {
        Self { copy, codec, made }
    }

    pub(super) fn finish(self) -> Option<usize> {
        self.copy.finish()
    }
}

impl Sink for Compressing<'_> {
    fn node(&mut self, rows: usize, nulls: usize) {
        self.copy.node(rows, nulls);
    }

    fn bytes(&mut self, source: &[u8]) {
        let Copying { body, numbers, at, full, .. } = &mut self.copy;
        if source.is_empty() {
            numbers.buffers.push([*at as i64, 0]);
            return;
        }
        let rest = body.get_mut(*at..).unwrap_or_default();
        let Some(length) = self.codec.compress(source, rest) else {
            numbers.buffers.push([*at as i64, 0]);
            *full = true;
            return;
        };
        numbers.buffers.push([*at as i64, length as i64]);
        let padded = length.next_multiple_of(ALIGNMENT);
        match rest.get_mut(length..padded) {
            Some(padding) => {
                copy::zero(padding);
                *at += padded;
            }
            None => *full = true,
        }
    }

    fn fill(&mut self, length: usize, write: impl FnOnce(&mut [u8])) {
        let mut made = std::mem::take(self.made);
        made.clear();
        made.resize(length, 0);
        write(&mut made);
        self.bytes(&made);
        *self.made = made;
    }

    fn variadic(&mut self, buffers: usize) {
        self.copy.variadic(buffers);
    }
}
