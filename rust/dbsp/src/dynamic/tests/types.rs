//! Every type that a column may have: it comes back as what it was, and orders, groups and compares as Arrow's own kernels
//! say. And the types that it may not have.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow_array::builder::{
    BooleanBuilder, FixedSizeListBuilder, Int32Builder, Int64Builder, LargeListBuilder, ListBuilder,
    StringBuilder, StructBuilder,
};
use arrow_array::types::*;
use arrow_buffer::{ArrowNativeType, NullBuffer};
use arrow_ord::ord::make_comparator;
use arrow_schema::{Fields, SchemaRef, TimeUnit};
use arrow_select::take::take;

use super::*;
use crate::circuit::Runtime;
use crate::dynamic::Aggregate::{Avg, Count, Max, Min, Sum};
use crate::error::Error;
use crate::operator::tests::step_or_commit;
use crate::{CircuitHandle, RootCircuit};

/// Six values of each type, in no order; the third is null, and the last is the first.
fn of_each_type() -> Vec<ArrayRef> {
    let numbers = [Some(3i64), Some(-5), None, Some(70), Some(0), Some(3)];
    let small = || numbers.map(|number| number.map(|number| number as i32)).to_vec();
    let positive = |number: i64| number.unsigned_abs();
    let zone: Arc<str> = "Asia/Shanghai".into();
    let texts =
        [Some("ES"), Some("what does not fit into a view"), None, Some(""), Some("\u{e9}"), Some("ES")];
    let bytes = texts.map(|text| text.map(str::as_bytes));
    let floats = [Some(0.5), Some(f64::INFINITY), None, Some(f64::NAN), Some(-2.0), Some(0.5)];
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    let halves = floats.map(|float| float.map(Half::from_f64));
    let fixed = [Some(*b"ab"), Some(*b"b\0"), None, Some(*b"\xff\xff"), Some(*b"aa"), Some(*b"ab")];
    let decimal = |array: Decimal128Array| array.with_precision_and_scale(20, 2).expect("they fit");
    let coded = |texts: [Option<&str>; 6]| -> DictionaryArray<Int8Type> { texts.into_iter().collect() };
    let sizes = Int64Array::from(vec![Some(7), Some(3), Some(-1), None]);
    let codes = UInt32Array::from(vec![Some(0), Some(1), None, Some(3), Some(2), Some(0)]);
    vec![
        Arc::new(BooleanArray::from(numbers.map(|number| number.map(|number| number > 0)).to_vec())),
        Arc::new(Int8Array::from_iter(numbers.map(|number| number.map(|number| number as i8)))),
        Arc::new(Int16Array::from_iter(numbers.map(|number| number.map(|number| number as i16)))),
        Arc::new(Int32Array::from(small())),
        Arc::new(Int64Array::from(numbers.to_vec())),
        Arc::new(UInt8Array::from_iter(numbers.map(|number| number.map(|number| positive(number) as u8)))),
        Arc::new(UInt16Array::from_iter(numbers.map(|number| number.map(|number| positive(number) as u16)))),
        Arc::new(UInt32Array::from_iter(numbers.map(|number| number.map(|number| positive(number) as u32)))),
        Arc::new(UInt64Array::from_iter(numbers.map(|number| number.map(positive)))),
        Arc::new(PrimitiveArray::<Float16Type>::from_iter(halves)),
        Arc::new(Float32Array::from_iter(floats.map(|float| float.map(|float| float as f32)))),
        Arc::new(Float64Array::from_iter(floats)),
        Arc::new(Decimal32Array::from(small()).with_precision_and_scale(9, 3).expect("they fit")),
        Arc::new(Decimal64Array::from(numbers.to_vec()).with_precision_and_scale(18, 0).expect("they fit")),
        Arc::new(decimal(numbers.map(|number| number.map(i128::from)).to_vec().into())),
        Arc::new(Date32Array::from(small())),
        Arc::new(Date64Array::from(numbers.to_vec())),
        Arc::new(Time32SecondArray::from(small())),
        Arc::new(Time32MillisecondArray::from(small())),
        Arc::new(Time64MicrosecondArray::from(numbers.to_vec())),
        Arc::new(Time64NanosecondArray::from(numbers.to_vec())),
        Arc::new(TimestampSecondArray::from(numbers.to_vec())),
        Arc::new(TimestampMillisecondArray::from(numbers.to_vec()).with_timezone(zone.clone())),
        Arc::new(TimestampMicrosecondArray::from(numbers.to_vec()).with_timezone_utc()),
        Arc::new(TimestampNanosecondArray::from(numbers.to_vec())),
        Arc::new(TimestampNanosecondArray::from(numbers.to_vec()).with_timezone(zone)),
        Arc::new(DurationSecondArray::from(numbers.to_vec())),
        Arc::new(DurationMillisecondArray::from(numbers.to_vec())),
        Arc::new(DurationMicrosecondArray::from(numbers.to_vec())),
        Arc::new(DurationNanosecondArray::from(numbers.to_vec())),
        Arc::new(StringArray::from(texts.to_vec())),
        Arc::new(LargeStringArray::from(texts.to_vec())),
        Arc::new(StringViewArray::from(texts.to_vec())),
        Arc::new(BinaryArray::from(bytes.to_vec())),
        Arc::new(LargeBinaryArray::from(bytes.to_vec())),
        Arc::new(BinaryViewArray::from(bytes.to_vec())),
        Arc::new(
            FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed.into_iter(), 2).expect("of one size"),
        ),
        Arc::new(coded(texts)),
        Arc::new(DictionaryArray::new(codes, Arc::new(sizes))),
        Arc::new(lists(ListBuilder::new(Int64Builder::new()))),
        Arc::new(lists(LargeListBuilder::new(Int64Builder::new()))),
        Arc::new(pairs()),
        Arc::new(structs()),
        Arc::new(books()),
    ]
}

/// The lists that are there: of one size, if they have to be.
const LISTS: [Option<[Option<i64>; 2]>; 6] = [
    Some([Some(1), Some(2)]),
    Some([Some(1), None]),
    None,
    Some([None, Some(7)]),
    Some([Some(-1), Some(0)]),
    Some([Some(1), Some(2)]),
];

fn lists<O: OffsetSizeTrait>(mut lists: builder::GenericListBuilder<O, Int64Builder>) -> GenericListArray<O> {
    // The fifth is a beginning of the first.
    for (row, list) in LISTS.iter().enumerate() {
        match list {
            Some(values) if row == 4 => lists.append_value(values[..0].iter().copied().chain([Some(1)])),
            Some(values) => lists.append_value(values.iter().copied()),
            None => lists.append_null(),
        }
    }
    lists.finish()
}

fn pairs() -> FixedSizeListArray {
    let mut pairs = FixedSizeListBuilder::new(Int64Builder::new(), 2);
    for list in LISTS {
        list.unwrap_or([Some(99), None]).into_iter().for_each(|value| pairs.values().append_option(value));
        pairs.append(list.is_some());
    }
    pairs.finish()
}

/// Structs of which one field may not be missing, and is where the struct is.
fn structs() -> StructArray {
    let fields: Fields =
        vec![Field::new("symbol", DataType::Utf8, false), Field::new("ok", DataType::Boolean, true)].into();
    let rows = [
        ("ES", Some(true)),
        ("ES", None),
        ("", None),
        ("CL", Some(true)),
        ("ES", Some(false)),
        ("ES", Some(true)),
    ];
    let mut symbols = StringBuilder::new();
    let mut ok = BooleanBuilder::new();
    for (row, (symbol, is)) in rows.into_iter().enumerate() {
        symbols.append_option(Some(symbol).filter(|_| row != 2));
        ok.append_option(is);
    }
    let there = NullBuffer::from(vec![true, true, false, true, true, true]);
    StructArray::new(fields, vec![Arc::new(symbols.finish()), Arc::new(ok.finish())], Some(there))
}

/// A price, and a size if there is one.
type Level = (i32, Option<i64>);

/// Levels of a book: lists of structs.
fn books() -> ListArray {
    let fields: Fields =
        vec![Field::new("price", DataType::Int32, true), Field::new("size", DataType::Int64, true)].into();
    let level = StructBuilder::new(
        fields,
        vec![Box::new(Int32Builder::new()) as _, Box::new(Int64Builder::new()) as _],
    );
    let mut books = ListBuilder::new(level);
    let rows: [Option<&[Level]>; 6] = [
        Some(&[(10, Some(1)), (9, Some(5))]),
        Some(&[(10, None)]),
        None,
        Some(&[]),
        Some(&[(10, Some(1)), (9, None)]),
        Some(&[(10, Some(1)), (9, Some(5))]),
    ];
    for levels in rows {
        for &(price, size) in levels.unwrap_or_default() {
            let level = books.values();
            level.field_builder::<Int32Builder>(0).expect("the prices").append_value(price);
            level.field_builder::<Int64Builder>(1).expect("the sizes").append_option(size);
            level.append(true);
        }
        books.append(levels.is_some());
    }
    books.finish()
}

/// A table of a column of each type.
fn table_of(columns: &[ArrayRef]) -> RecordBatch {
    let names: Vec<_> = (0..columns.len()).map(|number| number.to_string()).collect();
    let columns = names.iter().zip(columns).map(|(name, array)| (name, array.clone(), true));
    RecordBatch::try_from_iter_with_nullable(columns).expect("the columns have one length")
}

#[test]
fn every_type_comes_back_as_what_it_was() {
    let mut columns = of_each_type();
    columns.push(Arc::new(NullArray::new(6)));
    let whole = table_of(&columns);
    let same = |back: &RecordBatch, given: &RecordBatch| {
        assert_eq!(back.schema(), given.schema());
        for (back, given) in back.columns().iter().zip(given.columns()) {
            let order = make_comparator(back, given, Default::default());
            let order = order.unwrap_or_else(|_| Box::new(|_, _| Ordering::Equal));
            assert_eq!(back.len(), given.len());
            assert!((0..given.len()).all(|row| order(row, row).is_eq()), "{back:?} was {given:?}");
        }
    };
    for part in [whole.clone(), whole.slice(1, 3), whole.slice(2, 1), whole.slice(4, 0)] {
        let of_part = rows(&part);
        same(&of_part.clone().into_record_batch(&whole.schema()).expect("nothing has changed"), &part);
        // As state has them: gathered one by one, after one that nobody looks at, and in ranges.
        let (mut gathered, numbers) = (Rows::default(), (0..part.num_rows() as u32).collect::<Vec<_>>());
        gathered.push_default();
        gathered.extend_rows(&of_part, &numbers);
        gathered.extend_range(&of_part, 0..part.num_rows());
        let back = gathered.into_record_batch(&whole.schema()).expect("nothing has changed");
        if !numbers.is_empty() {
            same(&back.slice(1, numbers.len()), &part);
            same(&back.slice(1 + numbers.len(), numbers.len()), &part);
        }
    }
}

#[test]
fn rows_of_every_type_are_columns_of_rows() {
    let rows = rows(&table_of(&of_each_type()));
    let items: Vec<Row> = [0, 1, 2, 3, 4, 5, 1, 2].map(|row| Row::owned(rows.get(row))).to_vec();
    holds(&items, &[3, 1, 4, 1, 5]);
    let of_lists = of_each_type().into_iter().filter_map(|array| {
        let column = table::of_array("", &array).expect("rows have such columns");
        if let Cells::List(lists) = column.cells() { Some(lists.clone()) } else { None }
    });
    let of_lists: Vec<Lists> = of_lists.collect();
    assert_eq!(of_lists.len(), 4);
    for lists in of_lists {
        let items: Vec<List> = lists.iter().map(List::owned).collect();
        holds(&items, &[3, 1, 4, 1, 5]);
    }
}

/// What is known of the rows: how often each of the six values came, under each of two keys.
type Came = BTreeMap<(i64, usize), i64>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn every_type_groups_and_has_extremes(steps in vec(vec((0i64..2, 0usize..6, -2i64..4), 0..12), 1..6)) {
        let values = of_each_type();
        for workers in [1, 2, 4, 8] {
            let (mut circuit, input, outputs) = views(workers, &values);
            let mut came = Came::new();
            let mut views = vec![[BTreeMap::new(), BTreeMap::new()]; values.len()];
            for (number, step) in steps.iter().enumerate() {
                input.append(&change(&values, step)).expect("the table is as described");
                step.iter().for_each(|&(key, value, weight)| *came.entry((key, value)).or_default() += weight);
                step_or_commit(&mut circuit, number);
                for ((values, outputs), views) in values.iter().zip(&outputs).zip(&mut views) {
                    for (output, view) in outputs.iter().zip(views.iter_mut()) {
                        follow(values, &output.take().expect("it is of its schema"), view);
                    }
                    let of = values.data_type();
                    prop_assert_eq!(&views[0], &counts(values, &came), "groups by {} after step {}", of, number);
                    prop_assert_eq!(&views[1], &extremes(values, &came), "extremes of {} after step {}", of, number);
                }
            }
        }
    }
}

/// Makes a circuit that counts the rows by each column, and of each column says the least and the greatest by key.
fn views(workers: usize, values: &[ArrayRef]) -> (crate::DBSPHandle, TableHandle, Vec<[TableOutput; 2]>) {
    let schema = change(values, &[]).schema();
    let schema: SchemaRef =
        Arc::new(schema.project(&(0..=values.len()).collect::<Vec<_>>()).expect("columns"));
    let columns = values.len();
    let (circuit, (input, outputs)) = Runtime::init_circuit(workers, move |circuit| {
        let (table, input) = circuit.add_input_table(&schema)?;
        let views = |column: String| {
            let column = column.as_str();
            let groups = table.project(&[column])?.index_by(&[column])?.aggregate_by(&[Count])?;
            let by_key = table.project(&["key", column])?.index_by(&["key"])?;
            Ok([groups.output()?, by_key.aggregate_by(&[Min(column), Max(column), Count])?.output()?])
        };
        let outputs = (0..columns).map(|column| views(column.to_string())).collect::<Result<_, Error>>()?;
        Ok((input, outputs))
    })
    .expect("the circuit is built");
    (circuit, input, outputs)
}

/// A table of rows: of each the key, which of the six values it has in every column, and its weight.
fn change(values: &[ArrayRef], rows: &[(i64, usize, i64)]) -> RecordBatch {
    let chosen = UInt64Array::from_iter_values(rows.iter().map(|row| row.1 as u64));
    let numbers = |of: fn(&(i64, usize, i64)) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(rows.iter().map(of)))
    };
    let mut columns = vec![("key".to_owned(), numbers(|row| row.0), true)];
    for (number, values) in values.iter().enumerate() {
        columns.push((number.to_string(), take(values, &chosen, None).expect("there are so many"), true));
    }
    columns.push(("weight".to_owned(), numbers(|row| row.2), false));
    RecordBatch::try_from_iter_with_nullable(columns).expect("the columns have one length")
}

/// The first of the six values that is equal to each row of a column.
fn numbers(values: &ArrayRef, column: &ArrayRef) -> Vec<usize> {
    assert_eq!(values.data_type(), column.data_type(), "a column leaves as the type that came");
    let order = make_comparator(values, column, Default::default()).expect("Arrow compares them");
    let number = |row| (0..values.len()).find(|&value| order(value, row).is_eq());
    (0..column.len()).map(|row| number(row).expect("it is one of the six")).collect()
}

/// Adds a change to a view, whose rows are numbers of values, and other numbers.
fn follow(values: &ArrayRef, change: &RecordBatch, view: &mut BTreeMap<Vec<i64>, i64>) {
    let columns = change.columns().split_last().expect("there are weights");
    let cells: Vec<Vec<i64>> = (columns.1.iter().enumerate())
        .map(|(place, column)| match change.schema().field(place).name().as_str() {
            "key" | "count" => column.as_primitive::<Int64Type>().values().to_vec(),
            _ => numbers(values, column).into_iter().map(|number| number as i64).collect(),
        })
        .collect();
    for (row, weight) in columns.0.as_primitive::<Int64Type>().values().iter().enumerate() {
        *view.entry(cells.iter().map(|column| column[row]).collect()).or_default() += weight;
    }
    view.retain(|_, weight| *weight != 0);
}

fn counts(values: &ArrayRef, came: &Came) -> BTreeMap<Vec<i64>, i64> {
    let firsts = numbers(values, values);
    let mut counts: BTreeMap<usize, i64> = BTreeMap::new();
    came.iter().for_each(|((_, value), weight)| *counts.entry(firsts[*value]).or_default() += weight);
    counts.retain(|_, count| *count != 0);
    counts.into_iter().map(|(value, count)| (vec![value as i64, count], 1)).collect()
}

fn extremes(values: &ArrayRef, came: &Came) -> BTreeMap<Vec<i64>, i64> {
    let firsts = numbers(values, values);
    let order = make_comparator(values, values, Default::default()).expect("Arrow compares them");
    let null =
        (0..values.len()).find(|&value| values.logical_nulls().is_some_and(|nulls| nulls.is_null(value)));
    let null = null.expect("one is null");
    let mut views = BTreeMap::new();
    for key in 0..2 {
        let mut weights: BTreeMap<usize, i64> = BTreeMap::new();
        for ((_, value), weight) in came.iter().filter(|((of, _), _)| *of == key) {
            *weights.entry(firsts[*value]).or_default() += weight;
        }
        let count: i64 = weights.values().sum();
        let mut there: Vec<usize> = weights.into_iter().filter(|row| row.1 > 0).map(|row| row.0).collect();
        there.retain(|&value| value != null);
        there.sort_by(|&a, &b| order(a, b));
        let of = |value: Option<&usize>| *value.unwrap_or(&null) as i64;
        if count != 0 {
            views.insert(vec![key, of(there.first()), of(there.last()), count], 1);
        }
    }
    views
}

/// Builds a circuit of one worker over some tables, and lets it step once.
fn once(
    tables: &[&RecordBatch],
    describe: impl FnOnce(&[Table<RootCircuit>]) -> Result<Table<RootCircuit>, Error>,
) -> (CircuitHandle, TableOutput) {
    let (mut circuit, (inputs, output)) = RootCircuit::build(|circuit| {
        let inputs = tables.iter().map(|table| circuit.add_input_table(&table.schema()));
        let (tables, inputs): (Vec<_>, Vec<_>) = inputs.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        Ok((inputs, describe(&tables)?.output()?))
    })
    .expect("the circuit is built");
    for (input, table) in inputs.iter().zip(tables) {
        input.append(table).expect("the table is as described");
    }
    circuit.step().expect("a step of a sound circuit succeeds");
    (circuit, output)
}

#[test]
fn a_row_without_partner_has_nulls_of_every_type() {
    let columns = of_each_type();
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4, 5]));
    let table = table_of(&columns);
    let names: Vec<_> = (0..columns.len()).map(|number| number.to_string()).collect();
    let right = names.iter().map(String::as_str).zip(columns.iter().cloned()).chain([("key", keys)]);
    let right = RecordBatch::try_from_iter_with_nullable(right.map(|(name, array)| (name, array, true)));
    let right = right.expect("the columns have one length");
    let left = [("key", Arc::new(Int64Array::from(vec![3, 17])) as ArrayRef, true)];
    let left = RecordBatch::try_from_iter_with_nullable(left).expect("one column");
    let (_circuit, output) = once(&[&left, &right], |tables| {
        tables[0].index_by(&["key"])?.left_join(&tables[1].index_by(&["key"])?)
    });
    let joined = output.take().expect("it is of its schema");
    assert_eq!(joined.num_rows(), 2);
    let alone = joined["key"].as_primitive::<Int64Type>().values().iter().position(|&key| key == 17);
    let alone = alone.expect("the row is there");
    for (name, given) in names.iter().zip(table.columns()) {
        let column = &joined[name.as_str()];
        assert!(column.logical_nulls().is_some_and(|nulls| nulls.is_null(alone)), "{:?}", given.data_type());
        let order = make_comparator(column, given, Default::default()).expect("Arrow compares them");
        assert_eq!(order(1 - alone, 3), Ordering::Equal, "{:?}", given.data_type());
    }
}

fn single(array: impl Array + 'static, is_nullable: bool) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([("value", Arc::new(array) as _, is_nullable)])
        .expect("one column")
}

#[test]
fn sums_of_small_decimals_halves_and_coded_numbers_have_the_type_that_holds_them() {
    type Half = <Float16Type as ArrowPrimitiveType>::Native;
    let sums = |table: &RecordBatch| {
        let (_circuit, output) =
            once(&[table], |tables| tables[0].index_by(&[])?.aggregate_by(&[Sum("value"), Avg("value")]));
        let sums = output.take().expect("it is of its schema");
        (sums.column(0).clone(), sums.column(1).as_primitive::<Float64Type>().value(0))
    };
    let (sum, mean) = sums(&single(
        Decimal32Array::from(vec![999_999_999, 1]).with_precision_and_scale(9, 2).expect("they fit"),
        true,
    ));
    assert_eq!(sum.data_type(), &DataType::Decimal128(38, 2));
    assert_eq!((sum.as_primitive::<Decimal128Type>().value(0), mean), (1_000_000_000, 5_000_000.0));
    let (sum, mean) =
        sums(&single(PrimitiveArray::<Float16Type>::from_iter_values([0.5, 2.0].map(Half::from_f32)), true));
    assert_eq!((sum.as_primitive::<Float64Type>().value(0), mean), (2.5, 1.25));
    let coded = DictionaryArray::new(Int8Array::from(vec![0, 0, 1]), Arc::new(Int16Array::from(vec![7, 1])));
    let (sum, mean) = sums(&single(coded, true));
    assert_eq!((sum.as_primitive::<Int64Type>().value(0), mean), (15, 5.0));
}

#[test]
fn a_dictionary_has_the_values_of_its_batch_each_once() {
    let texts = DictionaryArray::new(
        UInt8Array::from(vec![Some(2), Some(0), None, Some(3), Some(2), Some(1)]),
        Arc::new(StringArray::from(vec![Some("ES"), None, Some("NQ"), Some("ES")])),
    );
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..6));
    let table = [("value", Arc::new(texts) as ArrayRef, true), ("number", numbers, false)];
    let table = RecordBatch::try_from_iter_with_nullable(table).expect("of one length");
    let (_circuit, output) = once(&[&table], |tables| Ok(tables[0].clone()));
    let change = output.take().expect("it is of its schema");
    let coded = change["value"].as_dictionary::<UInt8Type>();
    let values: Vec<_> = coded.values().as_string::<i32>().iter().collect();
    let texts = coded.keys().iter().map(|key| key.and_then(|key| values[key.as_usize()]));
    let numbers = change["number"].as_primitive::<Int64Type>().values();
    let mut rows: Vec<_> = numbers.iter().zip(texts).collect();
    rows.sort();
    let texts: Vec<_> = rows.into_iter().map(|row| row.1).collect();
    assert_eq!(texts, [Some("NQ"), Some("ES"), None, Some("ES"), Some("NQ"), None]);
    assert_eq!(values.len(), 2, "no value is there twice, and none that no row has");
}

#[test]
fn text_may_come_with_a_dictionary_or_without_and_join_so() {
    let coded: DictionaryArray<Int8Type> = ["ES", "NQ"].into_iter().collect();
    let (coded, text) = (single(coded, true), single(StringArray::from(vec!["NQ", "CL"]), true));
    let (_circuit, output) = once(&[&coded, &text], |tables| tables[0].join_on(&tables[1], &["value"]));
    let both = output.take().expect("it is of its schema");
    assert_eq!(both["value"].data_type(), coded["value"].data_type());
    let (mut circuit, (input, output)) = RootCircuit::build(|circuit| {
        let (table, input) = circuit.add_input_table(&coded.schema())?;
        Ok((input, table.distinct().output()?))
    })
    .expect("the circuit is built");
    input.append(&coded).expect("with a dictionary");
    input.append(&text).expect("without");
    circuit.step().expect("a step of a sound circuit succeeds");
    assert_eq!(output.take().expect("it is of its schema").num_rows(), 3);
}

#[test]
fn a_dictionary_that_is_too_small_is_refused_when_it_leaves() {
    let texts = |numbers: std::ops::Range<u32>| {
        let texts: DictionaryArray<Int8Type> =
            numbers.map(|number| number.to_string()).collect::<Vec<_>>().iter().map(String::as_str).collect();
        single(texts, true)
    };
    let (_circuit, output) = once(&[&texts(0..100), &texts(100..200)], |tables| tables[0].plus(&tables[1]));
    let error = output.take().expect_err("there are 200 values").to_string();
    assert_eq!(
        error,
        "column value has to be of as few values in one batch as Int8 can number and is of 200; cast it first"
    );
    let null =
        DictionaryArray::new(Int8Array::from(vec![0]), Arc::new(StringArray::from(vec![None::<&str>])));
    let schema = single(texts(0..1)["value"].as_dictionary::<Int8Type>().clone(), false).schema();
    let (_, refused) = RootCircuit::build(|circuit| {
        let (_, input) = circuit.add_input_table(&schema)?;
        Ok(input.append(&single(null, true)).map_err(|error| error.to_string()))
    })
    .expect("the circuit is built");
    assert!(refused.expect_err("a value is null").starts_with("column value has 1 nulls"));
}

#[test]
fn types_that_rows_cannot_have_are_refused_by_name_with_what_to_cast_them_to() {
    let item = |of| Arc::new(Field::new("item", of, true));
    let entries =
        vec![Field::new("keys", DataType::Utf8, false), Field::new("values", DataType::Int64, true)];
    let entries = Arc::new(Field::new("entries", DataType::Struct(entries.into()), false));
    let runs = Arc::new(Field::new("run_ends", DataType::Int32, false));
    let refused = [
        (DataType::Decimal256(50, 2), "a decimal of at most 38 digits, a Decimal128"),
        (DataType::Interval(arrow_schema::IntervalUnit::MonthDayNano), "a Duration, or a number of months"),
        (DataType::Map(entries, false), "a list of structs"),
        (DataType::ListView(item(DataType::Int64)), "a List or a LargeList"),
        (DataType::RunEndEncoded(runs, item(DataType::Utf8)), "without runs"),
    ];
    for (of, instead) in refused {
        for nested in [false, true] {
            let (of, name) = if nested {
                (DataType::List(item(of.clone())), "column levels.item")
            } else {
                (of.clone(), "column levels")
            };
            let schema = Arc::new(Schema::new(vec![Field::new("levels", of, true)]));
            let Err(error) = RootCircuit::build(|circuit| circuit.add_input_table(&schema)) else {
                panic!("{schema} is accepted");
            };
            let error = error.to_string();
            assert!(
                error.contains(&format!("{name} has to be {instead} and is "))
                    && error.ends_with("; cast it first"),
                "{error}"
            );
        }
    }
    let timed = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let (time, other) =
        (single(TimestampNanosecondArray::from(vec![1]), true), Field::new("value", timed, true));
    let built = RootCircuit::build(|circuit| {
        let (one, _) = circuit.add_input_table(&time.schema())?;
        let (other, _) = circuit.add_input_table(&Arc::new(Schema::new(vec![other])))?;
        one.join_on(&other, &["value"]).map(drop)
    });
    let error = built.map(drop).expect_err("one has a time zone").to_string();
    assert!(error.ends_with("cast one of them first"), "{error}");
}
