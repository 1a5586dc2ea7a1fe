//! The writer's side: record batches into a slot.
//!
//! `measure` walks the arrays once to learn how much they take, `write` walks them again to copy them, each
//! buffer once and into its final place. In between the caller makes room. The law: for a schema and shape
//! seen before neither allocates; and every byte up to the returned length has been written, padding as
//! zeros, so nothing a slot held before is published with a frame.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use smallvec::SmallVec;

use super::chunk::Chunk;
use super::compress::{self, Codec};
use super::copy;
use super::message::END_OF_STREAM;
use super::plan::{Plan, Shape};
use super::sink::{Compressing, Copying, Measuring, Numbers, Sink};
use super::template::{Form, Template};
use super::{Compression, FrameError, ipc_schema};

/// Schemas remembered; a writer that alternates between more of them plans each anew.
const SCHEMAS: usize = 64;
/// Templates remembered for one schema.
const TEMPLATES: usize = 64;

/// Turns tables into frames; one per writer.
pub(crate) struct Encoder {
    compression: Compression,
    codec: Option<Codec>,
    /// The one used last comes first.
    pub(super) known: Vec<Known>,
    schemas_seen: u64,
    pub(super) scratch: Scratch,
    /// Which measurement `scratch.templates` belongs to.
    measured: u64,
}

/// What is known of a schema after its first frame.
pub(super) struct Known {
    key: u64,
    schema: SchemaRef,
    pub(super) plan: Plan,
    pub(super) prefix: Arc<[u8]>,
    pub(super) templates: Vec<Arc<Template>>,
}

#[derive(Default)]
pub(super) struct Scratch {
    pub(super) numbers: Numbers,
    /// The template of each message, as measured.
    pub(super) templates: Vec<usize>,
    /// Buffers on their way to the compressor.
    made: Vec<u8>,
}

/// A table laid out, not yet written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// A dense number given to each distinct schema in order of first use, never reused.
    pub(crate) schema_key: u64,
    /// The frame's length in bytes: exact, or an upper bound if it will be compressed.
    pub(crate) total: u64,
    pub(crate) rows: u64,
    /// How much of it comes before the first batch's body.
    pub(crate) ahead: usize,
    measured: u64,
}

/// A schema's key and prefix, and the head of its one batch.
pub(super) struct Prepared {
    pub(super) schema_key: u64,
    pub(super) prefix: Arc<[u8]>,
    pub(super) head: Arc<Template>,
}

/// What becomes one message.
pub(super) enum Part<'a, C: Chunk> {
    Dictionary(usize, C::Values<'a>),
    Batch(&'a C),
}

impl Encoder {
    pub(crate) fn new(compression: Compression) -> Self {
        Self {
            compression,
            codec: None,
            known: Vec::new(),
            schemas_seen: 0,
            scratch: Scratch::default(),
            measured: 0,
        }
    }

    /// Lays out a frame of `batches` without touching their data.
    pub(crate) fn measure<C: Chunk>(
        &mut self,
        schema: &SchemaRef,
        batches: &[C],
    ) -> Result<Measured, FrameError> {
        if self.codec.is_none() {
            self.codec = Codec::new(self.compression)?;
        }
        self.recall(schema)?;
        self.measured += 1;
        let compression = compress::ipc_type(self.compression);
        let Some(Known { key, plan, prefix, templates, .. }) = self.known.first_mut() else {
            return Err(FrameError::Invalid("no schema".into()));
        };
        if templates.len() >= TEMPLATES {
            templates.clear();
        }
        self.scratch.templates.clear();
        let mut total = prefix.len() + END_OF_STREAM.len();
        let (mut rows, mut ahead) = (0, None);
        for batch in batches {
            batch.fits(plan, schema)?;
            rows += batch.rows()? as u64;
        }
        parts(plan, schema, batches, |part| {
            let mut sink = Measuring::new(compression.is_some());
            part.tell(plan, schema, &mut sink)?;
            let at = template(templates, part.form(plan, sink.buffers, compression))?;
            self.scratch.templates.push(at);
            if let Part::Batch(_) = part {
                ahead.get_or_insert(total - END_OF_STREAM.len() + templates[at].len());
            }
            total += templates[at].len() + sink.body;
            Ok(())
        })?;
        let ahead = ahead.unwrap_or(total);
        Ok(Measured { schema_key: *key, total: total as u64, rows, ahead, measured: self.measured })
    }

    /// Writes the frame that `measured` laid out into `slot` and says how many bytes it takes.
    /// `prefix_stands`: the slot already begins with this schema's prefix, which is left alone.
    pub(crate) fn write<C: Chunk>(
        &mut self,
        measured: &Measured,
        schema: &SchemaRef,
        batches: &[C],
        slot: &mut [u8],
        prefix_stands: bool,
    ) -> Result<u64, FrameError> {
        let mut measured = *measured;
        let stands = self.known.first().is_some_and(|known| known.key == measured.schema_key);
        if measured.measured != self.measured || !stands {
            measured = self.measure(schema, batches)?;
        }
        let shortage = Shortage { needed: measured.total, available: slot.len() as u64 };
        let Self { known, codec, scratch: Scratch { numbers, templates: told, made }, .. } = self;
        let Some(Known { plan, prefix, templates, .. }) = known.first() else {
            return Err(FrameError::Invalid("no schema".into()));
        };
        let place = slot.get_mut(..prefix.len()).ok_or_else(|| shortage.error())?;
        if !prefix_stands {
            copy::bytes(place, prefix);
        }
        let mut at = prefix.len();
        let mut told = told.iter();
        parts(plan, schema, batches, |part| {
            let template = told.next().and_then(|at| templates.get(*at)).ok_or_else(changed)?;
            let rest = slot.get_mut(at..).unwrap_or_default();
            let (head, body) = rest.split_at_mut_checked(template.len()).ok_or_else(|| shortage.error())?;
            let mut sink = Copying::new(body, numbers, measured.total);
            let length = match codec {
                None => {
                    part.tell(plan, schema, &mut sink)?;
                    sink.finish()
                }
                Some(codec) => {
                    let mut sink = Compressing::new(sink, codec, made);
                    part.tell(plan, schema, &mut sink)?;
                    sink.finish()
                }
            }
            .ok_or_else(|| shortage.error())?;
            if !template.takes(numbers) {
                return Err(changed());
            }
            template.write(head, part.rows()?, numbers, length);
            at += template.len() + length;
            Ok(())
        })?;
        let end = slot.get_mut(at..at + END_OF_STREAM.len()).ok_or_else(|| shortage.error())?;
        copy::bytes(end, &END_OF_STREAM);
        Ok((at + END_OF_STREAM.len()) as u64)
    }

    /// Brings `schema` to the front of the known ones.
    fn recall(&mut self, schema: &SchemaRef) -> Result<(), FrameError> {
        if self.known.first().is_some_and(|known| Arc::ptr_eq(&known.schema, schema)) {
            return Ok(());
        }
        if let Some(at) = self.known.iter().position(|known| same(&known.schema, schema)) {
            self.known[..=at].rotate_right(1);
            // The next frame of this very schema is found by its address.
            self.known[0].schema = Arc::clone(schema);
            return Ok(());
        }
        let plan = Plan::of(schema, None)?;
        let known = Known {
            key: self.schemas_seen,
            schema: Arc::clone(schema),
            plan,
            prefix: ipc_schema::write(schema).into(),
            templates: Vec::new(),
        };
        self.schemas_seen += 1;
        self.known.truncate(SCHEMAS - 1);
        self.known.insert(0, known);
        Ok(())
    }

    /// What a loan of `schema` is laid out by.
    pub(super) fn prepare(&mut self, schema: &SchemaRef, form: Form) -> Result<Prepared, FrameError> {
        self.recall(schema)?;
        let Some(Known { key, prefix, templates, .. }) = self.known.first_mut() else {
            return Err(FrameError::Invalid("no schema".into()));
        };
        let at = template(templates, form)?;
        Ok(Prepared { schema_key: *key, prefix: Arc::clone(prefix), head: Arc::clone(&templates[at]) })
    }
}

impl<C: Chunk> Part<'_, C> {
    pub(super) fn tell<S: Sink>(&self, plan: &Plan, schema: &Schema, sink: &mut S) -> Result<(), FrameError> {
        match self {
            Self::Dictionary(_, values) => C::tell_values(*values, sink),
            Self::Batch(batch) => batch.tell(plan, schema, sink),
        }
    }

    pub(super) fn rows(&self) -> Result<usize, FrameError> {
        match self {
            Self::Dictionary(_, values) => Ok(C::values_rows(*values)),
            Self::Batch(batch) => batch.rows(),
        }
    }

    fn form(&self, plan: &Plan, buffers: usize, compression: Option<arrow_ipc::CompressionType>) -> Form {
        let (dictionary, shape): (_, &Shape) = match self {
            Self::Dictionary(number, _) => {
                let dictionary = &plan.dictionaries[*number];
                (Some(dictionary.id), &dictionary.values)
            }
            Self::Batch(_) => (None, &plan.columns),
        };
        Form { dictionary, nodes: shape.steps.len(), buffers, variadics: shape.variadics, compression }
    }
}

/// Goes through the messages of a frame in their order: a dictionary before the first batch that needs it,
/// and again only before one that needs another.
pub(super) fn parts<'a, C: Chunk>(
    plan: &'a Plan,
    schema: &Schema,
    batches: &'a [C],
    mut each: impl FnMut(Part<'a, C>) -> Result<(), FrameError>,
) -> Result<(), FrameError> {
    // Only frames of many dictionaries need memory for this.
    let mut written: SmallVec<[Option<C::Values<'a>>; 8]> =
        smallvec::smallvec![None; plan.dictionaries.len()];
    for batch in batches {
        if !written.is_empty() {
            batch.dictionaries(plan, schema, &mut |number, values| {
                let last = written.get_mut(number).ok_or_else(changed)?;
                if last.is_some_and(|last| C::same(last, values)) {
                    return Ok(());
                }
                *last = Some(values);
                each(Part::Dictionary(number, values))
            })?;
        }
        each(Part::Batch(batch))?;
    }
    Ok(())
}

/// The template for `form`, made if there is none yet.
fn template(templates: &mut Vec<Arc<Template>>, form: Form) -> Result<usize, FrameError> {
    match templates.iter().position(|template| template.form == form) {
        Some(at) => Ok(at),
        None => {
            templates.push(Arc::new(Template::new(form)?));
            Ok(templates.len() - 1)
        }
    }
}

/// Whether two schemas need the same prefix; `Field`'s own equality forgets the order of dictionaries.
fn same(one: &SchemaRef, other: &SchemaRef) -> bool {
    Arc::ptr_eq(one, other) || (one == other && ordered(one).eq(ordered(other)))
}

fn ordered(schema: &Schema) -> impl Iterator<Item = Option<bool>> {
    schema.flattened_fields().into_iter().map(arrow_schema::Field::dict_is_ordered)
}

/// The sizes that make a frame too large, until they are needed for an error.
#[derive(Clone, Copy)]
struct Shortage {
    needed: u64,
    available: u64,
}

impl Shortage {
    fn error(self) -> FrameError {
        // A bound may fit where the frame does not, never the other way round.
        FrameError::TooLarge { needed: self.needed.max(self.available + 1), available: self.available }
    }
}

fn changed() -> FrameError {
    FrameError::Invalid("the table is not the one that was measured".into())
}
