//! The one handle for either end, and what handles show of themselves.

use arrow_array::{Float64Array, Int64Array, RecordBatch};
use futures_core::Stream;
use qadataswap::inspect;
use qadataswap::{
    ErrorKind, QADataSwapError, ReaderPolicy, Result, Selector, SharedDataFrame, SharedDataStream,
    SharedMemoryConfig, WhenFull,
};
use std::fmt::Debug;
use std::future::Future;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// A folder for a ring, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = PathBuf::from(format!("/dev/shm/qads-handle-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).expect("a folder of one's own");
        Folder(path)
    }

    fn ring(&self) -> SharedMemoryConfig {
        SharedMemoryConfig::new("seen").with_directory(&self.0).with_size_mb(1).with_when_full(WhenFull::Fail)
    }

    fn ends(&self) -> (SharedDataFrame, SharedDataFrame) {
        let writer = SharedDataFrame::create_writer(self.ring()).expect("created");
        (writer, SharedDataFrame::create_reader(self.ring()).expect("attached"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn rows(count: i64) -> RecordBatch {
    let column = Arc::new(Int64Array::from_iter_values(0..count));
    RecordBatch::try_from_iter([("a", column as _)]).expect("one column")
}

fn wrong_role<T>(result: Result<T>, is: &str, needs: &str) {
    let error = result.err().expect("a call of the other end");
    assert_eq!(error.kind(), ErrorKind::WrongRole);
    let message = error.to_string();
    assert!(message.starts_with(&format!("ring 'seen': this handle is a {is}, the call needs a {needs}")));
    assert!(message.ends_with(&format!("create_{needs}")), "{message}");
}

fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn every_call_of_the_writing_end_is_refused_by_a_reader() {
    let folder = Folder::new("no-writer");
    let (writer, reader) = folder.ends();
    let (batch, schema) = (rows(1), rows(1).schema());
    wrong_role(reader.writer(), "reader", "writer");
    wrong_role(reader.write_arrow(&batch), "reader", "writer");
    wrong_role(reader.try_write_arrow(&batch), "reader", "writer");
    wrong_role(reader.write_batches(&schema, &[]), "reader", "writer");
    wrong_role(reader.loan(&schema, 1), "reader", "writer");
    wrong_role(reader.loan_with(&schema, 1, 1), "reader", "writer");
    assert_eq!(writer.stats().frames_published, 0);
}

#[test]
fn every_call_of_the_reading_end_is_refused_by_a_writer() {
    let folder = Folder::new("no-reader");
    let (mut writer, _reader) = folder.ends();
    writer.write_arrow(&rows(1)).unwrap();
    wrong_role(writer.reader(), "writer", "reader");
    wrong_role(writer.has_writer(), "writer", "reader");
    wrong_role(writer.read_arrow(0), "writer", "reader");
    wrong_role(writer.try_read_arrow(), "writer", "reader");
    wrong_role(writer.read_frame(0), "writer", "reader");
    wrong_role(writer.try_read_frame(), "writer", "reader");
    wrong_role(writer.wait_for_condition(|_| true, 0), "writer", "reader");
    wrong_role(writer.frames(), "writer", "reader");
    wrong_role(writer.reader_mut(), "writer", "reader");
    wrong_role(now(writer.read_frame_async()), "writer", "reader");
    wrong_role(now(writer.read_arrow_async()), "writer", "reader");
}

#[test]
fn what_a_handle_writes_by_any_call_is_read_by_any() {
    let folder = Folder::new("calls");
    let (writer, mut reader) = folder.ends();
    assert_eq!(writer.try_write_arrow(&rows(2)).unwrap(), Some(0));
    assert_eq!(reader.try_read_arrow().unwrap(), Some(rows(2)));
    assert_eq!(writer.write_batches(&rows(0).schema(), &[rows(2), rows(1)]).unwrap(), 1);
    assert_eq!(reader.read_frame(0).unwrap().unwrap().batches(), [rows(2), rows(1)]);
    let schema = RecordBatch::try_from_iter([("p", Arc::new(Float64Array::from(vec![1.5])) as _)]).unwrap();
    for loan in [writer.loan(schema.schema_ref(), 4), writer.loan_with(schema.schema_ref(), 4, 100)] {
        let mut loan = loan.unwrap();
        assert_eq!((loan.capacity(), loan.schema()), (4, schema.schema_ref()));
        loan.column::<f64>(0).unwrap()[0] = 1.5;
        loan.commit(1).unwrap();
    }
    assert_eq!(reader.try_read_frame().unwrap().unwrap().to_batch().unwrap(), schema);
    assert_eq!(now(reader.read_arrow_async()).unwrap(), schema);
    assert_eq!(reader.try_read_arrow().unwrap(), None);
    assert_eq!((writer.name(), reader.name()), ("seen".to_owned(), "seen".to_owned()));
    assert_eq!((writer.stats().writes_count, reader.stats().reads_count), (4, 4));
}

#[test]
fn a_table_of_several_chunks_or_none_is_read_as_one_batch() {
    let folder = Folder::new("chunks");
    let (writer, reader) = folder.ends();
    writer.write_batches(rows(0).schema_ref(), &[rows(2), rows(1)]).unwrap();
    writer.write_batches(rows(0).schema_ref(), &[]).unwrap();
    let whole = reader.try_read_arrow().unwrap().unwrap();
    assert_eq!(
        whole,
        arrow_select::concat::concat_batches(rows(0).schema_ref(), &[rows(2), rows(1)]).unwrap()
    );
    let copied = reader.stats().bytes_copied;
    assert!(copied >= 3 * 8, "putting chunks together copies them: {copied}");
    assert_eq!(reader.try_read_arrow().unwrap(), Some(rows(0)));
    assert_eq!(reader.stats().bytes_copied, copied);
}

#[test]
fn a_borrowed_stream_of_frames_ends_with_the_ring_and_leaves_the_reader() {
    let folder = Folder::new("borrowed");
    let (writer, mut reader) = folder.ends();
    writer.write_arrow(&rows(1)).unwrap();
    writer.close().unwrap();
    let mut frames = reader.reader_mut().unwrap().stream();
    let mut next = || now(std::future::poll_fn(|context| Stream::poll_next(Pin::new(&mut frames), context)));
    assert_eq!(next().unwrap().unwrap().num_rows(), 1);
    assert!(next().is_none(), "the end is none");
    drop(frames);
    assert_eq!(reader.stats().reads_count, 1);
}

#[test]
fn a_handle_that_is_closed_says_so_and_closing_the_writer_ends_the_stream() {
    let folder = Folder::new("close");
    let (writer, reader) = folder.ends();
    assert!(reader.has_writer().unwrap());
    writer.close().unwrap();
    writer.close().expect("twice is no error");
    assert_eq!(writer.write_arrow(&rows(1)).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(reader.try_read_arrow().unwrap_err().kind(), ErrorKind::EndOfStream);
    reader.close().unwrap();
    reader.close().expect("twice is no error");
    assert_eq!(reader.try_read_arrow().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_full_ring_is_told_by_try_write_without_an_error() {
    let folder = Folder::new("full");
    let (writer, reader) = folder.ends();
    let held: Vec<_> = std::iter::from_fn(|| {
        writer.try_write_arrow(&rows(1)).unwrap()?;
        reader.try_read_frame().unwrap()
    })
    .collect();
    assert_eq!(held.len(), 3, "one in each slot");
    drop(held);
    assert_eq!(writer.try_write_arrow(&rows(1)).unwrap(), Some(3));
}

#[test]
fn of_the_frames_that_come_the_first_that_meets_the_condition_is_handed_out() {
    let folder = Folder::new("condition");
    let (writer, reader) = folder.ends();
    for count in [1, 30, 2] {
        writer.write_arrow(&rows(count)).unwrap();
    }
    let large = reader.wait_for_condition(|frame| frame.num_rows() > 10, PATIENCE).unwrap().unwrap();
    assert_eq!((large.num_rows(), large.sequence()), (30, 1));
    assert_eq!(reader.try_read_frame().unwrap().unwrap().sequence(), 2, "what came behind it is still there");
}

#[test]
fn a_condition_without_time_is_asked_of_what_is_there_and_of_no_more() {
    let folder = Folder::new("no-time");
    let (writer, reader) = folder.ends();
    for count in [1, 2] {
        writer.write_arrow(&rows(count)).unwrap();
    }
    let mut asked = Vec::new();
    let never = |frame: &qadataswap::Frame| {
        asked.push(frame.num_rows());
        writer.write_arrow(&rows(3)).expect("what was asked about is let go of");
        false
    };
    assert!(reader.wait_for_condition(never, Duration::ZERO).unwrap().is_none());
    assert_eq!(asked, [1, 2], "not of those that came meanwhile");
    let second = reader.wait_for_condition(|frame| frame.num_rows() == 3, 0).unwrap();
    assert_eq!(second.map(|frame| frame.sequence()), Some(2));
}

#[test]
fn a_condition_that_nothing_comes_for_is_given_up_in_time() {
    let folder = Folder::new("in-vain");
    let (_writer, reader) = folder.ends();
    let (begun, time) = (Instant::now(), Duration::from_millis(20));
    assert!(reader.wait_for_condition(|_| true, time).unwrap().is_none());
    assert!(begun.elapsed() >= time);
}

#[test]
fn a_frame_knows_when_it_was_published_by_either_clock() {
    let folder = Folder::new("clocks");
    let (writer, reader) = folder.ends();
    let before = std::time::SystemTime::now();
    for count in [1, 2] {
        writer.write_arrow(&rows(count)).unwrap();
    }
    let (first, second) =
        (reader.try_read_frame().unwrap().unwrap(), reader.try_read_frame().unwrap().unwrap());
    assert!(first.published_ns() <= second.published_ns() && first.age() < PATIENCE);
    // The clock on the wall may be set; only not by more than this, while a test runs.
    let since =
        first.published_at().duration_since(before - PATIENCE).expect("not long before it was written");
    assert!(since < 3 * PATIENCE, "{since:?}");
}

/// What `thing` shows is short, begins with its type's name, and says what it is about.
fn shows(thing: &dyn Debug, kind: &str, about: &str) {
    let shown = format!("{thing:?}");
    assert!(shown.starts_with(kind) && shown.contains(about), "{shown}");
    assert!(shown.len() < 2000, "{kind} shows {} bytes", shown.len());
}

#[test]
fn what_handles_show_of_themselves_names_the_ring() {
    let folder = Folder::new("shown");
    let (writer, reader) = folder.ends();
    let ring = "ring: \"seen\"";
    shows(writer.writer().unwrap(), "Writer", ring);
    shows(reader.reader().unwrap(), "Reader", ring);
    shows(&writer, "SharedDataFrame", ring);
    shows(&reader.reader().unwrap().waiter().unwrap(), "Waiter", "ring: \"seen\", next: 0");
    shows(&writer.writer().unwrap().pool().unwrap(), "Pool", "ring: \"seen\", slot: Some(0), allocations: 0");
    let mut loan = writer.loan(rows(1).schema_ref(), 7).unwrap();
    shows(&loan, "Loan", "ring: \"seen\", capacity: 7");
    shows(&loan.mapping(), "Mapping", ring);
    shows(&loan.columns().unwrap(), "LoanColumns", ring);
    loan.commit(7).unwrap();
    let frame = reader.try_read_frame().unwrap().unwrap();
    shows(&frame, "Frame", &format!("sequence: 0, missed: 0, bytes: {}", frame.bytes().len()));
}

#[test]
fn a_selector_shows_how_many_readers_it_has_and_not_what_they_read() {
    let folder = Folder::new("selector");
    let (writer, reader) = folder.ends();
    let selector = Selector::new();
    selector.add(7, reader.reader().unwrap()).unwrap();
    shows(&selector, "Selector", "readers: 1");
    shows(&selector.waker(), "SelectorWaker", "");
    drop((writer, reader));
}

#[test]
fn a_histogram_shows_its_quantiles_and_not_its_buckets() {
    let folder = Folder::new("histogram");
    let (writer, reader) = folder.ends();
    writer.write_arrow(&rows(1)).unwrap();
    drop(reader.read_arrow(PATIENCE).unwrap());
    drop(reader.read_arrow(0).unwrap());
    let info = inspect::info("seen", &folder.0).unwrap();
    let latency = &info.readers[0].latency;
    shows(
        latency,
        "LatencyHistogram",
        &format!("count: {}, p50: {:?}", latency.count(), latency.quantile(0.5)),
    );
}

#[test]
fn a_stream_counts_what_passed_through_either_end() {
    let folder = Folder::new("stream");
    let writer = SharedDataStream::create_writer(folder.ring()).unwrap();
    let reader = SharedDataStream::create_reader(folder.ring()).unwrap();
    for count in [2, 3] {
        writer.write_chunk(&rows(count)).unwrap();
    }
    assert_eq!(reader.read_chunk(PATIENCE).unwrap(), Some(rows(2)));
    assert_eq!((writer.stats().rows_written, writer.stats().writes_count), (5, 2));
    assert_eq!((reader.stats().rows_read, reader.stats().lag), (2, 1));
    reader.close().expect("reading may stop anywhere");
    let error = reader.read_chunk(0).unwrap_err();
    assert!(matches!(error, QADataSwapError::Closed { .. }), "{error}");
}

#[test]
fn a_ring_without_a_name_is_handed_over_by_its_reader_too() {
    let config = SharedMemoryConfig::new("seen").with_size_mb(1).with_memfd(true);
    let writer = qadataswap::Writer::new(&config).unwrap();
    let first = qadataswap::Reader::from_fd(writer.share().unwrap(), "").unwrap();
    let second = qadataswap::Reader::from_fd(first.share().unwrap(), "").unwrap();
    writer.write_arrow(&rows(3)).unwrap();
    assert_eq!(second.try_read_arrow().unwrap(), Some(rows(3)));
    let file = |fd: i32| std::fs::read_link(format!("/proc/self/fd/{fd}")).expect("open");
    assert_eq!(file(first.region_fd().unwrap()), file(writer.region_fd().unwrap()), "one file");
    first.close();
    assert_eq!(first.share().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(first.region_fd().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_ring_in_a_folder_is_not_handed_over() {
    let folder = Folder::new("named");
    let (_writer, reader) = folder.ends();
    let reader = reader.reader().unwrap();
    assert_eq!(reader.share().unwrap_err().kind(), ErrorKind::InvalidConfig);
    assert_eq!(reader.region_fd().unwrap_err().kind(), ErrorKind::InvalidConfig);
    let latest = folder.ring().with_policy(ReaderPolicy::Latest);
    let error = SharedDataFrame::create_reader(latest.with_directory(folder.0.join("nothing"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
