//! Views by our engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use qadataswap_dbsp::column::Data;
use qadataswap_dbsp::operator::IndexedZSetHandle;
use qadataswap_dbsp::operator::Max;
use qadataswap_dbsp::trace::Batch;
use qadataswap_dbsp::{DBSPHandle, Error, RootCircuit, Runtime, Stream};

use crate::job::{Changes, Job, check, check_total, check_two, text};
use crate::nexmark::{SLIDE, WINDOW};
use crate::{Engine, Failure, Held};

/// Gives a batch of changes to the inputs.
type Feed = Box<dyn Fn(Changes) -> Result<(), Failure>>;
type Sum = Arc<AtomicI64>;

/// The inputs of a circuit.
struct Ends {
    feed: Feed,
    /// What is loaded before all else.
    dimensions: Option<IndexedZSetHandle<u64, i64>>,
}

/// Makes the inputs of how one of them is fed.
fn fed(feed: impl Fn(Changes) -> Result<(), Failure> + 'static) -> Result<Ends, Error> {
    Ok(Ends { feed: Box::new(feed), dimensions: None })
}

pub(crate) struct Ours {
    circuit: DBSPHandle,
    feed: Feed,
    sum: Sum,
}

impl Ours {
    pub(crate) fn new(job: Job, workers: usize) -> Result<Self, Failure> {
        let sum = Sum::default();
        let watched = sum.clone();
        let describe = move |circuit: &mut RootCircuit| describe(job, circuit, &watched);
        let (mut circuit, Ends { feed, dimensions }) = Runtime::init_circuit(workers, describe)?;
        if let Some(dimensions) = dimensions {
            dimensions.extend(job.dimensions());
            circuit.step()?;
        }
        Ok(Self { circuit, feed, sum })
    }
}

impl Engine for Ours {
    fn step(&mut self, changes: Changes) -> Result<(), Failure> {
        (self.feed)(changes)?;
        Ok(self.circuit.step()?)
    }

    fn checksum(&self) -> i64 {
        self.sum.load(Ordering::SeqCst)
    }

    fn held(&mut self) -> Result<Option<Held>, Failure> {
        let states = self.circuit.gather_metrics()?.into_iter().map(|operator| operator.state);
        let held = states.fold(Held::default(), |held, state| Held {
            rows: held.rows + state.rows as u64,
            bytes: held.bytes + state.bytes as u64,
        });
        Ok(Some(held))
    }
}

/// Adds what a stream brings to a checksum.
fn watch<K: Data, V: Data>(
    view: &Stream<RootCircuit, Batch<K, V>>,
    sum: &Sum,
    check: impl Fn(K::Ref<'_>, V::Ref<'_>, i64) -> i64 + 'static,
) {
    let sum = sum.clone();
    let _ = view.inspect(move |batch| {
        let more =
            batch.iter().fold(0i64, |more, (key, val, weight)| more.wrapping_add(check(key, val, weight)));
        sum.fetch_add(more, Ordering::SeqCst);
    });
}

fn describe(job: Job, circuit: &mut RootCircuit, sum: &Sum) -> Result<Ends, Error> {
    match job {
        Job::Strings => {
            let (rows, handle) = circuit.add_input_indexed_zset::<String, i64>();
            let totals = rows.aggregate_linear(|&val| (val, 1i64));
            watch(&totals, sum, |key, total, weight| check_total(text(key), total, weight));
            fed(move |changes| {
                handle.extend(changes.text()?);
                Ok(())
            })
        }
        Job::Distinct | Job::FilterMap => {
            let (rows, handle) = circuit.add_input_zset::<u64>();
            let view = match job {
                Job::Distinct => rows.distinct(),
                _ => rows.filter(|row| row % 8 == 0).map(|row| row / 8),
            };
            watch(&view, sum, |row, (), weight| check(row, weight));
            fed(move |changes| {
                handle.extend(changes.numbers()?.into_iter().map(|(row, _, weight)| (row, weight)));
                Ok(())
            })
        }
        Job::Sparse | Job::Dense => {
            let (edges, handle) = circuit.add_input_indexed_zset::<u64, u64>();
            let reversed = edges.map_index(|&(from, to)| (to, from));
            // From where one is, to where one came from.
            let paths = circuit.recursive(|scope, paths: Stream<_, Batch<u64, u64>>| {
                let (edges, first) = (edges.delta0(scope), reversed.delta0(scope));
                Ok(first.plus(&paths.join_index(&edges, |_, &start, &end| (end, start))))
            })?;
            watch(&paths, sum, check_two);
            fed(move |changes| {
                handle.extend(
                    changes.numbers()?.into_iter().map(|(from, to, weight)| (from, to as u64, weight)),
                );
                Ok(())
            })
        }
        Job::Q0 | Job::Q1 | Job::Q2 | Job::Q3 | Job::Q4 | Job::Q5 | Job::Q6 | Job::Q7 | Job::Q8 => {
            nexmark(job, circuit, sum)
        }
        Job::GroupBy | Job::Bulk | Job::Max | Job::Join => {
            let (rows, handle) = circuit.add_input_indexed_zset::<u64, i64>();
            let mut dimensions = None;
            match job {
                Job::Join => {
                    let (names, handle) = circuit.add_input_indexed_zset::<u64, i64>();
                    dimensions = Some(handle);
                    let joined = rows.join_index(&names, |&key, &val, &name| (key, val + name));
                    watch(&joined, sum, |key, val, weight| check_two(key, val as u64, weight));
                }
                Job::Max => {
                    watch(&rows.aggregate(Max), sum, |key, val, weight| check_two(key, val as u64, weight));
                }
                _ => watch(&rows.aggregate_linear(|&val| (val, 1i64)), sum, check_total),
            }
            let Ends { feed, .. } = fed(move |changes| {
                handle.extend(changes.numbers()?);
                Ok(())
            })?;
            Ok(Ends { feed, dimensions })
        }
    }
}

fn nexmark(job: Job, circuit: &mut RootCircuit, sum: &Sum) -> Result<Ends, Error> {
    use crate::nexmark::{Auction, Bid, Person};

    if matches!(job, Job::Q3 | Job::Q8) {
        let (persons, person) = circuit.add_input_zset::<Person>();
        let (auctions, auction) = circuit.add_input_zset::<Auction>();
        if job == Job::Q3 {
            let sold = auctions
                .filter(|&(_, _, _, category, ..)| category == 10)
                .map_index(|&(id, _, seller, ..)| (seller, id));
            let sellers = persons
                .filter(|&(_, _, _, _, state, _)| matches!(state, "OR" | "ID" | "CA"))
                .map_index_by_ref::<u64, (String, String, String)>(|&(id, name, _, city, state, _)| {
                    (id, (name, city, state))
                });
            let view = sold.join_index(&sellers, |_, &id, &(name, city, state)| {
                (id, (name.to_owned(), city.to_owned(), state.to_owned()))
            });
            watch(&view, sum, |id, (name, city, state), weight| {
                check_two(id ^ text(name), text(city) ^ text(state).rotate_left(7), weight)
            });
        } else {
            let came = persons.map_index_by_ref::<(u64, u64), String>(|&(id, name, _, _, _, time)| {
                ((id, time / WINDOW), name)
            });
            let sold = auctions.map_index(|&(_, _, seller, _, _, time, _)| ((seller, time / WINDOW), ()));
            let view = came.semijoin(&sold);
            watch(&view, sum, |(id, window), name, weight| check_two(id ^ text(name), window, weight));
        }
        return fed(move |changes| {
            let events = changes.events()?;
            person.extend(events.persons.into_iter().map(|row| (row, 1)));
            auction.extend(events.auctions.into_iter().map(|row| (row, 1)));
            Ok(())
        });
    }
    let (bids, bid) = circuit.add_input_zset::<Bid>();
    match job {
        Job::Q0 => watch(&bids, sum, |(auction, bidder, price, channel, address, time), (), weight| {
            check_two(auction ^ bidder << 32 ^ text(channel), price ^ time << 32 ^ text(address), weight)
        }),
        Job::Q1 => {
            let view =
                bids.map(|&(auction, bidder, price, _, _, time)| (auction, bidder, price * 89 / 100, time));
            watch(&view, sum, |(auction, bidder, price, time), (), weight| {
                check_two(auction ^ bidder << 32, price ^ time << 32, weight)
            });
        }
        Job::Q2 => {
            let view = bids
                .filter(|(auction, ..)| auction % 123 == 0)
                .map(|&(auction, _, price, ..)| (auction, price));
            watch(&view, sum, |(auction, price), (), weight| check_two(auction, price, weight));
        }
        Job::Q5 => {
            let windows = bids.flat_map_index(|&(auction, _, _, _, _, time)| {
                let last = time / SLIDE * SLIDE;
                (0..WINDOW / SLIDE).map(move |slide| ((last + WINDOW - slide * SLIDE, auction), ()))
            });
            let counts =
                windows.weighted_count().map_index(|&((window, auction), count)| (window, (count, auction)));
            let most = counts.map_index(|&(window, (count, _))| (window, count)).aggregate(Max);
            let most = most.map_index(|&(window, count)| ((window, count), ()));
            let view = counts
                .map_index(|&(window, (count, auction))| ((window, count), auction))
                .join_index(&most, |&(window, count), &auction, ()| ((window, auction), count));
            watch(&view, sum, |(window, auction), count, weight| {
                check_two(window ^ auction << 32, count as u64, weight)
            });
        }
        Job::Q7 => {
            let most = bids.map_index(|&(_, _, price, _, _, time)| (time / WINDOW, price)).aggregate(Max);
            let most = most.map_index(|&(window, price)| ((window, price), ()));
            let view = bids
                .map_index(|&(auction, bidder, price, _, _, time)| {
                    ((time / WINDOW, price), (auction, bidder))
                })
                .join_index(&most, |&(_, price), &sold, ()| (price, sold));
            watch(&view, sum, |price, (auction, bidder), weight| {
                check_two(price, auction ^ bidder << 32, weight)
            });
        }
        _ => {
            let (auctions, auction) = circuit.add_input_zset::<Auction>();
            let open = auctions.map_index(|&(id, _, seller, category, _, opens, closes)| {
                (id, (seller, category, opens, closes))
            });
            let bids = bids.map_index(|&(auction, _, price, _, _, time)| (auction, (price, time)));
            let valid =
                open.join_flatmap(&bids, |&id, &(seller, category, opens, closes), &(price, time)| {
                    (opens..=closes).contains(&time).then_some(((id, seller, category, closes), price))
                });
            let won = valid.index().aggregate(Max);
            let prices = match job {
                Job::Q4 => won.map_index(|&((_, _, category, _), price)| (category, price as i64)),
                _ => won
                    .map_index(|&((id, seller, _, closes), price)| (seller, (closes, id, price)))
                    .topk_desc(10)
                    .map_index(|&(seller, (_, _, price))| (seller, price as i64)),
            };
            let view =
                prices.aggregate_linear_postprocess(|&price| (price, 1i64), |&(total, count)| total / count);
            watch(&view, sum, |of, average, weight| check_two(of, average as u64, weight));
            return fed(move |changes| {
                let events = changes.events()?;
                auction.extend(events.auctions.into_iter().map(|row| (row, 1)));
                bid.extend(events.bids.into_iter().map(|row| (row, 1)));
                Ok(())
            });
        }
    }
    fed(move |changes| {
        bid.extend(changes.events()?.bids.into_iter().map(|row| (row, 1)));
        Ok(())
    })
}
