//! Roles that go on for as long as they are let: small frames of changing schemas, lap after lap round the ring.
//!
//! Law: what frame `n` holds is a function of `n`, and cheap to make and to check, so that laps are what takes the time;
//! everything that comes goes again, so that neither role grows.

use crate::{Outcome, fault, hold, say, wait_for_end};
use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use qadataswap::recording::{Recorder, RecorderConfig, SyncPolicy};
use qadataswap::{ErrorKind, Frame, Reader, Selector, SharedDataStream, Writer};
use qadataswap_tests::scene::Owed;
use qadataswap_tests::{Line, PATIENCE, Ring};
use std::collections::VecDeque;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Schemas that come by turns: more than any cache of theirs holds.
const SCHEMAS: u64 = 150;
/// Frames of one schema, before the next.
const OF_ONE_SCHEMA: u64 = 97;
/// Frames of one writer, before the next.
const TENURE: u64 = 9_000;

fn schemas() -> Vec<SchemaRef> {
    let schema = |number: u64| {
        let field = |name: &str| Field::new(format!("{name}{number}"), DataType::UInt64, false);
        Arc::new(Schema::new(vec![field("sequence"), field("row")]))
    };
    (0..SCHEMAS).map(schema).collect()
}

fn schema(schemas: &[SchemaRef], sequence: u64) -> &SchemaRef {
    &schemas[(sequence / OF_ONE_SCHEMA % SCHEMAS) as usize]
}

fn rows(sequence: u64) -> u64 {
    1 + sequence % 16
}

fn batch(schemas: &[SchemaRef], sequence: u64) -> RecordBatch {
    let rows = rows(sequence);
    let columns = [vec![sequence; rows as usize], (sequence..sequence + rows).collect()];
    let columns = columns.map(|values| Arc::new(UInt64Array::from(values)) as _).to_vec();
    RecordBatch::try_new(schema(schemas, sequence).clone(), columns).expect("columns of one length")
}

fn check(schemas: &[SchemaRef], frame: &Frame) -> Outcome {
    let sequence = frame.sequence();
    let [batch] = frame.batches() else { return Err(format!("frame {sequence} is no single batch")) };
    hold!(batch.schema_ref() == schema(schemas, sequence), "frame {sequence} has another schema");
    hold!(batch.num_rows() as u64 == rows(sequence), "frame {sequence} has {} rows", batch.num_rows());
    let [first, second] = [0, 1].map(|column| batch.column(column).as_primitive::<UInt64Type>().values());
    let whole = first.iter().all(|value| *value == sequence)
        && (sequence..).zip(second.iter()).all(|(expected, value)| *value == expected);
    hold!(whole, "frame {sequence} is torn");
    Ok(())
}

fn publish(writer: &Writer, schemas: &[SchemaRef], sequence: u64) -> Outcome {
    let written = match sequence % 16 {
        15 => {
            let rows = rows(sequence);
            let mut loan = writer.loan(schema(schemas, sequence), rows as usize + 3).map_err(fault)?;
            loan.column::<u64>(0).map_err(fault)?.fill(sequence);
            let numbers = loan.column::<u64>(1).map_err(fault)?;
            numbers.iter_mut().zip(sequence..).for_each(|(place, value)| *place = value);
            loan.commit(rows as usize)
        }
        _ => writer.write_arrow(&batch(schemas, sequence)),
    };
    let written = written.map_err(fault)?;
    hold!(written == sequence, "wrote frame {written} instead of {sequence}");
    Ok(())
}

/// Writes until its input ends, by one writer after the other.
pub(crate) fn lap(ring: &Ring) -> Outcome {
    let schemas = schemas();
    let told = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&told);
    std::thread::spawn(move || {
        wait_for_end();
        hears.store(true, Ordering::Relaxed);
    });
    let mut opened = false;
    loop {
        let writer = ring.writer().map_err(fault)?;
        let mut next = writer.stats().frames_published;
        if !std::mem::replace(&mut opened, true) {
            say(&Line::Open { next, millis: 0 });
        }
        let until = next + TENURE;
        while next < until {
            publish(&writer, &schemas, next)?;
            next += 1;
            if told.load(Ordering::Relaxed) {
                say(&Line::Wrote { next });
                return writer.close().map_err(fault);
            }
        }
        writer.close().map_err(fault)?;
    }
}

/// Those who come and go beside the reader that stays.
struct Guests<'a> {
    ring: &'a Ring,
    folder: &'a Path,
    schemas: &'a [SchemaRef],
    /// What one of them holds until the next comes.
    held: Option<Frame>,
}

impl Guests<'_> {
    /// Somebody comes, once in so many frames of the one that stays.
    fn receive(&mut self, read: u64) -> Outcome {
        if read.is_multiple_of(500) {
            self.visit([Owed::Lossy, Owed::Latest, Owed::Lossless][(read / 500 % 3) as usize])?;
        }
        if read.is_multiple_of(4_000) {
            self.record()?;
        }
        if read.is_multiple_of(7_000) {
            self.stream()?;
        }
        Ok(())
    }

    fn visit(&mut self, policy: Owed) -> Outcome {
        self.held = None;
        let reader = self.ring.clone().policy(policy).reader().map_err(fault)?;
        let selector = Selector::new();
        selector.add(1, &reader).map_err(fault)?;
        if selector.wait(Duration::from_millis(5)) == [1]
            && let Ok(Some(frame)) = reader.try_read_frame()
        {
            check(self.schemas, &frame)?;
            self.held = Some(frame);
        }
        selector.remove(1);
        Ok(())
    }

    fn record(&self) -> Outcome {
        let ring = self.ring.clone().policy(Owed::Lossy);
        let config = RecorderConfig::new(ring.config(), self.folder)
            .with_rotate_bytes(4_000)
            .with_sync(SyncPolicy::Never);
        let mut recorder = Recorder::open(config).map_err(fault)?;
        while recorder.record(0).is_ok_and(|recorded| recorded.is_some()) {}
        recorder.close().map_err(fault)?;
        std::fs::remove_dir_all(self.folder).map_err(fault)
    }

    fn stream(&self) -> Outcome {
        let mut ring = self.ring.clone();
        ring.name = format!("{}-stream", ring.name);
        let writer = SharedDataStream::create_writer(ring.config()).map_err(fault)?;
        let reader = SharedDataStream::create_reader(ring.config()).map_err(fault)?;
        for chunk in 0..40 {
            let sent = batch(self.schemas, chunk);
            writer.write_chunk(&sent).map_err(fault)?;
            let taken = reader.read_chunk(PATIENCE).map_err(fault)?;
            hold!(taken.as_ref() == Some(&sent), "chunk {chunk} differs");
        }
        writer.close().map_err(fault)?;
        match reader.read_chunk(PATIENCE) {
            Err(error) if error.kind() == ErrorKind::EndOfStream => Ok(()),
            other => Err(format!("{other:?} instead of the stream's end")),
        }
    }
}

/// Reads and checks every frame, up to the one that it is told by a line; meanwhile others come and go.
pub(crate) fn lapped(ring: &Ring, folder: &Path) -> Outcome {
    let schemas = schemas();
    let reader: Reader = ring.reader().map_err(fault)?;
    let until = Arc::new(AtomicU64::new(u64::MAX));
    let hears = Arc::clone(&until);
    std::thread::spawn(move || {
        let mut line = String::new();
        if let Ok(1..) = std::io::stdin().lock().read_line(&mut line)
            && let Ok(number) = line.trim().parse()
        {
            hears.store(number, Ordering::Relaxed);
        }
    });
    say(&Line::Open { next: 0, millis: 0 });
    let mut guests = Guests { ring, folder, schemas: &schemas, held: None };
    let (mut held, mut due, mut read) = (VecDeque::new(), None, 0);
    while due.is_none_or(|due| due < until.load(Ordering::Relaxed)) {
        match reader.read_frame(50) {
            Ok(None) => {}
            Ok(Some(frame)) => {
                check(&schemas, &frame)?;
                let sequence = frame.sequence();
                hold!(due.is_none_or(|due| due == sequence), "frame {sequence} instead of {due:?}");
                due = Some(sequence + 1);
                read += 1;
                // Two at times, and none at others.
                held.push_back(frame);
                while held.len() as u64 > read / 300 % 3 {
                    if let Some(old) = held.pop_front() {
                        check(&schemas, &old)?;
                    }
                }
                guests.receive(read)?;
            }
            // Another writer comes.
            Err(error) if matches!(error.kind(), ErrorKind::EndOfStream | ErrorKind::WriterDied) => {
                std::thread::yield_now();
            }
            Err(error) => return Err(format!("after frame {due:?}: {error}")),
        }
    }
    say(&Line::Fact("read".to_owned(), read));
    Ok(())
}
