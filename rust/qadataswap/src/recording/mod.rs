//! Recordings: the frames of a ring in files, to be read again, and to be read on from into the ring.
//!
//! A [`Recorder`] is an ordinary reader that appends what it reads, unchanged, to Arrow IPC streams in a folder:
//! `00000001.arrows`, `00000002.arrows` and so on, which Polars, pyarrow and any other Arrow library open as they are.
//! Beside each lies an index, by which a [`Recording`] finds frames by number and by time and tells what is missing.
//! A [`Follow`] starts in a recording and passes into the ring.
//!
//! ```
//! use qadataswap::recording::{Recorder, RecorderConfig, Recording};
//! use qadataswap::{SharedDataFrame, SharedMemoryConfig};
//! # use arrow_array::{Int64Array, RecordBatch};
//! # use std::sync::Arc;
//! # let ring = SharedMemoryConfig::new(format!("doc-recording-{}", std::process::id())).with_size_mb(1);
//! # let folder = std::env::temp_dir().join(ring.name());
//! # let batch = RecordBatch::try_from_iter([("a", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)])?;
//! let writer = SharedDataFrame::create_writer(&ring)?;
//! writer.write_arrow(&batch)?;
//!
//! // In a process of its own, or by the command `qads record`:
//! let mut recorder = Recorder::open(RecorderConfig::new(&ring, &folder))?;
//! while let Some(frame) = recorder.record(0)? {
//!     println!("frame {} is in file {}", frame.sequence, frame.file);
//! }
//!
//! // Any time later:
//! for frame in Recording::open(&folder)?.frames(Default::default())? {
//!     let frame = frame?;
//!     assert_eq!((frame.sequence(), frame.num_rows()), (0, 3));
//! }
//! # recorder.close()?;
//! # std::fs::remove_dir_all(&folder).expect("ours");
//! # Ok::<(), qadataswap::QADataSwapError>(())
//! ```
//!
//! What is in the files, and what is left after each kind of death, stands in `docs/recording.md`.
//!
//! ```text
//!   index      a header and records, as bytes          recorder   ring ─▶ files
//!   clock      from one clock to the other             read       files ─▶ frames
//!   files      pairs on disk, and who may write them   mend       what a killed recorder leaves
//!                                                      follow     files, then the ring
//! ```

mod clock;
mod files;
mod follow;
mod index;
mod mend;
mod read;
mod recorder;
#[cfg(all(test, not(feature = "crash-points")))]
mod tests;

use crate::config::SharedMemoryConfig;
use crate::error::{QADataSwapError, Result};
use crate::frame::{END, Validation};
use files::{Pair, Right, error_in, numbers};
use read::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use follow::{Follow, Followed, MissingFrames};
pub use mend::Mended;
pub use read::{RecordedFrames, Since};
pub use recorder::{Recorded, Recorder, RecorderConfig, RecorderStats, SyncPolicy};

/// A recording, to be read. It may be written meanwhile.
#[derive(Clone, Debug)]
pub struct Recording {
    directory: PathBuf,
    validation: Validation,
}

/// What can be seen of one file of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Its number.
    pub number: u64,
    /// The ring's name.
    pub ring: String,
    /// Tells one life of the ring from the next: rings of one name that do not go on from each other differ in it.
    pub region_id: [u64; 2],
    /// The Arrow IPC stream.
    pub data: PathBuf,
    /// Its bytes.
    pub data_bytes: u64,
    /// Whole frames in it.
    pub frames: u64,
    /// Their rows.
    pub rows: u64,
    /// Bytes that the largest of them took in its slot.
    pub largest_bytes: u64,
    /// Frames that are missing between them, and between the first of them and the frame recorded before it.
    pub missed: u64,
    /// The first frame's sequence and the time it was published at; `None` if there is no frame.
    pub first: Option<(u64, SystemTime)>,
    /// The same of the last one.
    pub last: Option<(u64, SystemTime)>,
    /// Records that cannot be read, of frames that are lost for that.
    pub damaged: u64,
}

/// What can be seen of a recording as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The ring's name; `None` if there is no file.
    pub ring: Option<String>,
    /// Number of files.
    pub files: u64,
    /// Bytes of their data.
    pub data_bytes: u64,
    /// Whole frames in them.
    pub frames: u64,
    /// Their rows.
    pub rows: u64,
    /// Frames that are missing between them.
    pub missed: u64,
    /// Records that cannot be read, of frames that are lost for that.
    pub damaged: u64,
    /// The first frame's sequence and the time it was published at; `None` if there is no frame.
    pub first: Option<(u64, SystemTime)>,
    /// The same of the last one.
    pub last: Option<(u64, SystemTime)>,
    /// Somebody records into it now.
    pub is_live: bool,
}

impl Recording {
    /// Opens the recording in a folder.
    ///
    /// # Errors
    /// [`Io`](QADataSwapError::Io) if there is no such folder, or it cannot be read.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Recording> {
        let directory = directory.into();
        numbers(&directory).map_err(|error| error_in(&directory, "opening the recording", error))?;
        Ok(Recording { directory, validation: Validation::default() })
    }

    /// How much of a frame is checked before it is handed out; its checksum always is.
    #[must_use]
    pub fn with_validation(mut self, validation: Validation) -> Recording {
        self.validation = validation;
        self
    }

    /// The folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The frames from a place on. The place is looked up in the indices, by bisection.
    ///
    /// # Errors
    /// [`Corrupt`](QADataSwapError::Corrupt) or [`Incompatible`](QADataSwapError::Incompatible) for an index that had
    /// to be looked at; [`Io`](QADataSwapError::Io).
    pub fn frames(&self, from: Since) -> Result<RecordedFrames> {
        Ok(RecordedFrames::new(Cursor::new(&self.directory, from, self.validation)?))
    }

    /// Reads on from a place in the recording, and into the ring when the recording has been read; see [`Follow`].
    ///
    /// # Errors
    /// As [`frames`](Recording::frames); [`InvalidConfig`](QADataSwapError::InvalidConfig) for a ring that is not to
    /// be read losslessly.
    pub fn follow(&self, ring: impl Into<SharedMemoryConfig>, from: Since) -> Result<Follow> {
        Follow::new(self, ring.into(), from)
    }

    /// Whether somebody records into it now.
    ///
    /// # Errors
    /// [`Io`](QADataSwapError::Io).
    pub fn is_live(&self) -> Result<bool> {
        Right::is_taken(&self.directory)
    }

    /// What its files hold, oldest first. Reads the indices, not the data.
    ///
    /// # Errors
    /// As [`frames`](Recording::frames).
    pub fn files(&self) -> Result<Vec<FileInfo>> {
        let listed = numbers(&self.directory)
            .map_err(|error| error_in(&self.directory, "listing the recording", error))?;
        let mut infos = Vec::new();
        for number in listed {
            if let Some(pair) = Pair::open(&self.directory, number, false)? {
                infos.push(FileInfo::of(&self.directory, &pair)?);
            }
        }
        Ok(infos)
    }

    /// What it holds as a whole. Reads the indices, not the data.
    ///
    /// # Errors
    /// As [`frames`](Recording::frames).
    pub fn summary(&self) -> Result<Summary> {
        let mut summary = Summary { is_live: self.is_live()?, ..Summary::default() };
        self.files()?.iter().for_each(|file| summary.add(file));
        Ok(summary)
    }

    /// Mends the recording's end after its recorder was killed: what follows the last whole frame is cut off, so that
    /// every Arrow library reads the last file to its end. A recorder that goes on does this by itself.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if somebody records into it;
    /// [`Corrupt`](QADataSwapError::Corrupt), [`Incompatible`](QADataSwapError::Incompatible) if what should be an
    /// index is none; [`Io`](QADataSwapError::Io).
    pub fn repair(&self) -> Result<Mended> {
        let Some(_right) = Right::take(&self.directory, 0o600)? else {
            return Err(QADataSwapError::InvalidConfig {
                ring: self.directory.display().to_string(),
                reason: "somebody records into it, and mends it for that; end the recorder first".to_owned(),
            });
        };
        mend::mend(&self.directory)
    }
}

impl FileInfo {
    fn of(directory: &Path, pair: &Pair) -> Result<FileInfo> {
        let mut info = FileInfo {
            number: pair.header.number,
            ring: pair.header.ring.clone(),
            region_id: pair.header.region_id,
            data: files::data_path(directory, pair.header.number),
            data_bytes: pair.reach()?,
            frames: 0,
            rows: 0,
            largest_bytes: 0,
            missed: 0,
            first: None,
            last: None,
            damaged: 0,
        };
        pair.for_each(|look| {
            let files::Look::Record(record) = look else {
                info.damaged += 1;
                return;
            };
            let place = (record.sequence, UNIX_EPOCH + Duration::from_nanos(record.wall_ns));
            info.frames += 1;
            info.rows = info.rows.saturating_add(record.rows);
            let bytes = pair.header.schema_bytes + record.length + END.len() as u64;
            info.largest_bytes = info.largest_bytes.max(bytes);
            info.missed = info.missed.saturating_add(record.missed);
            info.first.get_or_insert(place);
            info.last = Some(place);
        })?;
        Ok(info)
    }
}

impl Summary {
    fn add(&mut self, file: &FileInfo) {
        self.ring = Some(file.ring.clone());
        self.files += 1;
        self.data_bytes = self.data_bytes.saturating_add(file.data_bytes);
        self.frames += file.frames;
        self.rows = self.rows.saturating_add(file.rows);
        self.missed = self.missed.saturating_add(file.missed);
        self.damaged += file.damaged;
        self.first = self.first.or(file.first);
        self.last = file.last.or(self.last);
    }
}
