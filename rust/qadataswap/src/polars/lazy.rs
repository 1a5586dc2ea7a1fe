//! Lazy frames, which are collected and then written (cargo feature `polars-lazy`).

use crate::dataframe::SharedDataFrame;
use crate::error::{QADataSwapError, Result};
use crate::frame::FrameError;
use crate::stream::SharedDataStream;
use crate::writer::Writer;
use polars_core::prelude::DataFrame;
use polars_lazy::frame::LazyFrame;

impl Writer {
    /// Computes a lazy frame and writes the result; see [`write`](Writer::write).
    ///
    /// # Errors
    /// As there; [`InvalidConfig`](QADataSwapError::InvalidConfig) with Polars' words if it cannot be computed.
    pub fn write_lazy(&self, frame: LazyFrame) -> Result<u64> {
        self.write(&collect(&self.name(), frame)?)
    }
}

impl SharedDataStream {
    /// Computes a lazy frame and writes the result in as many frames as it takes; see
    /// [`write`](SharedDataStream::write).
    ///
    /// # Errors
    /// As there; [`InvalidConfig`](QADataSwapError::InvalidConfig) with Polars' words if it cannot be computed.
    pub fn write_lazy(&self, frame: LazyFrame) -> Result<()> {
        self.write(&collect(&self.name(), frame)?)
    }
}

fn collect(ring: &str, frame: LazyFrame) -> Result<DataFrame> {
    frame.collect().map_err(|error| {
        let reason = format!("the lazy frame cannot be computed: {error}");
        QADataSwapError::frame(ring, FrameError::Invalid(reason))
    })
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
