//! Streams: whoever has seen the end of one has seen all of it.

use arrow_array::{Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray};
use arrow_schema::ArrowError;
use qadataswap::{
    ErrorKind, Progress, QADataSwapError, Reader, ReaderPolicy, SharedDataStream, SharedMemoryConfig,
    StartAt, WhenFull, Writer,
};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(20);

fn config(test: &str) -> SharedMemoryConfig {
    SharedMemoryConfig::new(format!("stream-{test}-{}", std::process::id())).with_slot_bytes(1 << 16)
}

fn numbers(from: i64, rows: i64) -> RecordBatch {
    let column = Arc::new(Int64Array::from_iter_values(from..from + rows));
    RecordBatch::try_from_iter([("n", column as _)]).expect("one column")
}

fn values(chunk: &RecordBatch) -> Vec<i64> {
    chunk.column(0).as_any().downcast_ref::<Int64Array>().expect("integers").values().to_vec()
}

/// All chunks to the end, or the error that took its place.
fn read_all(reader: &SharedDataStream) -> Result<Vec<i64>, QADataSwapError> {
    let mut all = Vec::new();
    for chunk in reader {
        all.extend(values(&chunk?));
    }
    Ok(all)
}

/// Reads what nobody has read, so that the ring goes.
fn read_out(config: &SharedMemoryConfig) {
    let Ok(reader) = Reader::new(config.clone()) else { return };
    while let Ok(Some(_)) = reader.read_frame(SOON) {}
}

#[test]
fn data_larger_than_the_ring_arrives_whole_and_in_order() {
    let config = config("larger");
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let reading = {
        let config = config.clone();
        thread::spawn(move || read_all(&SharedDataStream::create_reader(&config).expect("reader")))
    };
    // 8 MB through three slots of 64 KiB; one chunk alone is larger than the ring.
    writer.write_chunk(&numbers(0, 100_000)).expect("a large chunk");
    for chunk in 0..900 {
        writer.write_chunk(&numbers(100_000 + chunk * 1000, 1000)).expect("a chunk");
    }
    writer.close().expect("closed");
    let all = reading.join().expect("reads").expect("whole");
    assert!(all.iter().copied().eq(0..1_000_000));
}

#[test]
fn what_is_written_before_the_first_reader_comes_is_kept() {
    let config = config("kept");
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let (told, written) = channel();
    let writing = thread::spawn(move || {
        for chunk in 0..10 {
            writer.write_chunk(&numbers(chunk, 1)).expect("a chunk");
            told.send(chunk).expect("somebody listens");
        }
        writer.close().expect("closed");
    });
    // Three buffers: the fourth chunk waits for a reader.
    for chunk in 0..3 {
        assert_eq!(written.recv_timeout(SOON), Ok(chunk));
    }
    assert_eq!(written.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));
    let reader = SharedDataStream::create_reader(&config).expect("reader");
    assert_eq!(read_all(&reader).expect("whole"), (0..10).collect::<Vec<_>>());
    writing.join().expect("writes");
}

#[test]
fn a_ring_that_nobody_reads_is_full_at_last() {
    let config = config("nobody").with_when_full(WhenFull::Fail);
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    for chunk in 0..3 {
        writer.write_chunk(&numbers(chunk, 1)).expect("there is room");
    }
    let error = writer.write_chunk(&numbers(3, 1)).expect_err("full");
    assert_eq!(error.kind(), ErrorKind::RingFull);
    assert!(error.to_string().contains("no reader has read the oldest frame"), "{error}");
    // A lossy reader reads without counting.
    let watcher = Reader::new(config.clone().with_policy(ReaderPolicy::Latest)).expect("watcher");
    assert!(watcher.try_read_frame().expect("reads").is_some());
    assert_eq!(writer.write_chunk(&numbers(3, 1)).expect_err("full").kind(), ErrorKind::RingFull);
    drop(watcher);
    // One that has read and left has read.
    let reader = Reader::new(&config).expect("reader");
    assert_eq!(values(&reader.read_arrow(SOON).expect("reads").expect("a chunk")), [0]);
    drop(reader);
    writer.write_chunk(&numbers(3, 1)).expect("one frame has been read");
    assert_eq!(writer.write_chunk(&numbers(4, 1)).expect_err("full").kind(), ErrorKind::RingFull);
    writer.close().expect("closed");
    read_out(&config);
}

#[test]
fn aborting_tells_readers_why_after_what_was_written() {
    let config = config("abort");
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let reader = SharedDataStream::create_reader(&config).expect("reader");
    writer.write_chunk(&numbers(0, 2)).expect("a chunk");
    writer.abort("the source went away").expect("aborted");
    writer.close().expect("closing what is closed is no error");
    let chunk = reader.read_chunk(SOON).expect("what was written is read").expect("a chunk");
    assert_eq!(values(&chunk), [0, 1]);
    for _ in 0..2 {
        let error = reader.read_chunk(SOON).expect_err("aborted");
        assert_eq!(error.kind(), ErrorKind::Aborted);
        assert!(error.to_string().contains("the source went away"), "{error}");
    }
    assert!(reader.progress().expect("progress").is_over);
}

#[test]
fn a_writer_that_is_dropped_breaks_its_stream_off() {
    for panics in [false, true] {
        let config = config("dropped");
        let writer = SharedDataStream::create_writer(&config).expect("writer");
        let reader = SharedDataStream::create_reader(&config).expect("reader");
        writer.write_chunk(&numbers(0, 1)).expect("a chunk");
        let ended = thread::spawn(move || {
            let _writer = writer;
            assert!(!panics, "on purpose");
        });
        assert_eq!(ended.join().is_err(), panics);
        let error = read_all(&reader).expect_err("broken off");
        assert_eq!(error.kind(), ErrorKind::Aborted);
        let reason = if panics { "its writer panicked" } else { "dropped before it was closed" };
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_stream_that_is_not_as_long_as_announced_is_broken_off() {
    let config = config("short");
    let writer = SharedDataStream::create_writer_of(&config, 3).expect("writer");
    let reader = SharedDataStream::create_reader(&config).expect("reader");
    writer.write_chunk(&numbers(0, 2)).expect("a chunk");
    let error = writer.close().expect_err("one row is missing");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("ended after 2 of 3 rows"), "{error}");
    assert_eq!(read_all(&reader).expect_err("broken off").kind(), ErrorKind::Aborted);
}

#[test]
fn progress_is_seen_from_both_ends() {
    let config = config("progress");
    let writer = SharedDataStream::create_writer_of(&config, 5).expect("writer");
    let reader = SharedDataStream::create_reader(&config).expect("reader");
    let seen = |stream: &SharedDataStream| {
        let Progress { rows, rows_written, total_rows, is_over, .. } = stream.progress().expect("progress");
        (rows, rows_written, total_rows, is_over)
    };
    writer.write_chunk(&numbers(0, 3)).expect("a chunk");
    assert_eq!(seen(&writer), (3, 3, Some(5), false));
    assert_eq!(seen(&reader), (0, 3, Some(5), false));
    drop(reader.read_chunk(SOON).expect("reads"));
    assert_eq!(seen(&reader), (3, 3, Some(5), false));
    writer.write_chunk(&numbers(3, 2)).expect("a chunk");
    writer.close().expect("as long as announced");
    assert_eq!(seen(&reader), (3, 5, Some(5), true));
    assert_eq!(read_all(&reader).expect("whole"), [3, 4]);
    assert_eq!(writer.progress().expect_err("closed").kind(), ErrorKind::Closed);
}

#[test]
fn a_reader_that_comes_too_late_for_the_beginning_is_told() {
    let config = config("late");
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let first = SharedDataStream::create_reader(&config).expect("reader");
    for chunk in 0..4 {
        writer.write_chunk(&numbers(chunk, 1)).expect("a chunk");
        drop(first.read_chunk(SOON).expect("reads"));
    }
    let error = SharedDataStream::create_reader(&config).expect_err("too late");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    assert!(error.to_string().contains("the stream began at frame 0"), "{error}");
    writer.close().expect("closed");
    assert!(read_all(&first).expect("whole").is_empty());
}

#[test]
fn a_stream_in_a_ring_that_was_used_before_begins_where_it_begins() {
    let config = config("after");
    let before = Writer::new(&config).expect("writer");
    before.write_arrow(&numbers(-1, 1)).expect("a frame");
    before.close().expect("closed");
    let writer = SharedDataStream::create_writer_of(&config, 2).expect("takes over");
    let reader = SharedDataStream::create_reader(&config).expect("reader");
    writer.write_chunk(&numbers(0, 2)).expect("a chunk");
    assert_eq!(reader.progress().expect("progress").rows_written, 2);
    writer.close().expect("as long as announced");
    assert_eq!(read_all(&reader).expect("whole"), [0, 1]);
}

#[test]
fn another_stream_does_not_follow_in_one_that_was_not_read_to_its_end() {
    let config = config("another");
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let reader = SharedDataStream::create_reader(&config).expect("reader");
    writer.write_chunk(&numbers(0, 1)).expect("a chunk");
    writer.close().expect("closed");
    let heir = SharedDataStream::create_writer(&config).expect("takes over");
    heir.write_chunk(&numbers(7, 1)).expect("a chunk");
    heir.close().expect("closed");
    assert_eq!(values(&reader.read_chunk(SOON).expect("reads").expect("a chunk")), [0]);
    assert_eq!(reader.read_chunk(SOON).expect_err("another stream").kind(), ErrorKind::Aborted);
    drop(reader);
    read_out(&config);
}

#[test]
fn the_end_of_what_another_writer_wrote_is_not_the_end_of_the_stream() {
    for heir_streams in [false, true] {
        let config = config("heir");
        let writer = SharedDataStream::create_writer(&config).expect("writer");
        let reader = SharedDataStream::create_reader(&config).expect("reader");
        writer.write_chunk(&numbers(0, 1)).expect("a chunk");
        writer.abort("half of it is missing").expect("aborted");
        // Nothing of the heir's comes to this reader but its end.
        match heir_streams {
            true => SharedDataStream::create_writer(&config).expect("takes over").close().expect("closed"),
            false => Writer::new(&config).expect("takes over").close().expect("closed"),
        }
        for _ in 0..2 {
            assert_eq!(read_all(&reader).expect_err("not whole").kind(), ErrorKind::Aborted);
        }
        drop(reader);
        read_out(&config);
    }
}

#[test]
fn a_reader_that_sees_a_take_over_happen_never_takes_the_stream_for_whole() {
    for round in 0..300 {
        let config = config("racing");
        let writer = SharedDataStream::create_writer(&config).expect("writer");
        let reader = SharedDataStream::create_reader(&config).expect("reader");
        let reading = thread::spawn(move || read_all(&reader));
        writer.write_chunk(&numbers(round, 1)).expect("a chunk");
        writer.abort("half of it is missing").expect("aborted");
        let heir = SharedDataStream::create_writer(&config).expect("takes over");
        heir.close().expect("closed");
        let error = reading.join().expect("no panic").expect_err("not whole");
        assert_eq!(error.kind(), ErrorKind::Aborted, "round {round}: {error}");
        read_out(&config);
    }
}

#[test]
fn a_reader_that_skips_lets_nothing_go_that_nobody_has_read() {
    let config = config("skips").with_when_full(WhenFull::Fail);
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    for chunk in 0..3 {
        writer.write_chunk(&numbers(chunk, 1)).expect("there is room");
    }
    let newest = Reader::new(config.clone().with_start(StartAt::Newest)).expect("reader");
    assert_eq!(writer.write_chunk(&numbers(3, 1)).expect_err("full").kind(), ErrorKind::RingFull);
    assert_eq!(values(&newest.read_arrow(SOON).expect("reads").expect("a frame")), [2]);
    assert_eq!(writer.write_chunk(&numbers(3, 1)).expect_err("full").kind(), ErrorKind::RingFull);
    let reader = SharedDataStream::create_reader(&config).expect("the beginning is there");
    assert_eq!(values(&reader.read_chunk(SOON).expect("reads").expect("a chunk")), [0]);
    writer.write_chunk(&numbers(3, 1)).expect("the oldest has been read");
    drop(newest);
    writer.close().expect("closed");
    assert_eq!(read_all(&reader).expect("whole"), [1, 2, 3]);
}

#[test]
fn a_reader_that_would_skip_but_came_first_reads_the_whole_stream() {
    let config = config("first");
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let reader = SharedDataStream::create_reader(config.with_start(StartAt::Newest)).expect("reader");
    let writing = thread::spawn(move || {
        (0..10).for_each(|chunk| writer.write_chunk(&numbers(chunk, 1)).expect("a chunk"));
        writer.close().expect("closed");
    });
    assert_eq!(read_all(&reader).expect("whole"), (0..10).collect::<Vec<_>>());
    writing.join().expect("writes");
}

#[test]
fn a_stream_is_for_lossless_readers() {
    let config = config("lossless");
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    for policy in [ReaderPolicy::Lossy, ReaderPolicy::Latest] {
        let error = SharedDataStream::create_reader(config.clone().with_policy(policy)).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("attach as lossless"), "{error}");
    }
    writer.close().expect("closed");
    read_out(&config);
}

#[test]
fn a_stream_that_is_overwritten_is_not_taken_for_whole() {
    let config = config("overwritten").with_when_full(WhenFull::Overwrite);
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let lossy = config.clone().with_policy(ReaderPolicy::Lossy);
    let reader = SharedDataStream::create_reader(&lossy).expect("reader");
    for chunk in 0..5 {
        writer.write_chunk(&numbers(chunk, 1)).expect("never full");
    }
    writer.close().expect("closed");
    let error = read_all(&reader).expect_err("not whole");
    assert_eq!(error.kind(), ErrorKind::Aborted);
    assert!(error.to_string().contains("overwrote 2 frames"), "{error}");
    drop(reader);
    read_out(&lossy);
}

#[test]
fn a_stream_whose_last_frame_made_room_for_none_is_not_taken_for_whole() {
    let config = config("cut").with_when_full(WhenFull::Overwrite).with_buffer_count(1);
    for policy in [ReaderPolicy::Lossy, ReaderPolicy::Observer] {
        let writer = Writer::new(config.clone().with_stream(None)).expect("writer");
        let reader = SharedDataStream::create_reader(config.clone().with_policy(policy)).expect("reader");
        writer.write_arrow(&numbers(0, 1)).expect("never full");
        drop(writer.loan(&numbers(0, 1).schema(), 1).expect("the only slot"));
        writer.close().expect("closed");
        let read = read_all(&reader);
        assert_eq!(read.map_err(|error| error.kind()), Err(ErrorKind::Aborted), "{policy:?}");
        drop(reader);
        read_out(&config.clone().with_policy(ReaderPolicy::Lossy));
    }
}

#[test]
fn an_observer_reads_a_stream_whole_or_is_told() {
    let config = config("observed");
    let observed = config.clone().with_policy(ReaderPolicy::Observer);
    let writer = SharedDataStream::create_writer_of(&config, 5).expect("writer");
    let (reader, seer) =
        (SharedDataStream::create_reader(&config), SharedDataStream::create_reader(&observed));
    let (reader, seer) = (reader.expect("reader"), seer.expect("observer"));
    let late = SharedDataStream::create_reader(&observed).expect("observer");
    for chunk in 0..5 {
        writer.write_chunk(&numbers(chunk, 1)).expect("read meanwhile");
        assert_eq!(values(&reader.read_chunk(SOON).expect("reads").expect("a chunk")), [chunk]);
        assert_eq!(values(&seer.read_chunk(SOON).expect("reads").expect("a chunk")), [chunk]);
    }
    assert_eq!(seer.progress().expect("open"), reader.progress().expect("open"));
    writer.close().expect("closed");
    assert!(read_all(&reader).expect("whole").is_empty() && read_all(&seer).expect("whole").is_empty());
    // Nobody waits for an observer: of five frames three stand.
    let error = read_all(&late).expect_err("not whole");
    assert_eq!(error.kind(), ErrorKind::Aborted);
    assert!(error.to_string().contains("overwrote 2 frames"), "{error}");
    let error = SharedDataStream::create_reader(&observed).expect_err("its beginning is gone");
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    drop(reader);
    // A stream behind other frames, and one that is broken off.
    let before = Writer::new(&config).expect("writer");
    before.write_arrow(&numbers(70, 1)).expect("room");
    drop(before);
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let seer = SharedDataStream::create_reader(&observed).expect("observer");
    writer.write_chunk(&numbers(80, 1)).expect("room");
    assert_eq!(values(&seer.read_chunk(SOON).expect("reads").expect("a chunk")), [80]);
    writer.abort("on purpose").expect("broken off");
    assert_eq!(seer.read_chunk(SOON).expect_err("broken off").kind(), ErrorKind::Aborted);
    drop((writer, seer, late));
    read_out(&config);
}

#[test]
fn a_source_of_unknown_length_is_sent_as_it_is_produced() {
    let config = config("source");
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let reader = SharedDataStream::create_reader(&config).expect("reader");
    let schema = numbers(0, 0).schema();
    let source = RecordBatchIterator::new((0..3).map(|chunk| Ok(numbers(chunk, 1))), schema.clone());
    assert_eq!(writer.write_all(source).expect("written"), 3);
    let broken = [Ok(numbers(3, 1)), Err(ArrowError::ComputeError("no more".to_owned()))];
    for chunk in 0..3 {
        assert_eq!(values(&reader.read_chunk(SOON).expect("reads").expect("a chunk")), [chunk]);
    }
    let error = writer.write_all(broken).expect_err("the source fails");
    assert_eq!(error.kind(), ErrorKind::ArrowError);
    drop(writer);
    assert_eq!(values(&reader.read_chunk(SOON).expect("reads").expect("a chunk")), [3]);
    assert_eq!(reader.read_chunk(SOON).expect_err("broken off").kind(), ErrorKind::Aborted);
}

#[test]
fn chunks_of_long_values_are_split_and_do_not_make_later_ones_short() {
    let config = config("long").with_buffer_count(64);
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let reader = SharedDataStream::create_reader(&config).expect("reader");
    let long = StringArray::from_iter_values((0..8).map(|_| "x".repeat(20_000)));
    let long = RecordBatch::try_from_iter([("text", Arc::new(long) as _)]).expect("one column");
    writer.write_chunk(&long).expect("split");
    let giant = StringArray::from_iter_values(["y".repeat(70_000)]);
    let giant = RecordBatch::try_from_iter([("text", Arc::new(giant) as _)]).expect("one column");
    assert_eq!(writer.write_chunk(&giant).expect_err("one row").kind(), ErrorKind::FrameTooLarge);
    let short = long.slice(0, 2);
    for _ in 0..4 {
        writer.write_chunk(&short).expect("fits");
    }
    writer.close().expect("closed");
    let chunks: Vec<usize> = reader.iter_chunks().map(|chunk| chunk.expect("a chunk").num_rows()).collect();
    assert_eq!(chunks.iter().sum::<usize>(), 16);
    assert!(chunks[..4].iter().all(|&rows| rows == 2), "{chunks:?}");
    assert_eq!(chunks.last(), Some(&2), "whole again: {chunks:?}");
}

#[test]
fn a_read_of_a_chunk_keeps_its_time() {
    let config = config("time");
    let writer = SharedDataStream::create_writer(&config).expect("writer");
    let reader = SharedDataStream::create_reader(&config).expect("reader");
    let started = Instant::now();
    assert!(reader.read_chunk(5).expect("nothing yet").is_none());
    assert!(started.elapsed() >= Duration::from_millis(5));
    assert_eq!(reader.write_chunk(&numbers(0, 1)).expect_err("a reader").kind(), ErrorKind::WrongRole);
    assert_eq!(writer.read_chunk(0).expect_err("a writer").kind(), ErrorKind::WrongRole);
    writer.close().expect("closed");
    assert!(read_all(&reader).expect("whole").is_empty());
}
