//! Rolling sums: of each row's range of time, within its partition.
//!
//! **Law.** *rolling(a)[p]* has, for each time *t* of the partition, *(t, f(Σ g(v) · a[p, (u, v)]))* over the times *u* in
//! the range of *t*. A time is there while its number of rows, or its sum, is not 0.
//!
//! ```text
//!   Δ ──▶ [ sums by partition and time ] ──▶ rows in reach of a change: after − before
//! ```
//!
//! | time | Δ | sums of prices in [t − 2, t] |
//! |---|---|---|
//! | 0 | (p, (1, 10)) → +1, (p, (3, 20)) → +1 | (p, (1, 10)) → +1, (p, (3, 30)) → +1 |
//! | 1 | (p, (4, 5)) → +1 | (p, (4, 25)) → +1 |
//! | 2 | (p, (2, 1)) → +1, late | (p, (2, 11)) → +1, (p, (3, 30)) → −1, (p, (3, 31)) → +1, (p, (4, 25)) → −1, (p, (4, 26)) → +1 |
//!
//! State is the sum at each time, in a tree of partial sums ([`sums`](super::sums)): no input, no output. A change costs,
//! for each row in its reach, *O(log n)*, however long the range is.
//!
//! Under a waterline rows that come below that of the step before are late and are dropped; what can be in no range of a
//! row at or above it is forgotten, and what was brought for it stays.

use super::nested::SumOfRange;
use super::partitions::Partitions;
use super::{EventTime, RelRange, Rolls, bring};
use crate::algebra::{AddByRef, LinearValue, ZWeight};
use crate::circuit::{Circuit, Incoming, RootCircuit, State, Stream};
use crate::column::Data;
use crate::trace::Batch;

struct Rolling<P: Data, T, A, G, F> {
    partitions: Partitions<P, T, (A, ZWeight)>,
    range: RelRange,
    value: G,
    finish: F,
    /// The waterline of the step before, if there is one.
    line: Option<T>,
    changes: Vec<(usize, T, (A, ZWeight))>,
    zones: Vec<(T, T)>,
}

impl<P: Data, T: EventTime, A: LinearValue, G, F> Rolling<P, T, A, G, F> {
    fn new(value: G, finish: F, range: RelRange) -> Self {
        let (changes, zones) = (Vec::new(), Vec::new());
        Self { partitions: Partitions::default(), range, value, finish, line: None, changes, zones }
    }

    /// Makes the changes of one partition, in the order of time, and brings what follows.
    fn update<O: Data>(&mut self, changes: &[(usize, T, (A, ZWeight))], output: &mut Batch<P, (T, O)>)
    where
        F: Fn(&A) -> O,
    {
        let slot = changes[0].0;
        self.range.affected(changes.iter().map(|change| change.1), &mut self.zones);
        let result = |sum: &(A, ZWeight)| Some((self.finish)(&sum.0));
        let old = self.partitions.results(slot, &self.zones, self.range, result);
        for at_once in changes.chunk_by(|a, b| a.1 == b.1) {
            let mut sum = at_once[0].2.clone();
            at_once[1..].iter().for_each(|change| add(&mut sum, &change.2));
            self.partitions.sums(slot).change(at_once[0].1, |old| add(old, &sum));
        }
        let new = self.partitions.results(slot, &self.zones, self.range, result);
        bring(self.partitions.key(slot), old, new, output);
        self.partitions.forget(slot, self.line.map(|line| self.range.horizon(line)));
    }
}

fn add<A: LinearValue>(sum: &mut (A, ZWeight), more: &(A, ZWeight)) {
    sum.add_assign_by_ref(more);
}

impl<P, T, V, A, O, G, F> Rolls<P, T, V, O> for Rolling<P, T, A, G, F>
where
    P: Data,
    T: EventTime,
    V: Data,
    A: LinearValue,
    O: Data,
    G: Fn(&V::Ref<'_>) -> A + 'static,
    F: Fn(&A) -> O + 'static,
{
    fn step(&mut self, input: &Incoming<Batch<P, (T, V)>>, output: &mut Batch<P, (T, O)>) {
        self.partitions.compact();
        for (partition, (time, val), weight) in input.get().iter() {
            if self.line.is_none_or(|line| time >= line) {
                let slot = self.partitions.slot(partition);
                self.changes.push((slot, time, ((self.value)(&val).mul_by_ref(&weight), weight)));
            }
        }
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort_unstable_by_key(|change| (change.0, change.1));
        for changes in changes.chunk_by(|a, b| a.0 == b.0) {
            self.update(changes, output);
        }
        changes.clear();
        self.changes = changes;
    }
    fn rise(&mut self, line: T, rows: usize) {
        self.line = self.line.max(Some(line));
        self.partitions.sweep(rows + 1, self.range.horizon(line));
    }
    fn state(&self) -> State {
        self.partitions.state()
    }
}

impl<C: Circuit, P: Data, T: EventTime, V: Data> Stream<C, Batch<P, (T, V)>> {
    /// Brings, for each time of each partition, `finish` of the sum of `value` over the rows whose time lies in a range
    /// around it.
    ///
    /// ```
    /// use qadataswap_dbsp::operator::{RelOffset, RelRange};
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// let minute = RelRange::new(RelOffset::Before(60), RelOffset::Before(0));
    /// let (mut circuit, (trades, volume)) = RootCircuit::build(|circuit| {
    ///     let (trades, handle) = circuit.add_input_indexed_zset::<String, (u64, i64)>();
    ///     let volume = trades.partitioned_rolling_aggregate_linear(|&size| size, |&sum| sum, minute);
    ///     Ok((handle, volume.output()))
    /// })?;
    /// trades.extend([(10, 5), (65, 7), (100, 1)].map(|trade| ("ESZ6".to_owned(), trade, 1)));
    /// circuit.step()?;
    /// let expected = indexed_zset! { "ESZ6".to_owned() => { (10, 5) => 1, (65, 12) => 1, (100, 8) => 1 } };
    /// assert_eq!(volume.take(), expected);
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn partitioned_rolling_aggregate_linear<A: LinearValue, O: Data>(
        &self,
        value: impl Fn(&V::Ref<'_>) -> A + 'static,
        finish: impl Fn(&A) -> O + 'static,
        range: RelRange,
    ) -> Stream<C, Batch<P, (T, O)>> {
        if C::NESTED {
            return self.nested_groups("rolling_linear", SumOfRange::new(value, finish, range));
        }
        self.rolled("rolling_linear", Rolling::new(value, finish, range))
    }
}

impl<P: Data, T: EventTime, V: Data> Stream<RootCircuit, Batch<P, (T, V)>> {
    /// Brings what [`partitioned_rolling_aggregate_linear`](Stream::partitioned_rolling_aggregate_linear) does of all rows
    /// that are not late, and forgets what a waterline has passed.
    pub fn partitioned_rolling_aggregate_linear_with_waterline<A: LinearValue, O: Data>(
        &self,
        waterline: &Stream<RootCircuit, T>,
        value: impl Fn(&V::Ref<'_>) -> A + 'static,
        finish: impl Fn(&A) -> O + 'static,
        range: RelRange,
    ) -> Stream<RootCircuit, Batch<P, (T, O)>> {
        self.rolled_above(waterline, "rolling_linear", Rolling::new(value, finish, range))
    }
}
