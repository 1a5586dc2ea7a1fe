//! Where the messages of a frame lie, for whoever passes them on as they are.
//!
//! The law: what [`Stretch::of`] lets through can be put behind the messages of other frames with the same schema
//! message, and what comes out is an Arrow IPC stream again. Buffers are not looked at: whoever reads them does that.

use super::FrameError;
use super::message::{self, END_OF_STREAM, Metadata};
use arrow_ipc::MessageHeader;
use std::ops::Range;

/// The end of a stream, as it stands behind its last message.
pub(crate) const END: [u8; 8] = END_OF_STREAM;

/// A frame's schema message, and behind it its other messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Length of the schema message, which the frame begins with.
    pub(crate) schema: usize,
    /// Dictionaries and batches, without the end of the stream.
    pub(crate) messages: Range<usize>,
    /// The first message of some dictionary adds to one that came before: not to be put behind another frame.
    pub(crate) adds: bool,
}

impl Stretch {
    /// Finds the messages of a frame.
    pub(crate) fn of(frame: &[u8]) -> Result<Stretch, FrameError> {
        let mut metadata = Metadata::default();
        let schema = Self::schema(frame, &mut metadata)?;
        let (mut at, mut adds, mut dictionaries) = (schema, false, Vec::new());
        while let Some(place) = message::next(frame, at)? {
            metadata.copy(&frame[place.start..place.end]);
            let message = metadata.message()?;
            match message.header_type() {
                MessageHeader::RecordBatch => {}
                MessageHeader::DictionaryBatch => {
                    let Some(header) = message.header_as_dictionary_batch() else {
                        return Err(FrameError::corrupt("a dictionary message without its header"));
                    };
                    if !dictionaries.contains(&header.id()) {
                        dictionaries.push(header.id());
                        adds |= header.isDelta();
                    }
                }
                other => {
                    let kind = other.variant_name().unwrap_or("unknown");
                    return Err(FrameError::corrupt(format!("a message of kind {kind} behind the schema")));
                }
            }
            let length = message.bodyLength();
            at = match usize::try_from(length).ok().and_then(|length| place.end.checked_add(length)) {
                Some(end) if end <= frame.len() => end,
                _ => {
                    return Err(FrameError::corrupt(format!(
                        "body of {length} bytes at {} in a frame of {}",
                        place.end,
                        frame.len()
                    )));
                }
            };
        }
        Ok(Stretch { schema, messages: schema..at, adds })
    }

    /// The length of the schema message that `bytes` begin with.
    pub(crate) fn schema_of(bytes: &[u8]) -> Result<usize, FrameError> {
        Self::schema(bytes, &mut Metadata::default())
    }

    fn schema(frame: &[u8], metadata: &mut Metadata) -> Result<usize, FrameError> {
        let Some(place) = message::next(frame, 0)? else {
            return Err(FrameError::corrupt("a frame without a schema"));
        };
        metadata.copy(&frame[place.start..place.end]);
        let message = metadata.message()?;
        if message.header_type() != MessageHeader::Schema || message.bodyLength() != 0 {
            return Err(FrameError::corrupt("a frame that does not begin with a schema"));
        }
        Ok(place.end)
    }
}
