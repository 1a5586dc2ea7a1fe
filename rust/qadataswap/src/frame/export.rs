//! A view as C structs, without arrays in between.
//!
//! What the format lays out otherwise than IPC does: an array of no rows has its one offset, views end with the
//! lengths of their data buffers, and a dictionary hangs on the array of its keys. The law is that of
//! [`arrays`](super::arrays): nothing here looks at data, and nothing can fail on account of a number.

use std::sync::Arc;

use arrow_buffer::Buffer;
use arrow_schema::SchemaRef;
use smallvec::SmallVec;

use super::decode::Described;
use super::plan::{Kind, Shape};
use super::view::{Node, View};
use crate::ffi::{Builder, Exported, Size};

/// A frame's table as views: nodes and buffers.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) described: Arc<Described>,
    /// The frame, or the private copy that the views are of.
    pub(crate) frame: Buffer,
    pub(crate) batches: SmallVec<[Batch; 1]>,
    pub(super) bytes_copied: u64,
}

/// A batch, or the values of a dictionary, and the dictionaries as they stood when it came: a later one is not the one
/// that its keys are of.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) view: View,
    /// By their number in the plan; none at all if the shape has no keys.
    pub(super) dictionaries: Dictionaries,
}

/// Values of dictionaries, by their number in the plan.
pub(crate) type Dictionaries = Vec<Option<Arc<Batch>>>;

impl Batch {
    /// The values of dictionary `number`, if they were sent.
    pub(crate) fn values(&self, number: usize) -> Option<&Arc<Batch>> {
        self.dictionaries.get(number)?.as_ref()
    }

    /// Adds the private memory that it and its dictionaries use.
    fn add_copies(&self, copies: &mut Vec<Buffer>) {
        copies.extend_from_slice(&self.view.copies);
        self.dictionaries.iter().flatten().for_each(|values| values.add_copies(copies));
    }

    /// No rows, for values that were not sent because nothing refers to them: the decoder has made sure of that.
    fn empty(shape: &Shape) -> Batch {
        Batch { view: View::empty(shape), dictionaries: Vec::new() }
    }
}

impl Parsed {
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.described.schema
    }

    /// Number of batches.
    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(|batch| batch.view.rows).sum()
    }

    pub(crate) fn bytes_copied(&self) -> u64 {
        self.bytes_copied
    }

    /// The values of the only column of the only batch, if they are of a fixed width and none is null.
    pub(crate) fn sole_values(&self) -> Option<&[u8]> {
        let ([batch], [step]) = (&self.batches[..], &self.described.plan.columns.steps[..]) else {
            return None;
        };
        let node = batch.view.nodes[0];
        let plain = matches!(step.kind, Kind::Fixed { .. }) && node.nulls == 0;
        plain.then(|| batch.view.bytes(&self.frame, node, 1))
    }

    /// Exports a batch.
    ///
    /// # Panics
    /// If there is no such batch.
    pub(crate) fn export(&self, batch: usize) -> Exported {
        let batch = &self.batches[batch];
        let plan = &self.described.plan;
        let mut size = Size { nodes: 1, buffers: 1, variadic: 0 };
        self.count(&plan.columns, batch, &mut size);
        let mut copies = Vec::new();
        batch.add_copies(&mut copies);
        let mut builder = Builder::new(size, self.frame.clone(), copies);
        let root = builder.node(batch.view.rows, 0, self.schema().fields().len());
        builder.no_buffer();
        let mut source = Source { parsed: self, builder: &mut builder };
        let (mut at, mut position) = (0, 0);
        while let Some(step) = plan.columns.steps.get(at) {
            let column = source.node(&plan.columns, batch, at);
            source.builder.child(root, position, column);
            (at, position) = (step.end, position + 1);
        }
        builder.finish()
    }

    /// Adds what `shape` takes to `size`.
    fn count(&self, shape: &Shape, batch: &Batch, size: &mut Size) {
        size.nodes += shape.steps.len();
        for (step, node) in shape.steps.iter().zip(&batch.view.nodes) {
            size.buffers += node.count;
            match step.kind {
                Kind::Views => {
                    size.buffers += 1;
                    size.variadic += node.count - 2;
                }
                Kind::Dictionary { values, .. } => {
                    let shape = &self.described.plan.dictionaries[values].values;
                    match batch.values(values) {
                        Some(values) => self.count(shape, values, size),
                        None => self.count(shape, &Batch::empty(shape), size),
                    }
                }
                _ => {}
            }
        }
    }
}

struct Source<'a> {
    parsed: &'a Parsed,
    builder: &'a mut Builder,
}

impl Source<'_> {
    /// Tells the node of step `at` and all below it; returns the node's number.
    fn node(&mut self, shape: &Shape, batch: &Batch, at: usize) -> usize {
        let step = &shape.steps[at];
        let node = batch.view.nodes[at];
        let mut children = 0;
        let mut child = at + 1;
        while child < step.end {
            (child, children) = (shape.steps[child].end, children + 1);
        }
        let nulls = if step.kind == Kind::Null { node.rows } else { node.nulls };
        let number = self.builder.node(node.rows, nulls, children);
        self.buffers(step.kind, &batch.view, node);
        let (mut child, mut position) = (at + 1, 0);
        while child < step.end {
            let below = self.node(shape, batch, child);
            self.builder.child(number, position, below);
            (child, position) = (shape.steps[child].end, position + 1);
        }
        if let Kind::Dictionary { values, .. } = step.kind {
            let shape = &self.parsed.described.plan.dictionaries[values].values;
            let values = match batch.values(values) {
                Some(values) => self.node(shape, values, 0),
                None => self.node(shape, &Batch::empty(shape), 0),
            };
            self.builder.dictionary(number, values);
        }
        number
    }

    fn buffers(&mut self, kind: Kind, view: &View, node: Node) {
        let bytes = |which: usize| view.bytes(&self.parsed.frame, node, which);
        let mut first = 0;
        if kind.has_validity() {
            first = 1;
            match node.nulls {
                0 => self.builder.no_buffer(),
                _ => self.builder.buffer(bytes(0)),
            }
        }
        match kind {
            Kind::Bytes { width } | Kind::List { width } if bytes(1).is_empty() => {
                self.builder.zero_offset(width);
                first = 2;
            }
            _ => {}
        }
        for which in first..node.count {
            self.builder.buffer(bytes(which));
        }
        if kind == Kind::Views {
            self.builder.sizes((2..node.count).map(|which| bytes(which).len()));
        }
    }
}
