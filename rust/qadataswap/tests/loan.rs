//! Loans: frames built where they are read.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use qadataswap::{ErrorKind, OutOfRoom, QADataSwapError, Reader, SharedMemoryConfig, WhenFull, Writer};
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

fn refused<T>(result: qadataswap::Result<T>, needle: &str) {
    let error = result.err().expect(needle);
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.to_string().contains(needle), "{error}");
}

#[test]
fn a_column_is_handed_out_once_and_only_as_what_it_is() {
    let writer = Writer::new(config("once")).unwrap();
    let mut loan = writer.loan(&schema(), 4).unwrap();
    let mut columns = loan.columns().unwrap();
    refused(columns.bools("price"), "column 'price' is Float64, not a column of booleans");
    refused(columns.texts(1), "column 1 is Int64, not Utf8View");
    refused(columns.blobs("symbol"), "column 'symbol' is Utf8View, not BinaryView");
    refused(columns.validity("price"), "column 'price' is not nullable");
    let first = (columns.bools("traded").unwrap(), columns.texts("symbol").unwrap());
    let _also = (columns.column::<f64>("price").unwrap(), columns.validity("size").unwrap());
    refused(columns.bools("traded"), "column 'traded' is already handed out");
    refused(columns.texts("symbol"), "column 'symbol' is already handed out");
    refused(columns.column::<f64>("price"), "column 'price' is already handed out");
    refused(columns.validity("size"), "column 'size' is already handed out");
    assert_eq!((first.0.len(), first.1.len()), (4, 4));
    drop(columns);
    loan.columns().unwrap().bools("traded").expect("asked again, the loan has all of them back");
}

#[test]
fn a_loan_of_no_rows_has_columns_without_rows() {
    let config = config("empty");
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    let mut loan = writer.loan(&schema(), 0).unwrap();
    let mut columns = loan.columns().unwrap();
    let (traded, symbols) = (columns.bools("traded").unwrap(), columns.texts("symbol").unwrap());
    assert!(traded.is_empty() && symbols.is_empty());
    assert_eq!((traded.len(), symbols.len()), (0, 0));
    loan.commit(0).unwrap();
    assert_eq!(reader.try_read_arrow().unwrap().unwrap().num_rows(), 0);
}

#[test]
fn booleans_can_be_set_by_the_byte_and_rows_made_valid_again() {
    let config = config("bits");
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    let fields =
        vec![Field::new("blob", DataType::BinaryView, true), Field::new("flag", DataType::Boolean, false)];
    let mut loan = writer.loan_with(&Arc::new(Schema::new(fields)), 10, 64).unwrap();
    let mut columns = loan.columns().unwrap();
    columns.bools("flag").unwrap().bits_mut()[1] = 0b11;
    let mut blobs = columns.blobs("blob").unwrap();
    blobs.set(8, b"a blob of more than twelve bytes").unwrap();
    let mut validity = columns.validity("blob").unwrap();
    // Of a column without nulls nothing needs to be written.
    validity.set(0, true);
    loan.commit(10).unwrap();
    let batch = reader.try_read_arrow().unwrap().unwrap();
    let flags: Vec<bool> = batch.column(1).as_boolean().values().iter().collect();
    assert_eq!(flags, [[false; 8].as_slice(), &[true, true]].concat());
    let blobs = batch.column(0).as_binary_view();
    assert_eq!((blobs.null_count(), blobs.value(0), blobs.value(8).len()), (0, b"".as_slice(), 32));
}

#[test]
fn a_value_that_has_no_room_is_an_error_that_says_how_much_there_is() {
    let writer = Writer::new(config("room")).unwrap();
    let mut loan = writer.loan_with(&schema(), 1, 20).unwrap();
    let mut texts = loan.columns().unwrap().texts("symbol").unwrap();
    let full = texts.set(0, "a text of twenty-one.").unwrap_err();
    assert_eq!(full, OutOfRoom { needed: 21, left: 20 });
    let error = QADataSwapError::from(full);
    assert_eq!(error.kind(), ErrorKind::OutOfRoom);
    assert!(error.to_string().contains("21 bytes, 20 left"), "{error}");
    texts.set(0, "a text of twenty ch.").expect("it fits");
}

#[test]
fn a_loan_larger_than_memory_has_addresses_is_refused() {
    let writer = Writer::new(config("large")).unwrap();
    refused(writer.loan(&schema(), usize::MAX), "more rows than memory has addresses");
    refused(writer.loan_with(&schema(), 1, 1 << 31), "2147483648 bytes for long values, 2147483647 at most");
    refused(writer.loan(&schema(), 4).unwrap().commit(5), "5 rows in a loan of 4");
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

#[test]
#[allow(unsafe_code)]
fn a_lent_column_is_filled_by_its_addresses() {
    let config = config("addresses");
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    let schema = Arc::new(Schema::new(vec![
        Field::new("text", DataType::Utf8View, true),
        Field::new("price", DataType::Float64, false),
    ]));
    let mut loan = writer.loan_with(&schema, 3, 64).unwrap();
    let mut text = loan.raw_column(0).unwrap();
    assert_eq!((text.rows, text.values_bytes, text.data_bytes, text.has_nulls), (3, 48, 64, 0));
    // SAFETY: a column of views that is nullable, and nobody else's; the loan has not ended.
    let left = unsafe {
        text.set_view(0, b"short").unwrap();
        text.set_view(1, b"a text of thirty bytes, longer").unwrap();
        text.set_null(2);
        text.set_view(2, &[b'x'; 35]).unwrap_err()
    };
    assert_eq!((left.needed, left.left, text.data_used, text.has_nulls), (35, 34, 30, 1));
    loan.declare(0, text.has_nulls != 0, text.data_used).unwrap();
    let price = loan.raw_column(1).unwrap();
    assert!(price.validity.is_null() && price.data.is_null(), "no nulls, no views");
    // SAFETY: three values, nobody else's.
    unsafe { price.values.cast::<f64>().copy_from_nonoverlapping([1.0, 2.0, 3.0].as_ptr(), 3) };
    loan.commit(3).unwrap();
    let batch = reader.try_read_arrow().unwrap().unwrap();
    let text: Vec<_> = batch.column(0).as_string_view().iter().collect();
    assert_eq!(text, [Some("short"), Some("a text of thirty bytes, longer"), None]);
    assert_eq!(batch.column(1).as_primitive::<Float64Type>().values().as_ref(), &[1.0, 2.0, 3.0]);
}

#[test]
fn what_is_declared_of_a_lent_column_must_be_so() {
    let writer = Writer::new(config("declared")).unwrap();
    let fields = vec![Field::new("text", DataType::Utf8View, false), Field::new("n", DataType::Int64, true)];
    let mut loan = writer.loan_with(&Arc::new(Schema::new(fields)), 3, 64).unwrap();
    let mut declared = |column, nulls, data| loan.declare(column, nulls, data).map(|()| 0);
    refused(declared(2, false, 0), "column 2 of a loan of 2 columns");
    refused(declared(0, true, 0), "column 0 has nulls and is not nullable");
    refused(declared(0, false, 65), "column 0 uses 65 bytes for long values, it has 64");
    refused(declared(1, true, 1), "column 1 uses 1 bytes for long values, it has 0");
    refused(declared(0, false, 64), "no place for them was asked for");
    refused(declared(1, true, 0), "no place for them was asked for");
    for column in [0, 1] {
        loan.raw_column(column).unwrap();
    }
    loan.declare(0, false, 64).unwrap();
    loan.declare(1, true, 0).unwrap();
    refused(loan.raw_column(2).map(|_| 0), "column 2: there is no such column");
}

#[test]
#[allow(unsafe_code)]
fn what_nobody_asks_for_takes_no_room_in_the_frame() {
    const ROWS: usize = 1000;
    let config = config("room");
    let (writer, reader) = (Writer::new(&config).unwrap(), Reader::new(&config).unwrap());
    let fields = ["a", "b", "c", "d"].map(|name| Field::new(name, DataType::Utf8View, true));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let mut loan = writer.loan_with(&schema, ROWS, 1 << 14).unwrap();
    let mut columns: Vec<_> = (0..4).map(|column| loan.raw_values(column).unwrap()).collect();
    assert!(columns.iter().all(|column| column.validity.is_null() && column.data.is_null()));
    // The last one first: it is not the order of the columns that counts.
    loan.raw_data(3, &mut columns[3]).unwrap();
    loan.raw_validity(1, &mut columns[1]).unwrap();
    let again = loan.raw_values(3).unwrap();
    assert_eq!((again.data, again.data_bytes), (columns[3].data, 1 << 14), "it stays where it is");
    let long = "x".repeat(1 << 14);
    // SAFETY: columns of views, nobody else's; the loan has not ended.
    unsafe {
        columns[3].set_view(7, long.as_bytes()).unwrap();
        columns[0].set_view(0, b"short").unwrap();
        columns[0].set_view(0, b"too long for its view").unwrap_err();
        columns[1].set_null(ROWS - 1);
    }
    for (at, column) in columns.iter().enumerate() {
        loan.declare(at, column.has_nulls != 0, column.data_used).unwrap();
    }
    loan.commit(ROWS).unwrap();
    let frame = reader.try_read_frame().unwrap().unwrap();
    let used = 4 * 16 * ROWS + ROWS.div_ceil(8) + long.len();
    assert!(frame.bytes().len() < used + 2048, "{} bytes for {used}", frame.bytes().len());
    let batch = frame.to_batch().unwrap();
    let text = |column: usize, row| batch.column(column).as_string_view().value(row).to_owned();
    assert_eq!((text(0, 0), text(3, 7), text(3, 8)), ("short".to_owned(), long, String::new()));
    let nulls: Vec<_> = batch.columns().iter().map(Array::null_count).collect();
    assert_eq!(nulls, [0, 1, 0, 0]);
    assert!(batch.column(1).is_null(ROWS - 1));
}
