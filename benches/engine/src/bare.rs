//! Views by loops that can do nothing else: what the least costs of which a hash map is capable, and, of the views of Nexmark
//! that need none, what it costs to be given the rows.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::job::{Changes, Job, check, check_total, check_two, spread, text};
use crate::nexmark::Bid;
use crate::{Engine, Failure};

/// Numbers, spread.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = spread(self.0 ^ number);
    }
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<Spread>>;

pub(crate) enum Bare {
    /// The sum and the number of values.
    GroupBy(i64, Map<(i64, i64)>),
    /// How often each row is there.
    Distinct(i64, Map<i64>),
    /// Of each key its dimension, and its facts: the last one, and behind each the one before.
    Join(i64, Map<(i64, usize)>, Vec<(i64, i64, usize)>),
    /// Some of the rows, changed: what they add to the checksum.
    FilterMap(i64),
    /// A view of the bids alone, by what each of them adds to the checksum.
    Bids(i64, fn(Bid) -> i64),
}

pub(crate) fn lacks(job: Job) -> Option<&'static str> {
    let by_row = matches!(job, Job::FilterMap | Job::Q0 | Job::Q1 | Job::Q2);
    let has = by_row || matches!(job, Job::GroupBy | Job::Bulk | Job::Distinct | Job::Join);
    (!has).then_some("only group-by, distinct, join and what is done row by row are bounded so")
}

impl Bare {
    pub(crate) fn new(job: Job) -> Result<Self, Failure> {
        match job {
            Job::GroupBy | Job::Bulk => Ok(Self::GroupBy(0, Map::default())),
            Job::Distinct => Ok(Self::Distinct(0, Map::default())),
            Job::FilterMap => Ok(Self::FilterMap(0)),
            Job::Join => {
                let dimensions = job.dimensions().into_iter().map(|(key, name, _)| (key, (name, usize::MAX)));
                Ok(Self::Join(0, dimensions.collect(), Vec::new()))
            }
            Job::Q0 => Ok(Self::Bids(0, |(auction, bidder, price, channel, address, time)| {
                check_two(auction ^ bidder << 32 ^ text(&channel), price ^ time << 32 ^ text(&address), 1)
            })),
            Job::Q1 => Ok(Self::Bids(0, |(auction, bidder, price, _, _, time)| {
                check_two(auction ^ bidder << 32, (price * 89 / 100) ^ time << 32, 1)
            })),
            Job::Q2 => Ok(Self::Bids(
                0,
                |(auction, _, price, ..)| {
                    if auction % 123 == 0 { check_two(auction, price, 1) } else { 0 }
                },
            )),
            _ => Err("there is no such loop".into()),
        }
    }
}

impl Engine for Bare {
    fn step(&mut self, changes: Changes) -> Result<(), Failure> {
        match self {
            Self::Bids(sum, check) => {
                *sum = changes.events()?.bids.into_iter().fold(*sum, |sum, bid| sum.wrapping_add(check(bid)));
            }
            Self::FilterMap(sum) => {
                for (row, _, weight) in changes.numbers()? {
                    if row % 8 == 0 {
                        *sum = sum.wrapping_add(check(row / 8, weight));
                    }
                }
            }
            Self::GroupBy(sum, groups) => {
                for (key, val, weight) in changes.numbers()? {
                    let (total, count) = groups.entry(key).or_default();
                    if *count != 0 {
                        *sum = sum.wrapping_add(check_total(key, (*total, *count), -1));
                    }
                    (*total, *count) = (*total + val * weight, *count + weight);
                    if *count != 0 {
                        *sum = sum.wrapping_add(check_total(key, (*total, *count), 1));
                    } else {
                        groups.remove(&key);
                    }
                }
            }
            Self::Distinct(sum, rows) => {
                for (row, _, weight) in changes.numbers()? {
                    let count = rows.entry(row).or_default();
                    let before = *count > 0;
                    *count += weight;
                    *sum = sum.wrapping_add(check(row, i64::from(*count > 0) - i64::from(before)));
                    if *count == 0 {
                        rows.remove(&row);
                    }
                }
            }
            Self::Join(sum, dimensions, facts) => {
                for (key, val, weight) in changes.numbers()? {
                    let Some((name, last)) = dimensions.get_mut(&key) else { continue };
                    facts.push((val, weight, *last));
                    *last = facts.len() - 1;
                    *sum = sum.wrapping_add(check_two(key, (val + *name) as u64, weight));
                }
            }
        }
        Ok(())
    }

    fn checksum(&self) -> i64 {
        let (Self::GroupBy(sum, _)
        | Self::Distinct(sum, _)
        | Self::Join(sum, ..)
        | Self::FilterMap(sum)
        | Self::Bids(sum, _)) = self;
        *sum
    }
}
