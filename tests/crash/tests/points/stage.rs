//! A stage on which victims die, and those who live on.
//!
//! Victims are of the library's mortal copy; whoever lives on uses the library itself.
//!
//! Law: what is found is told as what it is: a frame torn or out of sequence, somebody stuck, something left behind.

use crate::deadline::PROMPT;
use crate::frames::{Words, check, table};
use crate::scene::{Full, Owed, Ring, Scene};
use crate::victim::{Play, Victim};
use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use qadataswap::{ErrorKind, Frame, QADataSwapError, Reader, Writer};
use qadataswap_mortal as mortal;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Seed of all frames.
pub(crate) const SEED: u64 = 77;

/// Slots of the ring.
pub(crate) const SLOTS: u64 = 3;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A frame is not whole, or comes out of sequence.
    Torn(String),
    /// Somebody was held up, or could not go on.
    Stuck(String),
    /// A pin, a place or a file is left.
    Left(String),
}

pub(crate) type Verdict<T = ()> = Result<T, Fault>;

pub(crate) fn torn(what: impl Into<String>) -> Fault {
    Fault::Torn(what.into())
}

pub(crate) fn stuck(what: impl std::fmt::Display) -> Fault {
    Fault::Stuck(what.to_string())
}

/// Makes a fault of a condition that does not hold.
macro_rules! demand {
    ($condition:expr, $fault:ident, $($what:tt)+) => {
        if !$condition {
            return Err($crate::stage::Fault::$fault(format!($($what)+)));
        }
    };
}
pub(crate) use demand;

/// A folder, a ring in it, and chance.
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    pub(crate) ring: Ring,
    pub(crate) words: RefCell<Words>,
    /// Whether those who live on are about while the victim dies.
    pub(crate) jitter: bool,
}

impl Stage {
    pub(crate) fn new(seed: u64, jitter: bool) -> Stage {
        let scene = Scene::new();
        let ring = scene.ring("feed").slots(SLOTS as usize).slot_bytes(256 << 10).max_readers(4).sleep();
        Stage { scene, ring, words: RefCell::new(Words::new(seed)), jitter }
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.words.borrow_mut().below(bound)
    }

    /// The ring as the mortal copy is told of it.
    pub(crate) fn mortal(&self) -> mortal::SharedMemoryConfig {
        mortal_config(&self.ring)
    }

    /// A former writer, which wrote frames up to `until` and died in peace: the ring is an orphan.
    pub(crate) fn former_writer(&self, until: u64) {
        self.dies(0, &|_| {
            let writer = mortal::Writer::new(self.mortal()).expect("created");
            write_until(&writer, until);
            std::mem::forget(writer);
        });
    }

    /// Somebody dies at this point, before the play begins.
    pub(crate) fn dies(&self, deadly: u64, play: &Play<'_>) {
        Victim::start(deadly, play).fate().expect("it dies");
    }
}

/// A writer that is let in within [`PROMPT`].
pub(crate) fn heir(ring: &Ring) -> Verdict<Writer> {
    let deadline = Instant::now() + PROMPT;
    loop {
        match ring.writer() {
            Ok(writer) if Instant::now() < deadline => return Ok(writer),
            Ok(_) => return Err(stuck("taking over took longer than a second")),
            Err(error) if error.kind() == ErrorKind::WriterExists && Instant::now() < deadline => {}
            Err(error) => return Err(stuck(format!("no heir: {error}"))),
        }
    }
}

/// A ring as the mortal copy is told of it.
pub(crate) fn mortal_config(ring: &Ring) -> mortal::SharedMemoryConfig {
    mortal::SharedMemoryConfig::new(&ring.name)
        .with_directory(&ring.directory)
        .with_buffer_count(ring.slots)
        .with_slot_bytes(ring.slot_bytes)
        .with_max_readers(ring.max_readers)
        .with_when_full(match ring.full {
            Full::Block(patience) => mortal::WhenFull::Block(patience.map(Duration::from_millis)),
            Full::Overwrite => mortal::WhenFull::Overwrite,
            Full::Fail => mortal::WhenFull::Fail,
        })
        .with_policy(match ring.policy {
            Owed::Lossless => mortal::ReaderPolicy::Lossless,
            Owed::Lossy => mortal::ReaderPolicy::Lossy,
            Owed::Latest => mortal::ReaderPolicy::Latest,
            Owed::Observer => mortal::ReaderPolicy::Observer,
        })
        .with_start(if ring.newest { mortal::StartAt::Newest } else { mortal::StartAt::Oldest })
        .with_wait(mortal::WaitStrategy::SLEEP)
}

/// A mortal writer writes its next frames, up to frame `until`.
pub(crate) fn write_until(writer: &mortal::Writer, until: u64) {
    for sequence in writer.stats().frames_published..until {
        assert_eq!(writer.write_arrow(&table(SEED, sequence)).expect("written"), sequence);
    }
}

/// A table of numbers that every value of says which: what can be lent, and can be large.
pub(crate) fn numbers(sequence: u64, rows: usize) -> RecordBatch {
    let mut words = Words::new(SEED ^ sequence.rotate_left(20));
    let columns = [
        ("sequence", vec![sequence; rows]),
        ("rows", vec![rows as u64; rows]),
        ("word", (0..rows).map(|_| words.next_word()).collect()),
    ];
    let columns = columns.map(|(name, values)| (name, Arc::new(UInt64Array::from(values)) as ArrayRef));
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Whether a frame is the one that its number says: a table of the stream, or of numbers.
pub(crate) fn whole(frame: &Frame) -> Verdict {
    match frame.batches() {
        [batch] if batch.num_columns() == 3 => {
            let expected = numbers(frame.sequence(), batch.num_rows());
            let rows: &UInt64Array = batch.column(1).as_any().downcast_ref().ok_or(torn("another type"))?;
            let whole = *batch == expected && rows.values().first() == Some(&(batch.num_rows() as u64));
            demand!(whole, Torn, "frame {} of numbers differs", frame.sequence());
            Ok(())
        }
        _ => check(SEED, frame).map_err(torn),
    }
}

/// Those who live on.
#[derive(Default)]
pub(crate) struct Cast {
    pub(crate) writer: Option<Writer>,
    pub(crate) followers: Vec<Follower>,
    /// Frames that are held throughout.
    pub(crate) held: Vec<Frame>,
    /// At least so many frames have been written before anybody dies.
    pub(crate) written: u64,
}

impl Cast {
    pub(crate) fn follows(mut self, follower: Follower) -> Cast {
        self.followers.push(follower);
        self
    }

    /// The living writer writes a frame.
    pub(crate) fn write(&mut self) -> Verdict {
        let writer = self.writer.as_ref().expect("there is one");
        let sequence = self.written;
        // The writer's patience is a second.
        let got = writer.write_arrow(&table(SEED, sequence)).map_err(stuck)?;
        demand!(got == sequence, Torn, "wrote frame {got} instead of {sequence}");
        self.written += 1;
        Ok(())
    }
}

/// A reader that checks every frame.
pub(crate) struct Follower {
    pub(crate) reader: Reader,
    pub(crate) lossless: bool,
    /// The frame it has to get next; of one that is not lossless, at the earliest.
    pub(crate) due: Option<u64>,
}

impl Follower {
    pub(crate) fn of(ring: &Ring) -> Verdict<Follower> {
        let reader = ring.reader().map_err(stuck)?;
        Ok(Follower { reader, lossless: ring.policy == Owed::Lossless, due: None })
    }

    /// Judges a frame.
    pub(crate) fn take(&mut self, frame: &Frame) -> Verdict {
        whole(frame)?;
        let sequence = frame.sequence();
        let missed = if self.due.is_some() { frame.missed() } else { 0 };
        if let Some(due) = self.due {
            let (first, last) = (due, due + missed);
            demand!(sequence == last, Torn, "frame {sequence} where {first} was due, {missed} missed");
        }
        demand!(!self.lossless || missed == 0, Torn, "frame {sequence}: {missed} missed");
        self.due = Some(sequence + 1);
        Ok(())
    }

    /// Reads what is there, without waiting.
    pub(crate) fn glance(&mut self) -> Verdict {
        match self.reader.try_read_frame() {
            Ok(Some(frame)) => self.take(&frame),
            Ok(None) => Ok(()),
            Err(error) => Follower::is_an_end(&error).map(|_| ()),
        }
    }

    /// Reads to whatever end, which comes within [`PROMPT`] of the last frame.
    pub(crate) fn drain(&mut self) -> Verdict<ErrorKind> {
        loop {
            match self.reader.read_frame(PROMPT) {
                Ok(Some(frame)) => self.take(&frame)?,
                Ok(None) => return Err(stuck("neither a frame nor an end within a second")),
                Err(error) => return Follower::is_an_end(&error),
            }
        }
    }

    /// Waits for a frame of the victim's, or its death.
    pub(crate) fn wait_for(&mut self, victim: &Victim) -> Verdict {
        loop {
            let is_dead = victim.is_dead();
            match self.reader.read_frame(PROMPT) {
                Ok(Some(frame)) => return self.take(&frame),
                Ok(None) => return Err(stuck("neither a frame nor an end within a second")),
                Err(error) => Follower::is_an_end(&error)?,
            };
            if is_dead {
                return Ok(());
            }
        }
    }

    /// Reads until frame `until` is what comes next.
    pub(crate) fn read_until(&mut self, until: u64) -> Verdict {
        while self.due.unwrap_or(0) < until {
            match self.reader.read_frame(PROMPT) {
                Ok(Some(frame)) => self.take(&frame)?,
                Ok(None) => return Err(stuck(format!("frame {:?} does not come", self.due))),
                Err(error) => return Err(stuck(format!("instead of frame {:?}: {error}", self.due))),
            }
        }
        Ok(())
    }

    fn is_an_end(error: &QADataSwapError) -> Verdict<ErrorKind> {
        match error.kind() {
            kind @ (ErrorKind::WriterDied
            | ErrorKind::EndOfStream
            | ErrorKind::Aborted
            | ErrorKind::Replaced) => Ok(kind),
            _ => Err(torn(format!("no end: {error}"))),
        }
    }
}
