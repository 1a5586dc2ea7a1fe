//! Lazy frames, which are collected and then written (cargo feature `polars-lazy`).

use crate::dataframe::SharedDataFrame;
use crate::error::{QADataSwapError, Result};
use crate::frame::FrameError;
use crate::writer::Writer;
use polars_lazy::frame::LazyFrame;

impl Writer {
    /// Computes a lazy frame and writes the result; see [`write`](Writer::write).
    ///
    /// # Errors
    /// As there; [`InvalidConfig`](QADataSwapError::InvalidConfig) with Polars' words if it cannot be computed.
    pub fn write_lazy(&self, frame: LazyFrame) -> Result<u64> {
        let frame = frame.collect().map_err(|error| {
            let reason = format!("the lazy frame cannot be computed: {error}");
            QADataSwapError::frame(&self.name(), FrameError::Invalid(reason))
        })?;
        self.write(&frame)
    }
}

impl SharedDataFrame {
    /// See [`Writer::write_lazy`].
    ///
    /// # Errors
    /// As there; [`WrongRole`](QADataSwapError::WrongRole) on a reader.
    pub fn write_lazy(&self, frame: LazyFrame) -> Result<u64> {
        self.writer()?.write_lazy(frame)
    }
}
