//! Frames around buffers that lie in the slot already: those are claimed where they lie, all else is written into
//! the room before and behind them.
//!
//! The law: a claimed buffer is not touched; it is claimed only if it begins at a multiple of 64, as every buffer of
//! a frame does.

use std::ops::Range;

use arrow_schema::SchemaRef;

use super::chunk::Chunk;
use super::encode::{Encoder, Known, Measured, Part, parts};
use super::message::END_OF_STREAM;
use super::sink::{Copying, Numbers, Sink};
use super::{ALIGNMENT, FrameError, copy};

/// A slot with memory of others in its middle.
pub(crate) struct Body<'a> {
    /// Address of the slot.
    pub(crate) address: usize,
    /// The slot up to where memory of others may begin.
    pub(crate) head: &'a mut [u8],
    /// Where it lies.
    pub(crate) allocated: Range<usize>,
    /// The slot behind it.
    pub(crate) tail: &'a mut [u8],
}

/// What of a table lies in a slot already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Bytes of buffers that do.
    pub(crate) claimed: usize,
    /// Bytes that have to be written behind them, the end of the stream included.
    pub(crate) rest: usize,
}

/// A frame written around claimed buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Around {
    /// Its length.
    pub(crate) length: u64,
    /// Where its body lies in the slot.
    pub(crate) body: Range<usize>,
}

impl Encoder {
    /// What of `batch` lies at the addresses `memory`.
    pub(crate) fn claims<C: Chunk>(
        &self,
        schema: &SchemaRef,
        batch: &C,
        memory: Range<usize>,
    ) -> Result<Claims, FrameError> {
        let Some(Known { plan, .. }) = self.known.first() else { return Ok(Claims::default()) };
        let mut sink = Claiming { memory, claims: Claims { claimed: 0, rest: ALIGNMENT } };
        batch.tell(plan, schema, &mut sink)?;
        Ok(sink.claims)
    }

    /// Writes the frame of one batch that was just measured around what of it lies in `body`; `None` if the head is
    /// too short for it.
    pub(crate) fn write_around<C: Chunk>(
        &mut self,
        measured: &Measured,
        schema: &SchemaRef,
        batch: &C,
        body: Body<'_>,
    ) -> Result<Option<Around>, FrameError> {
        let Body { address, head, allocated, tail } = body;
        let Some(Known { plan, prefix, templates, .. }) = self.known.first() else { return Ok(None) };
        if measured.ahead > head.len() {
            return Ok(None);
        }
        head[..prefix.len()].copy_from_slice(prefix);
        let (mut at, mut around) = (prefix.len(), None);
        let mut told = self.scratch.templates.iter();
        let numbers = &mut self.scratch.numbers;
        parts(plan, schema, std::slice::from_ref(batch), |part| {
            let Some(template) = told.next().and_then(|at| templates.get(*at)) else { return Ok(()) };
            let (message, rest) = head[at..].split_at_mut(template.len());
            if let Part::Dictionary(..) = part {
                let mut sink = Copying::new(rest, numbers, 0);
                part.tell(plan, schema, &mut sink)?;
                // What was measured to fit fits.
                let Some(length) = sink.finish() else { return Ok(()) };
                template.write(message, part.rows()?, numbers, length);
                at += template.len() + length;
                return Ok(());
            }
            let start = at + template.len();
            copy::zero(rest);
            numbers.clear();
            let memory = address + allocated.start..address + allocated.end;
            let behind = allocated.end;
            let tail = &mut *tail;
            let mut sink = Placing { memory, address, start, behind, tail, used: 0, full: false, numbers };
            part.tell(plan, schema, &mut sink)?;
            let (used, full) = (sink.used, sink.full);
            if let Some(end) = tail.get_mut(used..used + END_OF_STREAM.len()).filter(|_| !full)
                && template.takes(numbers)
            {
                end.copy_from_slice(&END_OF_STREAM);
                let end = allocated.end + used;
                template.write(message, part.rows()?, numbers, end - start);
                around = Some(Around { length: (end + END_OF_STREAM.len()) as u64, body: start..end });
            }
            Ok(())
        })?;
        Ok(around)
    }
}

/// Whether `bytes` lie in `memory` as a buffer of a frame has to.
fn lies_in(memory: &Range<usize>, bytes: &[u8]) -> bool {
    let start = bytes.as_ptr().addr();
    !bytes.is_empty()
        && start.is_multiple_of(ALIGNMENT)
        && start >= memory.start
        && start + bytes.len() <= memory.end
}

/// Tells what could be claimed.
struct Claiming {
    memory: Range<usize>,
    claims: Claims,
}

impl Sink for Claiming {
    fn node(&mut self, _rows: usize, _nulls: usize) {}

    fn bytes(&mut self, source: &[u8]) {
        match lies_in(&self.memory, source) {
            true => self.claims.claimed += source.len(),
            false => self.fill(source.len(), |_| ()),
        }
    }

    fn fill(&mut self, length: usize, _write: impl FnOnce(&mut [u8])) {
        self.claims.rest += length.next_multiple_of(ALIGNMENT);
    }

    fn variadic(&mut self, _buffers: usize) {}

    fn bits(&mut self, source: &[u8], offset: usize, len: usize) {
        whole_bits(self, source, offset, len);
    }
}

/// A bitmap that begins with a byte is bytes: those who built it here left nothing behind its end.
fn whole_bits(sink: &mut impl Sink, source: &[u8], offset: usize, len: usize) {
    let length = copy::bytes_of_bits(len);
    if offset == 0 {
        sink.bytes(&source[..length]);
    } else {
        sink.fill(length, |place| copy::bits(place, source, offset, len));
    }
}

/// Claims what can be, and copies the rest behind it.
struct Placing<'a> {
    memory: Range<usize>,
    /// Of the slot.
    address: usize,
    /// Where the body begins, from the slot's start on, and where `tail` does.
    start: usize,
    behind: usize,
    tail: &'a mut [u8],
    used: usize,
    full: bool,
    numbers: &'a mut Numbers,
}

impl Sink for Placing<'_> {
    fn node(&mut self, rows: usize, nulls: usize) {
        self.numbers.nodes.push([rows as i64, nulls as i64]);
    }

    fn bytes(&mut self, source: &[u8]) {
        if !lies_in(&self.memory, source) {
            return self.fill(source.len(), |place| copy::bytes(place, source));
        }
        let at = source.as_ptr().addr() - self.address - self.start;
        self.numbers.buffers.push([at as i64, source.len() as i64]);
    }

    fn fill(&mut self, length: usize, write: impl FnOnce(&mut [u8])) {
        if length == 0 {
            self.numbers.buffers.push([0, 0]);
            return;
        }
        self.numbers.buffers.push([(self.behind + self.used - self.start) as i64, length as i64]);
        let padded = length.next_multiple_of(ALIGNMENT);
        match self.tail.get_mut(self.used..).and_then(|rest| rest.get_mut(..padded)) {
            Some(place) => {
                let (place, padding) = place.split_at_mut(length);
                write(place);
                copy::zero(padding);
                self.used += padded;
            }
            None => self.full = true,
        }
    }

    fn variadic(&mut self, buffers: usize) {
        self.numbers.variadic.push(buffers as i64);
    }

    fn bits(&mut self, source: &[u8], offset: usize, len: usize) {
        whole_bits(self, source, offset, len);
    }
}
