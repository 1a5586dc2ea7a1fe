//! A ring whose slots and directory are written to by hand, as a hostile writer does.

use qadataswap::{
    Reader, ReaderPolicy, Result, SharedMemoryConfig, StartAt, Validation, WhenFull, Writer, describe_layout,
};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Slots of a forged ring.
const SLOTS: usize = 16;
/// Places for readers in it.
const READERS: usize = 8;
/// Bytes of a slot.
const SLOT_BYTES: u64 = 64 << 10;

/// What a directory entry says of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The slot.
    pub slot: u32,
    /// The frame's length.
    pub bytes: u64,
    /// The schema's number.
    pub schema: u64,
    /// The rows.
    pub rows: u64,
}

/// The word that says that frame `sequence` stands.
#[must_use]
pub fn stamp(sequence: u64) -> u64 {
    (sequence + 1) << 2 | 1
}

/// A ring that has a living writer, which writes nothing: what is in it is put there through the file.
#[derive(Debug)]
pub struct Forge {
    config: SharedMemoryConfig,
    file: File,
    sequence: u64,
    schemas: u64,
    directory: u64,
    head: u64,
    slots: u64,
    _writer: Writer,
}

impl Forge {
    /// Makes a ring of this name in `folder`.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Forge {
        let config = Forge::config(folder, name);
        let writer = Writer::new(&config).expect("a ring in a folder of ours");
        let path = folder.join(format!("qads_{name}"));
        let file = OpenOptions::new().read(true).write(true).open(path).expect("our ring");
        let layout = describe_layout(SLOTS as u32, READERS as u32, SLOT_BYTES).expect("in range");
        let at = |part: &str| layout.iter().find(|field| field.name == part).expect("a part").offset;
        Forge {
            config,
            file,
            sequence: 0,
            schemas: 0,
            directory: at("Entry × buffer_count"),
            head: at("Head"),
            slots: at("slot × buffer_count"),
            _writer: writer,
        }
    }

    /// How the ring is opened.
    #[must_use]
    pub fn config(folder: &Path, name: &str) -> SharedMemoryConfig {
        SharedMemoryConfig::new(name)
            .with_settings(Default::default())
            .with_directory(folder)
            .with_buffer_count(SLOTS)
            .with_max_readers(READERS)
            .with_slot_bytes(SLOT_BYTES)
            .with_when_full(WhenFull::Overwrite)
    }

    /// A reader of the newest frame.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn reader(&self, validation: Validation) -> Result<Reader> {
        Forge::reader_of(&self.config, ReaderPolicy::Latest, validation)
    }

    /// A reader of the ring of this configuration, from its newest frame on.
    ///
    /// # Errors
    /// As [`Reader::new`].
    pub fn reader_of(
        config: &SharedMemoryConfig,
        policy: ReaderPolicy,
        validation: Validation,
    ) -> Result<Reader> {
        let config = config.clone().with_policy(policy).with_start(StartAt::Newest);
        Reader::new(config.with_validation(validation))
    }

    /// Bytes that a slot holds.
    #[must_use]
    pub fn slot_bytes(&self) -> usize {
        SLOT_BYTES as usize
    }

    /// A number that no schema of this ring has had.
    pub fn new_schema(&mut self) -> u64 {
        self.schemas += 1;
        self.schemas
    }

    /// The sequence of the frame that is published next, and the slot that it goes to.
    #[must_use]
    pub fn next(&self) -> (u64, u32) {
        (self.sequence, (self.sequence % SLOTS as u64) as u32)
    }

    /// Writes to a slot.
    ///
    /// # Panics
    /// If it reaches beyond the slot.
    pub fn fill(&self, slot: u32, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= SLOT_BYTES as usize, "{} bytes at {at} of a slot", bytes.len());
        let place = self.slots + u64::from(slot) * SLOT_BYTES + at as u64;
        self.file.write_all_at(bytes, place).expect("room");
    }

    /// Says in the directory that the next frame stands, and lets the head follow.
    pub fn publish(&mut self, claim: Claim) {
        let sequence = self.sequence;
        let entry = self.directory + sequence % SLOTS as u64 * 64;
        let mut words = [0; 48];
        words[8..12].copy_from_slice(&claim.slot.to_ne_bytes());
        words[16..24].copy_from_slice(&claim.bytes.to_ne_bytes());
        words[24..32].copy_from_slice(&claim.schema.to_ne_bytes());
        words[40..48].copy_from_slice(&claim.rows.to_ne_bytes());
        self.put(entry + 8, &words[8..]);
        self.put(entry, &stamp(sequence).to_ne_bytes());
        self.sequence += 1;
        self.put(self.head, &self.sequence.to_ne_bytes());
    }

    /// Changes a word of the directory, whatever it says; returns what it said.
    ///
    /// # Panics
    /// If the ring's file cannot be read or written.
    pub fn spoil_directory(&self, word: u64, value: u64) -> u64 {
        let at = self.directory + word % (SLOTS as u64 * 8) * 8;
        let mut former = [0; 8];
        self.file.read_exact_at(&mut former, at).expect("it is there");
        self.put(at, &value.to_ne_bytes());
        u64::from_ne_bytes(former)
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.file.write_all_at(bytes, at).expect("it is there");
    }
}
