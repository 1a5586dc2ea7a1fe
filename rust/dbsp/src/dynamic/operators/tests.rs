//! Dynamic operators against static ones, and against what they compute from scratch: the same random changes through
//! both, and the same views after each step.

mod single;

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
use crate::operator::tests::{Rows, add, rows, step_or_commit};

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

const WORKERS: [usize; 4] = [1, 2, 4, 8];

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
            step_or_commit(&mut circuit, number);
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
