//! The reader's side: a frame into record batches.
//!
//! A frame's schema message is parsed once per schema id; after that a frame costs its batch messages only.
//! The law: when `decode` returns, the decoder holds nothing of the frame; only the arrays do.

use arrow_array::{RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::Buffer;
use arrow_data::ArrayData;
use arrow_ipc::MessageHeader;
use arrow_schema::SchemaRef;
use std::ops::Range;
use std::sync::Arc;

use super::arrays::Source;
use super::familiar::Familiar;
use super::message::{self, Metadata, Place};
use super::plan::Plan;
use super::template::batch_of;
use super::view::{Raw, View};
use super::{FrameError, Validation, ipc_schema};

/// Schemas remembered; the one not used for longest is forgotten.
const SCHEMAS: usize = 64;

/// Turns frames into tables; one per reader.
pub(crate) struct Decoder {
    validation: Validation,
    /// The one used last comes first.
    known: Vec<Known>,
    metadata: Metadata,
    view: View,
}

/// What is known of a schema after its first frame.
struct Known {
    id: u64,
    /// The length of the schema message at the head of its frames.
    prefix: usize,
    schema: SchemaRef,
    plan: Plan,
    familiar: Familiar,
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
pub(crate) type Batches = smallvec::SmallVec<[RecordBatch; 1]>;

impl Decoder {
    pub(crate) fn new(validation: Validation) -> Self {
        Self { validation, known: Vec::new(), metadata: Metadata::default(), view: View::default() }
    }

    /// Reads `frame`, which is exactly the frame's bytes. `schema_id` stands for the schema message at its
    /// head, which is parsed when an id is met for the first time.
    pub(crate) fn decode(&mut self, frame: &Buffer, schema_id: u64) -> Result<Decoded, FrameError> {
        let decoded = match self.validation {
            Validation::FullOnCopy => {
                let private = Buffer::from_slice_ref(frame.as_slice());
                self.read(&private, schema_id).map(|mut decoded| {
                    decoded.bytes_copied += private.len() as u64;
                    decoded
                })
            }
            Validation::Form | Validation::Full => self.read(frame, schema_id),
        };
        self.view.release();
        decoded
    }

    fn read(&mut self, frame: &Buffer, schema_id: u64) -> Result<Decoded, FrameError> {
        let mut at = self.recall(frame, schema_id)?;
        let Self { validation, known, metadata, view } = self;
        let Some(Known { schema, plan, familiar, .. }) = known.first_mut() else {
            return Err(FrameError::corrupt("a frame without a schema"));
        };
        let validate = !matches!(validation, Validation::Form);
        let mut dictionaries: Vec<Option<ArrayData>> = vec![None; plan.dictionaries.len()];
        let mut batches = Batches::new();
        let mut copied = 0;
        while let Some(place) = message::next(frame, at)? {
            metadata.copy(&frame[place.start..place.end]);
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
                    let shape = &plan.columns;
                    view.read(shape, raw, frame, body)?;
                    let source = Source { plan, shape, view, frame, dictionaries: &dictionaries, validate };
                    let columns = source.columns(schema.fields().len())?;
                    let options = RecordBatchOptions::new().with_row_count(Some(view.rows));
                    batches.push(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?);
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
                    let shape = &plan.dictionaries[number].values;
                    view.read(shape, raw, frame, body)?;
                    let source = Source { plan, shape, view, frame, dictionaries: &dictionaries, validate };
                    let values = source.checked(0)?;
                    if values.len() != view.rows {
                        return Err(FrameError::corrupt("dictionary of another length than its message"));
                    }
                    dictionaries[number] = Some(match dictionaries[number].take() {
                        Some(head) if header.isDelta() => {
                            let whole = extended(head, values)?;
                            copied += whole.get_slice_memory_size().unwrap_or(0) as u64;
                            whole
                        }
                        _ => values,
                    });
                }
                MessageHeader::Schema => return Err(FrameError::corrupt("a second schema in one frame")),
                other => {
                    return Err(FrameError::Unsupported(format!(
                        "a message of kind {}",
                        other.variant_name().unwrap_or("unknown")
                    )));
                }
            }
            copied += view.bytes_copied as u64;
        }
        Ok(Decoded { schema: Arc::clone(schema), batches, bytes_copied: copied })
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
        self.known.truncate(SCHEMAS - 1);
        self.known.insert(
            0,
            Known { id, prefix: place.end, schema: Arc::new(schema), plan, familiar: Familiar::default() },
        );
        Ok(place.end)
    }
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
