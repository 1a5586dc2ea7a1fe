//! Rows of schemas known at run time against rows of types, and their way through Arrow.

mod types;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_array::*;
use arrow_schema::{DataType, Field, Schema};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::algebra::{F32, F64};
use crate::column::tests::holds;
use crate::trace::Batch;

type Typed = (Option<i64>, Option<String>, (bool, u8, i32), F64, Option<Vec<u8>>, i128, F32);

fn typed() -> impl Strategy<Value = Typed> {
    let numbers = any::<(bool, u8, i32)>().prop_map(|(a, b, c)| (a, b % 3, c % 3));
    let number = prop_oneof![Just(None), (0i64..3).prop_map(Some)];
    let text = prop_oneof![Just(None), "[ab]{0,2}".prop_map(Some)];
    let float = prop_oneof![Just(f64::NAN), Just(-0.0), Just(0.0), -2.0f64..2.0];
    let bytes = prop_oneof![Just(None), vec(0u8..3, 0..3).prop_map(Some)];
    (number, text, numbers, float.prop_map(F64::new), bytes, -2i128..2, (-1f32..1.0).prop_map(F32::new))
}

/// The same rows, column by column.
fn table(rows: &[Typed]) -> RecordBatch {
    let numbers = |of: fn(&Typed) -> Option<i64>| Int64Array::from_iter(rows.iter().map(of));
    let decimals =
        Decimal128Array::from_iter_values(rows.iter().map(|row| row.5)).with_precision_and_scale(38, 2);
    let columns: [(&str, ArrayRef, bool); 9] = [
        ("number", Arc::new(numbers(|row| row.0)), true),
        ("text", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1.as_deref()))), true),
        ("ok", Arc::new(BooleanArray::from_iter(rows.iter().map(|row| Some(row.2.0)))), false),
        ("small", Arc::new(UInt8Array::from_iter_values(rows.iter().map(|row| row.2.1))), false),
        ("middle", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.2.2))), false),
        ("float", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.3.into_inner()))), false),
        ("bytes", Arc::new(BinaryArray::from_iter(rows.iter().map(|row| row.4.as_deref()))), true),
        ("decimal", Arc::new(decimals.expect("38 digits are enough")), false),
        (
            "single",
            Arc::new(Float32Array::from_iter_values(rows.iter().map(|row| row.6.into_inner()))),
            false,
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).expect("the columns have one length")
}

fn rows(table: &RecordBatch) -> Rows {
    Rows::of_record_batch(table).expect("rows have such columns")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn dynamic_columns_are_vectors_of_rows(all in vec(typed(), 0..40), numbers in vec(any::<usize>(), 0..40)) {
        let rows = rows(&table(&all));
        let items: Vec<Row> = (0..rows.len()).map(|row| Row::owned(rows.get(row))).collect();
        holds(&items, &numbers);
        holds(&items.iter().map(|row| Some(row.clone())).collect::<Vec<_>>(), &numbers);
        holds(&items.iter().map(|row| (row.clone(), 1u8)).collect::<Vec<_>>(), &numbers);
    }

    #[test]
    fn dynamic_rows_compare_as_typed_ones(all in vec(typed(), 0..20)) {
        let rows = rows(&table(&all));
        for (a, one) in all.iter().enumerate() {
            for (b, other) in all.iter().enumerate() {
                prop_assert_eq!(rows.get(a).cmp(&rows.get(b)), one.cmp(other), "{:?} and {:?}", rows.get(a), rows.get(b));
                prop_assert_eq!(rows.get(a) == rows.get(b), one == other);
            }
        }
    }

    #[test]
    fn dynamic_rows_come_back_from_arrow(all in vec(typed(), 0..20)) {
        let table = table(&all);
        let back = rows(&table).into_record_batch(&table.schema()).expect("nothing has changed");
        prop_assert_eq!(&back, &table);
        let part = table.slice(all.len() / 3, all.len() / 2);
        prop_assert_eq!(&rows(&part).into_record_batch(&table.schema()).expect("nothing has changed"), &part);
        let mut copied = Rows::default();
        copied.extend_range(&rows(&table), 0..all.len());
        prop_assert_eq!(&copied.into_record_batch(&table.schema()).expect("nothing has changed"), &table);
    }

    #[test]
    fn batches_of_dynamic_rows_add_up(all in vec((typed(), -2i64..3), 0..40)) {
        let (typed, weights): (Vec<_>, Vec<_>) = all.iter().cloned().unzip();
        let rows = rows(&table(&typed));
        let mut batch = Batch::<Row>::new();
        for (row, &weight) in weights.iter().enumerate() {
            batch.push(rows.get(row), (), weight);
        }
        let expected: Batch<Typed> = all.into_iter().collect();
        let weights: Vec<_> = batch.to_rows().into_iter().map(|row| row.2).collect();
        prop_assert_eq!(weights, expected.to_rows().into_iter().map(|row| row.2).collect::<Vec<_>>());
    }
}

#[test]
fn numbers_and_text_are_shared_both_ways() {
    let numbers = Int64Array::from_iter((0..100).map(|row| (row % 7 > 0).then_some(row)));
    let times = TimestampNanosecondArray::from((0..100).collect::<Vec<_>>());
    let small = StringArray::from_iter_values((0..100).map(|row| row.to_string()));
    let large = LargeStringArray::from_iter_values((0..100).map(|row| row.to_string()));
    let columns: [(&str, ArrayRef); 4] = [
        ("numbers", Arc::new(numbers.clone())),
        ("times", Arc::new(times.clone())),
        ("small", Arc::new(small.clone())),
        ("large", Arc::new(large.clone())),
    ];
    let whole = RecordBatch::try_from_iter(columns).expect("the columns have one length");
    let table = rows(&whole).into_record_batch(&whole.schema()).expect("nothing has changed");
    assert_eq!(table["numbers"].as_primitive::<Int64Type>().values().as_ptr(), numbers.values().as_ptr());
    assert_eq!(
        table["times"].as_primitive::<TimestampNanosecondType>().values().as_ptr(),
        times.values().as_ptr()
    );
    assert_eq!(table["small"].as_string::<i32>().values().as_ptr(), small.values().as_ptr());
    assert_eq!(
        table["small"].as_string::<i32>().offsets().inner().as_ptr(),
        small.offsets().inner().as_ptr()
    );
    assert_eq!(table["large"].as_string::<i64>().values().as_ptr(), large.values().as_ptr());
    assert_eq!(
        table["large"].as_string::<i64>().offsets().inner().as_ptr(),
        large.offsets().inner().as_ptr()
    );
    let part = whole.slice(20, 5);
    let table = rows(&part).into_record_batch(&whole.schema()).expect("nothing has changed");
    assert_eq!(
        table["numbers"].as_primitive::<Int64Type>().values().as_ptr(),
        numbers.values()[20..].as_ptr()
    );
    let text = table["small"].as_string::<i32>();
    assert_eq!(text.values().as_ptr(), small.values()[small.offsets()[20] as usize..].as_ptr());
    assert_eq!(text.values().len(), 10, "nothing is carried along that no row has");
}

#[test]
fn what_is_shared_is_copied_when_it_is_written_to_and_not_before() {
    let floats = Float64Array::from(vec![1.0, 2.0]);
    let text = StringArray::from(vec!["a", "b"]);
    let table = RecordBatch::try_from_iter([
        ("float", Arc::new(floats.clone()) as _),
        ("text", Arc::new(text.clone()) as _),
    ]);
    let table = table.expect("the columns have one length");
    let shared = rows(&table);
    let mut written = shared.clone();
    written.push(shared.get(0));
    written.truncate(1);
    written.push(shared.get(1));
    assert_eq!((written.get(0), written.get(1)), (shared.get(0), shared.get(1)));
    let mut part = rows(&table.slice(1, 1));
    part.push(shared.get(0));
    assert_eq!((part.get(0), part.get(1)), (shared.get(1), shared.get(0)));
    assert_eq!((floats.values().to_vec(), text.value(1)), (vec![1.0, 2.0], "b"));
    let place = |rows: Rows| {
        rows.into_record_batch(&table.schema()).expect("nothing has changed")["float"]
            .as_primitive::<Float64Type>()
            .values()
            .as_ptr()
    };
    assert_ne!(place(written), floats.values().as_ptr());
    assert_eq!(place(shared), floats.values().as_ptr());
}

#[test]
fn hashes_do_not_depend_on_validity_or_layout() {
    let texts: [ArrayRef; 4] = [
        Arc::new(StringArray::from(vec!["a", "b"])),
        Arc::new(LargeStringArray::from(vec!["a", "b"])),
        Arc::new(StringViewArray::from(vec!["a", "b"])),
        Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]).slice(0, 2)),
    ];
    let rows = texts.map(|text| {
        rows(&RecordBatch::try_from_iter_with_nullable([("text", text, true)]).expect("one column"))
    });
    for other in &rows {
        assert_eq!((rows[0].get(1), rows[0].hash(1)), (other.get(1), other.hash(1)));
        assert_ne!(other.hash(0), other.hash(1));
    }
}

#[test]
fn a_row_reads_as_its_columns() {
    let row = (Some(1), None, (true, 2, -3), F64::new(0.5), Some(vec![255]), 250, F32::new(1.0));
    let text = "{number: 1, text: null, ok: true, small: 2, middle: -3, float: 0.5, bytes: [255], decimal: 250, single: 1.0}";
    assert_eq!(format!("{:?}", rows(&table(&[row])).get(0)), text);
}

#[test]
fn a_null_where_the_schema_has_none_is_refused() {
    let nulls = RecordBatch::try_from_iter([("number", Arc::new(Int64Array::from(vec![None])) as _)])
        .expect("one column");
    let schema = Arc::new(Schema::new(vec![Field::new("number", DataType::Int64, false)]));
    let error = rows(&nulls).into_record_batch(&schema).expect_err("there is a null").to_string();
    assert!(error.starts_with("column number has 1 nulls"), "{error}");
}
