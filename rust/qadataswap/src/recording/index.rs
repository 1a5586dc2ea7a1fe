//! The bytes of an index: a header, then one record of 64 bytes for each frame of the data file beside it.
//!
//! ```text
//! Header (512 bytes)                      Record (64 bytes)
//!    0  magic "QADSRIDX"                     0  sequence
//!    8  version            u32               8  published_ns   CLOCK_MONOTONIC
//!   12  header bytes       u32              16  wall_ns        since the Unix epoch
//!   16  record bytes       u32              24  offset         of the frame's messages in the data file
//!   20  schema checksum    u32              32  length         of them
//!   24  schema bytes       u64              40  rows
//!   32  region id          u64 ×2           48  missed         frames that are not here, between the last one
//!   48  file number        u64                                 recorded and this one
//!   56  created_ns         CLOCK_MONOTONIC  56  checksum       u32, of the messages
//!   64  created            since the epoch  60  checksum       u32, of this record
//!   72  boot id            16 bytes
//!   88  length of the ring's name  u32
//!   96  the ring's name    200 bytes
//!  508  checksum           u32, of this header
//! ```
//!
//! Law: little-endian, whatever is not named is zero, and nothing that is read from here is used before its checksum
//! and its numbers have been checked. Checksums are CRC-32 (ISO-HDLC, the one of gzip).

use crate::frame::END;
use crate::layout::{MAX_SEQUENCE, MAX_SLOT_BYTES};
use crate::name::RingName;

/// First eight bytes of every index.
const MAGIC: [u8; 8] = *b"QADSRIDX";
/// Version of this format. Another one is refused, never guessed at.
const VERSION: u32 = 1;
/// Bytes of a header.
pub(super) const HEADER: usize = 512;
/// Bytes of a record.
pub(super) const RECORD: usize = 64;
/// Largest schema message that is believed.
const MAX_SCHEMA: u64 = 1 << 28;

/// What an index says of its data file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) ring: String,
    pub(super) region_id: [u64; 2],
    /// Counts the files of a recording from 1.
    pub(super) number: u64,
    pub(super) created_ns: u64,
    pub(super) created_wall_ns: u64,
    pub(super) boot_id: [u8; 16],
    /// Length of the schema message that the data file begins with.
    pub(super) schema_bytes: u64,
    pub(super) schema_checksum: u32,
}

/// What an index says of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) sequence: u64,
    pub(super) published_ns: u64,
    pub(super) wall_ns: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) rows: u64,
    pub(super) missed: u64,
    pub(super) checksum: u32,
}

/// Why the head of an index is of no use.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Shorter than a header: its recorder died before it was written.
    Short,
    /// Another format or version.
    Other { expected: String, got: String },
    /// The bytes contradict themselves.
    Corrupt(String),
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn half(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn put(bytes: &mut [u8], at: usize, word: u64) {
    bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
}

fn put_half(bytes: &mut [u8], at: usize, half: u32) {
    bytes[at..at + 4].copy_from_slice(&half.to_le_bytes());
}

impl Header {
    pub(super) fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        put_half(&mut bytes, 8, VERSION);
        put_half(&mut bytes, 12, HEADER as u32);
        put_half(&mut bytes, 16, RECORD as u32);
        put_half(&mut bytes, 20, self.schema_checksum);
        put(&mut bytes, 24, self.schema_bytes);
        put(&mut bytes, 32, self.region_id[0]);
        put(&mut bytes, 40, self.region_id[1]);
        put(&mut bytes, 48, self.number);
        put(&mut bytes, 56, self.created_ns);
        put(&mut bytes, 64, self.created_wall_ns);
        bytes[72..88].copy_from_slice(&self.boot_id);
        // A ring's name has 200 bytes at most.
        put_half(&mut bytes, 88, self.ring.len() as u32);
        bytes[96..96 + self.ring.len()].copy_from_slice(self.ring.as_bytes());
        let checksum = crc32fast::hash(&bytes[..HEADER - 4]);
        put_half(&mut bytes, HEADER - 4, checksum);
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Header, Refusal> {
        let Some(bytes) = bytes.get(..HEADER) else { return Err(Refusal::Short) };
        let other = |expected: &str, got: String| Err(Refusal::Other { expected: expected.to_owned(), got });
        if bytes[..8] != MAGIC {
            return other(
                "an index of a recording",
                format!("a file that begins with {:#018x}", word(bytes, 0)),
            );
        }
        if half(bytes, 8) != VERSION {
            return other(&format!("index version {VERSION}"), format!("version {}", half(bytes, 8)));
        }
        let corrupt = |what: &str| Err(Refusal::Corrupt(what.to_owned()));
        if half(bytes, HEADER - 4) != crc32fast::hash(&bytes[..HEADER - 4]) {
            return corrupt("its header does not have its checksum");
        }
        if (half(bytes, 12), half(bytes, 16)) != (HEADER as u32, RECORD as u32) {
            return corrupt("its header and records are of other sizes than its version has");
        }
        let schema_bytes = word(bytes, 24);
        if !(1..=MAX_SCHEMA).contains(&schema_bytes) {
            return Err(Refusal::Corrupt(format!("it speaks of a schema of {schema_bytes} bytes")));
        }
        let length = half(bytes, 88) as usize;
        let name = bytes[96..296].get(..length).and_then(|name| std::str::from_utf8(name).ok());
        let Some(ring) = name.and_then(|name| RingName::new(name).ok()) else {
            return corrupt("it does not name a ring");
        };
        Ok(Header {
            ring: ring.as_str().to_owned(),
            region_id: [word(bytes, 32), word(bytes, 40)],
            number: word(bytes, 48),
            created_ns: word(bytes, 56),
            created_wall_ns: word(bytes, 64),
            boot_id: std::array::from_fn(|i| bytes[72 + i]),
            schema_bytes,
            schema_checksum: half(bytes, 20),
        })
    }
}

impl Record {
    pub(super) fn bytes(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        let words = [
            self.sequence,
            self.published_ns,
            self.wall_ns,
            self.offset,
            self.length,
            self.rows,
            self.missed,
        ];
        for (at, word) in words.into_iter().enumerate() {
            put(&mut bytes, at * 8, word);
        }
        put_half(&mut bytes, 56, self.checksum);
        let checksum = crc32fast::hash(&bytes[..RECORD - 4]);
        put_half(&mut bytes, RECORD - 4, checksum);
        bytes
    }

    /// Reads a record of the index with this header.
    pub(super) fn read(bytes: &[u8; RECORD], header: &Header) -> Result<Record, String> {
        if half(bytes, RECORD - 4) != crc32fast::hash(&bytes[..RECORD - 4]) {
            return Err("it does not have its checksum".to_owned());
        }
        let record = Record {
            sequence: word(bytes, 0),
            published_ns: word(bytes, 8),
            wall_ns: word(bytes, 16),
            offset: word(bytes, 24),
            length: word(bytes, 32),
            rows: word(bytes, 40),
            missed: word(bytes, 48),
            checksum: half(bytes, 56),
        };
        if record.sequence >= MAX_SEQUENCE || record.missed > record.sequence {
            return Err(format!("frame {} after {} missed", record.sequence, record.missed));
        }
        let most = MAX_SLOT_BYTES + END.len() as u64;
        if record.offset < header.schema_bytes
            || record.length > most
            || record.offset.checked_add(record.length).is_none()
        {
            return Err(format!("{} bytes at {}", record.length, record.offset));
        }
        Ok(record)
    }

    /// Where the frame ends in the data file. Does not overflow.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            ring: "es".to_owned(),
            region_id: [1, 2],
            number: 3,
            created_ns: 4,
            created_wall_ns: 5,
            boot_id: [6; 16],
            schema_bytes: 64,
            schema_checksum: 7,
        }
    }

    const RECORDED: Record = Record {
        sequence: 9,
        published_ns: 10,
        wall_ns: 11,
        offset: 64,
        length: 128,
        rows: 3,
        missed: 2,
        checksum: 12,
    };

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Header::read(&header().bytes()), Ok(header()));
        assert_eq!(Record::read(&RECORDED.bytes(), &header()), Ok(RECORDED));
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let good = header().bytes();
        for bit in 0..HEADER * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::read(&bytes).is_err(), "bit {bit}");
        }
        let good = RECORDED.bytes();
        for bit in 0..RECORD * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::read(&bytes, &header()).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn numbers_under_a_right_checksum_are_checked_too() {
        let cases = [
            Record { offset: 63, ..RECORDED },
            Record { offset: u64::MAX - 5, ..RECORDED },
            Record { length: u64::MAX, ..RECORDED },
            Record { sequence: u64::MAX, ..RECORDED },
            Record { missed: 10, ..RECORDED },
        ];
        for record in cases {
            assert!(Record::read(&record.bytes(), &header()).is_err(), "{record:?}");
        }
        for schema_bytes in [0, u64::MAX] {
            let bytes = Header { schema_bytes, ..header() }.bytes();
            assert!(matches!(Header::read(&bytes), Err(Refusal::Corrupt(_))), "{schema_bytes}");
        }
        let mut bytes = header().bytes();
        for (at, value) in [(96, b'/'), (88, 201)] {
            bytes[at] = value;
            let checksum = crc32fast::hash(&bytes[..HEADER - 4]);
            put_half(&mut bytes, HEADER - 4, checksum);
            assert!(matches!(Header::read(&bytes), Err(Refusal::Corrupt(_))));
        }
        assert_eq!(Header::read(&header().bytes()[..HEADER - 1]), Err(Refusal::Short));
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let mut bytes = header().bytes();
        put_half(&mut bytes, 8, 2);
        let Err(Refusal::Other { got, .. }) = Header::read(&bytes) else { panic!("accepted") };
        assert_eq!(got, "version 2");
    }
}
