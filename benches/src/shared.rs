//! Words that two processes share, for the floors.
//!
//! Law: they are atomics, whoever maps them.

#![allow(unsafe_code)]

use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Bytes from one word to the next: a pair of cache lines, which processors fetch together.
const LINE: usize = 128;

/// A mapping that others may have too.
#[derive(Debug)]
pub struct Shared {
    map: MmapRaw,
}

impl Shared {
    /// Makes a file of `bytes` on a tmpfs and maps it.
    ///
    /// # Errors
    /// If it is there already, or there is no room.
    pub fn create(path: &Path, bytes: usize) -> io::Result<Shared> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        file.set_len(bytes as u64)?;
        Shared::of(&file)
    }

    /// Maps one that is there.
    ///
    /// # Errors
    /// If it is not.
    pub fn open(path: &Path) -> io::Result<Shared> {
        Shared::of(&File::options().read(true).write(true).open(path)?)
    }

    fn of(file: &File) -> io::Result<Shared> {
        Ok(Shared { map: MmapOptions::new().map_raw(file)? })
    }

    fn place(&self, line: usize) -> *mut u8 {
        assert!((line + 1) * LINE <= self.map.len(), "line {line} of {} bytes", self.map.len());
        // SAFETY: within the mapping, as just asserted.
        unsafe { self.map.as_mut_ptr().add(line * LINE) }
    }

    /// The word at the start of a line of its own.
    ///
    /// # Panics
    /// If there is no such line.
    #[must_use]
    pub fn word(&self, line: usize) -> &AtomicU64 {
        // SAFETY: aligned, since mappings begin at pages; it lives as long as the mapping; all access is atomic.
        unsafe { AtomicU64::from_ptr(self.place(line).cast()) }
    }

    /// As [`word`](Shared::word), of the width that a futex has.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn half(&self, line: usize) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(self.place(line).cast()) }
    }
}
