use super::files::{data_path, index_path};
use super::index::{HEADER, Header, RECORD};
use super::*;
use crate::config::Timeout;
use crate::layout::MAX_SLOT_BYTES;
use crate::{Compression, ErrorKind, Reader, ReaderPolicy, Writer};
use arrow_array::types::Int8Type;
use arrow_array::{DictionaryArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder for a ring and a recording, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/dev/shm/qads-recording-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder of one's own");
        Folder(path)
    }

    fn ring(&self) -> SharedMemoryConfig {
        SharedMemoryConfig::new("es").with_directory(&self.0).with_slot_bytes(1 << 20).with_buffer_count(8)
    }

    fn recording(&self) -> PathBuf {
        self.0.join("recording")
    }

    fn config(&self) -> RecorderConfig {
        RecorderConfig::new(self.ring(), self.recording()).with_sync(SyncPolicy::Never)
    }

    fn open(&self) -> Recording {
        Recording::open(self.recording()).expect("it is there")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn numbers_from(start: i64) -> RecordBatch {
    let column = Arc::new(Int64Array::from_iter_values(start..start + 3)) as _;
    RecordBatch::try_from_iter([("n", column)]).expect("one column")
}

/// Records whatever the ring has, and says what.
fn record_all(recorder: &mut Recorder) -> Vec<Recorded> {
    let mut all = Vec::new();
    while let Some(frame) = recorder.record(0).expect("recorded") {
        all.push(frame);
    }
    all
}

/// Sequence, missed and bytes of all frames from a place on; all must be readable.
fn frames(recording: &Recording, from: Since) -> Vec<(u64, u64, Vec<u8>)> {
    let frames = recording.frames(from).expect("opened").map(|frame| frame.expect("readable"));
    frames.map(|frame| (frame.sequence(), frame.missed(), frame.bytes().to_vec())).collect()
}

fn sequences(recording: &Recording, from: Since) -> Vec<u64> {
    frames(recording, from).into_iter().map(|(sequence, ..)| sequence).collect()
}

/// All batches of all files, as arrow-rs reads them.
fn by_arrow(recording: &Recording) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    for file in recording.files().expect("listed") {
        let file = File::open(file.data).expect("it is there");
        let reader = arrow::ipc::reader::StreamReader::try_new(file, None).expect("a stream");
        batches.extend(reader.map(|batch| batch.expect("a batch")));
    }
    batches
}

/// A table of several batches, with dictionaries of their own, or without rows or columns.
fn random_table(rng: &mut impl Rng) -> (SchemaRef, Vec<RecordBatch>) {
    match rng.random_range(0..5) {
        0 => {
            let options = RecordBatchOptions::new().with_row_count(Some(rng.random_range(0..9)));
            let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options);
            (Arc::new(Schema::empty()), vec![batch.expect("no columns")])
        }
        1 => {
            let words: Vec<String> = (0..5).map(|_| format!("w{}", rng.random_range(0..100))).collect();
            let batches: Vec<RecordBatch> = (0..rng.random_range(1..4))
                .map(|_| {
                    let words = words.iter().map(|word| rng.random_bool(0.8).then_some(word.as_str()));
                    let column = words.collect::<DictionaryArray<Int8Type>>();
                    RecordBatch::try_from_iter_with_nullable([("word", Arc::new(column) as _, true)])
                        .expect("one column")
                })
                .collect();
            (batches[0].schema(), batches)
        }
        2 => (numbers_from(0).schema(), vec![]),
        _ => {
            let rows = rng.random_range(0..60);
            let batch = qadataswap_tables::random_batch(rng, rows);
            (batch.schema(), vec![batch])
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_recording_is_what_was_written(seed: u64, rotate in 1u64..200_000, codec in 0usize..3) {
        let mut rng = StdRng::seed_from_u64(seed);
        let folder = Folder::new();
        let compression = [Compression::None, Compression::Lz4, Compression::Zstd { level: 1 }][codec];
        let ring = folder.ring().with_buffer_count(32).with_compression(compression);
        let writer = Writer::new(ring).expect("created");
        let mut recorder = Recorder::open(folder.config().with_rotate_bytes(rotate)).expect("opened");
        let witness = Reader::new(folder.ring()).expect("attached");
        let kinds: Vec<_> = (0..3).map(|_| random_table(&mut rng)).collect();
        let (mut written, mut tables) = (Vec::new(), Vec::new());
        for sequence in 0..30 {
            let (schema, batches) = match rng.random_bool(0.8) {
                true => kinds[rng.random_range(0..kinds.len())].clone(),
                false => random_table(&mut rng),
            };
            writer.write_batches(&schema, &batches).expect("written");
            let frame = witness.read_frame(0).expect("no error").expect("a frame");
            written.push((sequence, 0, frame.bytes().to_vec()));
            tables.extend(batches);
            if rng.random_bool(0.3) {
                record_all(&mut recorder);
            }
            if rng.random_bool(0.05) {
                record_all(&mut recorder);
                recorder.close().expect("closed");
                recorder = Recorder::open(folder.config().with_rotate_bytes(rotate)).expect("goes on");
            }
            drop(frame);
        }
        record_all(&mut recorder);
        recorder.close().expect("closed");
        let recording = folder.open();
        prop_assert_eq!(frames(&recording, Since::Start), written);
        let from = rng.random_range(0..30);
        prop_assert_eq!(sequences(&recording, Since::Sequence(from)), (from..30).collect::<Vec<_>>());
        prop_assert_eq!(by_arrow(&recording), tables);
        for file in recording.files().expect("listed") {
            prop_assert!(file.frames == 1 || file.data_bytes <= rotate, "{:?}", file);
            prop_assert!(file.data_bytes.is_multiple_of(64) || file.data_bytes % 64 == 8, "{:?}", file);
        }
    }
}

/// A recording of three frames in a folder whose ring goes on, and where each frame ends in the data file.
fn three_frames(folder: &Folder) -> (Writer, Vec<u64>) {
    let writer = Writer::new(folder.ring()).expect("created");
    let mut recorder = Recorder::open(folder.config()).expect("opened");
    for start in 0..3 {
        writer.write_arrow(&numbers_from(start)).expect("written");
    }
    record_all(&mut recorder);
    recorder.close().expect("closed");
    let pair = Pair::open(&folder.recording(), 1, false).expect("sound").expect("there");
    let ends = (0..3).map(|number| pair.record(number).expect("sound").end()).collect();
    (writer, ends)
}

/// Cuts a file of the recording at every length, and checks what is left and that a recorder makes it whole again.
fn cut_everywhere(path: fn(&Path, u64) -> PathBuf, whole: impl Fn(u64, &[u64]) -> u64) {
    let folder = Folder::new();
    let (_writer, ends) = three_frames(&folder);
    let kept = folder.0.join("kept");
    std::fs::rename(folder.recording(), &kept).expect("moved");
    let length = std::fs::metadata(path(&kept, 1)).expect("there").len();
    for cut in 0..=length {
        std::fs::create_dir(folder.recording()).expect("made");
        for from in [data_path(&kept, 1), index_path(&kept, 1)] {
            let to = folder.recording().join(from.file_name().expect("a file"));
            std::fs::copy(from, to).expect("copied");
        }
        let file = OpenOptions::new().write(true).open(path(&folder.recording(), 1)).expect("there");
        file.set_len(cut).expect("cut");
        let recording = folder.open();
        let expected = whole(cut, &ends);
        assert_eq!(sequences(&recording, Since::Start), (0..expected).collect::<Vec<_>>(), "cut at {cut}");
        let mut recorder = Recorder::open(folder.config()).expect("goes on");
        let again: Vec<u64> = record_all(&mut recorder).iter().map(|frame| frame.sequence).collect();
        assert_eq!(again, (expected..3).collect::<Vec<_>>(), "cut at {cut}");
        recorder.close().expect("closed");
        assert_eq!(sequences(&recording, Since::Start), [0, 1, 2], "cut at {cut}");
        let tables: Vec<_> = (0..3).map(numbers_from).collect();
        assert_eq!(by_arrow(&recording), tables, "cut at {cut}");
        assert_eq!(recording.repair().expect("nobody records"), Mended::default(), "cut at {cut}");
        std::fs::remove_dir_all(folder.recording()).expect("ours");
    }
}

#[test]
fn data_cut_anywhere_opens_up_to_the_last_whole_frame_and_goes_on() {
    cut_everywhere(data_path, |cut, ends| ends.iter().filter(|&&end| end <= cut).count() as u64);
}

#[test]
fn an_index_cut_anywhere_opens_up_to_the_last_whole_frame_and_goes_on() {
    cut_everywhere(index_path, |cut, _| cut.saturating_sub(HEADER as u64) / RECORD as u64);
}

#[test]
fn damaged_bytes_give_errors_or_the_right_frames() {
    let folder = Folder::new();
    let (_writer, _) = three_frames(&folder);
    let right = frames(&folder.open(), Since::Start);
    let is_told =
        |error: &QADataSwapError| matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible);
    let mut noticed = 0;
    for path in [data_path(&folder.recording(), 1), index_path(&folder.recording(), 1)] {
        let file = OpenOptions::new().read(true).write(true).open(&path).expect("there");
        let length = file.metadata().expect("there").len();
        for at in 0..length {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).expect("in the file");
            file.write_all_at(&[byte[0] ^ 0x15], at).expect("ours");
            for from in [Since::Start, Since::Sequence(1), Since::Time(UNIX_EPOCH)] {
                match folder.open().frames(from) {
                    Ok(read) => {
                        for frame in read {
                            match frame {
                                Ok(frame) => {
                                    let right = &right[frame.sequence() as usize].2;
                                    assert_eq!(frame.bytes(), right, "{path:?} at {at}");
                                }
                                Err(error) => {
                                    noticed += 1;
                                    assert!(is_told(&error), "{path:?} at {at}: {error}");
                                }
                            }
                        }
                    }
                    Err(error) => {
                        noticed += 1;
                        assert!(is_told(&error), "{path:?} at {at}: {error}");
                    }
                }
            }
            let _ = folder.open().files();
            file.write_all_at(&byte, at).expect("ours");
        }
    }
    assert!(noticed > 1000, "{noticed}");
    assert_eq!(frames(&folder.open(), Since::Start), right);
}

#[test]
fn hostile_numbers_under_right_checksums_give_errors() {
    let folder = Folder::new();
    let (_writer, ends) = three_frames(&folder);
    let pair = Pair::open(&folder.recording(), 1, true).expect("sound").expect("there");
    let good = pair.record(1).expect("sound");
    let kinds = |frames: RecordedFrames| -> Vec<Result<u64, ErrorKind>> {
        frames.map(|frame| frame.map(|frame| frame.sequence()).map_err(|error| error.kind())).collect()
    };
    let cases = [
        index::Record { offset: good.offset + 8, ..good },
        index::Record { length: 1 << 39, ..good },
        index::Record { length: 0, ..good },
        index::Record { sequence: 0, missed: 0, ..good },
    ];
    for record in cases {
        pair.index.write_all_at(&record.bytes(), (HEADER + RECORD) as u64).expect("ours");
        let read = kinds(folder.open().frames(Since::Start).expect("opened"));
        assert_eq!(read, [Ok(0), Err(ErrorKind::Corrupt), Ok(2)], "{record:?}");
    }
    pair.index.write_all_at(&good.bytes(), (HEADER + RECORD) as u64).expect("ours");
    let header = Header { schema_bytes: 1 << 27, ..pair.header.clone() };
    pair.index.write_all_at(&header.bytes(), 0).expect("ours");
    pair.data.set_len(1 << 28).expect("ours");
    assert_eq!(folder.open().files().expect_err("no schema is so long").kind(), ErrorKind::Corrupt);
    pair.data.set_len(ends[2]).expect("ours");
    let header = Header { ring: "nq".to_owned(), ..pair.header.clone() };
    pair.index.write_all_at(&header.bytes(), 0).expect("ours");
    let error = Recorder::open(folder.config()).expect_err("another ring's");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("'nq'"), "{error}");
}

#[test]
fn one_recorder_at_a_time() {
    let folder = Folder::new();
    let _writer = Writer::new(folder.ring()).expect("created");
    let recorder = Recorder::open(folder.config()).expect("opened");
    assert!(folder.open().is_live().expect("asked"));
    assert_eq!(Recorder::open(folder.config()).expect_err("taken").kind(), ErrorKind::InvalidConfig);
    assert_eq!(folder.open().repair().expect_err("taken").kind(), ErrorKind::InvalidConfig);
    recorder.close().expect("closed");
    assert!(!folder.open().is_live().expect("asked"));
    drop(Recorder::open(folder.config()).expect("free"));
}

#[test]
fn what_went_by_while_nobody_recorded_is_told() {
    let folder = Folder::new();
    let writer = Writer::new(folder.ring().with_buffer_count(2)).expect("created");
    for session in 0..3 {
        let mut recorder = Recorder::open(folder.config()).expect("opened");
        record_all(&mut recorder);
        writer.write_arrow(&numbers_from(session)).expect("written");
        record_all(&mut recorder);
        drop(recorder);
        for _ in 0..4 {
            writer.write_arrow(&numbers_from(99)).expect("nobody holds it up");
        }
    }
    let recording = folder.open();
    let told: Vec<_> = frames(&recording, Since::Start)
        .into_iter()
        .map(|(sequence, missed, _)| (sequence, missed))
        .collect();
    // A recorder that comes back finds the last two frames in the ring.
    assert_eq!(told, [(0, 0), (3, 2), (4, 0), (5, 0), (8, 2), (9, 0), (10, 0)]);
    let files = recording.files().expect("listed");
    assert_eq!(files.iter().map(|file| file.missed).sum::<u64>(), 4);
    let from = |sequence| {
        let frame = recording.frames(Since::Sequence(sequence)).expect("opened").next();
        frame.map(|frame| frame.map(|frame| (frame.sequence(), frame.missed())).expect("readable"))
    };
    assert_eq!(
        [from(0), from(1), from(6), from(10), from(11)],
        [Some((0, 0)), Some((3, 2)), Some((8, 2)), Some((10, 0)), None]
    );
}

#[test]
fn frames_that_a_lossy_recorder_missed_are_told() {
    let folder = Folder::new();
    let writer = Writer::new(folder.ring().with_buffer_count(2)).expect("created");
    let ring = folder.ring().with_policy(ReaderPolicy::Lossy);
    let mut recorder = Recorder::open(RecorderConfig::new(ring, folder.recording())).expect("opened");
    for start in 0..9 {
        writer.write_arrow(&numbers_from(start)).expect("nobody holds it up");
        if start == 2 {
            record_all(&mut recorder);
        }
    }
    record_all(&mut recorder);
    assert_eq!(recorder.stats().missed, 4);
    let told: Vec<_> =
        frames(&folder.open(), Since::Start).into_iter().map(|frame| (frame.0, frame.1)).collect();
    assert_eq!(told, [(1, 0), (2, 0), (7, 4), (8, 0)]);
}

#[test]
fn a_file_is_left_when_its_time_is_over() {
    let folder = Folder::new();
    let writer = Writer::new(folder.ring()).expect("created");
    let every = Duration::from_millis(20);
    let mut recorder = Recorder::open(folder.config().with_rotate_every(every)).expect("opened");
    for start in 0..4 {
        writer.write_arrow(&numbers_from(start)).expect("written");
        std::thread::sleep(Duration::from_millis(11));
    }
    record_all(&mut recorder);
    drop(recorder);
    let recording = folder.open();
    let mut last: Option<u64> = None;
    for file in recording.files().expect("listed") {
        let first = file.first.expect("a frame").0;
        let published = |sequence| {
            let frame = recording.frames(Since::Sequence(sequence)).expect("opened").next();
            frame.expect("there").expect("readable").published_ns()
        };
        let (start, end) = (published(first), published(file.last.expect("a frame").0));
        assert!(end - start < every.as_nanos() as u64);
        assert!(last.is_none_or(|before| start - before >= every.as_nanos() as u64));
        last = Some(start);
    }
    assert!(recording.files().expect("listed").len() >= 2);
}

#[test]
fn a_place_is_found_by_time() {
    let folder = Folder::new();
    let writer = Writer::new(folder.ring()).expect("created");
    let mut recorder = Recorder::open(folder.config().with_rotate_bytes(1000)).expect("opened");
    for start in 0..8 {
        writer.write_arrow(&numbers_from(start)).expect("written");
        std::thread::sleep(Duration::from_millis(2));
    }
    record_all(&mut recorder);
    drop(recorder);
    let recording = folder.open();
    assert!(recording.files().expect("listed").len() > 2);
    let all = recording.frames(Since::Start).expect("opened").map(|frame| frame.expect("readable"));
    let times: Vec<SystemTime> = all.map(|frame| frame.published_at()).collect();
    for (sequence, time) in times.iter().enumerate() {
        let at = recording.frames(Since::Time(*time)).expect("opened").next().expect("one");
        assert_eq!(at.expect("readable").sequence(), sequence as u64);
        let behind = recording.frames(Since::Time(*time + Duration::from_nanos(1))).expect("opened").next();
        let behind = behind.map(|frame| frame.expect("readable").sequence());
        assert_eq!(behind, (sequence + 1 < times.len()).then_some(sequence as u64 + 1));
    }
}

#[test]
fn lives_of_a_ring_are_kept_apart() {
    let folder = Folder::new();
    let mut recorder = None;
    for life in 0..3 {
        // Each ring of a geometry of its own, so that it replaces the one before.
        let ring = folder.ring().with_buffer_count(4 + life as usize);
        let writer = Writer::new(&ring).expect("created");
        let recorder = match &mut recorder {
            None => recorder.insert(Recorder::open(folder.config()).expect("opened")),
            Some(recorder) => {
                assert_eq!(recorder.record(0).expect_err("replaced").kind(), ErrorKind::Replaced);
                recorder.attach_again().expect("the next one");
                recorder
            }
        };
        for start in 0..2 {
            writer.write_arrow(&numbers_from(life * 10 + start)).expect("written");
        }
        record_all(recorder);
        drop(writer);
    }
    drop(recorder);
    let recording = folder.open();
    let told: Vec<_> = recording
        .frames(Since::Start)
        .expect("opened")
        .map(|frame| frame.map(|frame| frame.sequence()).map_err(|error| error.kind()))
        .collect();
    let replaced = Err(ErrorKind::Replaced);
    assert_eq!(told, [Ok(0), Ok(1), replaced, Ok(0), Ok(1), replaced, Ok(0), Ok(1)]);
    let newest =
        recording.frames(Since::Sequence(1)).expect("opened").next().expect("one").expect("readable");
    assert_eq!(newest.batches(), [numbers_from(21)], "sequences are those of the newest life");
}

/// Sequence and missed of the frames that are there now, and the errors between them.
fn followed(follow: &Follow) -> Vec<Result<(u64, u64), ErrorKind>> {
    let mut all = Vec::new();
    loop {
        match follow.read_frame(20) {
            Ok(Some(frame)) => all.push(Ok((frame.sequence(), frame.missed()))),
            Ok(None) => return all,
            Err(error) => all.push(Err(error.kind())),
        }
        assert!(all.len() < 50, "no end: {all:?}");
    }
}

/// Whole frames without a gap.
fn in_a_row(sequences: impl IntoIterator<Item = u64>) -> Vec<Result<(u64, u64), ErrorKind>> {
    sequences.into_iter().map(|sequence| Ok((sequence, 0))).collect()
}

fn write(writer: &Writer, sequences: std::ops::Range<i64>) {
    for start in sequences {
        writer.write_arrow(&numbers_from(start)).expect("written");
    }
}

#[test]
fn a_reader_passes_from_the_recording_into_the_ring() {
    for from in
        [Since::Start, Since::Sequence(0), Since::Sequence(4), Since::Sequence(9), Since::Time(UNIX_EPOCH)]
    {
        let folder = Folder::new();
        let writer = Writer::new(folder.ring().with_buffer_count(4)).expect("created");
        let mut recorder = Recorder::open(folder.config().with_rotate_bytes(1000)).expect("opened");
        for start in 0..8 {
            write(&writer, start..start + 1);
            record_all(&mut recorder);
        }
        write(&writer, 8..10);
        let follow = folder.open().follow(folder.ring(), from).expect("opened");
        let first = if let Since::Sequence(first) = from { first } else { 0 };
        assert_eq!(followed(&follow), in_a_row(first..10), "{from:?}");
        assert!(follow.is_live());
        record_all(&mut recorder);
        write(&writer, 10..12);
        assert_eq!(followed(&follow), in_a_row(10..12));
        drop((recorder, writer));
        assert_eq!(follow.read_frame(20).expect_err("the end").kind(), ErrorKind::EndOfStream);
    }
}

#[test]
fn a_time_in_the_ring_is_found_there() {
    let folder = Folder::new();
    let writer = Writer::new(folder.ring()).expect("created");
    let mut recorder = Recorder::open(folder.config()).expect("opened");
    write(&writer, 0..2);
    record_all(&mut recorder);
    write(&writer, 2..4);
    std::thread::sleep(Duration::from_millis(20));
    let time = SystemTime::now();
    std::thread::sleep(Duration::from_millis(20));
    let follow = folder.open().follow(folder.ring(), Since::Time(time)).expect("opened");
    assert_eq!(followed(&follow), []);
    write(&writer, 4..6);
    assert_eq!(followed(&follow), in_a_row(4..6));
}

#[test]
fn frames_that_are_nowhere_are_named_and_reading_goes_on() {
    let folder = Folder::new();
    let writer = Writer::new(folder.ring().with_buffer_count(4)).expect("created");
    let mut recorder = Recorder::open(folder.config()).expect("opened");
    write(&writer, 0..3);
    record_all(&mut recorder);
    drop(recorder);
    write(&writer, 3..20);
    let follow = folder.open().follow(folder.ring(), Since::Start).expect("opened");
    for sequence in 0..3 {
        assert_eq!(follow.read_frame(0).expect("recorded").expect("there").sequence(), sequence);
    }
    let error = follow.read_frame(Timeout::FOREVER).expect_err("frames are missing");
    assert_eq!(MissingFrames::of(&error), Some(MissingFrames { first: 3, last: 15 }), "{error}");
    assert!(error.to_string().contains("frames 3 to 15"), "{error}");
    assert_eq!(followed(&follow), [Ok((16, 13)), Ok((17, 0)), Ok((18, 0)), Ok((19, 0))]);
}

#[test]
fn a_recorder_that_does_not_write_on_is_waited_for_only_so_long() {
    let folder = Folder::new();
    let writer = Writer::new(folder.ring().with_buffer_count(4)).expect("created");
    let ring = folder.ring().with_policy(ReaderPolicy::Lossy);
    let mut recorder = Recorder::open(RecorderConfig::new(ring, folder.recording())).expect("opened");
    write(&writer, 0..1);
    record_all(&mut recorder);
    write(&writer, 1..9);
    let follow = folder.open().follow(folder.ring(), Since::Start).expect("opened");
    let follow = follow.with_patience(Duration::from_millis(50));
    assert_eq!(follow.read_frame(0).expect("recorded").expect("there").sequence(), 0);
    assert!(follow.try_read_frame().expect("the recorder has time yet").is_none());
    let error = follow.read_frame(Timeout::FOREVER).expect_err("out of time");
    assert_eq!(MissingFrames::of(&error), Some(MissingFrames { first: 1, last: 4 }));
    // One that writes on is past what it has missed: that is no error, and told by the frame.
    let follow = folder.open().follow(folder.ring(), Since::Start).expect("opened");
    assert_eq!(follow.read_frame(0).expect("recorded").expect("there").sequence(), 0);
    assert!(follow.try_read_frame().expect("the recorder has time yet").is_none());
    record_all(&mut recorder);
    let expected: Vec<_> = [Ok((5, 4))].into_iter().chain(in_a_row(6..9)).collect();
    assert_eq!(followed(&follow), expected);
}

#[test]
fn a_reader_follows_from_one_life_of_the_ring_into_the_next() {
    for recorded in [true, false] {
        let folder = Folder::new();
        let writer = Writer::new(folder.ring()).expect("created");
        let mut recorder = Recorder::open(folder.config()).expect("opened");
        write(&writer, 0..2);
        record_all(&mut recorder);
        let follow = folder.open().follow(folder.ring(), Since::Start).expect("opened");
        let late = folder.open().follow(folder.ring(), Since::Start).expect("opened");
        assert_eq!(followed(&follow), in_a_row(0..2));
        write(&writer, 2..3);
        record_all(&mut recorder);
        drop(writer);
        let writer = Writer::new(folder.ring().with_buffer_count(4)).expect("replaced");
        if recorded {
            assert_eq!(recorder.record(0).expect_err("replaced").kind(), ErrorKind::Replaced);
            recorder.attach_again().expect("the next one");
            for start in 0..6 {
                write(&writer, start..start + 1);
                record_all(&mut recorder);
            }
        } else {
            drop(recorder);
            write(&writer, 0..3);
        }
        let life = if recorded { 0..6 } else { 0..3 };
        let expected =
            |first| [in_a_row(first..3), vec![Err(ErrorKind::Replaced)], in_a_row(life.clone())].concat();
        assert_eq!(followed(&follow), expected(2), "recorded: {recorded}");
        assert_eq!(followed(&late), expected(0), "recorded: {recorded}");
        assert!(follow.is_live() && late.is_live());
    }
}

#[test]
fn a_recording_whose_ring_is_gone_is_read_to_its_end() {
    let folder = Folder::new();
    let (writer, _) = three_frames(&folder);
    drop(writer);
    assert!(!folder.0.join("qads_es").exists(), "the recorder has read it to its end");
    let follow = folder.open().follow(folder.ring(), Since::Start).expect("opened");
    let read: Vec<_> =
        follow.iter().map(|frame| frame.map(|frame| frame.sequence()).map_err(|e| e.kind())).collect();
    assert_eq!(read, [Ok(0), Ok(1), Ok(2), Err(ErrorKind::NotFound)]);
    let lossy = folder.ring().with_policy(ReaderPolicy::Lossy);
    let refused = folder.open().follow(lossy, Since::Start).expect_err("it could not keep the promise");
    assert_eq!(refused.kind(), ErrorKind::InvalidConfig);
}

#[cfg(feature = "yaml")]
#[test]
fn settings_from_outside_are_a_recorders_and_a_followers_too() {
    let folder = Folder::new();
    let file = folder.0.join("settings.yaml");
    let text = format!("memory:\n  directory: {}\nsync:\n  attach_timeout_ms: 3600000\n", folder.0.display());
    std::fs::write(&file, text).expect("written");
    let (writer, _) = three_frames(&folder);
    let ring = SharedMemoryConfig::new("es").with_config_file(file);
    let follow = folder.open().follow(&ring, Since::Sequence(2)).expect("opened");
    assert_eq!(followed(&follow), in_a_row(2..3));
    drop((follow, writer));
    assert!(!folder.0.join("qads_es").exists(), "read to its end");
    let follow = folder.open().follow(&ring, Since::Sequence(3)).expect("opened");
    assert!(follow.try_read_frame().expect("the ring has an hour to come").is_none());
}

#[test]
fn frames_for_other_languages_are_the_same_frames() {
    let folder = Folder::new();
    let writer = Writer::new(folder.ring()).expect("created");
    let mut recorder = Recorder::open(folder.config().with_rotate_bytes(1)).expect("opened");
    let texts = RecordBatch::try_from_iter([(
        "text",
        Arc::new(arrow_array::StringViewArray::from_iter_values(["a", "one that is longer than a view"]))
            as _,
    )])
    .expect("one column");
    for table in [&numbers_from(0), &texts, &numbers_from(2)] {
        writer.write_arrow(table).expect("written");
    }
    record_all(&mut recorder);
    let mut recorded = folder.open().frames(Since::Start).expect("opened");
    let rust = frames(&folder.open(), Since::Start);
    for (sequence, missed, bytes) in &rust {
        let frame = recorded.read_ffi().expect("readable").expect("there");
        assert_eq!((frame.sequence(), frame.missed(), frame.bytes()), (*sequence, *missed, &**bytes));
    }
    assert!(recorded.read_ffi().expect("no error").is_none());
    for table in [&texts, &numbers_from(4)] {
        writer.write_arrow(table).expect("written");
    }
    let follow = folder.open().follow(folder.ring(), Since::Sequence(0)).expect("opened");
    let schemas: Vec<_> = (0..5)
        .map(|sequence| {
            let frame = follow.read_ffi(1000).expect("readable").expect("there");
            assert_eq!((frame.sequence(), frame.missed()), (sequence, 0));
            (frame.schema_id(), frame.schema().clone())
        })
        .collect();
    assert!(follow.is_live());
    // Files and the ring number schemas each in its own way; a follower's numbers are of one kind.
    for (one, schema) in &schemas {
        for (other, its) in &schemas {
            assert_eq!(one == other, schema == its);
        }
    }
}

#[test]
fn a_record_that_speaks_of_more_than_there_is_takes_no_memory() {
    let folder = Folder::new();
    let _writer = three_frames(&folder);
    let pair = Pair::open(&folder.recording(), 1, false).expect("sound").expect("there");
    let good = pair.record(1).expect("sound");
    for length in [good.length + (1 << 20), MAX_SLOT_BYTES] {
        let record = index::Record { length, ..good };
        let error = read::messages_of(&pair, &record, 1).expect_err("there is not so much");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[test]
fn an_index_of_many_records_is_read_to_its_last_whole_one() {
    let folder = Folder::new();
    let _writer = three_frames(&folder);
    let pair = Pair::open(&folder.recording(), 1, true).expect("sound").expect("there");
    let first = pair.record(0).expect("sound");
    const MANY: u64 = 10_000;
    let record = |sequence| index::Record { sequence, ..first };
    let bytes: Vec<u8> = (0..MANY).flat_map(|sequence| record(sequence).bytes()).collect();
    pair.index.write_all_at(&bytes, HEADER as u64).expect("ours");
    let broken = |range: std::ops::Range<u64>| {
        let zeros = vec![0; ((range.end - range.start) as usize) * RECORD];
        pair.index.write_all_at(&zeros, HEADER as u64 + range.start * RECORD as u64).expect("ours");
    };
    for (broken_from, whole) in
        [(MANY, MANY), (MANY - 1, MANY - 1), (9_000, 9_000), (4_096, 4_096), (4_095, 4_095), (1, 1)]
    {
        broken(broken_from..MANY);
        assert_eq!(pair.whole().expect("readable"), whole);
        let info = &folder.open().files().expect("listed")[0];
        assert_eq!((info.frames, info.damaged), (whole, 0));
        assert_eq!(info.last.expect("a frame").0, whole - 1);
    }
    pair.index.write_all_at(&bytes, HEADER as u64).expect("ours");
    broken(10..5_000);
    let info = &folder.open().files().expect("listed")[0];
    assert_eq!((info.frames, info.damaged), (MANY - 4_990, 4_990));
    broken(0..MANY);
    assert_eq!(pair.whole().expect("readable"), 0);
    assert_eq!(folder.open().files().expect("listed")[0].first, None);
}

#[test]
fn a_recorder_runs_until_the_time_is_up_or_the_stream_ends() {
    let folder = Folder::new();
    let writer = Writer::new(folder.ring()).expect("created");
    let mut recorder = Recorder::open(folder.config()).expect("opened");
    write(&writer, 0..3);
    assert!(!recorder.run(0).expect("recorded"));
    assert_eq!(recorder.stats().frames, 3, "what is there, however short the time");
    assert!(!recorder.run(10).expect("nothing to record"));
    write(&writer, 3..5);
    drop(writer);
    assert!(recorder.run(Timeout::FOREVER).expect("recorded"));
    recorder.close().expect("closed");
    let summary = folder.open().summary().expect("listed");
    assert_eq!((summary.ring.as_deref(), summary.files, summary.frames), (Some("es"), 1, 5));
    assert_eq!((summary.rows, summary.missed, summary.damaged, summary.is_live), (15, 0, 0, false));
    assert_eq!((summary.first.expect("one").0, summary.last.expect("one").0), (0, 4));
}
