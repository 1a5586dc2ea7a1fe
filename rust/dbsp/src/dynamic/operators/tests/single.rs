//! Single facts: types of sums, memory, and what is said of what does not fit.

use super::*;

/// Builds a circuit of a table of this schema, and what one step makes of a change.
fn made(
    describe: impl FnOnce(&Table<RootCircuit>) -> Result<Table<RootCircuit>, Error>,
    change: &RecordBatch,
) -> RecordBatch {
    let fields =
        change.schema().fields().iter().filter(|field| field.name() != "weight").cloned().collect::<Vec<_>>();
    let (mut circuit, (input, output)) = RootCircuit::build(|circuit| {
        let (table, handle) = circuit.add_input_table(&Arc::new(Schema::new(fields)))?;
        Ok((handle, describe(&table)?.output()?))
    })
    .expect("the circuit is built");
    input.append(change).expect("the table is as described");
    circuit.step().expect("a step of a sound circuit succeeds");
    output.take().expect("it is of its schema")
}

fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .expect("the columns have one length")
}

#[test]
fn sums_have_the_type_that_holds_them() {
    let decimals = |values: Vec<Option<i128>>, precision| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, 2).expect("they fit"))
    };
    let change = table(vec![
        ("unsigned", Arc::new(UInt64Array::from(vec![Some(1 << 63), None, Some(7)]))),
        ("decimal", decimals(vec![Some(125), None, Some(50)], 10)),
        ("single", Arc::new(Float32Array::from(vec![0.5, 1.0, 0.25]))),
        ("time", Arc::new(DurationMillisecondArray::from(vec![1, 2, 3]))),
        ("small", Arc::new(Int8Array::from(vec![127, -1, 127]))),
        ("none", Arc::new(Int16Array::from(vec![None, None, None]))),
        ("weight", Arc::new(Int64Array::from(vec![1, 1, 2]))),
    ]);
    let sums = made(
        |table| {
            let all = table.index_by(&[])?;
            let sums = ["unsigned", "decimal", "single", "time", "small", "none"].map(Sum);
            all.aggregate_by(&[&sums[..], &[Avg("decimal"), Avg("none"), Count]].concat())
        },
        &change,
    );
    let expected = table(vec![
        ("sum(unsigned)", Arc::new(UInt64Array::from(vec![(1 << 63) + 14]))),
        ("sum(decimal)", decimals(vec![Some(225)], 38)),
        ("sum(single)", Arc::new(Float64Array::from(vec![2.0]))),
        ("sum(time)", Arc::new(DurationMillisecondArray::from(vec![9]))),
        ("sum(small)", Arc::new(Int64Array::from(vec![380]))),
        ("sum(none)", Arc::new(Int64Array::from(vec![None]))),
        ("avg(decimal)", Arc::new(Float64Array::from(vec![0.75]))),
        ("avg(none)", Arc::new(Float64Array::from(vec![None]))),
        ("count", Arc::new(Int64Array::from(vec![4]))),
        ("weight", Arc::new(Int64Array::from(vec![1]))),
    ]);
    assert_eq!(sums.columns(), expected.columns());
    let names = |table: &RecordBatch| {
        table.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&sums), names(&expected));
}

#[test]
fn groups_that_are_gone_are_forgotten() {
    let schema = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, false),
        Field::new("val", DataType::Int64, false),
    ]));
    let (mut circuit, (input, output)) = RootCircuit::build(|circuit| {
        let (table, handle) = circuit.add_input_table(&schema)?;
        Ok((handle, table.index_by(&["key"])?.aggregate_by(&[Sum("val"), Max("val")])?.output()?))
    })
    .expect("the circuit is built");
    let mut step = |keys: std::ops::Range<i64>, val: i64, weight: i64| {
        let column = |of: fn(i64, i64) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(keys.clone().map(|key| of(key, val))))
        };
        let weights = Arc::new(Int64Array::from(vec![weight; keys.clone().count()]));
        input
            .append(&table(vec![
                ("key", column(|key, _| key)),
                ("val", column(|key, val| key + val)),
                ("weight", weights),
            ]))
            .expect("the table is as described");
        circuit.step().expect("a step of a sound circuit succeeds");
        let metrics = circuit.gather_metrics().expect("the circuit is sound");
        let groups =
            metrics.iter().find(|metrics| metrics.name == "aggregate_by").expect("it is there").state.rows;
        let change = output.take().expect("it is of its schema");
        let change = Layout::<(i64, Option<i64>, Option<i64>)>::new()
            .keys(["key", "sum(val)", "max(val)"])
            .and_then(|layout| layout.read(&change));
        (groups, change.expect("the types agree").to_rows())
    };
    assert_eq!(step(0..5000, 0, 1).0, 5000);
    let (groups, change) = step(0..4900, 0, -1);
    assert_eq!((groups, change.len()), (100, 4900));
    assert!(
        change.iter().all(|&((key, sum, max), (), weight)| (sum, max, weight) == (Some(key), Some(key), -1))
    );
    let (groups, change) = step(4899..4902, 1, 1);
    assert_eq!(groups, 101);
    let row = |key, sum, max, weight| ((key, Some(sum), Some(max)), (), weight);
    let changed = |key| [row(key, key, key, -1), row(key, 2 * key + 1, key + 1, 1)];
    assert_eq!(
        change,
        [vec![row(4899, 4900, 4900, 1)], changed(4900).to_vec(), changed(4901).to_vec()].concat()
    );
}

#[test]
fn columns_go_through_a_circuit_without_being_copied() {
    let numbers = Int64Array::from_iter_values(0..1000);
    let text = StringArray::from_iter_values((0..1000).map(|row| row.to_string()));
    let change = table(vec![("number", Arc::new(numbers.clone())), ("text", Arc::new(text.clone()))]);
    let (mut circuit, (input, seen)) = RootCircuit::build(|circuit| {
        let (table, handle) = circuit.add_input_table(&change.schema())?;
        let kept = table.filter_kernel(|table| Ok(vec![true; table.num_rows()].into()));
        let same = kept.map_kernel(|table| Ok(table.clone()))?;
        let indexed = same.index_by(&["text"])?.flatten()?.project(&["number", "text"])?;
        let seen = Arc::new(std::sync::Mutex::new(None));
        let (schema, note) = (indexed.schema().clone(), seen.clone());
        let _ = indexed.stream().inspect(move |batch| {
            *note.lock().expect("nobody panics") = Some(batch.keys().clone().into_record_batch(&schema));
        });
        Ok((handle, seen))
    })
    .expect("the circuit is built");
    input.append(&change).expect("the table is as described");
    circuit.step().expect("a step of a sound circuit succeeds");
    let seen =
        seen.lock().expect("nobody panics").take().expect("a batch has come").expect("it is of its schema");
    assert_eq!(seen["number"].as_primitive::<Int64Type>().values().as_ptr(), numbers.values().as_ptr());
    assert_eq!(seen["text"].as_string::<i32>().values().as_ptr(), text.values().as_ptr());
}

#[test]
fn text_joins_whatever_its_layout() {
    let change = table(vec![
        ("small", Arc::new(StringArray::from(vec![Some("a"), Some("b"), None]))),
        ("large", Arc::new(LargeStringArray::from(vec![Some("b"), None, Some("c")]))),
    ]);
    let joined = made(
        |table| {
            let (small, large) = (table.project(&["small"])?, table.project(&["large"])?);
            small.index_by(&["small"])?.join(&large.index_by(&["large"])?)
        },
        &change,
    );
    let mut rows: Vec<_> = joined["small"].as_string::<i32>().iter().collect();
    rows.sort_unstable();
    assert_eq!(rows, [None, Some("b")]);
}

fn refusal<T>(describe: impl FnOnce(&Table<RootCircuit>) -> Result<T, Error>) -> String {
    let built = RootCircuit::build(|circuit| {
        let (deals, _) = circuit.add_input_table(&schema())?;
        describe(&deals).map(drop)
    });
    match built.map(drop) {
        Err(Error::Circuit(message)) => message,
        other => panic!("the circuit cannot be built, and is: {other:?}"),
    }
}

#[test]
fn what_does_not_fit_is_an_error_when_the_circuit_is_described() {
    let missing =
        "there is no column volume, only symbol, size, price, rate; add it, or say which column it is";
    assert_eq!(refusal(|deals| deals.project(&["volume"])), missing);
    assert_eq!(refusal(|deals| deals.index_by(&["volume"])), missing);
    assert_eq!(refusal(|deals| deals.index_by(&[])?.aggregate_by(&[Min("volume")])), missing);
    let twice = "two columns would be called size; name each column once";
    assert_eq!(refusal(|deals| deals.project(&["size", "size"])), twice);
    assert_eq!(refusal(|deals| deals.join_on(&deals.project(&["symbol", "size"])?, &["symbol"])), twice);
    assert_eq!(
        refusal(|deals| deals.project(&["price"])?.rename(&["weight"])?.output()),
        "two columns would be called weight; name each column once"
    );
    let types = "column size is Int64 and meets column symbol, which is LargeUtf8; cast one of them first";
    assert_eq!(
        refusal(|deals| deals
            .project(&["size"])?
            .index_by(&["size"])?
            .join(&deals.project(&["symbol"])?.index_by(&["symbol"])?)),
        types
    );
    assert_eq!(refusal(|deals| deals.project(&["size"])?.plus(&deals.project(&["symbol"])?)), types);
    assert_eq!(
        refusal(|deals| deals.plus(&deals.project(&["size"])?)),
        "4 columns meet 1; name as many on both sides"
    );
    assert_eq!(
        refusal(|deals| deals.project(&["size"])?.minus(&deals.project(&["price"])?)),
        "column size is to be added to column price; rename one of them"
    );
    assert_eq!(
        refusal(|deals| deals.index_by(&[])?.aggregate_by(&[Sum("symbol")])),
        "column symbol is LargeUtf8, which does not add up; sum a number"
    );
    assert_eq!(
        refusal(|deals| deals.index_by(&[])?.aggregate_by(&[Count, Count])),
        "two columns would be called count; name each column once"
    );
    assert_eq!(
        refusal(|deals| deals.rename(&["a"])),
        "1 names are given for 4 columns; name each column once"
    );
    assert_eq!(
        refusal(|deals| deals.map_kernel(|_| Err(ArrowError::ComputeError("no such thing".to_owned())))),
        "Compute error: no such thing"
    );
}

#[test]
fn a_table_that_is_not_as_described_is_refused_whole() {
    let (mut circuit, (deals, output)) = RootCircuit::build(|circuit| {
        let (deals, handle) = circuit.add_input_table(&schema())?;
        Ok((handle, deals.output()?))
    })
    .expect("the circuit is built");
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let (text, none): (ArrayRef, ArrayRef) =
        (Arc::new(StringArray::from(vec!["a"])), Arc::new(Int64Array::from(vec![None])));
    let large: ArrayRef = Arc::new(LargeStringArray::from(vec!["a"]));
    let rates: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let append = |symbol: &ArrayRef, price: &ArrayRef, last: &str| {
        let columns = [("symbol", symbol), ("size", &numbers), ("price", price), (last, &rates)];
        let table = RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, array)| (name, array.clone(), true)),
        );
        deals.append(&table.expect("the columns have one length")).map_err(|error| error.to_string())
    };
    assert_eq!(
        append(&text, &numbers, "rate"),
        Err("column symbol has to be LargeUtf8 and is Utf8; cast it first".to_owned())
    );
    assert_eq!(
        append(&large, &none, "rate"),
        Err("column price has 1 nulls and its rows can have none; fill them, or make it an `Option`"
            .to_owned())
    );
    assert!(
        append(&large, &numbers, "rates")
            .expect_err("a column is missing")
            .starts_with("there is no column rate")
    );
    append(&large, &numbers, "rate").expect("the table is as described");
    circuit.step().expect("the circuit is sound");
    assert_eq!(output.take().expect("it is of its schema").num_rows(), 1);
}

#[test]
fn what_a_kernel_gets_wrong_ends_the_step() {
    type Describe = dyn Fn(&Table<RootCircuit>) -> Result<Table<RootCircuit>, Error>;
    let step = |describe: &Describe| {
        let (mut circuit, deals) = RootCircuit::build(|circuit| {
            let (deals, handle) = circuit.add_input_table(&schema())?;
            describe(&deals)?.output()?;
            Ok(handle)
        })
        .expect("the circuit is built");
        let change: Batch<Deal> = [i64::MAX, i64::MAX - 1]
            .map(|size| (Deal { symbol: "a".to_owned(), size: Some(size), price: 1, rate: None }, 1))
            .into_iter()
            .collect();
        deals
            .append(&change.into_record_batch().expect("the names differ"))
            .expect("the table is as described");
        match circuit.step() {
            Err(Error::Operator { operator, message, .. }) => {
                format!("{}: {message}", operator.split(' ').next().unwrap_or_default())
            }
            other => panic!("the step fails, and does: {other:?}"),
        }
    };
    assert_eq!(
        step(&|deals| Ok(deals.filter_kernel(|_| Ok(vec![true].into())))),
        "filter_kernel: the kernel speaks of 1 rows of 2"
    );
    assert_eq!(
        step(&|deals| deals.map_kernel(|table| Ok(table.slice(0, table.num_rows().min(1))))),
        "map_kernel: the kernel made 1 rows of 2"
    );
    assert!(
        step(&|deals| deals.map_kernel(|table| if table.num_rows() == 0 {
            table.project(&[0])
        } else {
            Ok(table.clone())
        }))
        .starts_with("map_kernel: the kernel made columns")
    );
    assert!(
        step(&|deals| Ok(deals.filter_kernel(
            |table| mul(&table["size"], &table["size"]).map(|_| BooleanArray::from(vec![true; 2]))
        )))
        .starts_with("filter_kernel: Arithmetic overflow")
    );
    assert_eq!(
        step(&|deals| deals.index_by(&["symbol"])?.aggregate_by(&[Sum("size")])),
        format!(
            "aggregate_by: sum(size) is {}, which leaves Int64; cast the column to a decimal",
            2 * i128::from(i64::MAX) - 1
        )
    );
}

#[test]
fn a_column_with_a_dictionary_is_decoded_and_one_of_another_type_is_refused_by_its_own() {
    let schema = Arc::new(Schema::new(vec![Field::new("symbol", DataType::Utf8, false)]));
    let (mut circuit, (input, output)) = RootCircuit::build(|circuit| {
        let (table, input) = circuit.add_input_table(&schema)?;
        Ok((input, table.distinct().output()?))
    })
    .expect("the circuit is built");
    let symbols: DictionaryArray<types::Int8Type> = ["ES", "NQ", "ES"].into_iter().collect();
    input.append(&table(vec![("symbol", Arc::new(symbols))])).expect("decoded");
    input.append(&table(vec![("symbol", Arc::new(StringArray::from(vec!["CL"])))])).expect("as described");
    circuit.step().expect("a step of a sound circuit succeeds");
    let change = output.take().expect("it is of its schema");
    let taken: BTreeSet<_> =
        change["symbol"].as_string::<i32>().iter().map(|symbol| symbol.expect("no nulls")).collect();
    assert_eq!(taken, BTreeSet::from(["CL", "ES", "NQ"]));
    let numbers = DictionaryArray::new(Int32Array::from(vec![0]), Arc::new(Int64Array::from(vec![7])));
    let refused = input.append(&table(vec![("symbol", Arc::new(numbers))])).expect_err("they are numbers");
    assert!(matches!(&refused, Error::ColumnType { got, .. } if got.starts_with("Dictionary")), "{refused}");
}
