//! The stage: a folder of rings, and those who stay on it while others' system calls fail.
//!
//! Law: whatever a run leaves behind can be removed, and nobody who stays is held up by it.

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use qadataswap::{ErrorKind, Reader, Result, SharedMemoryConfig, WaitStrategy, WhenFull, Writer, inspect};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Whatever must come at all comes within this.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The ring of those who stay.
pub const FEED: &str = "feed";

/// A table of so many rows; row numbers from `first` on.
///
/// # Panics
/// Never: the columns are of one length.
#[must_use]
pub fn table(first: i64, rows: usize) -> RecordBatch {
    let numbers: Vec<i64> = (first..first + rows as i64).collect();
    let names = numbers.iter().map(|number| format!("a string longer than twelve bytes: {number}"));
    let names: ArrayRef = Arc::new(StringViewArray::from_iter_values(names));
    RecordBatch::try_from_iter([("number", Arc::new(Int64Array::from(numbers)) as ArrayRef), ("name", names)])
        .expect("columns of one length")
}

/// A private folder, removed on drop.
#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
}

impl Stage {
    /// An empty folder on the machine's tmpfs.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Stage {
        let folder = PathBuf::from(format!("/dev/shm/qads-faults-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).expect("a private folder under /dev/shm");
        Stage { folder }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where recordings go.
    #[must_use]
    pub fn recording(&self) -> PathBuf {
        self.folder.join("recording")
    }

    /// A ring of four slots.
    #[must_use]
    pub fn ring(&self, name: &str) -> SharedMemoryConfig {
        SharedMemoryConfig::new(name)
            .with_directory(&self.folder)
            .with_buffer_count(4)
            .with_slot_bytes(256 << 10)
            .with_max_readers(4)
            .with_when_full(WhenFull::Block(Some(PATIENCE)))
            .with_wait(WaitStrategy::SLEEP)
    }

    /// Names of what lies in the folder.
    ///
    /// # Panics
    /// If it cannot be read.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.folder).expect("the folder is there");
        let mut names: Vec<_> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Removes what is left but what those who stay need: by the ring's next writer and reader, or as `qads gc` does.
    /// Returns how many names there were.
    ///
    /// # Errors
    /// A sentence on what cannot be removed.
    pub fn tidy(&self, peers: bool, by_the_next: bool) -> Result<usize, String> {
        let recording = self.recording();
        if recording.exists() {
            std::fs::remove_dir_all(&recording).map_err(|error| format!("the recording: {error}"))?;
        }
        let stays = format!("qads_{FEED}");
        let left = || self.files().into_iter().filter(|name| !peers || *name != stays).collect::<Vec<_>>();
        let found = left();
        if by_the_next {
            for ring in found.iter().filter_map(|name| name.strip_prefix("qads_")) {
                let named = |error| format!("the next writer of what is left: {error}");
                drop(Writer::new(self.ring(ring)).map_err(named)?);
                let reader = match Reader::new(self.ring(ring)) {
                    Ok(reader) => reader,
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) => return Err(format!("the next reader of what is left: {error}")),
                };
                while reader.read_frame(PATIENCE).is_ok_and(|frame| frame.is_some()) {}
            }
        }
        if !left().is_empty() {
            inspect::gc(&self.folder, false).map_err(|error| format!("gc: {error}"))?;
        }
        match left() {
            rest if rest.is_empty() => Ok(found.len()),
            rest => Err(format!("{rest:?} cannot be removed")),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir_all(&self.folder);
        if !std::thread::panicking() {
            removed.expect("the folder can be removed");
        }
    }
}

/// A writer and a reader that stay.
pub struct Peers {
    config: SharedMemoryConfig,
    writer: Writer,
    reader: Reader,
    next: i64,
}

impl Peers {
    /// Makes them.
    ///
    /// # Errors
    /// As theirs.
    pub fn new(stage: &Stage) -> Result<Peers> {
        let config = stage.ring(FEED);
        let (writer, reader) = (Writer::new(&config)?, Reader::new(&config)?);
        let mut peers = Peers { config, writer, reader, next: 0 };
        for _ in 0..2 {
            peers.go_on().map_err(qadataswap::QADataSwapError::Internal)?;
        }
        Ok(peers)
    }

    /// Passes on as many frames as the ring holds; another reader may come and go.
    ///
    /// # Errors
    /// A sentence on what does not go on.
    pub fn go_on(&mut self) -> Result<(), String> {
        let told = |what: &'static str| move |error: qadataswap::QADataSwapError| format!("{what}: {error}");
        drop(Reader::new(&self.config).map_err(told("another reader"))?);
        for _ in 0..4 {
            self.writer.write_arrow(&table(self.next, 3)).map_err(told("the writer that stays"))?;
            let batch = self.reader.read_arrow(PATIENCE).map_err(told("the reader that stays"))?;
            if batch != Some(table(self.next, 3)) {
                return Err(format!("the reader that stays has another table than number {}", self.next));
            }
            self.next += 1;
        }
        Ok(())
    }
}
