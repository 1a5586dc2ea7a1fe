//! What can be seen of a ring, as JSON, and the words for it.

use crate::cli::Global;
use crate::stop::Stop;
use crate::values::policy_name;
use qadataswap::inspect::{self, FrameInfo, ReaderInfo, RingInfo, RingState};
use qadataswap::{QADataSwapError, WhenFull};
use serde::Serialize;
use std::time::{Duration, Instant};

/// A ring, as one line of JSON.
#[derive(Serialize)]
pub(crate) struct Ring<'a> {
    ring: &'a str,
    state: &'static str,
    writer_pid: u32,
    generation: u64,
    when_full: &'static str,
    buffer_count: u32,
    slot_bytes: u64,
    max_readers: u32,
    region_bytes: u64,
    resident_bytes: u64,
    /// Published over the ring's life.
    frames: u64,
    rows: u64,
    bytes: u64,
    /// One data set, if that is what is written.
    stream: Option<Stream<'a>>,
    uid: u32,
    mode: String,
    standing: Vec<Frame>,
    readers: Vec<Reader>,
}

#[derive(Serialize)]
struct Stream<'a> {
    first: u64,
    rows: u64,
    total_rows: Option<u64>,
    aborted: Option<&'a str>,
}

#[derive(Serialize)]
struct Frame {
    sequence: u64,
    slot: u32,
    bytes: u64,
    rows: u64,
    schema: u64,
    age_ns: u64,
}

#[derive(Serialize)]
struct Reader {
    row: usize,
    pid: u32,
    alive: bool,
    policy: &'static str,
    lingering: bool,
    cursor: u64,
    lag: u64,
    pins: u32,
    missed: u64,
    attached_ns: u64,
}

impl<'a> From<&'a RingInfo> for Ring<'a> {
    fn from(info: &'a RingInfo) -> Ring<'a> {
        Ring {
            ring: &info.name,
            state: state_name(info.state),
            writer_pid: info.writer_pid,
            generation: info.generation,
            when_full: when_full_name(info.when_full),
            buffer_count: info.buffer_count,
            slot_bytes: info.slot_bytes,
            max_readers: info.max_readers,
            region_bytes: info.region_bytes,
            resident_bytes: info.resident_bytes,
            frames: info.frames,
            rows: info.rows,
            bytes: info.bytes,
            stream: info.stream.as_ref().map(|stream| Stream {
                first: stream.first,
                rows: stream.rows,
                total_rows: stream.total_rows,
                aborted: stream.aborted.as_deref(),
            }),
            uid: info.uid,
            mode: format!("{:04o}", info.mode),
            standing: info.standing.iter().map(Frame::from).collect(),
            readers: info.readers.iter().map(Reader::from).collect(),
        }
    }
}

impl From<&FrameInfo> for Frame {
    fn from(frame: &FrameInfo) -> Frame {
        Frame {
            sequence: frame.sequence,
            slot: frame.slot,
            bytes: frame.bytes,
            rows: frame.rows,
            schema: frame.schema,
            age_ns: nanoseconds(frame.age),
        }
    }
}

impl From<&ReaderInfo> for Reader {
    fn from(reader: &ReaderInfo) -> Reader {
        Reader {
            row: reader.row,
            pid: reader.pid,
            alive: reader.alive,
            policy: policy_name(reader.policy),
            lingering: reader.lingering,
            cursor: reader.cursor,
            lag: reader.lag,
            pins: reader.pins,
            missed: reader.missed,
            attached_ns: nanoseconds(reader.attached),
        }
    }
}

/// The word for a state.
pub(crate) fn state_name(state: RingState) -> &'static str {
    match state {
        RingState::Live => "live",
        RingState::Closed => "closed",
        RingState::Orphaned => "orphaned",
        RingState::Gone => "gone",
    }
}

/// The word for what a full ring means to its writer.
pub(crate) fn when_full_name(when_full: WhenFull) -> &'static str {
    match when_full {
        WhenFull::Block(_) => "block",
        WhenFull::Overwrite => "overwrite",
        WhenFull::Fail => "fail",
    }
}

/// Waits until so many readers are attached; false if asked to end before.
pub(crate) fn wait_for_readers(
    ring: &str,
    readers: usize,
    global: &Global,
    stop: &Stop,
) -> Result<bool, QADataSwapError> {
    while living_readers(&inspect::info(ring, &global.directory)?) < readers {
        if !stop.sleep_until(Instant::now() + Duration::from_millis(5)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Readers that live and still read.
pub(crate) fn living_readers(info: &RingInfo) -> usize {
    info.readers.iter().filter(|reader| reader.alive && !reader.lingering).count()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
