//! Rolling aggregates that are put together of parts.
//!
//! **Law.** That of [`rolling`](super::rolling), for aggregators that know how to put [`Parts`] together.
//!
//! ```text
//!   Δ ──▶ [ rows by partition and time ] ──▶ part of each time that changes
//!                                                    ▼
//!                        [ parts by partition and time ] ──▶ rows in reach of a change: after − before
//! ```
//!
//! | time | Δ | greatest price in [t − 2, t] |
//! |---|---|---|
//! | 0 | (p, (1, 30)) → +1, (p, (3, 20)) → +1 | (p, (1, 30)) → +1, (p, (3, 30)) → +1 |
//! | 1 | (p, (4, 10)) → +1 | (p, (4, 20)) → +1 |
//! | 2 | (p, (1, 30)) → −1 | (p, (1, 30)) → −1, (p, (3, 30)) → −1, (p, (3, 20)) → +1 |
//!
//! State is the rows, and the part of each time in a tree of parts ([`sums`](super::sums)). A change makes the part of its
//! own time anew, of the rows of that time alone, and costs, for each row in its reach, *O(log n)*, however long the range
//! is. Waterlines act as in [`rolling`](super::rolling).

use super::partitions::Partitions;
use super::{EventTime, RelRange, Rolls, between, bring, in_time, with_values};
use crate::circuit::{Circuit, Incoming, RootCircuit, State, Stream};
use crate::column::Data;
use crate::operator::Parts;
use crate::operator::trace::keys;
use crate::trace::{Batch, Sorter, Spine};

struct RollingParts<P: Data, T: Data, V: Data, A: Parts<V>> {
    rows: Spine<P, (T, V)>,
    partitions: Partitions<P, T, A::Part>,
    sorter: Sorter,
    aggregator: A,
    range: RelRange,
    /// The waterline of the step before, if there is one.
    line: Option<T>,
    zones: Vec<(T, T)>,
}

impl<P: Data, T: EventTime, V: Data, A: Parts<V>> RollingParts<P, T, V, A> {
    fn new(aggregator: A, range: RelRange) -> Self {
        Self {
            rows: Spine::new(),
            partitions: Partitions::default(),
            sorter: Sorter::default(),
            aggregator,
            range,
            line: None,
            zones: Vec::new(),
        }
    }
}

impl<P: Data, T: EventTime, V: Data, A: Parts<V>> Rolls<P, T, V, A::Output> for RollingParts<P, T, V, A> {
    fn step(&mut self, input: &Incoming<Batch<P, (T, V)>>, output: &mut Batch<P, (T, A::Output)>) {
        self.partitions.compact();
        let mut delta = in_time(input.take(), self.line);
        self.sorter.consolidate(&mut delta);
        let horizon = self.line.map(|line| self.range.horizon(line));
        keys(&delta, |partition, hash, rows| {
            self.range.affected(rows.clone().map(|row| delta.val(row).0), &mut self.zones);
            let slot = self.partitions.slot(partition);
            let result = |part: &A::Part| self.aggregator.whole(part);
            let old = self.partitions.results(slot, &self.zones, self.range, result);
            let mut group = self.rows.group(P::shorten(partition), hash);
            group.add(&delta, rows.clone());
            let mut last = None;
            for time in rows.map(|row| delta.val(row).0) {
                if last.replace(time) != Some(time) {
                    let part =
                        with_values(&between(&group, time, time), |values| self.aggregator.part(values));
                    self.partitions.sums(slot).change(time, |old| *old = part);
                }
            }
            let new = self.partitions.results(slot, &self.zones, self.range, result);
            bring(partition, old, new, output);
            self.partitions.forget(slot, horizon);
        });
        self.rows.insert(delta);
    }
    fn rise(&mut self, line: T, rows: usize) {
        let line = self.line.map_or(line, |old| old.max(line));
        let horizon = self.range.horizon(line);
        self.partitions.sweep(rows + 1, horizon);
        if self.line.replace(line) != Some(line) {
            self.rows.retain_values(move |row| row.0 >= horizon);
        }
    }
    fn state(&self) -> State {
        State { rows: self.rows.len(), bytes: self.rows.bytes() }.and(self.partitions.state())
    }
}

impl<C: Circuit, P: Data, T: EventTime, V: Data> Stream<C, Batch<P, (T, V)>> {
    /// Brings what [`partitioned_rolling_aggregate`](Stream::partitioned_rolling_aggregate) does, at a cost that does not
    /// follow the length of the range; in a nested scope it costs what that does.
    ///
    /// ```
    /// use qadataswap_dbsp::operator::{Max, Min, RelOffset, RelRange};
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// let minute = RelRange::new(RelOffset::Before(60), RelOffset::Before(0));
    /// let (mut circuit, (trades, bounds)) = RootCircuit::build(|circuit| {
    ///     let (trades, handle) = circuit.add_input_indexed_zset::<String, (u64, i64)>();
    ///     Ok((handle, trades.partitioned_rolling_aggregate_parts((Min, Max), minute).output()))
    /// })?;
    /// trades.extend([(10, 6750), (65, 6752), (100, 6751)].map(|trade| ("ESZ6".to_owned(), trade, 1)));
    /// circuit.step()?;
    /// let expected = indexed_zset! { "ESZ6".to_owned() => {
    ///     (10, (6750, 6750)) => 1, (65, (6750, 6752)) => 1, (100, (6751, 6752)) => 1,
    /// } };
    /// assert_eq!(bounds.take(), expected);
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn partitioned_rolling_aggregate_parts<A: Parts<V>>(
        &self,
        aggregator: A,
        range: RelRange,
    ) -> Stream<C, Batch<P, (T, A::Output)>> {
        if C::NESTED {
            return self.partitioned_rolling_aggregate(aggregator, range);
        }
        self.rolled("rolling_parts", RollingParts::new(aggregator, range))
    }
}

impl<P: Data, T: EventTime, V: Data> Stream<RootCircuit, Batch<P, (T, V)>> {
    /// Brings what [`partitioned_rolling_aggregate_parts`](Stream::partitioned_rolling_aggregate_parts) does of all rows
    /// that are not late, and forgets what a waterline has passed.
    pub fn partitioned_rolling_aggregate_parts_with_waterline<A: Parts<V>>(
        &self,
        waterline: &Stream<RootCircuit, T>,
        aggregator: A,
        range: RelRange,
    ) -> Stream<RootCircuit, Batch<P, (T, A::Output)>> {
        self.rolled_above(waterline, "rolling_parts", RollingParts::new(aggregator, range))
    }
}
