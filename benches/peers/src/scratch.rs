//! Names for what two processes share, and a folder for the files among it, all gone at the end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where shared memory has its names.
const MEMORY: &str = "/dev/shm";

/// A run's own folder, and the beginning of all names that the run gives.
#[derive(Debug)]
pub(crate) struct Scratch {
    stem: String,
}

impl Scratch {
    /// Makes the folder.
    ///
    /// # Errors
    /// If that cannot be.
    pub(crate) fn new() -> io::Result<Scratch> {
        let stem = format!("qads-peers-{}", std::process::id());
        fs::create_dir(std::env::temp_dir().join(&stem))?;
        Ok(Scratch { stem })
    }

    /// What both processes of a measurement call themselves.
    pub(crate) fn label(&self, what: &str) -> Label {
        Label { stem: self.stem.clone(), what: what.to_owned() }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left over is a nuisance and no more.
        let _ = fs::remove_dir_all(std::env::temp_dir().join(&self.stem));
        for entry in fs::read_dir(MEMORY).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&format!("{}-", self.stem)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The name of one measurement.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    stem: String,
    what: String,
}

impl Label {
    /// The one that was given to the other process as [`words`](Label::words).
    pub(crate) fn of(stem: &str, what: &str) -> Label {
        Label { stem: stem.to_owned(), what: what.to_owned() }
    }

    /// As words for another process.
    pub(crate) fn words(&self) -> [&str; 2] {
        [&self.stem, &self.what]
    }

    /// A name that nobody else has.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.stem, self.what)
    }

    /// The beginning of all names of the run.
    pub(crate) fn prefix(&self) -> String {
        format!("{}-", self.stem)
    }

    /// A file in shared memory.
    pub(crate) fn memory(&self, kind: &str) -> PathBuf {
        Path::new(MEMORY).join(format!("{}.{kind}", self.name()))
    }

    /// The folder of the run.
    pub(crate) fn folder(&self) -> PathBuf {
        std::env::temp_dir().join(&self.stem)
    }
}
