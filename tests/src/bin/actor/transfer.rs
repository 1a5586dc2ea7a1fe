//! Roles that send and take a data set as a stream.

use crate::{Outcome, fault, hold, say};
use arrow_array::{Int64Array, RecordBatch};
use qadataswap::{ErrorKind, SharedDataStream};
use qadataswap_tests::{Line, PATIENCE, Ring};
use std::sync::Arc;

pub(crate) fn send(ring: &Ring, rows: u64, chunk: u64, fail: bool) -> Outcome {
    let stream = SharedDataStream::create_writer_of(ring.config(), rows).map_err(fault)?;
    say(&Line::Open { next: 0, millis: 0 });
    let mut next = 0;
    while next < rows {
        if fail && next >= rows / 2 {
            return stream.abort("on purpose").map_err(fault);
        }
        let until = (next + chunk).min(rows);
        let column = Arc::new(Int64Array::from_iter_values(next as i64..until as i64));
        let batch = RecordBatch::try_from_iter([("n", column as _)]).map_err(fault)?;
        stream.write_chunk(&batch).map_err(fault)?;
        next = until;
    }
    stream.close().map_err(fault)
}

pub(crate) fn take(ring: &Ring) -> Outcome {
    let stream = SharedDataStream::create_reader(ring.config()).map_err(fault)?;
    say(&Line::Open { next: 0, millis: 0 });
    let (mut next, mut aborted) = (0, 0);
    loop {
        match stream.read_chunk(PATIENCE) {
            Ok(chunk) => {
                let chunk = chunk.ok_or("no chunk came in time")?;
                let column = chunk.column(0).as_any().downcast_ref::<Int64Array>().ok_or("another type")?;
                for number in column.values() {
                    hold!(*number == next, "{number} instead of {next}");
                    next += 1;
                }
            }
            Err(error) if error.kind() == ErrorKind::EndOfStream => break,
            Err(error) if error.kind() == ErrorKind::Aborted && error.to_string().contains("on purpose") => {
                aborted = 1;
                break;
            }
            Err(error) => return Err(fault(error)),
        }
    }
    let total = stream.progress().map_err(fault)?.total_rows.unwrap_or(0);
    for (what, number) in [("rows", next as u64), ("total", total), ("aborted", aborted)] {
        say(&Line::Fact(what.to_owned(), number));
    }
    Ok(())
}
