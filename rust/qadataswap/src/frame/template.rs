//! The metadata of record-batch and dictionary-batch messages, built once and patched ever after.
//!
//! Two batches of one schema with equally many buffers have metadata that differs in numbers only: rows,
//! nodes, buffers, variadic counts, body length. A [`Template`] is such metadata, prefix and padding
//! included, that knows where the numbers stand.

use arrow_ipc::{
    BodyCompressionBuilder, CompressionType, DictionaryBatchBuilder, FieldNode, Message, MessageBuilder,
    MessageHeader, MetadataVersion, RecordBatch, RecordBatchBuilder,
};
use flatbuffers::{FlatBufferBuilder, Table, VOffsetT};

use super::FrameError;
use super::copy;
use super::message::{self, PREFIX};
use super::sink::Numbers;

/// What a template is for; equal shapes have equal templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// The id of the dictionary this is a batch of.
    pub(super) dictionary: Option<i64>,
    pub(super) nodes: usize,
    pub(super) buffers: usize,
    pub(super) variadics: usize,
    pub(super) compression: Option<CompressionType>,
}

/// A message without its body; see the file's head.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) form: Form,
    bytes: Vec<u8>,
    rows: usize,
    nodes: usize,
    buffers: usize,
    variadic: usize,
    body: usize,
}

impl Template {
    pub(super) fn new(form: Form) -> Result<Self, FrameError> {
        let bytes = message::encapsulate(build(form).finished_data());
        let places = Places::of(&bytes[PREFIX..]).ok_or_else(|| {
            FrameError::Invalid(format!("metadata for {} buffers could not be built", form.buffers))
        })?;
        Ok(Self {
            form,
            rows: PREFIX + places.rows,
            nodes: PREFIX + places.nodes,
            buffers: PREFIX + places.buffers,
            variadic: PREFIX + places.variadic.unwrap_or(0),
            body: PREFIX + places.body,
            bytes,
        })
    }

    /// The length of the message up to its body, a multiple of 64.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether `numbers` have this form.
    pub(super) fn takes(&self, numbers: &Numbers) -> bool {
        numbers.nodes.len() == self.form.nodes
            && numbers.buffers.len() == self.form.buffers
            && numbers.variadic.len() == self.form.variadics
    }

    /// Writes the message's head to `place`, which is [`Self::len`] long; `numbers` have this form.
    pub(super) fn write(&self, place: &mut [u8], rows: usize, numbers: &Numbers, body: usize) {
        copy::bytes(place, &self.bytes);
        patch(place, self.rows, &[rows as i64]);
        patch(place, self.nodes, numbers.nodes.as_flattened());
        patch(place, self.buffers, numbers.buffers.as_flattened());
        patch(place, self.variadic, &numbers.variadic);
        patch(place, self.body, &[body as i64]);
    }
}

#[cfg(target_endian = "little")]
fn patch(place: &mut [u8], at: usize, numbers: &[i64]) {
    let bytes = bytemuck::cast_slice::<i64, u8>(numbers);
    place[at..at + bytes.len()].copy_from_slice(bytes);
}

#[cfg(target_endian = "big")]
compile_error!("frames are little-endian, and columns lie in them as the machine sees them");

fn build(form: Form) -> FlatBufferBuilder<'static> {
    // Numbers are written as ones: a zero would be a default, and defaults are not stored.
    let mut fbb = FlatBufferBuilder::new();
    let nodes = fbb.create_vector(&vec![FieldNode::new(1, 1); form.nodes]);
    let buffers = fbb.create_vector(&vec![arrow_ipc::Buffer::new(1, 1); form.buffers]);
    let variadic = (form.variadics > 0).then(|| fbb.create_vector(&vec![1i64; form.variadics]));
    let compression = form.compression.map(|codec| {
        let mut compression = BodyCompressionBuilder::new(&mut fbb);
        compression.add_codec(codec);
        compression.finish()
    });
    let mut batch = RecordBatchBuilder::new(&mut fbb);
    batch.add_length(1);
    batch.add_nodes(nodes);
    batch.add_buffers(buffers);
    if let Some(variadic) = variadic {
        batch.add_variadicBufferCounts(variadic);
    }
    if let Some(compression) = compression {
        batch.add_compression(compression);
    }
    let batch = batch.finish();
    let (kind, header) = match form.dictionary {
        None => (MessageHeader::RecordBatch, batch.as_union_value()),
        Some(id) => {
            let mut dictionary = DictionaryBatchBuilder::new(&mut fbb);
            dictionary.add_id(id);
            dictionary.add_data(batch);
            (MessageHeader::DictionaryBatch, dictionary.finish().as_union_value())
        }
    };
    let mut message = MessageBuilder::new(&mut fbb);
    message.add_version(MetadataVersion::V5);
    message.add_header_type(kind);
    message.add_bodyLength(1);
    message.add_header(header);
    let root = message.finish();
    fbb.finish(root, None);
    fbb
}

/// Where in a message's metadata the numbers of a batch stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) rows: usize,
    pub(super) nodes: usize,
    pub(super) buffers: usize,
    pub(super) variadic: Option<usize>,
    pub(super) body: usize,
}

impl Places {
    /// Finds them in the metadata of a verified batch message that stores them all.
    pub(super) fn of(metadata: &[u8]) -> Option<Self> {
        let message = arrow_ipc::root_as_message(metadata).ok()?;
        let batch = batch_of(&message)?;
        Some(Self {
            rows: scalar(&batch._tab, RecordBatch::VT_LENGTH)?,
            nodes: position(metadata, batch.nodes()?.bytes())?,
            buffers: position(metadata, batch.buffers()?.bytes())?,
            variadic: match batch.variadicBufferCounts() {
                None => None,
                Some(counts) => Some(position(metadata, counts.bytes())?),
            },
            body: scalar(&message._tab, Message::VT_BODYLENGTH)?,
        })
    }
}

/// The batch inside a record-batch or dictionary-batch message.
pub(super) fn batch_of<'a>(message: &Message<'a>) -> Option<RecordBatch<'a>> {
    match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => message.header_as_dictionary_batch()?.data(),
        _ => None,
    }
}

/// Where a table stores one of its scalar fields.
fn scalar(table: &Table<'_>, field: VOffsetT) -> Option<usize> {
    match table.vtable().get(field) {
        0 => None,
        offset => Some(table.loc() + usize::from(offset)),
    }
}

/// Where `part` begins in `whole`.
fn position(whole: &[u8], part: &[u8]) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (at + part.len() <= whole.len()).then_some(at)
}
