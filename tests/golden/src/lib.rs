//! The layout as bytes: images of regions of this layout version, kept in `images/`, that this and every later version
//! reads exactly, or refuses precisely; and that this version still writes.
//!
//! An image has two slots of a page and two places. Its rows of 16 bytes are written down in hexadecimal, those of zeros
//! left out. What differs from run to run (identities, times, latencies) is 1 in the image, and named in `VARYING`.
//!
//! `make golden` writes the images anew. Whoever has to, because a part lies elsewhere or means something else, raises
//! `LAYOUT_VERSION`; whoever has changed only how a frame says the same may keep it, if the old image is still read.

#![cfg(all(test, target_endian = "little"))]

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use qadataswap::{
    ErrorKind, Reader, SharedDataStream, SharedMemoryConfig, WhenFull, Writer, describe_layout,
};
use qadataswap_scorecard::Effort;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const SLOTS: usize = 2;
const PLACES: usize = 2;
const SLOT_BYTES: u64 = 4096;
/// The version whose images these are.
const VERSION: u32 = 3;
const REASON: &str = "the feed has gone";
/// Set to write the images instead of comparing them.
const UPDATE: &str = "QADATASWAP_UPDATE_GOLDEN";

/// Fields that differ from run to run: part, index within the part, field.
const VARYING: &[(&str, u64, &str)] = &[
    ("Header", 0, "region_id"),
    ("Header", 0, "created_ns"),
    ("Identity (writer)", 0, "pid"),
    ("Identity (writer)", 0, "start_ticks"),
    ("Identity (writer)", 0, "pid_namespace"),
    ("Identity (writer)", 0, "since_ns"),
    ("Entry × buffer_count", 0, "published_ns"),
    ("Entry × buffer_count", 1, "published_ns"),
    ("Identity × max_readers", 0, "pid"),
    ("Identity × max_readers", 0, "start_ticks"),
    ("Identity × max_readers", 0, "pid_namespace"),
    ("Identity × max_readers", 0, "since_ns"),
    ("Tally × max_readers", 0, "last_ns"),
    ("Tally × max_readers", 0, "latency_sum_ns"),
    ("Tally × max_readers", 0, "latency_max_ns"),
    ("Tally × max_readers", 0, "latencies"),
];

/// The images, by name: a stream whose writer has died, and one that was broken off.
const IMAGES: [&str; 2] = ["orphaned", "aborted"];

/// What is there already is had within this time.
const PROMPT: Duration = Duration::from_secs(5);

/// A ring's place in a folder of its own, which goes with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let folder = PathBuf::from(format!("/dev/shm/qads-golden-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).expect("a private folder under /dev/shm");
        Place(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("qads_golden")
    }

    fn config(&self) -> SharedMemoryConfig {
        SharedMemoryConfig::new("golden")
            .with_directory(&self.0)
            .with_buffer_count(SLOTS)
            .with_slot_bytes(SLOT_BYTES)
            .with_max_readers(PLACES)
            .with_when_full(WhenFull::Fail)
            .with_attach_timeout(Duration::ZERO)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Frame `sequence` of every image.
fn table(sequence: usize) -> RecordBatch {
    let (ids, prices, names): ([i64; 3], [_; 3], [_; 3]) = match sequence {
        0 => ([1, 2, i64::MIN], [Some(0.5), None, Some(-1e300)], [Some("alpha"), Some(""), None]),
        _ => ([4, 5, i64::MAX], [None, Some(3.25), Some(1e-300)], [None, Some("γάμμα"), Some("delta")]),
    };
    let columns: [(&str, ArrayRef, bool); 3] = [
        ("id", Arc::new(Int64Array::from(ids.to_vec())), false),
        ("price", Arc::new(Float64Array::from(prices.to_vec())), true),
        ("name", Arc::new(StringArray::from(names.to_vec())), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
}

/// Where a field lies, and how long it is.
fn field(part: &str, index: u64, field: &str) -> std::ops::Range<usize> {
    let layout = describe_layout(SLOTS as u32, PLACES as u32, SLOT_BYTES).expect("in range");
    let find =
        |name: &str| layout.iter().find(|field| field.name == name).unwrap_or_else(|| panic!("no {name}"));
    let kind = part.split(' ').next().expect("a word");
    let count = match part {
        "Entry × buffer_count" => SLOTS as u64,
        "Identity × max_readers" | "Tally × max_readers" => PLACES as u64,
        _ => 1,
    };
    let (part, field) = (find(part), find(&format!("{kind}.{field}")));
    let begin = part.offset + part.size / count * index + field.offset;
    begin as usize..(begin + field.size) as usize
}

/// Writes a ring's region as of the moment at which a reader holds the first of its two frames, its writer lives, and
/// `image` is what has happened; each varying field is 1.
fn write(image: &str) -> Vec<u8> {
    let ring = Place::new(&format!("written-{image}"));
    let stream = SharedDataStream::create_writer_of(ring.config(), 9).expect("created");
    let reader = Reader::new(ring.config()).expect("attached");
    (0..2).for_each(|sequence| stream.write_chunk(&table(sequence)).expect("written"));
    let held = reader.read_frame(PROMPT).expect("no error").expect("frame 0");
    if image == "aborted" {
        stream.abort(REASON).expect("broken off");
    }
    let mut bytes = std::fs::read(ring.path()).expect("it has a name");
    drop((held, reader, stream));
    for (part, index, name) in VARYING {
        let place = &mut bytes[field(part, *index, name)];
        place.fill(0);
        place[0] = 1;
    }
    bytes
}

fn path(image: &str) -> PathBuf {
    let name = format!("layout-{VERSION}-{image}.txt");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("images").join(name)
}

/// As text: the length, then rows of 16 bytes.
fn dump(bytes: &[u8]) -> String {
    let rows = bytes.chunks(16).enumerate().filter(|(_, row)| row.iter().any(|&byte| byte != 0));
    let rows = rows.map(|(number, row)| {
        let row: String = row.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:06x}: {row}\n", number * 16)
    });
    format!("bytes: {}\n{}", bytes.len(), rows.collect::<String>())
}

/// The bytes of the image of this name.
fn golden(image: &str) -> Vec<u8> {
    let path = path(image);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (length, rows) = text.split_once('\n').expect("a first line");
    let length = length.strip_prefix("bytes: ").expect("the length comes first");
    let mut bytes = vec![0; length.parse().expect("a number")];
    for row in rows.lines() {
        let (offset, row) = row.split_once(": ").expect("an offset");
        let offset = usize::from_str_radix(offset, 16).expect("in hexadecimal");
        for (place, digits) in bytes[offset..].iter_mut().zip(row.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).expect("digits");
            *place = u8::from_str_radix(digits, 16).expect("in hexadecimal");
        }
    }
    bytes
}

/// The part of the region in which a byte lies.
fn part_of(offset: usize) -> String {
    let layout = describe_layout(SLOTS as u32, PLACES as u32, SLOT_BYTES).expect("in range");
    let parts = layout.iter().take_while(|field| !field.name.contains('.'));
    parts
        .filter(|part| part.offset <= offset as u64)
        .last()
        .map_or_else(String::new, |part| format!("{} + {}", part.name, offset as u64 - part.offset))
}

#[test]
fn this_version_still_writes_the_golden_images() {
    let mut effort = Effort::uncounted("golden images written");
    let mut compared = 0;
    for image in IMAGES {
        let written = write(image);
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(path(image), dump(&written)).expect("the image can be written");
        }
        let golden = golden(image);
        assert_eq!(written.len(), golden.len(), "bytes of {}", image);
        let differ: Vec<_> = (0..golden.len()).filter(|&at| written[at] != golden[at]).collect();
        let first = differ.first().map_or_else(String::new, |&at| {
            format!(
                "the first at {at} ({}): {:#04x} instead of {:#04x}",
                part_of(at),
                written[at],
                golden[at]
            )
        });
        assert!(
            differ.is_empty(),
            "{} bytes of '{}' differ, {first}; see the head of this file",
            differ.len(),
            image
        );
        compared += golden.len() as u64;
        effort.add(1);
    }
    effort.tell(&[("bytes equal", compared)]);
}

#[test]
fn golden_images_are_read_exactly() {
    let mut effort = Effort::uncounted("golden images read");
    let mut frames = 0;
    for name in IMAGES {
        let ring = Place::new(&format!("read-{name}"));
        std::fs::write(ring.path(), golden(name)).expect("the folder can be written to");
        let reader = Reader::new(ring.config()).expect("attached");
        for sequence in 0..2 {
            let frame = reader.read_frame(PROMPT).expect("no error").expect("a frame");
            assert_eq!(frame.sequence(), sequence as u64, "{name}");
            assert_eq!(frame.batches(), [table(sequence)], "{name}");
            assert_eq!(frame.schema(), table(sequence).schema_ref(), "{name}");
            frames += 1;
        }
        let error = reader.read_frame(PROMPT).expect_err("nothing more comes");
        let progress = reader.progress().expect("a stream");
        assert_eq!((progress.rows, progress.total_rows), (6, Some(9)), "{name}");
        match name {
            "orphaned" => {
                assert_eq!(error.kind(), ErrorKind::WriterDied, "{error}");
                // An heir goes on behind the last frame, and the same reader with it.
                let heir = Writer::new(ring.config()).expect("took over");
                assert_eq!(heir.write_arrow(&table(0)).expect("written"), 2);
                let frame = reader.read_frame(PROMPT).expect("no error").expect("the heir's");
                assert_eq!((frame.sequence(), frame.batches()), (2, [table(0)].as_slice()));
                frames += 1;
            }
            _ => {
                assert_eq!(error.kind(), ErrorKind::Aborted, "{error}");
                assert!(error.to_string().contains(REASON), "{error}");
            }
        }
        effort.add(1);
    }
    effort.tell(&[("frames exact", frames)]);
}

/// A field of the header, the value in its place, the error's kind, and what it says behind the ring's name.
type Changed = (&'static str, Vec<u8>, ErrorKind, &'static str);

#[test]
fn a_golden_image_with_another_header_is_refused_by_its_field() {
    let (four, eight) =
        (|value: u32| value.to_ne_bytes().to_vec(), |value: u64| value.to_ne_bytes().to_vec());
    let incompatible = |name, value, told| (name, value, ErrorKind::Incompatible, told);
    let corrupt = |name, value, told| (name, value, ErrorKind::Corrupt, told);
    let changes: Vec<Changed> = vec![
        incompatible(
            "Header.magic",
            b"QADSRINH".to_vec(),
            "expected a region, got a file that begins with 0x484e495253444151",
        ),
        incompatible("Header.layout_version", four(VERSION + 1), "expected layout version 3, got version 4"),
        incompatible("Header.layout_version", four(VERSION - 1), "expected layout version 3, got version 2"),
        incompatible(
            "Header.byte_order",
            four(0x0403_0201),
            "expected byte order 0x01020304, got 0x04030201",
        ),
        corrupt("Geometry.buffer_count", four(0), "corrupt: header: buffer_count 0 is not within 1..=65536"),
        corrupt(
            "Geometry.buffer_count",
            four(3),
            "corrupt: header: expected 8192 control and 20480 region bytes, got 8192 and 16384",
        ),
        corrupt(
            "Geometry.max_readers",
            four(1025),
            "corrupt: header: max_readers 1025 is not within 1..=1024",
        ),
        corrupt(
            "Geometry.max_readers",
            four(4),
            "corrupt: header: expected 12288 control and 20480 region bytes, got 8192 and 16384",
        ),
        // One place more fits into the same pages: only the checksum knows.
        corrupt("Geometry.max_readers", four(3), "corrupt: header: expected checksum 0x"),
        corrupt("Header.checksum", four(1), "corrupt: header: expected checksum 0x"),
        corrupt(
            "Geometry.slot_bytes",
            eight(8192),
            "corrupt: header: expected 8192 control and 24576 region bytes, got 8192 and 16384",
        ),
        corrupt(
            "Geometry.control_bytes",
            eight(4096),
            "corrupt: header: expected 8192 control and 16384 region bytes, got 4096 and 16384",
        ),
        corrupt(
            "Geometry.region_bytes",
            eight(16385),
            "corrupt: header: expected 8192 control and 16384 region bytes, got 8192 and 16385",
        ),
    ];
    let mut effort = Effort::uncounted("changed headers of a golden image");
    let golden = golden(IMAGES[0]);
    let header = field("Header", 0, "geometry").start;
    let ring = Place::new("refused");
    let refused = |bytes: &[u8], kind: ErrorKind, told: &str, what: &str| {
        std::fs::write(ring.path(), bytes).expect("the folder can be written to");
        let error = Reader::new(ring.config()).expect_err(what);
        assert_eq!(error.kind(), kind, "{what}: {error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("ring 'golden': {told}")), "{what}: {text}");
        assert_eq!(std::fs::read(ring.path()).expect("still there"), bytes, "{what}: nothing was touched");
        std::fs::remove_file(ring.path()).expect("still there");
    };
    for (name, value, kind, told) in changes {
        let (part, field_name) = name.split_once('.').expect("part and field");
        let layout = describe_layout(SLOTS as u32, PLACES as u32, SLOT_BYTES).expect("in range");
        let found = layout.iter().find(|field| field.name == name).expect("a field of the header");
        let begin = if part == "Geometry" { header } else { 0 } + found.offset as usize;
        let mut bytes = golden.clone();
        assert_eq!(value.len() as u64, found.size, "{field_name}");
        bytes[begin..][..value.len()].copy_from_slice(&value);
        refused(&bytes, kind, told, name);
        effort.add(1);
    }
    let shorter = &golden[..golden.len() - 1];
    refused(
        shorter,
        ErrorKind::Corrupt,
        "corrupt: the file has 16383 bytes, its header says 16384",
        "the length",
    );
    let told = "expected a region, got a file shorter than a header";
    refused(&golden[..239], ErrorKind::Incompatible, told, "a header cut short");
    effort.add(2);
    let refused = effort.done();
    effort.tell(&[("refused by name, untouched", refused)]);
}
