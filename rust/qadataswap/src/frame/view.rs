//! A batch as it lies in its frame: nodes and buffers, checked, and no arrays yet.
//!
//! This is the door. [`View::read`] takes the numbers of a batch message and checks them against the frame
//! and against what each type needs for that many rows; what it lets through, the products made of a view
//! ([`super::arrays`]) take as given:
//!
//! * every span lies inside its buffer, and is aligned for its type;
//! * rows and nulls are lengths, nulls are at most the rows, and where there are nulls there is a bitmap;
//! * values, offsets, views and keys are enough for the rows; children are as long as their parents need.
//!
//! The data itself is not looked at. It is copied only where it cannot be used as it lies: compressed
//! buffers, and those of foreign writers that are not aligned for their type.

use std::ops::Range;

use arrow_buffer::Buffer;
use arrow_ipc::CompressionType;

use super::FrameError;
use super::compress::{self, Plain};
use super::copy::bytes_of_bits;
use super::plan::{Kind, Shape};

/// Rows that cost no memory (nulls, empty structs, runs) are believed up to this many.
const MOST_WEIGHTLESS_ROWS: usize = u32::MAX as usize;

/// The numbers of a batch message as they stand in its metadata.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Raw<'a> {
    pub(super) rows: i64,
    /// Pairs of little-endian `i64`: rows, nulls.
    pub(super) nodes: &'a [u8],
    /// Pairs of little-endian `i64`: position in the body, length.
    pub(super) buffers: &'a [u8],
    /// Little-endian `i64`.
    pub(super) variadic: &'a [u8],
    pub(super) codec: Option<CompressionType>,
}

/// One node, with the place of its buffers in [`View::spans`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) rows: usize,
    pub(crate) nulls: usize,
    pub(crate) first: usize,
    pub(crate) count: usize,
}

/// Bytes of the frame, or of a private copy.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) at: usize,
    pub(crate) len: usize,
    /// Which of [`View::copies`]; the frame if none.
    pub(crate) copy: Option<usize>,
}

/// See the file's head. Kept between frames for its memory; [`View::release`] lets go of all data.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) rows: usize,
    pub(crate) nodes: Vec<Node>,
    pub(crate) spans: Vec<Span>,
    pub(crate) copies: Vec<Buffer>,
    pub(super) bytes_copied: usize,
}

impl View {
    /// Checks a batch of `shape` whose body is `frame[body]`.
    pub(super) fn read(
        &mut self,
        shape: &Shape,
        raw: Raw<'_>,
        frame: &Buffer,
        body: Range<usize>,
    ) -> Result<(), FrameError> {
        self.release();
        self.rows = length(raw.rows, "rows")?;
        // No more than the message has numbers, whatever it claims.
        self.nodes.reserve(shape.steps.len());
        self.spans.reserve(raw.buffers.len() / size_of::<[i64; 2]>());
        let mut door = Door {
            view: self,
            frame,
            taken: 0,
            body,
            codec: raw.codec,
            nodes: Numbers(raw.nodes),
            buffers: Numbers(raw.buffers),
            variadic: Numbers(raw.variadic),
        };
        for step in &shape.steps {
            door.node(step.kind)?;
        }
        if !door.buffers.0.is_empty() || !door.nodes.0.is_empty() {
            return Err(FrameError::corrupt("more nodes or buffers than the schema has"));
        }
        self.check_children(shape)
    }

    /// Forgets the batch, so that nothing it held lives longer than its arrays.
    pub(super) fn release(&mut self) {
        self.nodes.clear();
        self.spans.clear();
        self.copies.clear();
        self.bytes_copied = 0;
    }

    /// This view, for whoever keeps it. What is left here holds the same numbers, and nothing else.
    pub(super) fn taken(&mut self) -> View {
        let copies = std::mem::take(&mut self.copies);
        View {
            rows: self.rows,
            nodes: self.nodes.clone(),
            spans: self.spans.clone(),
            copies,
            bytes_copied: self.bytes_copied,
        }
    }

    /// Buffer `which` of `node`, sharing the memory of the frame or of the copy.
    #[inline]
    pub(crate) fn buffer(&self, frame: &Buffer, node: Node, which: usize) -> Buffer {
        let span = self.spans[node.first + which];
        match span.copy {
            None => frame.slice_with_length(span.at, span.len),
            Some(copy) => self.copies[copy].slice_with_length(span.at, span.len),
        }
    }

    /// Bytes of buffer `which` of `node`.
    #[inline]
    pub(super) fn bytes<'a>(&'a self, frame: &'a Buffer, node: Node, which: usize) -> &'a [u8] {
        let span = self.spans[node.first + which];
        let home = span.copy.map_or(frame, |copy| &self.copies[copy]);
        &home.as_slice()[span.at..span.at + span.len]
    }

    /// The view of no rows.
    pub(super) fn empty(shape: &Shape) -> View {
        let mut view = View::default();
        for step in &shape.steps {
            let count = step.kind.least_buffers();
            view.nodes.push(Node { rows: 0, nulls: 0, first: view.spans.len(), count });
            view.spans.resize(view.spans.len() + count, Span::default());
        }
        view
    }

    fn check_children(&self, shape: &Shape) -> Result<(), FrameError> {
        for (at, step) in shape.steps.iter().enumerate() {
            let rows = self.nodes[at].rows;
            let first = self.nodes.get(at + 1).filter(|_| step.end > at + 1);
            match step.kind {
                Kind::Struct | Kind::SparseUnion => {
                    let mut child = at + 1;
                    while child < step.end {
                        at_least(self.nodes[child].rows, rows, "child rows")?;
                        child = shape.steps[child].end;
                    }
                }
                Kind::FixedSizeList { size } => {
                    at_least(first.map_or(0, |child| child.rows), product(rows, size)?, "child rows")?;
                }
                Kind::Runs => {
                    let ends = first.copied().unwrap_or(Node { rows: 0, nulls: 0, first: 0, count: 0 });
                    // Run ends have no children, so the values come right behind them.
                    let values = self.nodes.get(at + 2).map_or(0, |node| node.rows);
                    if ends.nulls > 0 || ends.rows != values || (rows > 0 && values == 0) {
                        return Err(FrameError::corrupt(format!(
                            "{rows} rows in {} run ends ({} of them null) and {values} values",
                            ends.rows, ends.nulls
                        )));
                    }
                }
                _ => {}
            }
            let weightless = match step.kind {
                Kind::Null | Kind::Runs | Kind::Fixed { width: 0, .. } | Kind::FixedSizeList { size: 0 } => {
                    true
                }
                Kind::Struct => step.end == at + 1,
                _ => false,
            };
            if weightless && rows > MOST_WEIGHTLESS_ROWS {
                return Err(FrameError::corrupt(format!(
                    "{rows} rows of {}, which take no memory",
                    step.data_type
                )));
            }
        }
        Ok(())
    }
}

/// Reading of one batch's numbers.
struct Door<'a> {
    view: &'a mut View,
    frame: &'a Buffer,
    body: Range<usize>,
    codec: Option<CompressionType>,
    /// Bytes of the body that were copied or decompressed: honest buffers do not overlap.
    taken: usize,
    nodes: Numbers<'a>,
    buffers: Numbers<'a>,
    variadic: Numbers<'a>,
}

impl Door<'_> {
    fn node(&mut self, kind: Kind) -> Result<(), FrameError> {
        let (rows, nulls) = (self.nodes.next("node")?, self.nodes.next("node")?);
        let rows = length(rows, "node rows")?;
        let nulls = length(nulls, "nulls")?;
        at_least(rows, nulls, "nulls")?;
        let first = self.view.spans.len();
        let nulls = match (kind.has_validity(), nulls) {
            (false, _) => 0,
            (true, 0) => {
                self.skip()?;
                0
            }
            (true, _) => {
                self.values(bytes_of_bits(rows), 1)?;
                nulls
            }
        };
        match kind {
            Kind::Null | Kind::Runs | Kind::Struct | Kind::FixedSizeList { .. } => {}
            Kind::Bits => self.values(bytes_of_bits(rows), 1)?,
            Kind::Fixed { width, align } => self.values(product(rows, width)?, align)?,
            Kind::Dictionary { width, .. } => self.values(product(rows, width)?, width)?,
            Kind::Bytes { width } => {
                self.offsets(rows, width)?;
                self.data()?;
            }
            Kind::List { width } => self.offsets(rows, width)?,
            Kind::ListView { width } => {
                self.values(product(rows, width)?, width)?;
                self.values(product(rows, width)?, width)?;
            }
            Kind::SparseUnion => self.values(rows, 1)?,
            Kind::DenseUnion => {
                self.values(rows, 1)?;
                self.values(product(rows, 4)?, 4)?;
            }
            Kind::Views => {
                self.values(product(rows, size_of::<u128>())?, align_of::<u128>())?;
                for _ in 0..length(self.variadic.next("variadic count")?, "variadic buffers")? {
                    self.data()?;
                }
            }
        }
        self.view.nodes.push(Node { rows, nulls, first, count: self.view.spans.len() - first });
        Ok(())
    }

    /// An empty array may come without its one offset.
    fn offsets(&mut self, rows: usize, width: usize) -> Result<(), FrameError> {
        let mut span = self.buffer(width)?;
        let needed = product(rows.saturating_add(1), width)?;
        if rows > 0 || span.len >= width {
            at_least(span.len, needed, "offset bytes")?;
            span.len = needed;
        } else {
            span.len = 0;
        }
        self.view.spans.push(span);
        Ok(())
    }

    /// A buffer of `needed` bytes; what a writer left behind them is not part of it.
    #[inline]
    fn values(&mut self, needed: usize, align: usize) -> Result<(), FrameError> {
        let mut span = self.buffer(align)?;
        at_least(span.len, needed, "buffer bytes")?;
        span.len = needed;
        self.view.spans.push(span);
        Ok(())
    }

    /// A buffer whose length is known to its data only.
    fn data(&mut self) -> Result<(), FrameError> {
        let span = self.buffer(1)?;
        self.view.spans.push(span);
        Ok(())
    }

    /// A buffer that is not needed.
    #[inline]
    fn skip(&mut self) -> Result<(), FrameError> {
        self.inside()?;
        self.view.spans.push(Span::default());
        Ok(())
    }

    /// The next buffer, which must lie inside the body.
    #[inline]
    fn inside(&mut self) -> Result<Span, FrameError> {
        let at = length(self.buffers.next("buffer")?, "buffer position")?;
        let len = length(self.buffers.next("buffer")?, "buffer length")?;
        let size = self.body.len();
        if at > size || len > size - at {
            return Err(FrameError::corrupt(format!("buffer of {len} bytes at {at} in a body of {size}")));
        }
        Ok(Span { at: self.body.start + at, len, copy: None })
    }

    /// The next buffer, decompressed and aligned if it must be.
    #[inline]
    fn buffer(&mut self, align: usize) -> Result<Span, FrameError> {
        let mut span = self.inside()?;
        if let (Some(codec), 1..) = (self.codec, span.len) {
            span = self.plain(codec, span)?;
        }
        let home = span.copy.map_or(self.frame, |copy| &self.view.copies[copy]);
        if (home.as_ptr() as usize).wrapping_add(span.at).is_multiple_of(align) {
            return Ok(span);
        }
        let aligned = Buffer::from_slice_ref(&home[span.at..span.at + span.len]);
        if span.copy.is_none() {
            self.take(span.len)?;
        }
        Ok(self.keep(aligned))
    }

    fn plain(&mut self, codec: CompressionType, span: Span) -> Result<Span, FrameError> {
        match compress::decompress(codec, &self.frame[span.at..span.at + span.len])? {
            Plain::Stored { skip } => Ok(Span { at: span.at + skip, len: span.len - skip, copy: None }),
            Plain::Made(buffer) => {
                self.take(span.len)?;
                Ok(self.keep(buffer))
            }
        }
    }

    /// Accounts for bytes of the body that become private memory.
    fn take(&mut self, bytes: usize) -> Result<(), FrameError> {
        self.taken += bytes;
        if self.taken > self.body.len() {
            return Err(FrameError::corrupt("buffers overlap"));
        }
        Ok(())
    }

    fn keep(&mut self, buffer: Buffer) -> Span {
        self.view.bytes_copied += buffer.len();
        let len = buffer.len();
        self.view.copies.push(buffer);
        Span { at: 0, len, copy: Some(self.view.copies.len() - 1) }
    }
}

/// Little-endian `i64`s, one after another.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    #[inline]
    fn next(&mut self, what: &str) -> Result<i64, FrameError> {
        let Some((number, rest)) = self.0.split_first_chunk() else {
            return Err(FrameError::corrupt(format!("a {what} is missing")));
        };
        self.0 = rest;
        Ok(i64::from_le_bytes(*number))
    }
}

#[inline]
fn length(value: i64, what: &str) -> Result<usize, FrameError> {
    usize::try_from(value).map_err(|_| FrameError::corrupt(format!("{what}: {value} is not a length")))
}

#[inline]
fn at_least(got: usize, needed: usize, what: &str) -> Result<(), FrameError> {
    if got < needed {
        return Err(FrameError::corrupt(format!("{what}: {needed} needed, {got} there")));
    }
    Ok(())
}

#[inline]
fn product(rows: usize, width: usize) -> Result<usize, FrameError> {
    rows.checked_mul(width).ok_or_else(|| FrameError::corrupt(format!("{rows} rows of {width} bytes")))
}
