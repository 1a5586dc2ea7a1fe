//! Loans: frames built where they are read.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use qadataswap::{ErrorKind, Reader, SharedMemoryConfig, WhenFull, Writer};
use std::sync::Arc;

fn config(test: &str) -> SharedMemoryConfig {
    SharedMemoryConfig::new(format!("loan-{test}-{}", std::process::id()))
        .with_size_mb(1)
        .with_when_full(WhenFull::Fail)
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("symbol", DataType::Utf8View, false),
        Field::new("size", DataType::Int64, true),
        Field::new("price", DataType::Float64, false),
        Field::new("traded", DataType::Boolean, false),
    ]))
}

fn fill(writer: &Writer, rows: usize, used: usize) -> u64 {
    let mut loan = writer.loan_with(&schema(), rows, 1 << 12).expect("a slot is free");
    let mut columns = loan.columns().expect("ours");
    let mut symbols = columns.texts("symbol").expect("views");
    let mut traded = columns.bools(3).expect("booleans");
    let mut nulls = columns.validity("size").expect("nullable");
    let sizes = columns.column::<i64>("size").expect("numbers");
    let prices = columns.column::<f64>("price").expect("numbers");
    for row in 0..used {
        let name = if row % 2 == 0 { format!("S{row}") } else { format!("a symbol of length, {row}") };
        symbols.set(row, name.as_str()).expect("room for long values");
        sizes[row] = row as i64;
        prices[row] = row as f64 / 4.0;
        traded.set(row, row % 3 == 0);
        if row % 5 == 4 {
            nulls.set_null(row);
        }
    }
    loan.commit(used).expect("as many rows as were lent, or fewer")
}

fn check(batch: &RecordBatch, rows: usize) {
    assert_eq!(batch.num_rows(), rows);
    let symbols = batch.column(0).as_string_view();
    let sizes = batch.column(1).as_primitive::<Int64Type>();
    let prices = batch.column(2).as_primitive::<Float64Type>();
    let traded = batch.column(3).as_boolean();
    for row in 0..rows {
        let name = if row % 2 == 0 { format!("S{row}") } else { format!("a symbol of length, {row}") };
        assert_eq!(symbols.value(row), name);
        assert_eq!(sizes.is_null(row), row % 5 == 4);
        assert!(sizes.is_null(row) || sizes.value(row) == row as i64);
        assert_eq!(prices.value(row), row as f64 / 4.0);
        assert_eq!(traded.value(row), row % 3 == 0);
    }
}

#[test]
fn what_was_filled_in_place_is_what_is_read() {
    let config = config("read");
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    for (lent, used) in [(100, 100), (100, 99), (100, 7), (100, 0), (1, 1), (0, 0)] {
        fill(&writer, lent, used);
        check(&reader.try_read_arrow().unwrap().expect("was committed"), used);
    }
}

#[test]
fn columns_lie_in_the_slot_that_is_read() {
    let config = config("place");
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    let schema = Arc::new(Schema::new(vec![Field::new("price", DataType::Float64, false)]));
    let mut loan = writer.loan(&schema, 64).unwrap();
    let prices = loan.column::<f64>("price").unwrap();
    prices.fill(1.5);
    let written = prices.as_ptr() as usize;
    loan.commit(64).unwrap();
    let frame = reader.try_read_frame().unwrap().expect("was committed");
    let values = frame.batches()[0].column(0).as_primitive::<Float64Type>().values();
    // Writer and reader map the region apart from each other: pages agree, so do offsets within them.
    let (slot, page) = (frame.bytes().as_ptr() as usize, 4096);
    assert!((slot..slot + frame.bytes().len()).contains(&(values.as_ptr() as usize)));
    assert_eq!(values.as_ptr() as usize % page, written % page);
    assert_eq!(values.as_ref(), &[1.5; 64]);
    assert_eq!(reader.stats().bytes_copied, 0);
}

#[test]
fn a_loan_that_is_dropped_publishes_nothing_and_gives_its_slot_back() {
    let config = config("drop").with_buffer_count(1);
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    for _ in 0..10 {
        drop(writer.loan(&schema(), 10).unwrap());
    }
    assert!(reader.try_read_frame().unwrap().is_none());
    assert_eq!(fill(&writer, 10, 10), 0, "the first frame there is");
    check(&reader.try_read_arrow().unwrap().expect("was committed"), 10);
}

#[test]
fn writing_goes_on_while_a_loan_is_out() {
    let config = config("both");
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    let mut loan = writer.loan(&schema(), 1).unwrap();
    fill(&writer, 5, 5);
    loan.column::<f64>("price").unwrap()[0] = 2.0;
    loan.commit(1).unwrap();
    check(&reader.try_read_arrow().unwrap().expect("written first"), 5);
    let lent = reader.try_read_arrow().unwrap().expect("committed second");
    assert_eq!(lent.column(2).as_primitive::<Float64Type>().value(0), 2.0);
}

#[test]
fn what_cannot_be_lent_is_said_before_anything_is() {
    let config = config("errors");
    let writer = Writer::new(&config).unwrap();
    let strings = Arc::new(Schema::new(vec![Field::new("s", DataType::Utf8, false)]));
    assert_eq!(writer.loan(&strings, 1).unwrap_err().kind(), ErrorKind::Unsupported);
    let too_many = writer.loan(&schema(), 1 << 20).unwrap_err();
    assert_eq!(too_many.kind(), ErrorKind::FrameTooLarge);
    let mut loan = writer.loan(&schema(), 4).unwrap();
    assert_eq!(loan.column::<f32>("price").unwrap_err().kind(), ErrorKind::InvalidConfig);
    assert_eq!(loan.column::<f64>("nothing").unwrap_err().kind(), ErrorKind::InvalidConfig);
    assert_eq!(writer.close().unwrap_err().kind(), ErrorKind::LoanOut);
    assert_eq!(loan.commit(5).unwrap_err().kind(), ErrorKind::InvalidConfig);
    assert_eq!(writer.stats().writes_count, 0);
    writer.close().unwrap();
}

#[test]
#[allow(unsafe_code)]
fn what_a_loan_pointed_to_can_be_looked_at_for_as_long_as_its_mapping_is_kept() {
    let writer = Writer::new(config("mapping")).unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("price", DataType::Float64, false)]));
    let mut loan = writer.loan(&schema, 64).unwrap();
    loan.column::<f64>("price").unwrap().fill(1.5);
    let (mapping, values) = (loan.mapping(), loan.raw_column(0).unwrap().values);
    drop(loan);
    writer.close().unwrap();
    drop(writer);
    // SAFETY: the mapping is kept, and the ring, whose only writer is gone, is written to by nobody.
    assert_eq!(unsafe { values.cast::<f64>().read() }, 1.5);
    drop(mapping);
}
