//! Bytes that two processes share, with nobody to guard them.
//!
//! Law: one process writes while the other does not look, and the other way round; a word elsewhere passes the turn, Release to
//! Acquire. It is what a ring is there to guarantee, and here only the turns of a measurement do.

#![allow(unsafe_code)]

use crate::ipc::Encoder;
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use memmap2::{MmapOptions, MmapRaw};
use qadataswap_benches::rings::Failure;
use std::fs::File;
use std::io;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// A mapping of warm pages.
#[derive(Debug)]
pub(crate) struct Place {
    map: Arc<MmapRaw>,
}

impl Place {
    /// Makes a file of `bytes` in shared memory and maps it.
    ///
    /// # Errors
    /// If it is there already, or there is no room.
    pub(crate) fn create(path: &Path, bytes: usize) -> io::Result<Place> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        file.set_len(bytes as u64)?;
        Place::of(&file)
    }

    /// Maps one that is there.
    ///
    /// # Errors
    /// If it is not.
    pub(crate) fn open(path: &Path) -> io::Result<Place> {
        Place::of(&File::options().read(true).write(true).open(path)?)
    }

    fn of(file: &File) -> io::Result<Place> {
        Ok(Place { map: Arc::new(MmapOptions::new().populate().map_raw(file)?) })
    }

    fn start(&self) -> NonNull<u8> {
        NonNull::new(self.map.as_mut_ptr()).expect("a mapping is nowhere near null")
    }

    /// Copies bytes to its beginning.
    ///
    /// # Panics
    /// If they are more than it has.
    pub(crate) fn copy(&self, bytes: &[u8]) {
        assert!(bytes.len() <= self.map.len());
        // SAFETY: as many bytes are mapped, which the slice is no part of; nobody looks at them now, by the law.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.map.as_mut_ptr(), bytes.len()) }
    }

    /// Writes a table's message to its beginning.
    ///
    /// # Errors
    /// If there is no room for it.
    pub(crate) fn encode(&self, encoder: &mut Encoder, batch: &RecordBatch) -> Result<(), Failure> {
        // SAFETY: as many bytes are mapped, and nobody looks at them now, by the law.
        unsafe { encoder.encode(batch, self.start(), self.map.len()) }
    }

    /// The byte at a place.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn byte(&self, at: usize) -> u8 {
        assert!(at < self.map.len());
        // SAFETY: mapped, as just asserted, and nobody writes now, by the law; volatile, since somebody has.
        unsafe { self.map.as_ptr().add(at).read_volatile() }
    }

    /// All of it, without a copy.
    pub(crate) fn buffer(&self) -> Buffer {
        // SAFETY: mapped for as long as the buffer keeps the mapping; nobody writes while it is there, by the law.
        unsafe { Buffer::from_custom_allocation(self.start(), self.map.len(), self.map.clone()) }
    }
}
