//! What a frame is handed out as.

use super::frame::{Frame, Held};
use crate::ffi;
use crate::frame::{Decoder, FrameError};

/// What a frame is handed out as.
pub(crate) trait Form: Sized {
    fn decode(decoder: &mut Decoder, held: Held) -> Result<Self, FrameError>;
    /// Rows, and bytes copied.
    fn tally(&self) -> (u64, u64);
}

/// A form that goes on knowing what it was made of.
pub(crate) trait Knowing: Form {
    fn held(&mut self) -> &mut Held;
}

impl Knowing for Frame {
    fn held(&mut self) -> &mut Held {
        &mut self.held
    }
}

impl Knowing for ffi::Frame {
    fn held(&mut self) -> &mut Held {
        &mut self.held
    }
}

impl Form for Frame {
    #[inline]
    fn decode(decoder: &mut Decoder, held: Held) -> Result<Self, FrameError> {
        let decoded = decoder.decode(&held.bytes, held.meta.schema)?;
        Ok(Frame { held, decoded })
    }

    fn tally(&self) -> (u64, u64) {
        (self.num_rows() as u64, self.bytes_copied())
    }
}

impl Form for ffi::Frame {
    #[inline]
    fn decode(decoder: &mut Decoder, held: Held) -> Result<Self, FrameError> {
        let parsed = decoder.decode_views(&held.bytes, held.meta.schema)?;
        Ok(ffi::Frame { held, parsed })
    }

    fn tally(&self) -> (u64, u64) {
        (self.num_rows() as u64, self.bytes_copied())
    }
}

/// A frame as it lies there: whoever passes it on looks at its messages and not at its columns.
impl Form for Held {
    fn decode(_: &mut Decoder, held: Held) -> Result<Held, FrameError> {
        Ok(held)
    }

    fn tally(&self) -> (u64, u64) {
        (self.meta.rows, self.copied)
    }
}
