//! QADataSwap: a frame written into a ring, or built in its slot, and read from there.

use crate::way::{Arrival, PATIENCE, Receiver, Sender, Terms, Waiting};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use qadataswap::{Loan, Reader, SharedMemoryConfig, WaitStrategy, Writer};
use qadataswap_benches::rings::Failure;
use std::rc::Rc;

fn writer(terms: &Terms<'_>) -> Result<Writer, Failure> {
    let config = SharedMemoryConfig::new(terms.label.name())
        .with_slot_bytes((terms.batch.num_rows() as u64 * 50).max(8 << 10) + (64 << 10))
        .with_buffer_count(terms.table.slots())
        .with_prefault(true);
    Ok(Writer::new(config)?)
}

/// The end that writes tables.
#[derive(Debug)]
pub(crate) struct Written {
    writer: Writer,
}

impl Written {
    /// A writer of a ring of its own.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Written, Failure> {
        Ok(Written { writer: writer(terms)? })
    }
}

impl Sender for Written {
    fn send(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.writer.write_arrow(batch)?;
        Ok(())
    }
}

/// The end that builds them in their slots.
pub(crate) struct Lent {
    writer: Rc<Writer>,
    loan: Option<Loan<Rc<Writer>>>,
}

impl Lent {
    /// A writer of a ring of its own.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Lent, Failure> {
        Ok(Lent { writer: Rc::new(writer(terms)?), loan: None })
    }
}

impl Sender for Lent {
    fn prepare(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let mut loan = Loan::of(self.writer.clone(), batch.schema_ref(), batch.num_rows(), 0)?;
        let mut columns = loan.columns()?;
        for (at, column) in batch.columns().iter().enumerate() {
            match column.data_type() {
                DataType::Int64 => {
                    columns.column(at)?.copy_from_slice(column.as_primitive::<Int64Type>().values());
                }
                DataType::Float64 => {
                    columns.column(at)?.copy_from_slice(column.as_primitive::<Float64Type>().values());
                }
                _ => {
                    let (from, mut to) = (column.as_string_view(), columns.texts(at)?);
                    for row in 0..from.len() {
                        to.set(row, from.value(row))?;
                    }
                }
            }
        }
        self.loan = Some(loan);
        Ok(())
    }

    fn send(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.loan.take().ok_or("no loan was prepared")?.commit(batch.num_rows())?;
        Ok(())
    }
}

/// The end that reads.
#[derive(Debug)]
pub(crate) struct Reading {
    reader: Reader,
}

impl Reading {
    /// A reader of the ring.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Reading, Failure> {
        let wait = match terms.waiting {
            Waiting::Spinning => WaitStrategy::SPIN,
            Waiting::Sleeping => WaitStrategy::SLEEP,
        };
        Ok(Reading { reader: Reader::new(SharedMemoryConfig::new(terms.label.name()).with_wait(wait))? })
    }
}

impl Receiver for Reading {
    fn receive(&mut self) -> Result<Arrival, Failure> {
        Ok(Arrival::Whole(self.reader.read_arrow(PATIENCE)?.ok_or("nothing came")?))
    }
}
