//! Recordings, as C++ holds them.

use crate::bridge::{FileInfo, ReaderOptions, RecorderOptions, Summary};
use crate::handles::{Frame, boxed, drop_boxed};
use crate::options::{self, duration};
use crate::status::{OK, attempt, invalid, last_error_kind, status};
use qadataswap::recording::{self, RecorderConfig, RecorderStats, Since, SyncPolicy};
use qadataswap::{Result, Timeout, Validation, ffi};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A recording.
pub(crate) struct Recording(recording::Recording);
/// A place in a recording.
pub(crate) struct RecordedFrames(Mutex<recording::RecordedFrames>);
/// A reader of a recording and then of the ring.
pub(crate) struct Follow(recording::Follow);
/// A recorder; `None` once closed.
pub(crate) struct Recorder {
    recorder: Mutex<Option<recording::Recorder>>,
    ring: String,
}

macro_rules! drops {
    ($($name:ident: $type:ty),* $(,)?) => {$(
        /// Ends a handle.
        ///
        /// # Safety
        /// It is not used any more.
        pub(crate) unsafe fn $name(handle: *mut $type) {
            // SAFETY: the caller's word; every handle comes from `boxed`.
            unsafe { drop_boxed(handle) }
        }
    )*};
}
drops! {
    drop_recording: Recording, drop_recorded_frames: RecordedFrames, drop_follow: Follow, drop_recorder: Recorder,
}

/// A place to start at; see `qads_since`.
fn since(kind: i32, value: u64) -> Result<Since> {
    match kind {
        0 => Ok(Since::Start),
        1 => Ok(Since::Sequence(value)),
        2 => Ok(Since::Time(UNIX_EPOCH + Duration::from_nanos(value))),
        other => Err(invalid("", format!("since: {other} is not one of its kinds"))),
    }
}

/// What a read has come to: a frame, null, or null and an error's kind.
fn handed(read: Option<Option<ffi::Frame>>, kind: &mut i32) -> *mut Frame {
    *kind = if read.is_some() { OK } else { last_error_kind() };
    boxed(read.flatten().map(Frame))
}

/// A sequence and a time, `u64::MAX` for those of no frame.
fn place(place: Option<(u64, SystemTime)>) -> (u64, u64) {
    place.map_or((u64::MAX, u64::MAX), |(sequence, time)| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        (sequence, u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    })
}

pub(crate) fn open_recording(directory: &[u8], validation: i32) -> *mut Recording {
    boxed(attempt(|| {
        let validation = match validation {
            0 => Validation::Form,
            1 => Validation::Full,
            2 => Validation::FullOnCopy,
            other => return Err(invalid("", format!("validation: {other} is not one of its values"))),
        };
        let recording = recording::Recording::open(OsStr::from_bytes(directory))?;
        Ok(Recording(recording.with_validation(validation)))
    }))
}

impl Recording {
    pub(crate) fn frames(&self, kind: i32, value: u64) -> *mut RecordedFrames {
        boxed(attempt(|| Ok(RecordedFrames(Mutex::new(self.0.frames(since(kind, value)?)?)))))
    }

    pub(crate) fn follow(
        &self,
        ring: &ReaderOptions<'_>,
        kind: i32,
        value: u64,
        patience_ns: i64,
    ) -> *mut Follow {
        boxed(attempt(|| {
            let follow = self.0.follow(options::reader(ring)?, since(kind, value)?)?;
            Ok(Follow(match patience_ns {
                ..0 => follow,
                patience => follow.with_patience(duration(patience).unwrap_or(Duration::MAX)),
            }))
        }))
    }

    pub(crate) fn is_live(&self, live: &mut bool) -> i32 {
        status(|| {
            *live = self.0.is_live()?;
            Ok(())
        })
    }

    pub(crate) fn summary(&self, out: &mut Summary) -> i32 {
        status(|| {
            let summary = self.0.summary()?;
            let ((first_sequence, first_ns), (last_sequence, last_ns)) =
                (place(summary.first), place(summary.last));
            *out = Summary {
                files: summary.files,
                data_bytes: summary.data_bytes,
                frames: summary.frames,
                rows: summary.rows,
                missed: summary.missed,
                damaged: summary.damaged,
                first_sequence,
                first_ns,
                last_sequence,
                last_ns,
                is_live: summary.is_live,
            };
            Ok(())
        })
    }

    pub(crate) fn files(&self, out: &mut Vec<FileInfo>) -> i32 {
        status(|| {
            *out = self.0.files()?.iter().map(FileInfo::from).collect();
            Ok(())
        })
    }

    pub(crate) fn repair(&self, data_bytes: &mut u64, index_bytes: &mut u64) -> i32 {
        status(|| {
            let mended = self.0.repair()?;
            (*data_bytes, *index_bytes) = (mended.data_bytes, mended.index_bytes);
            Ok(())
        })
    }
}

impl From<&recording::FileInfo> for FileInfo {
    fn from(file: &recording::FileInfo) -> FileInfo {
        let ((first_sequence, first_ns), (last_sequence, last_ns)) = (place(file.first), place(file.last));
        FileInfo {
            number: file.number,
            region_id: file.region_id,
            data_bytes: file.data_bytes,
            frames: file.frames,
            rows: file.rows,
            missed: file.missed,
            damaged: file.damaged,
            first_sequence,
            first_ns,
            last_sequence,
            last_ns,
        }
    }
}

impl RecordedFrames {
    pub(crate) fn next(&self, kind: &mut i32) -> *mut Frame {
        let read = attempt(|| self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).read_ffi());
        handed(read, kind)
    }
}

impl Follow {
    pub(crate) fn read_on(&self, timeout_ns: i64, kind: &mut i32) -> *mut Frame {
        handed(attempt(|| self.0.read_ffi(Timeout::from(duration(timeout_ns)))), kind)
    }

    pub(crate) fn is_in_the_ring(&self) -> bool {
        attempt(|| Ok(self.0.is_live())).unwrap_or(false)
    }
}

pub(crate) fn open_recorder(
    directory: &[u8],
    options: &RecorderOptions,
    ring: &ReaderOptions<'_>,
) -> *mut Recorder {
    boxed(attempt(|| {
        let ring = options::reader(ring)?;
        let name = ring.name().to_owned();
        let sync = match options.sync_every {
            -1 => SyncPolicy::Never,
            0 => SyncPolicy::OnRotate,
            frames => match u64::try_from(frames) {
                Ok(frames) => SyncPolicy::Every(frames),
                Err(_) => return Err(invalid(&name, format!("sync_every: {frames} is no number of frames"))),
            },
        };
        let mut config = RecorderConfig::new(ring, OsStr::from_bytes(directory))
            .with_rotate_bytes(options.rotate_bytes)
            .with_sync(sync)
            .with_mode(options.mode);
        if let Some(time) = duration(options.rotate_ns) {
            config = config.with_rotate_every(time);
        }
        Ok(Recorder { recorder: Mutex::new(Some(recording::Recorder::open(config)?)), ring: name })
    }))
}

impl Recorder {
    fn with<T>(&self, act: impl FnOnce(&mut recording::Recorder) -> Result<T>) -> Result<T> {
        let mut recorder = self.recorder.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &mut *recorder {
            Some(recorder) => act(recorder),
            None => Err(qadataswap::QADataSwapError::Closed { ring: self.ring.clone() }),
        }
    }

    pub(crate) fn record(&self, timeout_ns: i64, out: &mut crate::bridge::Recorded) -> i32 {
        status(|| {
            let recorded = self.with(|recorder| recorder.record(Timeout::from(duration(timeout_ns))))?;
            out.is_there = recorded.is_some();
            if let Some(recorded) = recorded {
                out.sequence = recorded.sequence;
                out.rows = recorded.rows;
                out.bytes = recorded.bytes;
                out.missed = recorded.missed;
                out.file = recorded.file;
            }
            Ok(())
        })
    }

    pub(crate) fn run(&self, timeout_ns: i64, ended: &mut bool) -> i32 {
        status(|| {
            *ended = self.with(|recorder| recorder.run(Timeout::from(duration(timeout_ns))))?;
            Ok(())
        })
    }

    pub(crate) fn attach_again(&self) -> i32 {
        status(|| self.with(recording::Recorder::attach_again))
    }

    pub(crate) fn recorder_stats(&self, out: &mut crate::bridge::RecorderStats) -> i32 {
        status(|| {
            let RecorderStats { frames, rows, bytes, missed, files, .. } =
                self.with(|recorder| Ok(recorder.stats()))?;
            *out = crate::bridge::RecorderStats { frames, rows, bytes, missed, files };
            Ok(())
        })
    }

    pub(crate) fn close_recorder(&self) -> i32 {
        status(|| {
            let recorder = self.recorder.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            recorder.map_or(Ok(()), |recorder| recorder.close().map(drop))
        })
    }
}
