//! The role that holds what it reads against the tables of a file.

use crate::{Outcome, fault, hold, say, wait_for_end};
use arrow::ipc::reader::StreamReader;
use qadataswap::{ErrorKind, Frame};
use qadataswap_tests::scene::Squeeze;
use qadataswap_tests::{Line, PATIENCE, Ring, Tally, in_place};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

pub(crate) fn compare(ring: &Ring, file: &Path) -> Outcome {
    let mut file = BufReader::new(File::open(file).map_err(fault)?);
    let reader = ring.reader().map_err(fault)?;
    say(&Line::Open { next: 0, millis: 0 });
    let mut tally = Tally { read: 0, missed: 0, first: None, last: None };
    loop {
        let frame = match reader.read_frame(PATIENCE) {
            Ok(frame) => frame.ok_or("no table came in time")?,
            Err(error) if error.kind() == ErrorKind::EndOfStream => break,
            Err(error) => return Err(fault(error)),
        };
        equals_next(&mut file, &frame).map_err(|what| format!("table {}: {what}", tally.read))?;
        if matches!(ring.squeeze, Squeeze::None) {
            in_place(&frame).map_err(|what| format!("table {}: {what}", tally.read))?;
        }
        tally.first = tally.first.or(Some(frame.sequence()));
        tally.last = Some(frame.sequence());
        tally.read += 1;
    }
    hold!(
        file.fill_buf().map_err(fault)?.is_empty(),
        "the ring has only {} of the file's tables",
        tally.read
    );
    drop(reader);
    say(&Line::Ended(tally));
    wait_for_end();
    Ok(())
}

/// The frame is the file's next table.
fn equals_next(file: &mut BufReader<File>, frame: &Frame) -> Outcome {
    let mut stream = StreamReader::try_new(file, None).map_err(fault)?;
    hold!(frame.schema() == &stream.schema(), "{:?} instead of {:?}", frame.schema(), stream.schema());
    for (number, batch) in frame.batches().iter().enumerate() {
        let expected = stream.next().ok_or("one batch too many")?.map_err(fault)?;
        hold!(batch == &expected, "batch {number}: {batch:?}\ninstead of {expected:?}");
    }
    hold!(stream.next().is_none(), "{} batches and more were written", frame.batches().len());
    Ok(())
}
