//! From a recording into the ring it is of, with no frame lost and none twice.
//!
//! The argument. A lossless reader that has joined a ring holds every frame from its first one on: say from *s*. Every
//! frame before *s* that a recorder has taken is written to the recording before the recorder takes another, or is in
//! its hands. So whoever joins first and then reads the recording up to *s* has all there is: what the recording does
//! not have of the frames before *s* by then, it will have as soon as its recorder has written it, or nobody has it.
//!
//! Law: the ring is joined only when the recording has been read to its end, so that a long recording does not hold
//! up the ring; and from then on the recorder is waited for, for a limited time. Frames are told apart by the region's
//! id and their sequence: frames of another ring of that name are never handed out as if they followed.

use super::Recording;
use super::files::Right;
use super::read::{Cursor, Since};
use crate::config::{ReaderPolicy, SharedMemoryConfig, StartAt, Timeout};
use crate::error::{QADataSwapError, Result};
use crate::ffi;
use crate::reader::{Frame, Knowing, Reader, until_end};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks at whether the recorder has written on.
const NAP: Duration = Duration::from_millis(1);

/// Frames that are neither in the recording nor in the ring: the source of an [`Io`](QADataSwapError::Io) error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "frames {first} to {last} are neither in the recording nor in the ring; was its recorder stopped, or is it too slow?"
)]
pub struct MissingFrames {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

impl MissingFrames {
    /// The missing frames that an error speaks of, if it is of that kind.
    #[must_use]
    pub fn of(error: &QADataSwapError) -> Option<MissingFrames> {
        match error {
            QADataSwapError::Io { source, .. } => source.get_ref()?.downcast_ref().copied(),
            _ => None,
        }
    }
}

/// A reader that starts in a recording and passes into the ring, with no frame lost and none twice.
///
/// While it reads the recording it takes no part in the ring. It joins, losslessly, when it has come to the
/// recording's end; from then on it is a lossless reader like others, which the writer waits for. One that is slower
/// than the recorder never gets there: it reads on in the recording, and holds up nobody.
///
/// ```no_run
/// use qadataswap::recording::{Recording, Since};
/// use std::time::{Duration, SystemTime};
///
/// let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
/// let follow = Recording::open("/data/market")?.follow("market_data", Since::Time(an_hour_ago))?;
/// for frame in &follow {
///     println!("{} rows", frame?.num_rows());
/// }
/// # Ok::<(), qadataswap::QADataSwapError>(())
/// ```
pub struct Follow {
    inner: RefCell<Inner>,
}

struct Inner {
    cursor: Cursor,
    directory: PathBuf,
    ring: SharedMemoryConfig,
    patience: Duration,
    stage: Stage,
    /// Since when the ring is not there.
    absent_since: Option<Instant>,
    chase: Chase,
    schemas: Schemas,
}

/// Reading after a recorder that goes on recording. What it has recorded by a moment is read, then what it has recorded by
/// then, and so on a few times: each time there is less, if reading is faster than recording. If it is not, the end would never
/// be reached; so then the ring is joined, whose writer waits for the rest to be read.
#[derive(Default)]
struct Chase {
    rounds: u32,
    /// Where the recording ended when this round began.
    until: Option<(u64, u64)>,
}

impl Chase {
    /// Rounds before the ring is joined.
    const MOST: u32 = 3;

    /// Whether there is more to be read before the ring is joined.
    fn goes_on(&mut self, cursor: &mut Cursor) -> Result<bool> {
        while self.rounds < Chase::MOST {
            let until = match self.until {
                Some(until) => until,
                None => *self.until.insert(cursor.end()?),
            };
            if cursor.position() < until {
                return Ok(true);
            }
            (self.rounds, self.until) = (self.rounds + 1, None);
        }
        Ok(false)
    }
}

/// Numbers for the schemas of frames that come from files and from rings, each of which has numbers of its own.
#[derive(Default)]
struct Schemas {
    /// The one used last comes first.
    known: Vec<(SchemaRef, u64)>,
    next: u64,
}

impl Schemas {
    /// How many are remembered.
    const MOST: usize = 64;

    fn number(&mut self, schema: &SchemaRef) -> u64 {
        // Mostly it is the very one of the frame before.
        let same = self.known.iter().position(|(known, _)| Arc::ptr_eq(known, schema));
        if let Some(at) = same {
            self.known[..=at].rotate_right(1);
            return self.known[0].1;
        }
        let equal = self.known.iter().find(|(known, _)| known == schema);
        let number = equal.map_or(self.next, |(_, number)| *number);
        self.next = self.next.max(number + 1);
        self.known.truncate(Self::MOST - 1);
        self.known.insert(0, (Arc::clone(schema), number));
        number
    }
}

enum Stage {
    /// In the recording, as far as it goes.
    Recorded,
    /// In the ring, and in the recording up to the reader's first frame.
    Seam { reader: Reader, life: [u64; 2], since: Instant },
    /// In the ring.
    Live { reader: Reader, life: [u64; 2], due: Option<u64> },
}

/// What one step has come to.
enum Step<F> {
    Frame(F),
    /// The stage has changed.
    On,
    /// Nothing as yet: somebody else has to do something.
    Wait,
    /// The ring was waited for until the time was up.
    TimedOut,
}

impl Follow {
    pub(super) fn new(recording: &Recording, ring: SharedMemoryConfig, from: Since) -> Result<Follow> {
        if ring.policy != ReaderPolicy::Lossless {
            return Err(QADataSwapError::InvalidConfig {
                ring: ring.name,
                reason:
                    "only a lossless reader can follow a recording without a gap; leave the policy as it is"
                        .to_owned(),
            });
        }
        let ring = ring.resolved()?;
        ring.ring_name()?;
        let inner = Inner {
            cursor: Cursor::new(&recording.directory, from, ring.validation)?,
            directory: recording.directory.clone(),
            ring: ring.with_start(StartAt::Oldest),
            patience: Duration::from_secs(5),
            stage: Stage::Recorded,
            absent_since: None,
            chase: Chase::default(),
            schemas: Schemas::default(),
        };
        Ok(Follow { inner: RefCell::new(inner) })
    }

    /// How long the recorder is waited for between joining the ring and reading on in it; 5 s unless given. The ring
    /// is held up for so long at most, and for as long as it takes to read what was recorded while the recording was read.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Follow {
        self.inner.borrow_mut().patience = patience;
        self
    }

    /// Reads the next frame, waiting for at most `timeout`; `None` if there is nothing yet.
    ///
    /// # Errors
    /// From the recording: as [`RecordedFrames`](super::RecordedFrames), and reading goes on behind them.
    /// From the ring: as [`Reader::read_frame`], but that [`Replaced`](QADataSwapError::Replaced) is not the end:
    /// the next call goes on with the ring that has taken its place, from the first frame that the recording or the
    /// ring has of it. [`NotFound`](QADataSwapError::NotFound) if the recording has been read and there is no ring,
    /// for as long as the attach timeout.
    /// Between them: [`Io`](QADataSwapError::Io) with [`MissingFrames`], if the recorder is gone, or out of time, and
    /// frames are neither here nor there. The next call goes on behind them, and tells them as missed once more.
    pub fn read_frame(&self, timeout: impl Into<Timeout>) -> Result<Option<Frame>> {
        self.inner.borrow_mut().read(timeout.into())
    }

    /// Reads the next frame if it is there. Never waits.
    ///
    /// # Errors
    /// As [`read_frame`](Follow::read_frame).
    pub fn try_read_frame(&self) -> Result<Option<Frame>> {
        self.read_frame(Duration::ZERO)
    }

    /// As [`read_frame`](Follow::read_frame), for a frame whose batches leave by the C data interface.
    ///
    /// # Errors
    /// As there.
    pub fn read_ffi(&self, timeout: impl Into<Timeout>) -> Result<Option<ffi::Frame>> {
        let mut inner = self.inner.borrow_mut();
        let Some(mut frame) = inner.read::<ffi::Frame>(timeout.into())? else { return Ok(None) };
        frame.held.meta.schema = inner.schemas.number(frame.parsed.schema());
        Ok(Some(frame))
    }

    /// As [`try_read_frame`](Follow::try_read_frame), for a frame whose batches leave by the C data interface.
    ///
    /// # Errors
    /// As there.
    pub fn try_read_ffi(&self) -> Result<Option<ffi::Frame>> {
        self.read_ffi(Duration::ZERO)
    }

    /// Reads the next table as one batch, waiting for at most `timeout`; `None` if there is nothing yet.
    ///
    /// # Errors
    /// As [`read_frame`](Follow::read_frame).
    pub fn read_arrow(&self, timeout: impl Into<Timeout>) -> Result<Option<RecordBatch>> {
        self.read_frame(timeout)?.map(|frame| frame.to_batch()).transpose()
    }

    /// Reads the next table as one batch if it is there. Never waits.
    ///
    /// # Errors
    /// As [`read_frame`](Follow::read_frame).
    pub fn try_read_arrow(&self) -> Result<Option<RecordBatch>> {
        self.read_arrow(Duration::ZERO)
    }

    /// Frames as they come, waiting for each, until the ring's stream ends or an error has been yielded.
    pub fn iter(&self) -> Followed<'_> {
        Followed { follow: self, done: false }
    }

    /// Whether frames come from the ring by now.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.inner.borrow().stage, Stage::Live { .. })
    }
}

impl Inner {
    fn read<F: Knowing>(&mut self, timeout: Timeout) -> Result<Option<F>> {
        let deadline = timeout.0.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let step = match &self.stage {
                Stage::Recorded => self.in_the_recording()?,
                Stage::Seam { .. } => self.at_the_seam()?,
                Stage::Live { .. } => {
                    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                    self.in_the_ring(left)?
                }
            };
            match step {
                Step::Frame(frame) => return Ok(Some(frame)),
                Step::On => {}
                Step::TimedOut => return Ok(None),
                Step::Wait => {
                    let now = Instant::now();
                    if deadline.is_some_and(|deadline| now >= deadline) {
                        return Ok(None);
                    }
                    std::thread::sleep(deadline.map_or(NAP, |deadline| (deadline - now).min(NAP)));
                }
            }
        }
    }

    /// Reads on in the recording, and joins the ring at its end, or when the end has been chased for long enough.
    fn in_the_recording<F: Knowing>(&mut self) -> Result<Step<F>> {
        let chases = self.chase.goes_on(&mut self.cursor)?;
        if chases && let Some(frame) = self.cursor.next()? {
            return Ok(Step::Frame(frame));
        }
        let patience = self.ring.attach_timeout;
        let error = match self.join() {
            Ok(reader) => {
                self.absent_since = None;
                self.stage = Stage::Seam { life: reader.region_id()?, reader, since: Instant::now() };
                return Ok(Step::On);
            }
            Err(error) => error,
        };
        // Whatever keeps us from the ring, what is recorded can be read.
        if !chases && let Some(frame) = self.cursor.next()? {
            return Ok(Step::Frame(frame));
        }
        let is_absent = matches!(error, QADataSwapError::NotFound { .. });
        if is_absent && self.absent_since.get_or_insert_with(Instant::now).elapsed() < patience {
            return Ok(Step::Wait);
        }
        self.absent_since = None;
        Err(error)
    }

    /// Joins the ring if it is there.
    fn join(&self) -> Result<Reader> {
        Reader::new(self.ring.clone().with_attach_timeout(Duration::ZERO))
    }

    /// Reads the recording up to the ring's first frame.
    fn at_the_seam<F: Knowing>(&mut self) -> Result<Step<F>> {
        let Stage::Seam { reader, life: here, since } = &self.stage else { return Ok(Step::On) };
        let (here, first, late) = (*here, reader.next_sequence(), since.elapsed() >= self.patience);
        // Asked before the recording is looked at: what a recorder that is gone by now has written is seen there.
        let is_live = Right::is_taken(&self.directory)?;
        let (life, due) = self.cursor.place();
        if life == Some(here) && due.is_some_and(|due| due >= first) {
            return Ok(self.go_live(due));
        }
        if let Some(mut frame) = self.cursor.next::<F>()? {
            let follows = self.cursor.place().0 == Some(here);
            if follows && frame.held().meta.sequence >= first {
                // The recorder is past the ring's first frame: what it does not have, nobody has.
                return Ok(self.go_live(due));
            }
            return Ok(Step::Frame(frame));
        }
        match (life, due) {
            (Some(life), _) if life != here => {
                // The ring joined may have been replaced meanwhile: the one that has the name now counts.
                let reader = self.join()?;
                let now = reader.region_id()?;
                if now == here {
                    // Of this ring nothing is recorded. It counts from 0.
                    self.cursor.pass_to(here, 0);
                    return Err(QADataSwapError::Replaced { ring: self.ring.name.clone() });
                }
                self.stage = Stage::Seam { reader, life: now, since: Instant::now() };
                Ok(Step::On)
            }
            // Nothing is recorded, and what was asked for is in the ring.
            (_, Some(due)) if due >= first => Ok(self.go_live(Some(due))),
            (_, Some(due)) if late || !is_live => {
                self.go_live::<F>(Some(due));
                Err(QADataSwapError::Io {
                    ring: self.ring.name.clone(),
                    call: "passing from the recording into the ring",
                    source: std::io::Error::new(
                        std::io::ErrorKind::NotFound,
                        MissingFrames { first: due, last: first - 1 },
                    ),
                })
            }
            // Nothing is recorded, so nothing is owed; but a recorder at work may have taken frames that the ring has
            // no more.
            (_, None) if first == 0 || late || !is_live => Ok(self.go_live(None)),
            _ => Ok(Step::Wait),
        }
    }

    fn go_live<F>(&mut self, due: Option<u64>) -> Step<F> {
        match std::mem::replace(&mut self.stage, Stage::Recorded) {
            Stage::Seam { reader, life, .. } => self.stage = Stage::Live { reader, life, due },
            other => self.stage = other,
        }
        Step::On
    }

    fn in_the_ring<F: Knowing>(&mut self, left: Option<Duration>) -> Result<Step<F>> {
        let Stage::Live { reader, life, due } = &mut self.stage else { return Ok(Step::On) };
        match reader.read_as::<F>(left.into()) {
            Ok(None) => Ok(Step::TimedOut),
            Ok(Some(mut frame)) => {
                let held = frame.held();
                let sequence = held.meta.sequence;
                if due.is_some_and(|due| sequence < due) {
                    return Ok(Step::On);
                }
                held.missed = due.map_or(0, |due| sequence - due);
                *due = Some(sequence + 1);
                let not_before = self.cursor.not_before();
                if not_before > 0 && super::clock::ns_of(held.published_at()) < not_before {
                    return Ok(Step::On);
                }
                Ok(Step::Frame(frame))
            }
            Err(QADataSwapError::Replaced { .. }) => {
                // Told when the first frame of the new ring is at hand, or is known to be in the ring.
                self.cursor.pass_to(*life, due.unwrap_or(0));
                (self.stage, self.chase) = (Stage::Recorded, Chase::default());
                Ok(Step::On)
            }
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Debug for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.inner.borrow();
        f.debug_struct("Follow")
            .field("ring", &inner.ring.name)
            .field("directory", &inner.directory)
            .field("live", &matches!(inner.stage, Stage::Live { .. }))
            .finish_non_exhaustive()
    }
}

impl<'a> IntoIterator for &'a Follow {
    type Item = Result<Frame>;
    type IntoIter = Followed<'a>;

    fn into_iter(self) -> Followed<'a> {
        self.iter()
    }
}

/// The frames of a [`Follow`] as they come; see [`Follow::iter`].
#[derive(Debug)]
pub struct Followed<'a> {
    follow: &'a Follow,
    done: bool,
}

impl Iterator for Followed<'_> {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        until_end(&mut self.done, || self.follow.read_frame(Timeout::FOREVER))
    }
}
