//! Tables that go to Arrow and come back, and what is said of those that do not fit.

use std::sync::Arc;

use arrow_array::types::{Int32Type, Int64Type, TimestampNanosecondType};
use arrow_array::{
    DictionaryArray, Float64Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    StringViewArray, StructArray, TimestampNanosecondArray, TimestampSecondArray, cast::AsArray,
};
use arrow_schema::Fields;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::Data;
use crate::algebra::{CheckedInt, F32, F64};
use crate::column::tests::derived::Trade;
use crate::column::{Plain, Values};
use crate::time::Nanoseconds;
use crate::trace::{Batch, Weights};

/// A batch is what it was after a way through Arrow, also if only its middle goes.
fn comes_back<K: Data, V: Data>(rows: &[(K, V, i64)])
where
    K::Column: ArrowColumn,
    V::Column: ArrowColumn,
{
    let batch: Batch<K, V> = rows.iter().cloned().collect();
    let table = Layout::new().always_weights().write(batch.clone()).expect("the names differ");
    assert_eq!(table.num_rows(), rows.len());
    let back = Batch::<K, V>::from_record_batch(&table).expect("it is of its own type");
    assert_eq!(listed(&back), rows);
    let (start, rest) = (rows.len() / 3, rows.len() / 2);
    let back = Batch::<K, V>::from_record_batch(&table.slice(start, rest)).expect("it is of its own type");
    assert_eq!(listed(&back), &rows[start..start + rest]);
    let table = back.into_record_batch().expect("the names differ");
    let back = Batch::<K, V>::from_record_batch(&table).expect("it is of its own type");
    assert_eq!(listed(&back), &rows[start..start + rest]);
}

fn listed<K: Data, V: Data>(batch: &Batch<K, V>) -> Vec<(K, V, i64)> {
    batch.iter().map(|(key, val, weight)| (K::owned(key), V::owned(val), weight)).collect()
}

type Any = (i64, u8, bool, String, Option<i32>, Option<String>, f64, i128);

/// Makes keys and values of some rows.
fn of<K, V>(rows: &[(Any, i64)], to: impl Fn(Any) -> (K, V)) -> Vec<(K, V, i64)> {
    let row = |(row, weight): &(Any, i64)| {
        let (key, val) = to(row.clone());
        (key, val, *weight)
    };
    rows.iter().map(row).collect()
}

proptest! {
    #[test]
    fn batches_come_back_from_arrow(
        rows in vec((any::<Any>(), -1i64..3), 0..40),
        trades in vec((Trade::any(), any::<Option<bool>>(), 1i64..2), 0..20),
    ) {
        comes_back(&of(&rows, |row| (row.0, ())));
        comes_back(&of(&rows, |row| (row.3, row.4)));
        comes_back(&of(&rows, |row| ((row.1, row.2), (row.5, row.7))));
        comes_back(&of(&rows, |row| (F64::new(row.6), (CheckedInt(row.0), F32::new(row.6 as f32)))));
        comes_back(&of(&rows, |row| ((), Some((row.4, (row.3,))))));
        comes_back(&of(&rows, |row| (row.4.map(|number| (row.5, number)), row.1 as usize)));
        comes_back(&of(&rows, |row| (row.3.into_bytes(), row.5.map(String::into_bytes))));
        comes_back(&of(&rows, |row| (Nanoseconds(row.0), row.4.map(|number| Nanoseconds(number.into())))));
        comes_back(&of(&rows, |_| ((), ())));
        comes_back(&trades);
        let maybe = trades.iter().map(|(trade, there, weight)| (there.map(|_| trade.clone()), trade.level.clone(), *weight));
        comes_back(&maybe.collect::<Vec<_>>());
    }
}

#[test]
fn numbers_are_shared_both_ways() {
    let prices = Int64Array::from((0..100).collect::<Vec<_>>());
    let sizes = Float64Array::from_iter((0..100).map(|row| (row % 3 > 0).then_some(f64::from(row))));
    let table = RecordBatch::try_from_iter_with_nullable([
        ("key", Arc::new(prices.clone()) as ArrayRef, false),
        ("value", Arc::new(sizes.clone()), true),
    ]);
    let table = table.expect("the columns have one length").slice(10, 50);
    let batch = Batch::<i64, Option<F64>>::from_record_batch(&table).expect("the types agree");
    assert_eq!(batch.keys().0.as_ptr(), prices.values()[10..].as_ptr());
    assert_eq!(batch.vals().parts().1.0.as_ptr(), sizes.values()[10..].as_ptr());
    assert_eq!((batch.val(1), batch.val(2)), (Some(F64::new(11.0)), None));
    let table = batch.into_record_batch().expect("the names differ");
    assert_eq!(table["key"].as_primitive::<Int64Type>().values().as_ptr(), prices.values()[10..].as_ptr());

    let owned: Batch<i64> = (0..50).map(|row| (row, 1 + row % 2)).collect();
    let Weights::Each(weights) = owned.weights() else { panic!("not all weights are 1") };
    let places = (owned.keys().0.as_ptr(), weights.as_ptr());
    let table = owned.into_record_batch().expect("the names differ");
    let place = |name: &str| table[name].as_primitive::<Int64Type>().values().as_ptr();
    assert_eq!((place("key"), place("weight")), places);
}

#[test]
fn times_are_timestamps_shared_both_ways() {
    let times = TimestampNanosecondArray::from((0..100).collect::<Vec<_>>());
    let table =
        RecordBatch::try_from_iter([("key", Arc::new(times.clone()) as ArrayRef)]).expect("one column");
    let batch = Batch::<Nanoseconds>::from_record_batch(&table).expect("the types agree");
    assert_eq!(batch.key(7), Nanoseconds(7));
    let back = batch.into_record_batch().expect("one name");
    assert_eq!(back, table);
    let back = back["key"].as_primitive::<TimestampNanosecondType>().values().as_ptr();
    assert_eq!(back, times.values().as_ptr());
    let zoned: ArrayRef = Arc::new(times.with_timezone_utc());
    let seconds: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1]));
    for other in [zoned, seconds, Arc::new(Int64Array::from(vec![1]))] {
        let got = other.data_type().clone();
        assert_eq!(
            refusal::<Nanoseconds>(vec![("key", other)]),
            format!("column key has to be Timestamp(ns) and is {got}; cast it first")
        );
    }
}

#[test]
fn text_leaves_without_being_copied() {
    let batch: Batch<String> = ["ESZ6", "NQZ6"].map(|name| (name.to_owned(), 1)).into_iter().collect();
    let place = batch.keys().parts().0.as_ptr();
    let table = batch.into_record_batch().expect("the names differ");
    assert_eq!(table["key"].as_string::<i64>().values().as_ptr(), place);
}

#[test]
fn weights_are_a_column_unless_all_are_1() {
    let ones: Batch<u8> = [(1, 1), (2, 1)].into_iter().collect();
    assert!(ones.clone().into_record_batch().expect("the names differ").column_by_name("weight").is_none());
    let table = Layout::new().weight("times").always_weights().write(ones.clone()).expect("the names differ");
    assert_eq!(table["times"].as_primitive::<Int64Type>().values(), &[1, 1]);
    let read = Layout::<u8>::new().weight("times").read(&table).expect("the types agree");
    assert!(matches!(read.weights(), Weights::Ones(2)));
    let twos: Batch<u8> = [(1, 2)].into_iter().collect();
    assert_eq!(
        twos.into_record_batch().expect("the names differ")["weight"].as_primitive::<Int64Type>().values(),
        &[2]
    );
}

#[test]
fn strings_come_in_every_layout() {
    let names = ["", "a", "a name that does not fit into a view"];
    let arrays: [ArrayRef; 3] = [
        Arc::new(StringArray::from(names.to_vec())),
        Arc::new(LargeStringArray::from(names.to_vec())),
        Arc::new(StringViewArray::from(names.to_vec())),
    ];
    for array in arrays {
        let table = RecordBatch::try_from_iter([("key", array)]).expect("one column").slice(1, 2);
        let batch = Batch::<String>::from_record_batch(&table).expect("all are strings");
        assert_eq!(listed(&batch).into_iter().map(|row| row.0).collect::<Vec<_>>(), names[1..]);
    }
}

#[test]
fn columns_can_be_named_otherwise() {
    let layout =
        || Layout::<(i64, bool), String>::new().keys(["id", "ok"]).and_then(|layout| layout.vals(["name"]));
    let batch: Batch<_, _> = [((1, true), "x".to_owned(), 1)].into_iter().collect();
    let table = layout().expect("as many names as columns").write(batch.clone()).expect("the names differ");
    assert_eq!(
        table.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(),
        ["id", "ok", "name"]
    );
    assert_eq!(layout().expect("as many names as columns").read(&table).expect("the types agree"), batch);
    let usual = batch.clone().into_record_batch().expect("the names differ");
    assert_eq!(
        usual.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(),
        ["key0", "key1", "value"]
    );
    let error = layout().and_then(|layout| layout.keys(["id"])).map(drop).expect_err("a name is missing");
    assert_eq!(error.to_string(), "1 names are given for 2 columns (id, ok); name each column once");
    let error = layout()
        .and_then(|layout| layout.weight("id").always_weights().write(batch))
        .map(drop)
        .expect_err("id is there twice");
    assert_eq!(error.to_string(), "two columns would be called id; name each column once");
}

fn refusal<K: Data>(columns: Vec<(&str, ArrayRef)>) -> String
where
    K::Column: ArrowColumn,
{
    let table = RecordBatch::try_from_iter(columns).expect("the columns have one length");
    Batch::<K>::from_record_batch(&table).expect_err("the table is of another type").to_string()
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let some: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    assert_eq!(
        refusal::<i64>(vec![("key", numbers.clone())]),
        "column key has to be Int64 and is Int32; cast it first"
    );
    assert_eq!(
        refusal::<i64>(vec![("id", numbers.clone())]),
        "there is no column key, only id; add it, or say which column it is"
    );
    assert_eq!(
        refusal::<i32>(vec![("key", some.clone())]),
        "column key has 1 nulls and its rows can have none; fill them, or make it an `Option`"
    );
    assert!(
        refusal::<i32>(vec![("key", numbers.clone()), ("weight", some.clone())])
            .starts_with("column weight has to be Int64")
    );
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1, 2]));
    assert_eq!(
        refusal::<i64>(vec![("key", times)]),
        "column key has to be Int64 and is Timestamp(ns); cast it first"
    );
    assert!(
        refusal::<(i32, (i32,))>(vec![("key0", numbers.clone()), ("key1", numbers.clone())])
            .starts_with("column key1 has to be Struct")
    );
    let field = |array: &ArrayRef| Fields::from(vec![Field::new("0", array.data_type().clone(), true)]);
    let inner: ArrayRef = Arc::new(StructArray::new(field(&some), vec![some.clone()], None));
    assert!(
        refusal::<(i32, (i32,))>(vec![("key0", numbers.clone()), ("key1", inner)])
            .starts_with("column key1.0 has 1 nulls")
    );
}

#[test]
fn what_is_missing_inside_of_what_is_missing_is_not_missed() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let fields = Fields::from(vec![Field::new("0", DataType::Int32, true)]);
    let rows: ArrayRef =
        Arc::new(StructArray::new(fields, vec![numbers], Some(NullBuffer::from(vec![true, false]))));
    let table = RecordBatch::try_from_iter([("key", rows)]).expect("one column");
    let batch =
        Batch::<Option<(i32,)>>::from_record_batch(&table).expect("nothing is missing where there is a row");
    assert_eq!(listed(&batch), [(Some((1,)), (), 1), (None, (), 1)]);
}

#[test]
fn nothing_goes_and_comes_as_nothing() {
    let table = Batch::<(String, Option<i64>), bool>::new().into_record_batch().expect("the names differ");
    assert_eq!((table.num_rows(), table.num_columns()), (0, 3));
    assert!(
        Batch::<(String, Option<i64>), bool>::from_record_batch(&table).expect("the types agree").is_empty()
    );
}

/// A row that Arrow does not have: what may be missing twice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Data)]
struct Doubtful {
    value: Option<Option<u8>>,
}

#[test]
fn what_arrow_does_not_have_is_a_row_all_the_same() {
    let rows = [None, Some(None), Some(Some(1))].map(|value| (Doubtful { value }, 1));
    assert_eq!(rows.into_iter().collect::<Batch<_>>().to_rows().len(), 3);
    assert_eq!(Plain::<u8>(Values::Owned(vec![1])).into_array().len(), 1);
}

#[test]
fn columns_with_a_dictionary_are_decoded() {
    let symbols: DictionaryArray<Int32Type> =
        vec![Some("ES"), None, Some("NQ"), Some("ES")].into_iter().collect();
    let table = |symbols: DictionaryArray<Int32Type>| {
        let sizes = Int64Array::from_iter_values(0..symbols.len() as i64);
        RecordBatch::try_from_iter([("key0", Arc::new(symbols) as _), ("key1", Arc::new(sizes) as _)])
            .expect("of one length")
    };
    let rows = Batch::<(Option<String>, i64)>::from_record_batch(&table(symbols.clone())).expect("decoded");
    let symbol = |symbol: &str| Some(symbol.to_owned());
    assert_eq!(
        rows,
        crate::zset! { (symbol("ES"), 0) => 1, (None, 1) => 1, (symbol("NQ"), 2) => 1, (symbol("ES"), 3) => 1 }
    );
    let rows = Batch::<(String, i64)>::from_record_batch(&table(symbols.slice(2, 2))).expect("decoded");
    assert_eq!(rows, crate::zset! { ("NQ".to_owned(), 0) => 1, ("ES".to_owned(), 1) => 1 });
    let refused =
        Batch::<(String, i64)>::from_record_batch(&table(symbols.clone())).expect_err("one is missing");
    assert!(matches!(&refused, Error::Nulls { column, nulls: 1 } if column == "key0"), "{refused}");
    let refused = Batch::<(i64, i64)>::from_record_batch(&table(symbols)).expect_err("they are strings");
    assert!(matches!(&refused, Error::ColumnType { column, .. } if column == "key0"), "{refused}");
}
