//! Recordings from outside: what they are set to, what they show, and what stands in their way.

#![allow(unsafe_code)]

use arrow::ffi::FFI_ArrowArray;
use arrow_array::{Array, BinaryArray, Float64Array, Int64Array, RecordBatch, StructArray};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Schema};
use qadataswap::ffi::{ArrowArray, Batch, Table};
use qadataswap::recording::{MissingFrames, Recorder, RecorderConfig, Recording, Since, SyncPolicy};
use qadataswap::{ErrorKind, QADataSwapError, SharedMemoryConfig, Validation, Writer};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// A folder for a ring and its recording, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = PathBuf::from(format!("/dev/shm/qads-recordings-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder of one's own");
        Folder(path)
    }

    fn ring(&self) -> SharedMemoryConfig {
        SharedMemoryConfig::new("taped").with_directory(&self.0).with_size_mb(1).with_buffer_count(8)
    }

    fn recording(&self) -> PathBuf {
        self.0.join("recording")
    }

    fn config(&self) -> RecorderConfig {
        RecorderConfig::new(self.ring(), self.recording()).with_sync(SyncPolicy::Never)
    }

    fn writer(&self) -> Writer {
        Writer::new(self.ring()).expect("created")
    }

    fn recorder(&self) -> Recorder {
        Recorder::open(self.config()).expect("opened")
    }

    fn open(&self) -> Recording {
        Recording::open(self.recording()).expect("it is there")
    }

    /// A file of the recording: its data ("arrows") or its index.
    fn file(&self, number: u64, ending: &str) -> PathBuf {
        self.recording().join(format!("{number:08}.{ending}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn numbers(count: i64) -> RecordBatch {
    RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from_iter_values(0..count)) as _)])
        .expect("one column")
}

fn prices(count: usize) -> RecordBatch {
    RecordBatch::try_from_iter([("p", Arc::new(Float64Array::from(vec![1.5; count])) as _)])
        .expect("one column")
}

/// Writes each and records it.
fn record(writer: &Writer, recorder: &mut Recorder, tables: &[RecordBatch]) {
    for table in tables {
        writer.write_arrow(table).expect("written");
        recorder.record(0).expect("recorded").expect("it was written");
    }
}

fn sequences(recording: &Recording, from: Since) -> Vec<u64> {
    recording.frames(from).expect("opened").map(|frame| frame.expect("readable").sequence()).collect()
}

#[test]
fn files_have_the_mode_that_was_asked_for_and_their_folder_lets_the_same_in() {
    let folder = Folder::new("mode");
    let writer = folder.writer();
    let config = folder.config().with_mode(0o644);
    assert_eq!(config.directory(), folder.recording());
    let mut recorder = Recorder::open(config).unwrap();
    record(&writer, &mut recorder, &[numbers(1)]);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:")).expect("Linux tells it");
    let umask = u32::from_str_radix(umask.trim(), 8).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.file(1, "arrows")), 0o644 & !umask);
    assert_eq!(mode(&folder.file(1, "index")), 0o644 & !umask);
    assert_eq!(mode(&folder.recording()), 0o755 & !umask);
}

#[test]
fn what_recorders_and_readers_show_of_themselves_is_where_they_are() {
    let folder = Folder::new("shown");
    let writer = folder.writer();
    let mut recorder = folder.recorder();
    record(&writer, &mut recorder, &[numbers(1)]);
    assert_eq!((recorder.name(), folder.open().directory()), ("taped".to_owned(), &*folder.recording()));
    let at = format!("directory: {:?}", folder.recording());
    let shown = format!("{recorder:?}");
    assert!(shown.contains(&at) && shown.contains("last: Some(0)") && shown.contains("frames: 1"), "{shown}");
    assert!(format!("{:?}", folder.open().frames(Since::Start).unwrap()).contains(&at));
    let follow = folder.open().follow(folder.ring(), Since::Start).unwrap();
    let shown = |live| format!("Follow {{ ring: \"taped\", {at}, live: {live}, .. }}");
    assert_eq!(format!("{follow:?}"), shown(false));
    while follow.try_read_frame().unwrap().is_some() {}
    assert_eq!(format!("{follow:?}"), shown(true));
}

#[test]
fn a_follower_reads_in_any_form_and_numbers_schemas_alike() {
    let folder = Folder::new("forms");
    let writer = folder.writer();
    let mut recorder = folder.recorder();
    record(&writer, &mut recorder, &[numbers(1), numbers(2), prices(3), numbers(4)]);
    let follow = folder.open().follow(folder.ring(), Since::Start).unwrap();
    assert_eq!(follow.read_arrow(0).unwrap(), Some(numbers(1)));
    let schemas: Vec<u64> = (0..3).map(|_| follow.try_read_ffi().unwrap().unwrap().schema_id()).collect();
    assert!(schemas[0] == schemas[2] && schemas[0] != schemas[1], "{schemas:?}");
    assert!(follow.try_read_ffi().unwrap().is_none());
    writer.write_arrow(&prices(5)).unwrap();
    writer.write_arrow(&prices(6)).unwrap();
    let live = [
        follow.try_read_ffi().unwrap().unwrap().schema_id(),
        follow.try_read_ffi().unwrap().unwrap().schema_id(),
    ];
    assert_eq!(live, [schemas[1]; 2], "of the ring as of the recording");
    writer.write_arrow(&prices(7)).unwrap();
    assert_eq!(follow.try_read_arrow().unwrap(), Some(prices(7)));
    assert_eq!(follow.try_read_arrow().unwrap(), None);
    writer.write_arrow(&prices(8)).unwrap();
    writer.close().unwrap();
    let rest: Vec<u64> = (&follow).into_iter().map(|frame| frame.unwrap().sequence()).collect();
    assert_eq!(rest, [7], "to the stream's end");
}

#[test]
fn the_age_of_a_recorded_frame_is_counted_from_when_it_was_published() {
    let folder = Folder::new("age");
    let writer = folder.writer();
    record(&writer, &mut folder.recorder(), &[numbers(1)]);
    let frame = folder.open().frames(Since::Start).unwrap().next().unwrap().unwrap();
    let first = frame.age();
    std::thread::sleep(std::time::Duration::from_millis(2));
    assert!(frame.age() > first && frame.published_at() + first <= std::time::SystemTime::now());
}

#[test]
fn a_ring_of_which_nothing_is_recorded_is_followed_from_where_was_asked() {
    for (from, first) in [(Since::Start, 0), (Since::Sequence(2), 2), (Since::Time(UNIX_EPOCH), 0)] {
        let folder = Folder::new("nothing");
        std::fs::create_dir(folder.recording()).unwrap();
        let writer = folder.writer();
        for count in 0..4 {
            writer.write_arrow(&numbers(count)).unwrap();
        }
        let follow = folder.open().follow(folder.ring(), from).unwrap();
        let read: Vec<_> = std::iter::from_fn(|| follow.try_read_frame().unwrap())
            .map(|f| (f.sequence(), f.missed()))
            .collect();
        assert_eq!(read, (first..4).map(|sequence| (sequence, 0)).collect::<Vec<_>>(), "{from:?}");
    }
}

#[test]
fn only_an_error_of_missing_frames_speaks_of_them() {
    assert_eq!(MissingFrames::of(&QADataSwapError::Closed { ring: "taped".to_owned() }), None);
    let missing = MissingFrames { first: 3, last: 5 };
    let io = |source| QADataSwapError::Io { ring: "taped".to_owned(), call: "reading", source };
    assert_eq!(MissingFrames::of(&io(std::io::Error::other(missing))), Some(missing));
    assert_eq!(MissingFrames::of(&io(std::io::Error::other("something else"))), None);
}

#[test]
fn contents_are_checked_if_so_asked() {
    let folder = Folder::new("validation");
    let writer = folder.writer();
    let mut recorder = folder.recorder();
    let bytes =
        RecordBatch::try_from_iter([("text", Arc::new(BinaryArray::from(vec![&[0xFF_u8][..]])) as _)]);
    let bytes = FFI_ArrowArray::new(&ArrayData::from(StructArray::from(bytes.unwrap())));
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, false)]));
    // SAFETY: the format's struct by another name.
    let batches = [Batch::new(unsafe { &*std::ptr::from_ref(&bytes).cast::<ArrowArray>() })];
    // SAFETY: texts lie as bytes do; that these are none is what is to be found.
    writer.write_ffi(&unsafe { Table::new(&schema, &batches) }).unwrap();
    recorder.record(0).unwrap().expect("a recorder looks at no values");
    let read =
        |validation| folder.open().with_validation(validation).frames(Since::Start).unwrap().next().unwrap();
    assert_eq!(read(Validation::Form).unwrap().batches()[0].column(0).len(), 1);
    assert!(read(Validation::Full).is_err());
}

#[test]
fn what_is_no_folder_takes_no_recording() {
    let folder = Folder::new("no-folder");
    let _writer = folder.writer();
    let file = folder.0.join("file");
    std::fs::write(&file, "in the way").unwrap();
    let nowhere = folder.0.join("link");
    std::os::unix::fs::symlink(folder.0.join("gone"), &nowhere).unwrap();
    for place in [file.clone(), file.join("below"), nowhere] {
        let error = Recorder::open(RecorderConfig::new(folder.ring(), &place)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(error.to_string().contains("making the recording's folder"), "{error}");
        assert_eq!(Recording::open(&place).unwrap_err().kind(), ErrorKind::Io);
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "in the way");
}

#[test]
fn a_frame_that_could_not_be_written_is_written_when_the_recorder_attaches_again() {
    let folder = Folder::new("pending");
    let writer = folder.writer();
    let mut recorder = folder.recorder();
    let away = folder.0.join("away");
    std::fs::rename(folder.recording(), &away).unwrap();
    writer.write_arrow(&numbers(1)).unwrap();
    let error = recorder.record(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    std::fs::rename(&away, folder.recording()).unwrap();
    recorder.attach_again().unwrap();
    assert_eq!((recorder.stats().frames, sequences(&folder.open(), Since::Start)), (1, vec![0]));
    record(&writer, &mut recorder, &[numbers(2)]);
    assert_eq!(sequences(&folder.open(), Since::Start), [0, 1]);
}

#[test]
fn what_stands_in_the_place_of_a_file_is_not_read_as_one() {
    let folder = Folder::new("impostor");
    let writer = folder.writer();
    record(&writer, &mut folder.recorder(), &[numbers(1)]);
    std::fs::create_dir(folder.file(2, "index")).unwrap();
    std::fs::create_dir(folder.file(2, "arrows")).unwrap();
    let error = folder.open().files().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
    assert!(error.to_string().contains("a regular file"), "{error}");
    assert_eq!(folder.open().repair().unwrap_err().kind(), ErrorKind::Io, "there is nothing to mend");
    let frames: Vec<_> =
        folder.open().frames(Since::Start).unwrap().take(2).map(|frame| frame.is_ok()).collect();
    assert_eq!(frames, [true, false], "what comes before it is read");
}

#[test]
fn a_file_that_was_renamed_is_not_taken_for_another() {
    let folder = Folder::new("renamed");
    let writer = folder.writer();
    record(&writer, &mut folder.recorder(), &[numbers(1)]);
    for ending in ["index", "arrows"] {
        std::fs::rename(folder.file(1, ending), folder.file(5, ending)).unwrap();
    }
    let error = folder.open().files().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("it says it is number 1"), "{error}");
}

#[test]
fn a_last_frame_without_its_checksum_is_cut_off() {
    let folder = Folder::new("mend");
    let writer = folder.writer();
    let mut recorder = folder.recorder();
    record(&writer, &mut recorder, &[numbers(1), numbers(2), numbers(3)]);
    assert_eq!(
        folder.open().repair().unwrap_err().kind(),
        ErrorKind::InvalidConfig,
        "its recorder is at work"
    );
    drop(recorder);
    let path = folder.file(1, "arrows");
    let before = std::fs::metadata(&path).unwrap().len();
    let data = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    // The last values: a body of 64 bytes before the stream's end of 8.
    data.write_all_at(&[0xFF; 64], before - 72).unwrap();
    let mended = folder.open().repair().unwrap();
    assert!(mended.data_bytes > 72 && mended.index_bytes > 0, "{mended:?}");
    assert_eq!(sequences(&folder.open(), Since::Start), [0, 1]);
    assert_eq!(folder.open().repair().unwrap(), Default::default(), "once is enough");
}

#[test]
fn a_pair_that_was_never_made_is_removed_unless_it_may_hold_something() {
    let folder = Folder::new("stillborn");
    let writer = folder.writer();
    record(&writer, &mut folder.recorder(), &[numbers(1)]);
    let (index, data) = (folder.file(2, "index"), folder.file(2, "arrows"));
    std::fs::write(&index, "short").unwrap();
    std::fs::write(&data, "").unwrap();
    assert_eq!(folder.open().repair().unwrap().index_bytes, 5);
    assert!(!index.exists() && !data.exists());
    std::fs::write(&data, vec![7; (1 << 20) + 1]).unwrap();
    assert_eq!(folder.open().repair().unwrap(), Default::default());
    assert!(data.exists(), "no schema is that long: it is somebody's");
    assert_eq!(sequences(&folder.open(), Since::Start), [0]);
}

#[test]
fn files_without_a_frame_are_passed_by() {
    let folder = Folder::new("empty-file");
    let writer = folder.writer();
    let mut recorder = folder.recorder();
    // Another file for each schema.
    record(&writer, &mut recorder, &[numbers(1), prices(1), prices(2), numbers(2)]);
    drop(recorder);
    let length = |number| std::fs::metadata(folder.file(number, "index")).unwrap().len();
    let header = 2 * length(1) - length(2);
    let last = std::fs::OpenOptions::new().write(true).open(folder.file(3, "index")).unwrap();
    last.set_len(header).unwrap();
    for (from, expected) in [
        (Since::Start, vec![0, 1, 2]),
        (Since::Sequence(1), vec![1, 2]),
        (Since::Sequence(0), vec![0, 1, 2]),
        (Since::Time(UNIX_EPOCH), vec![0, 1, 2]),
        (Since::Time(std::time::SystemTime::now()), vec![]),
    ] {
        assert_eq!(sequences(&folder.open(), from), expected, "{from:?}");
    }
}

#[test]
fn a_reader_at_the_end_goes_on_with_what_has_come_since() {
    let folder = Folder::new("goes-on");
    let writer = folder.writer();
    let mut recorder = folder.recorder();
    let recording = folder.open();
    let mut frames = recording.frames(Since::Start).unwrap();
    assert!(frames.next().is_none());
    for (sequence, table) in [numbers(1), numbers(2), prices(1)].into_iter().enumerate() {
        record(&writer, &mut recorder, &[table]);
        assert_eq!(frames.next().unwrap().unwrap().sequence(), sequence as u64);
        assert!(frames.next().is_none());
    }
}
