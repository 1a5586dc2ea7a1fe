//! The reader's side: a frame into record batches.
//!
//! A frame's schema message is parsed once per schema id; after that a frame costs its batch messages only.
//! The law: when `decode` returns, the decoder holds nothing of the frame; only the arrays do.

use arrow_array::{RecordBatch, make_array};
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_data::ArrayData;
use arrow_ipc::MessageHeader;
use arrow_schema::SchemaRef;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

use super::arrays::Source;
use super::export::{Batch, Dictionaries, Parsed};
use super::familiar::Familiar;
use super::message::{self, Metadata, Place};
use super::plan::{Kind, Plan, Shape};
use super::template::batch_of;
use super::view::{Raw, View};
use super::{ALIGNMENT, Compression, Encoder, FrameError, Validation, ipc_schema};
use crate::lease;

/// Schemas remembered; the one not used for longest is forgotten.
const SCHEMAS: usize = 64;

/// Turns frames into tables; one per reader.
pub(crate) struct Decoder {
    validation: Validation,
    /// The one used last comes first.
    known: Vec<Known>,
    metadata: Metadata,
    view: View,
    settled: Settled,
}

/// Of which batch the decoder's view is, so that one with the very same metadata in the very same place need not be checked
/// again: what is checked are the metadata's numbers against each other, and against the frame's length and address.
#[derive(Debug, Default)]
struct Settled {
    /// Of the schema; `None` if there is no such view.
    id: Option<u64>,
    /// Where the metadata stood.
    start: usize,
    metadata: Vec<u8>,
    body: Range<usize>,
    /// Where the frame stood, as far as alignment goes.
    residue: usize,
}

impl Settled {
    /// Whether a batch with this metadata at `start` is as the one before.
    #[inline]
    fn is_of(&self, id: u64, start: usize, metadata: &[u8], frame: &Buffer) -> bool {
        self.id == Some(id)
            && self.start == start
            && self.body.end <= frame.len()
            && self.residue == residue(frame)
            && self.metadata == metadata
    }

    fn settle(&mut self, id: u64, start: usize, metadata: &[u8], body: Range<usize>, frame: &Buffer) {
        self.metadata.clear();
        self.metadata.extend_from_slice(metadata);
        *self = Settled {
            id: Some(id),
            start,
            metadata: std::mem::take(&mut self.metadata),
            body,
            residue: residue(frame),
        };
    }
}

/// The frame's address, as far as the alignment of any buffer depends on it.
#[inline]
fn residue(frame: &Buffer) -> usize {
    frame.as_ptr().addr() % ALIGNMENT
}

/// What is known of a schema after its first frame.
struct Known {
    id: u64,
    /// The length of the schema message at the head of its frames.
    prefix: usize,
    described: Arc<Described>,
    familiar: Familiar,
}

/// A schema and its plan.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) schema: SchemaRef,
    pub(crate) plan: Plan,
    /// What it is in Polars, once somebody has asked.
    #[cfg(feature = "polars")]
    pub(crate) polars: crate::polars::Remembered,
}

/// A frame's table.
#[derive(Clone, Debug)]
pub(crate) struct Decoded {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Batches,
    /// Bytes that could not be used where they lie: decompressed, realigned or copied to be checked.
    pub(crate) bytes_copied: u64,
}

/// Record batches; one of them takes no memory of its own.
pub(crate) type Batches = SmallVec<[RecordBatch; 1]>;

/// What a frame becomes: told of each batch and dictionary in their order.
trait Product {
    /// A batch, which `view` shows.
    fn batch(&mut self, described: &Described, view: &mut View, frame: &Buffer) -> Result<(), FrameError>;
    /// The values of dictionary `number`, or with `delta` more of them.
    fn dictionary(&mut self, part: Values<'_>) -> Result<(), FrameError>;
}

/// Values of a dictionary, as a message brings them.
struct Values<'a> {
    described: &'a Described,
    number: usize,
    delta: bool,
    view: &'a mut View,
    frame: &'a Buffer,
}

impl Decoder {
    pub(crate) fn new(validation: Validation) -> Self {
        Self {
            validation,
            known: Vec::new(),
            metadata: Metadata::default(),
            view: View::default(),
            settled: Settled::default(),
        }
    }

    /// Reads `frame`, which is exactly the frame's bytes, as arrays. `schema_id` stands for the schema message at
    /// its head, which is parsed when an id is met for the first time.
    pub(crate) fn decode(&mut self, frame: &Buffer, schema_id: u64) -> Result<Decoded, FrameError> {
        let (frame, private) = self.door(frame);
        let mut arrays = Arrays {
            validate: !matches!(self.validation, Validation::Form),
            dictionaries: Vec::new(),
            batches: Batches::new(),
            bytes_copied: private,
        };
        let read = self.read(&frame, schema_id, &mut arrays);
        self.let_go();
        let described = read?;
        let Arrays { batches, bytes_copied, .. } = arrays;
        Ok(Decoded { schema: Arc::clone(&described.schema), batches, bytes_copied })
    }

    /// Reads `frame` as [`decode`](Decoder::decode) does, but as views, of which no arrays are made.
    pub(crate) fn decode_views(&mut self, frame: &Buffer, schema_id: u64) -> Result<Parsed, FrameError> {
        let (frame, private) = self.door(frame);
        if !matches!(self.validation, Validation::Form) {
            // Contents are checked on arrays.
            self.view_checked(&frame, schema_id)?;
        }
        let mut views =
            Views { dictionaries: Vec::new(), batches: SmallVec::new(), bytes_copied: private, delta: false };
        let read = self.read(&frame, schema_id, &mut views);
        self.let_go();
        if views.delta {
            return self.relaid(&frame, schema_id);
        }
        let described = read?;
        let Views { batches, bytes_copied, .. } = views;
        Ok(Parsed { described, frame, batches, bytes_copied })
    }

    /// The bytes to be read, and how many of them had to be copied for it.
    fn door(&self, frame: &Buffer) -> (Buffer, u64) {
        match self.validation {
            Validation::FullOnCopy => (Buffer::from_slice_ref(frame.as_slice()), frame.len() as u64),
            Validation::Form | Validation::Full => (frame.clone(), 0),
        }
    }

    fn view_checked(&mut self, frame: &Buffer, schema_id: u64) -> Result<(), FrameError> {
        let (batches, dictionaries) = (Batches::new(), Vec::new());
        let mut arrays = Arrays { validate: true, dictionaries, batches, bytes_copied: 0 };
        let read = self.read(frame, schema_id, &mut arrays);
        self.let_go();
        read.map(drop)
    }

    /// Keeps nothing of the frame, but for numbers that are good for the next one.
    fn let_go(&mut self) {
        if self.settled.id.is_none() {
            self.view.release();
        }
    }

    /// A frame some of whose dictionaries come in parts, which only arrays can put together: it is written anew,
    /// with whole ones, and that is read.
    fn relaid(&mut self, frame: &Buffer, schema_id: u64) -> Result<Parsed, FrameError> {
        let Decoded { schema, batches, .. } = self.decode(frame, schema_id)?;
        let mut encoder = Encoder::new(Compression::None);
        let measured = encoder.measure(&schema, &batches)?;
        let mut whole = MutableBuffer::from_len_zeroed(measured.total as usize);
        let used = encoder.write(&measured, &schema, &batches, &mut whole, false)?;
        whole.truncate(used as usize);
        // Another stream than the ring's, so what is known of its schemas is of no use.
        let mut table = Decoder::new(Validation::Form).decode_views(&whole.into(), 0)?;
        table.bytes_copied = used;
        Ok(table)
    }

    fn read(
        &mut self,
        frame: &Buffer,
        schema_id: u64,
        product: &mut impl Product,
    ) -> Result<Arc<Described>, FrameError> {
        let mut at = self.recall(frame, schema_id)?;
        let Self { known, metadata, view, settled, .. } = self;
        let Some(Known { described, familiar, .. }) = known.first_mut() else {
            return Err(FrameError::corrupt("a frame without a schema"));
        };
        let plan = &described.plan;
        while let Some(place) = message::next(frame, at)? {
            metadata.copy(&frame[place.start..place.end]);
            if settled.is_of(schema_id, place.start, metadata.bytes(), frame) {
                at = settled.body.end;
                product.batch(described, view, frame)?;
                continue;
            }
            // Whatever comes of it, the view is another's from here on.
            settled.id = None;
            let recognised = familiar.recognise(metadata.bytes());
            let (kind, raw, body_length, message) = match recognised {
                Some((raw, length)) => (MessageHeader::RecordBatch, raw, length, None),
                None => {
                    let message = metadata.message()?;
                    familiar.learn(metadata.bytes(), &message);
                    (message.header_type(), raw(&message), message.bodyLength(), Some(message))
                }
            };
            let body = body(frame, place, body_length)?;
            at = body.end;
            match kind {
                MessageHeader::RecordBatch => {
                    view.read(&plan.columns, raw, frame, body.clone())?;
                    // What is compressed, or was copied, is found in the body.
                    if raw.codec.is_none() && view.copies.is_empty() {
                        settled.settle(schema_id, place.start, metadata.bytes(), body, frame);
                    }
                    product.batch(described, view, frame)?;
                }
                MessageHeader::DictionaryBatch => {
                    let Some(header) = message.and_then(|message| message.header_as_dictionary_batch())
                    else {
                        return Err(FrameError::corrupt("a dictionary message without its header"));
                    };
                    let number = plan.dictionaries.iter().position(|known| known.id == header.id());
                    let Some(number) = number else {
                        return Err(FrameError::corrupt(format!(
                            "dictionary {} is of no field",
                            header.id()
                        )));
                    };
                    view.read(&plan.dictionaries[number].values, raw, frame, body)?;
                    if view.nodes.first().is_none_or(|values| values.rows != view.rows) {
                        return Err(FrameError::corrupt("dictionary of another length than its message"));
                    }
                    product.dictionary(Values { described, number, delta: header.isDelta(), view, frame })?;
                }
                MessageHeader::Schema => return Err(FrameError::corrupt("a second schema in one frame")),
                other => {
                    return Err(FrameError::Unsupported(format!(
                        "a message of kind {}",
                        other.variant_name().unwrap_or("unknown")
                    )));
                }
            }
        }
        Ok(Arc::clone(described))
    }

    /// Brings the schema of `id` to the front of the known ones and says where `frame`'s batches begin.
    fn recall(&mut self, frame: &Buffer, id: u64) -> Result<usize, FrameError> {
        if let Some(at) = self.known.iter().position(|known| known.id == id) {
            self.known[..=at].rotate_right(1);
            let prefix = self.known[0].prefix;
            // The bytes are the writer's word, their length is not: batches are looked for behind it.
            return match message::next(frame, 0)? {
                Some(place) if place.end == prefix => Ok(prefix),
                _ => Err(FrameError::corrupt(format!("the frame does not begin with schema {id}"))),
            };
        }
        let Some(place) = message::next(frame, 0)? else {
            return Err(FrameError::corrupt("a frame without a schema"));
        };
        self.metadata.copy(&frame[place.start..place.end]);
        let message = self.metadata.message()?;
        let Some(header) = message.header_as_schema() else {
            return Err(FrameError::corrupt("a frame that does not begin with a schema"));
        };
        if message.bodyLength() != 0 {
            return Err(FrameError::corrupt("a schema message with a body"));
        }
        let (schema, plan) = ipc_schema::read(header)?;
        let described = Arc::new(Described {
            schema: Arc::new(schema),
            plan,
            #[cfg(feature = "polars")]
            polars: Default::default(),
        });
        self.known.truncate(SCHEMAS - 1);
        self.known.insert(0, Known { id, prefix: place.end, described, familiar: Familiar::default() });
        Ok(place.end)
    }
}

/// A frame as arrays.
struct Arrays {
    /// Whether contents are checked too.
    validate: bool,
    dictionaries: Vec<Option<ArrayData>>,
    batches: Batches,
    bytes_copied: u64,
}

impl Product for Arrays {
    fn batch(&mut self, described: &Described, view: &mut View, frame: &Buffer) -> Result<(), FrameError> {
        let Described { schema, plan, .. } = described;
        check_columns(described, view)?;
        let (dictionaries, validate) = (&self.dictionaries[..], self.validate);
        let source = Source { plan, shape: &plan.columns, view, frame, dictionaries, validate };
        let columns = source.columns(schema.fields().len())?;
        self.batches.push(lease::batch(Arc::clone(schema), columns, view.rows));
        self.bytes_copied += view.bytes_copied as u64;
        Ok(())
    }

    fn dictionary(&mut self, part: Values<'_>) -> Result<(), FrameError> {
        let Values { described: Described { plan, .. }, number, delta, view, frame } = part;
        self.dictionaries.resize(plan.dictionaries.len(), None);
        let (dictionaries, validate) = (&self.dictionaries[..], self.validate);
        let shape = &plan.dictionaries[number].values;
        let values = Source { plan, shape, view, frame, dictionaries, validate }.checked(0)?;
        self.bytes_copied += view.bytes_copied as u64;
        self.dictionaries[number] = Some(match self.dictionaries[number].take() {
            Some(head) if delta => {
                let whole = extended(head, values)?;
                self.bytes_copied += whole.get_slice_memory_size().unwrap_or(0) as u64;
                whole
            }
            _ => values,
        });
        Ok(())
    }
}

/// A frame as views.
struct Views {
    dictionaries: Dictionaries,
    batches: SmallVec<[Batch; 1]>,
    bytes_copied: u64,
    /// Some dictionary comes in parts.
    delta: bool,
}

impl Views {
    /// Takes a view whose rows and nulls are as its schema says, and the dictionaries that have come as they stand.
    fn take(&mut self, described: &Described, shape: &Shape, view: &mut View) -> Result<Batch, FrameError> {
        let mut has_keys = false;
        for (step, node) in shape.steps.iter().zip(&view.nodes) {
            let Kind::Dictionary { values, .. } = step.kind else { continue };
            has_keys = true;
            // One that nothing refers to need not have been sent.
            if node.nulls < node.rows && !matches!(self.dictionaries.get(values), Some(Some(_))) {
                let id = described.plan.dictionaries[values].id;
                return Err(FrameError::corrupt(format!("dictionary {id} is used before it is sent")));
            }
        }
        self.bytes_copied += view.bytes_copied as u64;
        let dictionaries = if has_keys { self.dictionaries.clone() } else { Vec::new() };
        Ok(Batch { view: view.taken(), dictionaries })
    }
}

impl Product for Views {
    fn batch(&mut self, described: &Described, view: &mut View, _: &Buffer) -> Result<(), FrameError> {
        let Described { plan, .. } = described;
        self.dictionaries.resize(plan.dictionaries.len(), None);
        check_columns(described, view)?;
        let batch = self.take(described, &plan.columns, view)?;
        self.batches.push(batch);
        Ok(())
    }

    fn dictionary(&mut self, part: Values<'_>) -> Result<(), FrameError> {
        let Values { described, number, delta, view, .. } = part;
        self.dictionaries.resize(described.plan.dictionaries.len(), None);
        let shape = &described.plan.dictionaries[number].values;
        let values = self.take(described, shape, view)?;
        let known = self.dictionaries[number].replace(Arc::new(values));
        self.delta |= delta && known.is_some();
        Ok(())
    }
}

/// That the columns are as long as their batch, and have nulls only where their schema allows them.
#[inline]
fn check_columns(described: &Described, view: &View) -> Result<(), FrameError> {
    let Described { schema, plan, .. } = described;
    let mut at = 0;
    for field in schema.fields() {
        let node = view.nodes[at];
        if node.rows != view.rows {
            return Err(FrameError::corrupt(format!(
                "column of {} rows in a batch of {}",
                node.rows, view.rows
            )));
        }
        if node.nulls > 0 && !field.is_nullable() {
            return Err(FrameError::corrupt(format!(
                "column '{}' has nulls, its schema says it has none",
                field.name()
            )));
        }
        at = plan.columns.steps[at].end;
    }
    Ok(())
}

/// Where the body behind a message's metadata lies.
fn body(frame: &Buffer, place: Place, length: i64) -> Result<Range<usize>, FrameError> {
    match usize::try_from(length) {
        Ok(length) if length <= frame.len() - place.end => Ok(place.end..place.end + length),
        _ => Err(FrameError::corrupt(format!(
            "body of {length} bytes at {} in a frame of {}",
            place.end,
            frame.len()
        ))),
    }
}

/// The numbers of a verified message; a message that is no batch has none.
fn raw<'a>(message: &arrow_ipc::Message<'a>) -> Raw<'a> {
    let Some(batch) = batch_of(message) else { return Raw::default() };
    Raw {
        rows: batch.length(),
        nodes: batch.nodes().map(|nodes| nodes.bytes()).unwrap_or_default(),
        buffers: batch.buffers().map(|buffers| buffers.bytes()).unwrap_or_default(),
        variadic: batch.variadicBufferCounts().map(|counts| counts.bytes()).unwrap_or_default(),
        codec: batch.compression().map(|compression| compression.codec()),
    }
}

/// A dictionary and what a delta adds to it. Joining reads the contents, so they are checked first.
fn extended(head: ArrayData, tail: ArrayData) -> Result<ArrayData, FrameError> {
    head.validate_full()?;
    tail.validate_full()?;
    let (head, tail) = (make_array(head), make_array(tail));
    Ok(arrow_select::concat::concat(&[head.as_ref(), tail.as_ref()])?.to_data())
}
