//! Dynamic operators against static ones, and against what they compute from scratch: the same random changes through
//! both, and the same views after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_arith::numeric::mul;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::*;
use arrow_ord::cmp::{gt, lt};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use proptest::collection::vec;
use proptest::prelude::*;

use super::Aggregate::{Avg, Count, Max, Min, Sum};
use super::*;
use crate::RootCircuit;
use crate::algebra::F64;
use crate::arrow::{ArrowColumn, ArrowValues, Layout};
use crate::circuit::Runtime;
use crate::column::Data;
use crate::operator::tests::{Rows, add, rows};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, crate::Data)]
struct Deal {
    symbol: String,
    size: Option<i64>,
    price: i64,
    rate: Option<F64>,
}

type Deals = Rows<Deal, ()>;
type Steps = Vec<Vec<(Deal, i64)>>;

fn steps() -> impl Strategy<Value = Steps> {
    let size = prop_oneof![1 => Just(None), 3 => (-3i64..4).prop_map(Some)];
    let rate = prop_oneof![1 => Just(None), 3 => (-2i32..3).prop_map(|rate| Some(F64::new(f64::from(rate))))];
    let deal = ("[ab]{0,2}", size, -2i64..4, rate);
    let deal = deal.prop_map(|(symbol, size, price, rate)| Deal { symbol, size, price, rate });
    vec(vec((deal, -2i64..4), 0..20), 1..8)
}

fn schema() -> SchemaRef {
    match DealColumns::data_type() {
        DataType::Struct(fields) => Arc::new(Schema::new(fields)),
        other => panic!("a struct is {other}"),
    }
}

const WORKERS: [usize; 3] = [1, 2, 5];

/// Checks that what `dynamic` brings of a table adds up to what `function` makes of its rows.
fn computes<Out: Data>(
    steps: &Steps,
    dynamic: impl Fn(&Table<RootCircuit>) -> Result<Table<RootCircuit>, Error> + Clone + Send + 'static,
    function: impl Fn(&Deals) -> Rows<Out, ()>,
) where
    Out::Column: ArrowColumn,
{
    for workers in WORKERS {
        let dynamic = dynamic.clone();
        let (mut circuit, (deals, output)) = Runtime::init_circuit(workers, move |circuit| {
            let (deals, handle) = circuit.add_input_table(&schema())?;
            Ok((handle, dynamic(&deals)?.output()?))
        })
        .expect("the circuit is built");
        let fields = output.schema().fields().iter();
        let names: Vec<String> =
            fields.map(|field| field.name().clone()).filter(|name| name != "weight").collect();
        let layout = Layout::<Out>::new().keys(names).expect("each column is a component");
        let (mut all, mut view) = (Deals::new(), Rows::new());
        for (number, step) in steps.iter().enumerate() {
            add(&mut all, step.iter().map(|(deal, weight)| (deal.clone(), (), *weight)));
            let change: Batch<Deal> = step.iter().cloned().collect();
            deals
                .append(&change.into_record_batch().expect("the names differ"))
                .expect("the table is as described");
            circuit.step().expect("a step of a sound circuit succeeds");
            let change = layout.read(&output.take().expect("it is of its schema")).expect("the types agree");
            add(&mut view, change.to_rows());
            assert_eq!(view, function(&all), "after step {number} with {workers} workers");
        }
        circuit.step().expect("a step without input succeeds");
        assert_eq!(
            output.take().expect("it is of its schema").num_rows(),
            0,
            "a step without input brings nothing"
        );
    }
}

/// Checks that `dynamic` and `fixed` bring the same.
fn agree<Out: Data>(
    steps: &Steps,
    dynamic: impl Fn(&Table<RootCircuit>) -> Result<Table<RootCircuit>, Error> + Clone + Send + 'static,
    fixed: impl Fn(&Stream<RootCircuit, Batch<Deal>>) -> Stream<RootCircuit, Batch<Out>> + Clone,
) where
    Out::Column: ArrowColumn,
{
    computes(steps, dynamic, |all| {
        let fixed = fixed.clone();
        let (mut circuit, (deals, output)) = RootCircuit::build(|circuit| {
            let (deals, handle) = circuit.add_input_zset::<Deal>();
            Ok((handle, fixed(&deals).output()))
        })
        .expect("the circuit is built");
        // Half of it and then all, so that the static operator takes some of its steps too.
        let (first, second): (Vec<_>, Vec<_>) =
            all.iter().enumerate().partition(|(number, _)| number % 2 == 0);
        for half in [first, second] {
            deals.extend(half.into_iter().map(|(_, ((deal, ()), &weight))| (deal.clone(), weight)));
            circuit.step().expect("a step of a sound circuit succeeds");
        }
        rows(output.take().to_rows())
    });
}

fn larger(than: i64) -> impl Fn(&RecordBatch) -> Result<BooleanArray, ArrowError> {
    move |table| gt(&table["size"], &Int64Array::new_scalar(than))
}

fn tuple(deal: &DealRef<'_>) -> (String, Option<i64>, i64, Option<F64>) {
    (deal.symbol.to_owned(), deal.size, deal.price, deal.rate)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25))]

    #[test]
    fn kernels_filter_and_map(steps in steps()) {
        agree(&steps, |deals| Ok(deals.filter_kernel(larger(0))), |deals| {
            deals.filter(|deal| deal.size > Some(0)).map(tuple)
        });
        agree(&steps, |deals| Ok(deals.filter_kernel(|table| Ok(vec![true; table.num_rows()].into()))), |deals| deals.map(tuple));
        agree(
            &steps,
            |deals| deals.map_kernel(|table| {
                let value = mul(&table["size"], &table["price"])?;
                RecordBatch::try_from_iter_with_nullable([("value", value, true), ("symbol", table["symbol"].clone(), false)])
            }),
            |deals| deals.map(|deal| (deal.size.map(|size| size * deal.price), deal.symbol.to_owned())),
        );
        agree(&steps, |deals| deals.project(&["price", "symbol"]), |deals| {
            deals.map(|deal| (deal.price, deal.symbol.to_owned()))
        });
    }

    #[test]
    fn tables_add_up(steps in steps()) {
        agree(&steps, |deals| deals.plus(&deals.filter_kernel(larger(0))), |deals| {
            deals.plus(&deals.filter(|deal| deal.size > Some(0))).map(tuple)
        });
        agree(&steps, |deals| deals.neg().minus(&deals.filter_kernel(larger(0))), |deals| {
            deals.neg().minus(&deals.filter(|deal| deal.size > Some(0))).map(tuple)
        });
    }

    #[test]
    fn tables_are_sets(steps in steps()) {
        agree(&steps, |deals| Ok(deals.distinct()), |deals| deals.distinct().map(tuple));
        agree(&steps, |deals| Ok(deals.project(&["size", "rate"])?.distinct()), |deals| {
            deals.map(|deal| (deal.size, deal.rate)).distinct()
        });
        agree(&steps, |deals| deals.project(&["size", "rate"])?.index_by(&["rate"])?.distinct().flatten(), |deals| {
            deals.map(|deal| (deal.rate, deal.size)).distinct()
        });
    }

    #[test]
    fn tables_join(steps in steps()) {
        let sides = |deals: &Table<RootCircuit>| {
            let small = deals.filter_kernel(|table| lt(&table["price"], &Int64Array::new_scalar(1)));
            let sizes = deals.project(&["symbol", "size"])?;
            Ok::<_, Error>((sizes, small.project(&["rate", "symbol"])?))
        };
        agree(
            &steps,
            move |deals| {
                let (sizes, rates) = sides(deals)?;
                sizes.join_on(&rates, &["symbol"])
            },
            |deals| {
                let sizes = deals.map_index(|deal| (deal.symbol.to_owned(), deal.size));
                let rates = deals.filter(|deal| deal.price < 1).map_index(|deal| (deal.symbol.to_owned(), deal.rate));
                sizes.join(&rates, |symbol, &size, &rate| (symbol.to_string(), size, rate))
            },
        );
        agree(
            &steps,
            |deals| {
                let (sizes, prices) = (deals.project(&["size", "rate"])?, deals.project(&["price"])?);
                sizes.index_by(&["size"])?.join(&prices.index_by(&["price"])?)
            },
            |deals| {
                let sizes = deals.map_index(|deal| (deal.size, deal.rate));
                let prices = deals.map_index(|deal| (Some(deal.price), ()));
                sizes.join(&prices, |&size, &rate, ()| (size, rate))
            },
        );
        let keys = move |deals: &Table<RootCircuit>| {
            let (sizes, rates) = sides(deals)?;
            Ok::<_, Error>((sizes.index_by(&["symbol"])?, rates.index_by(&["symbol"])?))
        };
        let fixed = |deals: &Stream<RootCircuit, Batch<Deal>>| {
            let sizes = deals.map_index(|deal| (deal.symbol.to_owned(), deal.size));
            (sizes, deals.filter(|deal| deal.price < 1).map_index(|deal| (deal.symbol.to_owned(), deal.rate)))
        };
        let pair = |&(symbol, size): &(&str, Option<i64>)| (symbol.to_owned(), size);
        agree(
            &steps,
            move |deals| keys(deals).and_then(|(sizes, rates)| sizes.semijoin(&rates)?.flatten()),
            |deals| fixed(deals).0.semijoin(&fixed(deals).1).map(pair),
        );
        agree(
            &steps,
            move |deals| keys(deals).and_then(|(sizes, rates)| sizes.antijoin(&rates)?.flatten()),
            |deals| fixed(deals).0.antijoin(&fixed(deals).1).map(pair),
        );
    }

    #[test]
    fn tables_join_outwards(steps in steps()) {
        let sides = |deals: &Table<RootCircuit>| {
            let small = deals.filter_kernel(|table| lt(&table["price"], &Int64Array::new_scalar(1)));
            let large = deals.filter_kernel(larger(0)).project(&["size", "symbol", "price"])?.index_by(&["symbol"])?;
            Ok::<_, Error>((large, small.project(&["rate", "symbol"])?.index_by(&["symbol"])?))
        };
        let fixed = |deals: &Stream<RootCircuit, Batch<Deal>>| {
            let large = deals.filter(|deal| deal.size > Some(0));
            let small = deals.filter(|deal| deal.price < 1);
            (
                large.map_index(|deal| (deal.symbol.to_owned(), (deal.size, deal.price))),
                small.map_index(|deal| (deal.symbol.to_owned(), deal.rate)),
            )
        };
        agree(&steps, move |deals| sides(deals).and_then(|(large, small)| large.left_join(&small)), move |deals| {
            let (large, small) = fixed(deals);
            large.left_join(&small, |key, &(size, price), rate| (key.to_string(), size, price, rate.copied().flatten()))
        });
        agree(&steps, move |deals| sides(deals).and_then(|(large, small)| large.right_join(&small)), move |deals| {
            let (large, small) = fixed(deals);
            large.right_join(&small, |key, sizes, &rate| {
                (key.to_string(), sizes.and_then(|sizes| sizes.0), sizes.map(|sizes| sizes.1), rate)
            })
        });
        agree(&steps, move |deals| sides(deals).and_then(|(large, small)| large.full_join(&small)), move |deals| {
            let (large, small) = fixed(deals);
            large.full_join(&small, |key, sizes, rate| {
                (key.to_string(), sizes.and_then(|sizes| sizes.0), sizes.map(|sizes| sizes.1), rate.copied().flatten())
            })
        });
    }

    #[test]
    fn tables_aggregate(steps in steps()) {
        agree(
            &steps,
            |deals| deals.index_by(&["symbol"])?.aggregate_by(&[Sum("size"), Count, Avg("rate"), Sum("price"), Avg("size")]),
            |deals| {
                let there = |size: Option<i64>| i64::from(size.is_some());
                let by_symbol = deals.map_index(|deal| (deal.symbol.to_owned(), (deal.size, deal.price, deal.rate)));
                let sums = by_symbol.aggregate_linear_postprocess(
                    move |&(size, price, rate)| {
                        let rate = rate.map(|rate| *rate as i64);
                        ((size.unwrap_or(0), there(size)), price, (rate.unwrap_or(0), there(rate)), 1i64)
                    },
                    |&((size, sizes), price, (rate, rates), count)| {
                        let mean = |sum: i64, count: i64| (count != 0).then(|| F64::new(sum as f64 / count as f64));
                        ((sizes != 0).then_some(size), count, mean(rate, rates), (count != 0).then_some(price), mean(size, sizes))
                    },
                );
                sums.map(|&(symbol, (size, count, rate, price, mean))| (symbol.to_owned(), size, count, rate, price, mean))
            },
        );
    }

    #[test]
    fn tables_have_extremes(steps in steps()) {
        type Values = BTreeMap<(Option<i64>, i64, Option<F64>), i64>;
        let groups = |deals: &Deals| {
            let mut groups: BTreeMap<String, (i64, Values)> = BTreeMap::new();
            for ((deal, ()), &weight) in deals {
                let group = groups.entry(deal.symbol.clone()).or_default();
                group.0 += weight;
                *group.1.entry((deal.size, deal.price, deal.rate)).or_default() += weight;
            }
            groups.retain(|_, group| group.0 != 0);
            groups
        };
        fn positive<T: Ord + Copy>(values: impl Iterator<Item = (Option<T>, i64)>) -> BTreeSet<T> {
            let mut sums: BTreeMap<T, i64> = BTreeMap::new();
            values.for_each(|(value, weight)| if let Some(value) = value { *sums.entry(value).or_default() += weight });
            sums.into_iter().filter(|(_, sum)| *sum > 0).map(|(value, _)| value).collect()
        }
        computes(
            &steps,
            |deals| {
                let by_symbol = deals.index_by(&["symbol"])?;
                by_symbol.aggregate_by(&[Max("size"), Min("rate"), Count, Min("size"), Max("price")])
            },
            |deals| {
                rows(groups(deals).into_iter().map(|(symbol, (count, values))| {
                    let sizes = positive(values.iter().map(|(value, &weight)| (value.0, weight)));
                    let prices = positive(values.iter().map(|(value, &weight)| (Some(value.1), weight)));
                    let rates = positive(values.iter().map(|(value, &weight)| (value.2, weight)));
                    let extremes = (sizes.last().copied(), rates.first().copied(), count, sizes.first().copied());
                    ((symbol, extremes.0, extremes.1, extremes.2, extremes.3, prices.last().copied()), (), 1)
                }))
            },
        );
        computes(
            &steps,
            |deals| deals.project(&["price"])?.index_by(&[])?.aggregate_by(&[Max("price")]),
            |deals| {
                let prices = positive(deals.iter().map(|((deal, ()), &weight)| (Some(deal.price), weight)));
                let count: i64 = deals.values().sum();
                rows((count != 0).then_some(((prices.last().copied(),), (), 1)))
            },
        );
    }
}

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
    let list =
        Arc::new(Schema::new(vec![Field::new("levels", DataType::new_list(DataType::Int64, true), true)]));
    assert!(
        refusal(|deals| deals.stream().circuit().add_input_table(&list))
            .starts_with("column levels has to be a number")
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
