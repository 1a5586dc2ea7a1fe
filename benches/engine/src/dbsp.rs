//! Views by `dbsp`, in one worker of its runtime, without storage. Its merges have a thread of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use dbsp::circuit::CircuitConfig;
use dbsp::operator::Max;
use dbsp::typed_batch::IndexedZSetReader;
use dbsp::utils::{Tup2, Tup3, Tup4, Tup6, Tup7};
use dbsp::{DBSPHandle, OrdIndexedZSet, RootCircuit, Runtime, Stream};

use crate::job::{Changes, Job, Numbers, check, check_total, check_two, text};
use crate::nexmark::{SLIDE, WINDOW};
use crate::{Engine, Failure};

/// Gives a batch of changes to the inputs.
type Feed = Box<dyn Fn(Changes) -> Result<(), Failure> + Send>;
type Sum = Arc<AtomicI64>;

pub(crate) struct Dbsp {
    circuit: DBSPHandle,
    feed: Feed,
    sum: Sum,
}

impl Dbsp {
    pub(crate) fn new(job: Job) -> Result<Self, Failure> {
        let sum = Sum::default();
        let watched = sum.clone();
        let config = CircuitConfig::with_workers(1).with_allow_input_during_commit(false);
        let (mut circuit, feed) =
            Runtime::init_circuit(config, move |circuit| Ok(describe(job, circuit, &watched)?))?;
        if job == Job::Join {
            circuit.transaction()?;
        }
        Ok(Self { circuit, feed, sum })
    }
}

impl Engine for Dbsp {
    fn step(&mut self, changes: Changes) -> Result<(), Failure> {
        (self.feed)(changes)?;
        Ok(self.circuit.transaction()?)
    }

    fn checksum(&self) -> i64 {
        self.sum.load(Ordering::SeqCst)
    }
}

/// Adds what a stream brings to a checksum.
fn watch<Z>(view: &Stream<RootCircuit, Z>, sum: &Sum, check: impl Fn(&Z::Key, &Z::Val, i64) -> i64 + 'static)
where
    Z: IndexedZSetReader + Clone,
{
    let sum = sum.clone();
    view.inspect(move |batch| {
        let more =
            batch.iter().fold(0i64, |more, (key, val, weight)| more.wrapping_add(check(&key, &val, weight)));
        sum.fetch_add(more, Ordering::SeqCst);
    });
}

/// Turns a change into what an indexed input takes.
fn indexed((key, val, weight): Numbers) -> Tup2<u64, Tup2<i64, i64>> {
    Tup2(key, Tup2(val, weight))
}

fn describe(job: Job, circuit: &mut RootCircuit, sum: &Sum) -> Result<Feed, dbsp::Error> {
    match job {
        Job::Strings => {
            let (rows, handle) = circuit.add_input_indexed_zset::<String, i64>();
            let totals = rows.aggregate_linear(|&val| Tup2(val, 1i64));
            watch(&totals, sum, |key, &Tup2(total, count), weight| {
                check_total(text(key), (total, count), weight)
            });
            Ok(Box::new(move |changes| {
                let rows = changes.text()?.into_iter().map(|(key, val, weight)| Tup2(key, Tup2(val, weight)));
                handle.append(&mut rows.collect());
                Ok(())
            }))
        }
        Job::Distinct | Job::FilterMap => {
            let (rows, handle) = circuit.add_input_zset::<u64>();
            let view = match job {
                Job::Distinct => rows.distinct(),
                _ => rows.filter(|row| row % 8 == 0).map(|row| row / 8),
            };
            watch(&view, sum, |&row, (), weight| check(row, weight));
            Ok(Box::new(move |changes| {
                handle.append(
                    &mut changes.numbers()?.into_iter().map(|(row, _, weight)| Tup2(row, weight)).collect(),
                );
                Ok(())
            }))
        }
        Job::Sparse | Job::Dense => {
            let (edges, handle) = circuit.add_input_indexed_zset::<u64, u64>();
            let reversed = edges.map_index(|(&from, &to)| (to, from));
            // From where one is, to where one came from.
            let paths = circuit.recursive(|scope, paths: Stream<_, OrdIndexedZSet<u64, u64>>| {
                let (edges, first) = (edges.delta0(scope), reversed.delta0(scope));
                Ok(first.plus(&paths.join_index(&edges, |_, &start, &end| Some((end, start)))))
            })?;
            watch(&paths, sum, |&end, &start, weight| check_two(end, start, weight));
            Ok(Box::new(move |changes| {
                let edge = |(from, to, weight): Numbers| Tup2(from, Tup2(to as u64, weight));
                handle.append(&mut changes.numbers()?.into_iter().map(edge).collect());
                Ok(())
            }))
        }
        Job::GroupBy | Job::Bulk | Job::Max | Job::Join => {
            let (rows, handle) = circuit.add_input_indexed_zset::<u64, i64>();
            match job {
                Job::Join => {
                    let (names, dimensions) = circuit.add_input_indexed_zset::<u64, i64>();
                    dimensions.append(&mut job.dimensions().into_iter().map(indexed).collect());
                    let joined = rows.join_index(&names, |&key, &val, &name| Some((key, val + name)));
                    watch(&joined, sum, |&key, &val, weight| check_two(key, val as u64, weight));
                }
                Job::Max => {
                    watch(&rows.aggregate(Max), sum, |&key, &val, weight| check_two(key, val as u64, weight))
                }
                _ => watch(
                    &rows.aggregate_linear(|&val| Tup2(val, 1i64)),
                    sum,
                    |&key, &Tup2(total, count), weight| check_total(key, (total, count), weight),
                ),
            }
            Ok(Box::new(move |changes| {
                handle.append(&mut changes.numbers()?.into_iter().map(indexed).collect());
                Ok(())
            }))
        }
        _ => Ok(nexmark(job, circuit, sum)),
    }
}

type Person = Tup6<u64, String, String, String, String, u64>;
type Auction = Tup7<u64, String, u64, u64, u64, u64, u64>;
type Bid = Tup6<u64, u64, u64, String, String, u64>;

fn nexmark(job: Job, circuit: &mut RootCircuit, sum: &Sum) -> Feed {
    let (persons, person) = circuit.add_input_zset::<Person>();
    let (auctions, auction) = circuit.add_input_zset::<Auction>();
    let (bids, bid) = circuit.add_input_zset::<Bid>();
    match job {
        Job::Q0 => watch(&bids, sum, |Tup6(auction, bidder, price, channel, address, time), (), weight| {
            check_two(auction ^ bidder << 32 ^ text(channel), price ^ time << 32 ^ text(address), weight)
        }),
        Job::Q1 => {
            let view = bids.map(|Tup6(auction, bidder, price, _, _, time)| {
                Tup4(*auction, *bidder, price * 89 / 100, *time)
            });
            watch(&view, sum, |Tup4(auction, bidder, price, time), (), weight| {
                check_two(auction ^ bidder << 32, price ^ time << 32, weight)
            });
        }
        Job::Q2 => {
            let view = bids.filter(|bid| bid.0 % 123 == 0).map(|bid| Tup2(bid.0, bid.2));
            watch(&view, sum, |&Tup2(auction, price), (), weight| check_two(auction, price, weight));
        }
        Job::Q3 => {
            let sold = auctions.filter(|auction| auction.3 == 10).map_index(|auction| (auction.2, auction.0));
            let sellers = persons
                .filter(|person| matches!(person.4.as_str(), "OR" | "ID" | "CA"))
                .map_index(|person| (person.0, Tup3(person.1.clone(), person.3.clone(), person.4.clone())));
            let view = sold.join_index(&sellers, |_, &id, seller| Some((id, seller.clone())));
            watch(&view, sum, |id, Tup3(name, city, state), weight| {
                check_two(id ^ text(name), text(city) ^ text(state).rotate_left(7), weight)
            });
        }
        Job::Q4 | Job::Q6 => {
            let open =
                auctions.map_index(|auction| (auction.0, Tup4(auction.2, auction.3, auction.5, auction.6)));
            let bids = bids.map_index(|bid| (bid.0, Tup2(bid.2, bid.5)));
            let valid =
                open.join_index(&bids, |&id, &Tup4(seller, category, opens, closes), &Tup2(price, time)| {
                    (opens..=closes).contains(&time).then_some((Tup4(id, seller, category, closes), price))
                });
            let won = valid.aggregate(Max);
            let prices = match job {
                Job::Q4 => won.map_index(|(&Tup4(_, _, category, _), &price)| (category, price as i64)),
                _ => won
                    .map_index(|(&Tup4(id, seller, _, closes), &price)| (seller, Tup3(closes, id, price)))
                    .topk_desc(10)
                    .map_index(|(&seller, &Tup3(_, _, price))| (seller, price as i64)),
            };
            let view = prices
                .aggregate_linear_postprocess(|&price| Tup2(price, 1i64), |Tup2(total, count)| total / count);
            watch(&view, sum, |&of, &average, weight| check_two(of, average as u64, weight));
        }
        Job::Q5 => {
            let windows = bids.flat_map_index(|bid| {
                let (auction, last) = (bid.0, bid.5 / SLIDE * SLIDE);
                (0..WINDOW / SLIDE).map(move |slide| (Tup2(last + WINDOW - slide * SLIDE, auction), ()))
            });
            let counts = windows
                .weighted_count()
                .map_index(|(&Tup2(window, auction), &count)| (window, Tup2(count, auction)));
            let most = counts.map_index(|(&window, &Tup2(count, _))| (window, count)).aggregate(Max);
            let most = most.map_index(|(&window, &count)| (Tup2(window, count), ()));
            let view = counts
                .map_index(|(&window, &Tup2(count, auction))| (Tup2(window, count), auction))
                .join_index(&most, |&Tup2(window, count), &auction, ()| Some((Tup2(window, auction), count)));
            watch(&view, sum, |&Tup2(window, auction), &count, weight| {
                check_two(window ^ auction << 32, count as u64, weight)
            });
        }
        Job::Q7 => {
            let most = bids.map_index(|bid| (bid.5 / WINDOW, bid.2)).aggregate(Max);
            let most = most.map_index(|(&window, &price)| (Tup2(window, price), ()));
            let view = bids
                .map_index(|bid| (Tup2(bid.5 / WINDOW, bid.2), Tup2(bid.0, bid.1)))
                .join_index(&most, |&Tup2(_, price), &Tup2(auction, bidder), ()| {
                    Some((price, Tup2(auction, bidder)))
                });
            watch(&view, sum, |&price, &Tup2(auction, bidder), weight| {
                check_two(price, auction ^ bidder << 32, weight)
            });
        }
        _ => {
            let came = persons.map_index(|person| (Tup2(person.0, person.5 / WINDOW), person.1.clone()));
            let sold = auctions
                .map(|auction| Tup2(auction.2, auction.5 / WINDOW))
                .distinct()
                .map_index(|&sold| (sold, ()));
            let view = came.join_index(&sold, |&came, name, ()| Some((came, name.clone())));
            watch(&view, sum, |Tup2(id, window), name, weight| check_two(id ^ text(name), *window, weight));
        }
    }
    Box::new(move |changes| {
        let events = changes.events()?;
        if matches!(job, Job::Q3 | Job::Q8) {
            let rows = events.persons.into_iter().map(|(a, b, c, d, e, f)| Tup2(Tup6(a, b, c, d, e, f), 1));
            person.append(&mut rows.collect());
        }
        if matches!(job, Job::Q3 | Job::Q4 | Job::Q6 | Job::Q8) {
            let rows =
                events.auctions.into_iter().map(|(a, b, c, d, e, f, g)| Tup2(Tup7(a, b, c, d, e, f, g), 1));
            auction.append(&mut rows.collect());
        }
        if !matches!(job, Job::Q3 | Job::Q8) {
            let rows = events.bids.into_iter().map(|(a, b, c, d, e, f)| Tup2(Tup6(a, b, c, d, e, f), 1));
            bid.append(&mut rows.collect());
        }
        Ok(())
    })
}
