//! Reading a recording: its frames one after the other, from a place that is looked up in the indices.
//!
//! Law: a frame is read into memory of its own, with the schema message before it and an end of stream behind it, and
//! checked against its checksum; so what is handed out stays as it is, whatever becomes of the file, and is byte for
//! byte the frame that stood in the ring. A file cut short by others is an error, never a signal (which is why
//! nothing is mapped). Sequences handed out only grow within one life of a ring, and between two lives there is an
//! error.

use super::clock::ns_of;
use super::files::{Look, Pair, data_path, error_in, index_path, numbers};
use super::index::Record;
use crate::error::{QADataSwapError, Result};
use crate::ffi;
use crate::frame::{Decoder, END, Validation};
use crate::reader::{Form, Frame, Held};
use crate::ring::FrameMeta;
use arrow_buffer::Buffer;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where frames' messages begin in memory: at a multiple of this, as in a slot.
const ALIGNMENT: usize = crate::frame::ALIGNMENT;

/// Where to start in a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// At the first frame.
    #[default]
    Start,
    /// At this frame of the ring's newest life, or the first one after it.
    Sequence(u64),
    /// At the first frame published at this time or later.
    Time(SystemTime),
}

/// Reads a frame's messages, checked against their checksum, with the schema message before them and an end of
/// stream behind them.
pub(super) fn messages_of(pair: &Pair, record: &Record, number: u64) -> Result<Buffer> {
    let damaged = |what: String| pair.corrupt(number, &format!("frame {}: {what}", record.sequence));
    let too_large = || QADataSwapError::MemoryMapFailed {
        ring: pair.header.ring.clone(),
        bytes: record.length,
        source: ErrorKind::OutOfMemory.into(),
    };
    // A record says what it likes: no more memory is asked for than there are bytes.
    let reach = pair.reach()?;
    if record.end() > reach {
        return Err(damaged(format!("it ends at {}, the data at {reach}", record.end())));
    }
    let length = usize::try_from(record.length).map_err(|_| too_large())?;
    let total = pair.schema.len() + length + END.len();
    let mut bytes: Vec<u8> = Vec::new();
    bytes.try_reserve_exact(total + ALIGNMENT).map_err(|_| too_large())?;
    let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    bytes.resize(start, 0);
    bytes.extend_from_slice(&pair.schema);
    let read = At { file: &pair.data, at: record.offset }
        .take(record.length)
        .read_to_end(&mut bytes)
        .map_err(|error| pair.error("reading a recorded frame", error))?;
    if read != length {
        return Err(damaged(format!("its file ends after {read} of {length} bytes")));
    }
    if crc32fast::hash(&bytes[start + pair.schema.len()..]) != record.checksum {
        return Err(damaged("its bytes do not have their checksum".to_owned()));
    }
    bytes.extend_from_slice(&END);
    Ok(Buffer::from_vec(bytes).slice_with_length(start, total))
}

/// Whether a frame's messages have their checksum. Reads them in pieces, and keeps none.
pub(super) fn has_its_checksum(pair: &Pair, record: &Record) -> Result<bool> {
    let mut hasher = crc32fast::Hasher::new();
    let mut messages = At { file: &pair.data, at: record.offset }.take(record.length);
    let mut piece = vec![0; 1 << 16];
    loop {
        match messages.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(pair.error("reading a recorded frame", error)),
        }
    }
    Ok(messages.limit() == 0 && hasher.finalize() == record.checksum)
}

/// Reads a file from a place on, wherever others who have it open are in it: a forked child, for one.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// A place in a recording, which moves on as frames are read.
pub(super) struct Cursor {
    directory: PathBuf,
    /// The pairs' numbers, as last listed.
    numbers: Vec<u64>,
    /// Which of them comes next, or is open.
    at: usize,
    pair: Option<Pair>,
    /// The record of the open pair that comes next.
    record: u64,
    /// The ring's life that was read last.
    life: Option<[u64; 2]>,
    /// The sequence that is due in that life, if any is.
    due: Option<u64>,
    /// Frames of that life before this one are passed over.
    skip_below: u64,
    /// Frames published before are passed over.
    not_before: u64,
    decoder: Decoder,
}

impl Cursor {
    pub(super) fn new(directory: &Path, from: Since, validation: Validation) -> Result<Cursor> {
        let mut cursor = Cursor {
            directory: directory.to_owned(),
            numbers: Vec::new(),
            at: 0,
            pair: None,
            record: 0,
            life: None,
            due: None,
            skip_below: 0,
            not_before: 0,
            decoder: Decoder::new(validation),
        };
        cursor.list()?;
        match from {
            Since::Start => {}
            Since::Sequence(sequence) => cursor.seek_sequence(sequence)?,
            Since::Time(time) => cursor.seek_time(ns_of(time))?,
        }
        Ok(cursor)
    }

    /// Where it reads: the number of a file, and of a record in it.
    pub(super) fn position(&self) -> (u64, u64) {
        match (&self.pair, self.numbers.get(self.at)) {
            (Some(pair), _) => (pair.header.number, self.record),
            (None, Some(&number)) => (number, 0),
            (None, None) => (u64::MAX, 0),
        }
    }

    /// Where the recording ends at this moment, in the same terms.
    ///
    /// # Errors
    /// If the folder or its newest file cannot be read.
    pub(super) fn end(&mut self) -> Result<(u64, u64)> {
        let (here, known) = (self.numbers.get(self.at).copied(), self.numbers.last().copied());
        self.list()?;
        self.at = self.numbers.partition_point(|&number| match here {
            Some(here) => number < here,
            None => Some(number) <= known,
        });
        let Some(&number) = self.numbers.last() else { return Ok((0, 0)) };
        let records = Pair::open(&self.directory, number, false)?.map_or(Ok(0), |pair| pair.whole())?;
        Ok((number, records))
    }

    /// The life whose frames come at this place, and the sequence that is due in it, where they are known.
    pub(super) fn place(&self) -> (Option<[u64; 2]>, Option<u64>) {
        (self.life, self.due)
    }

    /// Frames before this time are passed over, wherever they come from.
    pub(super) fn not_before(&self) -> u64 {
        self.not_before
    }

    /// In this life, frames up to the one that is due have been had from elsewhere.
    pub(super) fn pass_to(&mut self, life: [u64; 2], due: u64) {
        (self.life, self.due, self.skip_below) = (Some(life), Some(due), due);
    }

    fn list(&mut self) -> Result<()> {
        self.numbers = numbers(&self.directory)
            .map_err(|error| error_in(&self.directory, "listing the recording", error))?;
        Ok(())
    }

    /// Whether the open pair is the last one, as far as is known now.
    fn is_last(&mut self) -> Result<bool> {
        let here = self.numbers.get(self.at).copied();
        if here < self.numbers.last().copied() {
            return Ok(false);
        }
        // They are numbered one by one. To list thousands at the end of each would take longer than to record another.
        if let Some(next) = here.map(|here| here + 1)
            && [data_path(&self.directory, next), index_path(&self.directory, next)]
                .iter()
                .any(|path| path.exists())
        {
            self.numbers.push(next);
            return Ok(false);
        }
        self.list()?;
        // Older files may have been removed meanwhile.
        self.at = self.numbers.partition_point(|&number| here.is_some_and(|here| number < here));
        Ok(self.numbers.last().copied() <= here)
    }

    fn seek_sequence(&mut self, sequence: u64) -> Result<()> {
        // Backwards to where the newest life begins, or to the file that the frame is in.
        for at in (0..self.numbers.len()).rev() {
            let Some(pair) = Pair::open(&self.directory, self.numbers[at], false)? else { continue };
            let records = pair.whole()?;
            if records == 0 {
                continue;
            }
            if *self.life.get_or_insert(pair.header.region_id) != pair.header.region_id {
                break;
            }
            let first = pair.record(0)?.sequence;
            self.record = pair.find(records, |record| record.sequence < sequence)?;
            (self.at, self.pair) = (at, Some(pair));
            if first <= sequence {
                break;
            }
        }
        self.due = Some(sequence);
        Ok(())
    }

    fn seek_time(&mut self, wall_ns: u64) -> Result<()> {
        self.not_before = wall_ns;
        for at in 0..self.numbers.len() {
            let Some(pair) = Pair::open(&self.directory, self.numbers[at], false)? else { continue };
            let records = pair.whole()?;
            if records == 0 {
                continue;
            }
            let last = pair.record(records - 1)?;
            self.life = Some(pair.header.region_id);
            self.due = Some(last.sequence.saturating_add(1));
            (self.at, self.record) = (at, records);
            if last.wall_ns >= wall_ns {
                self.record = pair.find(records, |record| record.wall_ns < wall_ns)?;
                self.due = None;
                self.pair = Some(pair);
                return Ok(());
            }
            self.pair = Some(pair);
        }
        Ok(())
    }

    /// The next frame; `None` at what is the end of the recording as yet.
    ///
    /// An error is passed by: the next call goes on behind it.
    pub(super) fn next<F: Form>(&mut self) -> Result<Option<F>> {
        loop {
            let Some(pair) = &self.pair else {
                if !self.open_next()? {
                    return Ok(None);
                }
                continue;
            };
            match pair.look(self.record)? {
                Look::Record(record) => match self.take(record)? {
                    Some(frame) => return Ok(Some(frame)),
                    None => continue,
                },
                Look::End => {
                    if self.is_last()? {
                        return Ok(None);
                    }
                    // Its recorder has gone on to another file: now this one has all that it will ever have.
                    let Some(pair) = &self.pair else { continue };
                    if let Look::End = pair.look(self.record)? {
                        self.leave();
                    }
                }
                Look::Broken(what) => {
                    if self.is_last()?
                        && self.pair.as_ref().map_or(Ok(false), |p| p.is_torn_at(self.record))?
                    {
                        return Ok(None);
                    }
                    let Some(pair) = &self.pair else { continue };
                    let error = pair.corrupt(self.record, &what);
                    self.record += 1;
                    return Err(error);
                }
            }
        }
    }

    /// Opens the next pair that may have frames; false if there is none yet.
    fn open_next(&mut self) -> Result<bool> {
        loop {
            let Some(&number) = self.numbers.get(self.at) else {
                let known = self.numbers.last().copied();
                self.list()?;
                self.at = self.numbers.partition_point(|&number| Some(number) <= known);
                if self.at >= self.numbers.len() {
                    return Ok(false);
                }
                continue;
            };
            match Pair::open(&self.directory, number, false) {
                Ok(Some(pair)) => {
                    (self.pair, self.record) = (Some(pair), 0);
                    return Ok(true);
                }
                // Not made yet, or never to be.
                Ok(None) if self.is_last()? => return Ok(false),
                Ok(None) => self.at = self.numbers.partition_point(|&other| other <= number),
                Err(error) => {
                    self.at += 1;
                    return Err(error);
                }
            }
        }
    }

    fn leave(&mut self) {
        let number = self.pair.take().map(|pair| pair.header.number);
        self.at = self.numbers.partition_point(|&other| Some(other) <= number);
        self.record = 0;
    }

    /// Reads the frame of the record at hand; `None` if it is to be passed over.
    fn take<F: Form>(&mut self, record: Record) -> Result<Option<F>> {
        let Some(pair) = &self.pair else { return Ok(None) };
        let header = &pair.header;
        match self.life.replace(header.region_id) {
            Some(life) if life != header.region_id => {
                // Not passed by: the next call reads it.
                (self.due, self.skip_below) = (None, 0);
                return Err(QADataSwapError::Replaced { ring: header.ring.clone() });
            }
            _ => {}
        }
        let number = self.record;
        self.record += 1;
        if record.sequence < self.skip_below {
            return Ok(None);
        }
        if self.due.is_some_and(|due| record.sequence < due) {
            return Err(pair.corrupt(
                number,
                &format!("frame {} where {} or a later one is due", record.sequence, self.due.unwrap_or(0)),
            ));
        }
        let missed = self.due.map_or(record.missed, |due| record.sequence - due);
        if record.wall_ns < self.not_before {
            self.due = Some(record.sequence + 1);
            return Ok(None);
        }
        let bytes = messages_of(pair, &record, number)?;
        let meta = FrameMeta {
            sequence: record.sequence,
            slot: 0,
            bytes: bytes.len() as u64,
            schema: header.number,
            published_ns: record.published_ns,
            rows: record.rows,
        };
        let held = Held { bytes, meta, missed, wall_ns: record.wall_ns, copied: 0 };
        let frame = F::decode(&mut self.decoder, held)
            .map_err(|error| QADataSwapError::frame(&header.ring, error))?;
        // Only now: a frame that cannot be read counts as missed before the next one.
        self.due = Some(record.sequence + 1);
        Ok(Some(frame))
    }
}

/// The frames of a recording, one after the other; got by [`Recording::frames`](super::Recording::frames).
///
/// Each is as it stood in the ring, [`missed`](Frame::missed) included: how many frames went by unrecorded between
/// the one before and this one. Errors are passed by, so the iteration may go on behind them:
/// [`Corrupt`](QADataSwapError::Corrupt) for what cannot be read, which then counts as missed too, [`Replaced`](QADataSwapError::Replaced) between two
/// lives of the ring, each of which counts its frames from 0.
///
/// It ends at the last frame recorded so far; asked again, it goes on with what has come since.
pub struct RecordedFrames {
    cursor: Cursor,
}

impl RecordedFrames {
    pub(super) fn new(cursor: Cursor) -> RecordedFrames {
        RecordedFrames { cursor }
    }

    /// The next frame, as one whose batches leave by the C data interface; `None` at the end as yet.
    ///
    /// # Errors
    /// Those of the iteration, which may go on behind them.
    pub fn read_ffi(&mut self) -> Result<Option<ffi::Frame>> {
        self.cursor.next()
    }
}

impl Iterator for RecordedFrames {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        self.cursor.next().transpose()
    }
}

impl std::fmt::Debug for RecordedFrames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordedFrames").field("directory", &self.cursor.directory).finish_non_exhaustive()
    }
}
