//! Frames built in their slot.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Float64Type, Int8Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};

use super::*;

/// Runs `fill` on a loan in a stale slot and gives the frame of the first `rows` rows.
fn loan(
    schema: &SchemaRef,
    room: usize,
    var_bytes: usize,
    rows: usize,
    fill: impl FnOnce(&mut crate::frame::Columns<'_>),
) -> Buffer {
    let mut encoder = Encoder::new(Compression::None);
    let mut plan = encoder.plan_loan(schema, room, var_bytes).expect("a plan");
    let mut slot = MutableBuffer::new(0);
    slot.resize(plan.total as usize, STALE);
    fill(&mut plan.columns(&mut slot).expect("columns"));
    let used = encoder.finish_loan(plan, &mut slot, rows, false).expect("finished");
    slot.truncate(used as usize);
    slot.into()
}

fn fields(fields: Vec<(&str, DataType, bool)>) -> SchemaRef {
    let fields = fields.into_iter().map(|(name, data_type, nullable)| Field::new(name, data_type, nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn read(frame: &Buffer) -> RecordBatch {
    only_batch(decode(Validation::Full, frame).expect("a frame"))
}

#[test]
fn columns_are_filled_where_they_lie() {
    let schema = fields(vec![
        ("tiny", DataType::Int8, false),
        ("time", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), false),
        ("day", DataType::Date32, true),
        ("price", DataType::Float64, true),
        ("cash", DataType::Decimal128(20, 2), false),
        ("code", DataType::FixedSizeBinary(3), false),
        ("buy", DataType::Boolean, true),
        ("venue", DataType::Utf8View, true),
        ("raw", DataType::BinaryView, false),
    ]);
    let frame = loan(&schema, 10, 100, 10, |columns| {
        let tiny = columns.column::<i8>("tiny").expect("tiny");
        let time = columns.column::<i64>(1).expect("time");
        let day = columns.column::<i32>("day").expect("day");
        let price = columns.column::<f64>("price").expect("price");
        let cash = columns.column::<i128>("cash").expect("cash");
        let code = columns.column::<[u8; 3]>("code").expect("code");
        let mut buy = columns.bools("buy").expect("buy");
        let mut venue = columns.texts("venue").expect("venue");
        let mut raw = columns.blobs("raw").expect("raw");
        let mut price_nulls = columns.validity("price").expect("nullable");
        for row in 0..10 {
            tiny[row] = row as i8;
            time[row] = row as i64 * 1_000;
            day[row] = row as i32 + 100;
            price[row] = row as f64 / 4.0;
            cash[row] = row as i128 * 10;
            code[row] = [row as u8; 3];
            buy.set(row, row % 3 == 0);
            venue.set(row, if row == 4 { "a venue with a long name" } else { "short" }).expect("room");
            raw.set(row, b"bytes").expect("room");
        }
        price_nulls.set_null(2);
        price_nulls.set_null(9);
        price_nulls.set(9, true);
    });
    let batch = read(&frame);
    assert_eq!(batch.schema(), schema);
    assert_eq!(batch["tiny"].as_primitive::<Int8Type>().values()[7], 7);
    assert_eq!(batch["day"].as_primitive::<Date32Type>().value(3), 103);
    let price = batch["price"].as_primitive::<Float64Type>();
    assert_eq!((price.null_count(), price.is_null(2), price.value(9)), (1, true, 2.25));
    assert_eq!(batch["cash"].as_primitive::<Decimal128Type>().value(6), 60);
    assert_eq!(batch["code"].as_fixed_size_binary().value(8), [8; 3]);
    assert_eq!(batch["buy"].as_boolean().true_count(), 4);
    assert_eq!(batch["venue"].as_string_view().value(4), "a venue with a long name");
    assert_eq!(batch["venue"].as_string_view().value(5), "short");
    assert_eq!(batch["raw"].as_binary_view().value(9), b"bytes");
    assert_eq!(batch["day"].null_count(), 0);
}

#[test]
fn fewer_rows_publish_nothing_stale() {
    let schema = fields(vec![
        ("a", DataType::Int64, true),
        ("b", DataType::Boolean, false),
        ("c", DataType::Utf8View, true),
        ("d", DataType::Int64, true),
    ]);
    for rows in [0, 1, 7, 8, 63, 500, 999, 1000] {
        let frame = loan(&schema, 1000, 5000, rows, |columns| {
            let a = columns.column::<i64>("a").expect("a");
            let d = columns.column::<i64>("d").expect("d");
            let mut b = columns.bools("b").expect("b");
            let mut c = columns.texts("c").expect("c");
            let mut nulls = columns.validity("d").expect("nullable");
            for row in 0..rows {
                (a[row], d[row]) = (row as i64, -(row as i64));
                b.set(row, true);
                c.set(row, if row % 100 == 5 { "quite a long value, this one" } else { "" }).expect("room");
                if row % 2 == 1 {
                    nulls.set_null(row);
                }
            }
        });
        // 0xAA is in no value and in no bitmap (0x55 is), and metadata does not hold eight of it.
        assert!(!frame.windows(8).any(|window| window == [STALE; 8]), "{rows} rows");
        let batch = read(&frame);
        assert_eq!(batch.num_rows(), rows);
        assert_eq!(batch["d"].null_count(), rows / 2);
        for row in 0..rows {
            assert_eq!(batch["a"].as_primitive::<Int64Type>().value(row), row as i64);
            assert!(batch["b"].as_boolean().value(row));
            let long = row % 100 == 5;
            assert_eq!(batch["c"].as_string_view().value(row).len(), if long { 28 } else { 0 });
            assert_eq!(batch["d"].is_null(row), row % 2 == 1);
        }
    }
}

#[test]
fn a_full_loan_of_plain_columns_ends_where_its_values_end() {
    let schema = fields(vec![("a", DataType::Int64, true), ("b", DataType::Int64, false)]);
    let frame = loan(&schema, 64, 0, 64, |columns| {
        columns.column::<i64>("a").expect("a").fill(1);
        columns.column::<i64>("b").expect("b").fill(2);
    });
    let batch = read(&frame);
    let end = batch["b"].as_primitive::<Int64Type>().values().inner().as_slice().as_ptr_range().end as usize;
    assert_eq!(frame.as_ptr() as usize + frame.len(), end + 8);
}

#[test]
fn bits_and_views_nobody_set_are_false_and_empty() {
    let schema = fields(vec![("b", DataType::Boolean, false), ("c", DataType::Utf8View, false)]);
    let batch = read(&loan(&schema, 20, 0, 20, |_| {}));
    assert_eq!(batch["b"].as_boolean().true_count(), 0);
    assert!(batch["c"].as_string_view().iter().all(|text| text == Some("")));
}

#[test]
fn columns_can_be_had_again() {
    let schema = fields(vec![("n", DataType::Int64, true), ("s", DataType::Utf8View, false)]);
    let mut encoder = Encoder::new(Compression::None);
    let mut plan = encoder.plan_loan(&schema, 4, 128).expect("a plan");
    let mut slot = MutableBuffer::new(0);
    slot.resize(plan.total as usize, STALE);
    for row in 0..4 {
        let mut columns = plan.columns(&mut slot).expect("columns");
        columns.column::<i64>("n").expect("n")[row] = row as i64;
        columns.texts("s").expect("s").set(row, &format!("long text number {row}")).expect("room");
        if row == 1 {
            columns.validity("n").expect("nullable").set_null(row);
        }
        assert!(columns.column::<i64>("n").is_err(), "handed out twice");
    }
    let used = encoder.finish_loan(plan, &mut slot, 4, false).expect("finished");
    slot.truncate(used as usize);
    let batch = read(&slot.into());
    assert_eq!(batch["n"].null_count(), 1);
    assert_eq!(batch["s"].as_string_view().value(0), "long text number 0");
    assert_eq!(batch["s"].as_string_view().value(3), "long text number 3");
}

#[test]
fn long_values_stop_at_the_end_of_their_room() {
    let schema = fields(vec![("s", DataType::Utf8View, false)]);
    loan(&schema, 3, 30, 3, |columns| {
        let mut texts = columns.texts("s").expect("s");
        texts.set(0, "twenty bytes of value").expect("room");
        let refused = texts.set(1, "twenty bytes of value");
        assert_eq!(refused, Err(crate::frame::OutOfRoom { needed: 21, left: 9 }));
        texts.set(1, "inline").expect("inline values need no room");
    });
}

#[test]
fn a_column_of_another_type_is_refused() {
    let schema = fields(vec![("n", DataType::Int64, false)]);
    loan(&schema, 1, 0, 1, |columns| {
        assert!(matches!(columns.column::<u64>("n"), Err(FrameError::Invalid(_))));
        assert!(matches!(columns.column::<i64>("m"), Err(FrameError::Invalid(_))));
        assert!(matches!(columns.column::<i64>(1), Err(FrameError::Invalid(_))));
        assert!(matches!(columns.validity("n"), Err(FrameError::Invalid(_))));
        columns.column::<i64>(0).expect("the right type")[0] = 5;
    });
}

#[test]
fn types_that_cannot_be_built_in_place_are_named() {
    let schema = fields(vec![("words", DataType::Utf8, false)]);
    let refused = Encoder::new(Compression::None).plan_loan(&schema, 1, 0).err();
    let told = matches!(&refused, Some(FrameError::Unsupported(what))
        if what.contains("words") && what.contains("Utf8") && what.contains("write it"));
    assert!(told, "{refused:?}");
}

#[test]
fn more_rows_than_were_asked_for_are_refused() {
    let schema = fields(vec![("n", DataType::Int64, false)]);
    let mut encoder = Encoder::new(Compression::None);
    let plan = encoder.plan_loan(&schema, 2, 0).expect("a plan");
    let mut slot = vec![0; plan.total as usize];
    assert!(matches!(encoder.finish_loan(plan, &mut slot, 3, false), Err(FrameError::Invalid(_))));
}

#[test]
fn arrow_rs_reads_a_loaned_frame() {
    let schema = fields(vec![("n", DataType::Int64, true), ("s", DataType::Utf8View, true)]);
    let frame = loan(&schema, 100, 1000, 60, |columns| {
        columns.column::<i64>("n").expect("n").fill(3);
        columns.texts("s").expect("s").set(7, "a text that is not inline").expect("room");
        columns.validity("n").expect("nullable").set_null(59);
    });
    let reader = arrow_ipc::reader::StreamReader::try_new(std::io::Cursor::new(frame.as_slice()), None);
    let batches: Vec<_> = reader.expect("a stream").map(|batch| batch.expect("a batch")).collect();
    assert_eq!(batches.len(), 1);
    assert_same(&batches[0], &read(&frame), "loaned");
    assert_eq!(batches[0]["n"].null_count(), 1);
}

#[test]
fn a_loan_between_measuring_and_writing_changes_nothing() {
    let batch = column(Arc::new(arrow_array::StringArray::from(vec!["a", "b"])));
    let batches = std::slice::from_ref(&batch);
    let mut encoder = Encoder::new(Compression::None);
    let measured = encoder.measure(&batch.schema(), batches).expect("measured");
    let other = fields(vec![("n", DataType::Int64, false)]);
    encoder.plan_loan(&other, 1, 0).expect("a plan");
    let mut slot = vec![STALE; measured.total as usize];
    let used = encoder.write(&measured, &batch.schema(), batches, &mut slot, false).expect("written");
    assert_eq!(used, measured.total);
    assert_same(&batch, &read(&Buffer::from_vec(slot)), "written after a loan");
}
