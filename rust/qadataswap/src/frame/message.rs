//! The framing of an IPC stream: `FFFFFFFF`, metadata length, metadata, body; then the next; then the end.
//!
//! The law: metadata is copied out of the frame once, into owned and aligned memory, before anything looks
//! at it, so a writer that changes it meanwhile changes nothing for this reader.

use arrow_ipc::Message;
use flatbuffers::VerifierOptions;

use super::{ALIGNMENT, FrameError};

/// Marks the start of every message.
pub(super) const CONTINUATION: [u8; 4] = [0xFF; 4];
/// The bytes before a message's metadata: continuation and length.
pub(super) const PREFIX: usize = 8;
/// Continuation and a length of zero.
pub(super) const END_OF_STREAM: [u8; 8] = [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];

/// `metadata` with its prefix, zero-padded so that what follows starts at a multiple of 64 if this does.
pub(super) fn encapsulate(metadata: &[u8]) -> Vec<u8> {
    let total = (PREFIX + metadata.len()).next_multiple_of(ALIGNMENT);
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(&CONTINUATION);
    // A flatbuffer is smaller than 2 GiB by construction.
    bytes.extend_from_slice(&((total - PREFIX) as u32).to_le_bytes());
    bytes.extend_from_slice(metadata);
    bytes.resize(total, 0);
    bytes
}

/// Where a message's metadata lies in its frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The message that starts at `at`, or `None` at the end of the stream.
pub(super) fn next(frame: &[u8], at: usize) -> Result<Option<Place>, FrameError> {
    let rest = frame.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    let prefix: [u8; PREFIX] = match rest.get(..PREFIX).and_then(|prefix| prefix.try_into().ok()) {
        Some(prefix) => prefix,
        None => return Err(FrameError::corrupt(format!("frame ends inside a message prefix at {at}"))),
    };
    let [c0, c1, c2, c3, l0, l1, l2, l3] = prefix;
    if [c0, c1, c2, c3] != CONTINUATION {
        return Err(FrameError::corrupt(format!("no message at {at}")));
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length == 0 {
        return Ok(None);
    }
    let start = at + PREFIX;
    if length > frame.len() - start {
        return Err(FrameError::corrupt(format!(
            "metadata of {length} bytes at {start} in a frame of {}",
            frame.len()
        )));
    }
    Ok(Some(Place { start, end: start + length }))
}

/// Owned, 8-aligned memory for one message's metadata.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    words: Vec<u64>,
    len: usize,
}

impl Metadata {
    /// Reads `bytes` once.
    pub(super) fn copy(&mut self, bytes: &[u8]) {
        self.len = bytes.len();
        let words = bytes.len().div_ceil(8);
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
        bytemuck::cast_slice_mut::<u64, u8>(&mut self.words)[..self.len].copy_from_slice(bytes);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice::<u64, u8>(&self.words)[..self.len]
    }

    /// The message, verified.
    pub(super) fn message(&self) -> Result<Message<'_>, FrameError> {
        // Tables may be shared, but no honest writer shares so much that they unfold to many times their bytes.
        let most = self.len.saturating_mul(8).saturating_add(1 << 16);
        let options = VerifierOptions { max_apparent_size: most, ..VerifierOptions::default() };
        let message = flatbuffers::root_with_opts::<Message>(&options, self.bytes())
            .map_err(|error| FrameError::corrupt(format!("metadata: {error}")))?;
        match message.version() {
            arrow_ipc::MetadataVersion::V5 => Ok(message),
            version => Err(FrameError::Unsupported(format!(
                "IPC metadata version {}; version 5 is needed (Arrow 1.0 or later writes it)",
                version.variant_name().unwrap_or("unknown")
            ))),
        }
    }
}
