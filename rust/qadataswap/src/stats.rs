//! Numbers that a handle keeps of its own doings.

/// What a handle has done so far; see [`SharedDataFrame::stats`](crate::SharedDataFrame::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Frames written through this handle.
    pub writes_count: u64,
    /// Bytes of those frames.
    pub bytes_written: u64,
    /// Rows of those frames.
    pub rows_written: u64,
    /// Bytes of buffers that were published where they had been built, without a copy (`ffi::Pool`).
    pub bytes_in_place: u64,
    /// Frames read through this handle.
    pub reads_count: u64,
    /// Bytes of those frames.
    pub bytes_read: u64,
    /// Rows of those frames.
    pub rows_read: u64,
    /// Bytes that reading has copied: 0, unless frames were compressed, misaligned, put together from several
    /// chunks, or validated on a copy. An observer copies every frame.
    pub bytes_copied: u64,
    /// Frames that a lossy or latest reader, or an observer, has missed.
    pub frames_missed: u64,
    /// Reads and writes that ended without result because their time was up.
    pub wait_timeouts: u64,
    /// Times a write found the ring full and waited.
    pub full_waits: u64,
    /// Readers that died and were removed by this writer.
    pub readers_evicted: u64,
    /// Frames published over the ring's life, by every writer.
    pub frames_published: u64,
    /// Frames published and not yet read by this reader; 0 for a writer.
    pub lag: u64,
}
