//! Rolling aggregates: of each row's range of time, within its partition.
//!
//! **Law.** *rolling(a)[p]* has, for each time *t* of the partition, *(t, f(w))*, where *w* is the rows of positive weight
//! whose time is in the range of *t*, in the order of time; nothing where there are none.
//!
//! ```text
//!   Δ ──▶ [ rows by partition and time ] ──▶ rows in reach of a change: after − before
//! ```
//!
//! | time | Δ | greatest price in [t − 2, t] |
//! |---|---|---|
//! | 0 | (p, (1, 30)) → +1, (p, (3, 20)) → +1 | (p, (1, 30)) → +1, (p, (3, 30)) → +1 |
//! | 1 | (p, (4, 10)) → +1 | (p, (4, 20)) → +1 |
//! | 2 | (p, (1, 30)) → −1 | (p, (1, 30)) → −1, (p, (3, 30)) → −1, (p, (3, 20)) → +1 |
//!
//! State is the rows. Only rows in reach of a change are looked at again; each of them walks its range, before and after,
//! as an aggregator need not know how to put parts together. So a change costs the rows in its reach times the rows in a
//! range: for long ranges, what can be a sum is better a sum
//! ([`rolling_linear`](super::rolling_linear)), and what can be put together of parts is better put together
//! ([`rolling_parts`](super::rolling_parts)).
//!
//! Under a waterline rows that come below that of the step before are late and are dropped; what can be in no range of a
//! row at or above it is forgotten, and what was brought for it stays.

use super::nested::OfRange;
use super::{EventTime, RelRange, Rolls, between, bring, in_time, with_values};
use crate::circuit::{Circuit, Incoming, RootCircuit, State, Stream};
use crate::column::Data;
use crate::operator::Aggregator;
use crate::operator::trace::keys;
use crate::trace::{Batch, Group, Sorter, Spine};

struct Rolling<P: Data, T: Data, V: Data, A> {
    rows: Spine<P, (T, V)>,
    sorter: Sorter,
    aggregator: A,
    range: RelRange,
    /// The waterline of the step before, if there is one.
    line: Option<T>,
    zones: Vec<(T, T)>,
}

impl<P: Data, T: EventTime, V: Data, A: Aggregator<V>> Rolling<P, T, V, A> {
    fn new(aggregator: A, range: RelRange) -> Self {
        Self {
            rows: Spine::new(),
            sorter: Sorter::default(),
            aggregator,
            range,
            line: None,
            zones: Vec::new(),
        }
    }

    /// Lists the rows in the zones.
    fn list(&self, group: &Group<'_, (T, V)>) -> Vec<(T, A::Output)> {
        let mut rows = Vec::new();
        for &(from, to) in &self.zones {
            let mut zone = between(group, from, to);
            let mut last = None;
            while let Some(((time, _), _)) = zone.next_present(false) {
                if last.replace(time) == Some(time) {
                    continue;
                }
                let Some((from, to)) = self.range.of(time) else { continue };
                let result = with_values(&between(group, from, to), |values| self.aggregator.of(values));
                rows.extend(result.map(|result| (time, result)));
            }
        }
        rows
    }
}

impl<P: Data, T: EventTime, V: Data, A: Aggregator<V>> Rolls<P, T, V, A::Output> for Rolling<P, T, V, A> {
    fn step(&mut self, input: &Incoming<Batch<P, (T, V)>>, output: &mut Batch<P, (T, A::Output)>) {
        let mut delta = in_time(input.take(), self.line);
        self.sorter.consolidate(&mut delta);
        keys(&delta, |partition, hash, rows| {
            self.range.affected(rows.clone().map(|row| delta.val(row).0), &mut self.zones);
            let before = self.rows.group(P::shorten(partition), hash);
            let mut after = before.clone();
            after.add(&delta, rows);
            let (old, new) = (self.list(&before), self.list(&after));
            bring(partition, old, new, output);
        });
        self.rows.insert(delta);
    }

    fn rise(&mut self, line: T, _: usize) {
        if self.line.is_none_or(|old| old < line) {
            self.line = Some(line);
            let horizon = self.range.horizon(line);
            self.rows.retain_values(move |row| row.0 >= horizon);
        }
    }
    fn state(&self) -> State {
        State { rows: self.rows.len(), bytes: self.rows.bytes() }
    }
}

impl<C: Circuit, P: Data, T: EventTime, V: Data> Stream<C, Batch<P, (T, V)>> {
    /// Brings, for each time of each partition, an aggregate of the rows whose time lies in a range around it.
    pub fn partitioned_rolling_aggregate<A: Aggregator<V>>(
        &self,
        aggregator: A,
        range: RelRange,
    ) -> Stream<C, Batch<P, (T, A::Output)>> {
        if C::NESTED {
            return self.nested_groups("rolling", OfRange { aggregator, range });
        }
        self.rolled("rolling", Rolling::new(aggregator, range))
    }
}

impl<P: Data, T: EventTime, V: Data> Stream<RootCircuit, Batch<P, (T, V)>> {
    /// Brings what [`partitioned_rolling_aggregate`](Stream::partitioned_rolling_aggregate) does of all rows that are not
    /// late, and forgets what a waterline has passed.
    pub fn partitioned_rolling_aggregate_with_waterline<A: Aggregator<V>>(
        &self,
        waterline: &Stream<RootCircuit, T>,
        aggregator: A,
        range: RelRange,
    ) -> Stream<RootCircuit, Batch<P, (T, A::Output)>> {
        self.rolled_above(waterline, "rolling", Rolling::new(aggregator, range))
    }
}

impl<C: Circuit, T: EventTime, V: Data> Stream<C, Batch<T, V>> {
    /// Brings, for each time that there is as a key, an aggregate of the rows whose time lies in a range around it. All rows
    /// are with one worker, as they are one partition.
    pub fn rolling_aggregate<A: Aggregator<V>>(
        &self,
        aggregator: A,
        range: RelRange,
    ) -> Stream<C, Batch<T, A::Output>> {
        let whole = self.map_rows(|time, val, weight, output: &mut Batch<(), (T, V)>| {
            output.push((), (time, val), weight);
        });
        whole.partitioned_rolling_aggregate(aggregator, range).map_rows(
            |(), (time, result), weight, output| {
                output.push(time, result, weight);
            },
        )
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Makes rows of rows without copying them on the way.
    pub(in crate::operator) fn map_rows<K2: Data, V2: Data>(
        &self,
        to: impl Fn(K::Ref<'_>, V::Ref<'_>, i64, &mut Batch<K2, V2>) + 'static,
    ) -> Stream<C, Batch<K2, V2>> {
        self.linear("map_index", move |input, output: &mut Batch<K2, V2>| {
            input.get().iter().for_each(|(key, val, weight)| to(key, val, weight, output));
        })
    }
}
