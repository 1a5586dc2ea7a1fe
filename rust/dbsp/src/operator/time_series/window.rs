//! Windows that move forward in time.
//!
//! **Law.** *window(a, s, e)(t)* is the rows of *a* whose time is in *[s(t), e(t))*, the bounds being the furthest that
//! they have been. What was behind the window never matters again, and is forgotten.
//!
//! ```text
//!   Δ ──────▶ [ rows by time, from the start on ] ──▶ + what enters, − what leaves
//!   bounds ──────▲
//! ```
//!
//! | time | Δ | bounds | `window(bounds)` |
//! |---|---|---|---|
//! | 0 | 3 → +1, 5 → +1, 9 → +1 | [3, 6) | 3 → +1, 5 → +1 |
//! | 1 | 4 → +1, 2 → +1 | [4, 7) | 3 → −1, 4 → +1 |
//! | 2 | 5 → −1 | [6, 10) | 4 → −1, 5 → −1, 9 → +1 |
//!
//! Rows stay with the worker to which they came: as the bounds are the same everywhere, it does not matter which one.

use super::EventTime;
use crate::circuit::{Incoming, RootCircuit, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::operator::BinaryOperator;
use crate::trace::{Batch, Sorter, Spine};

struct Window<K: Data, V: Data, T: Data, F> {
    time: F,
    rows: Spine<(), (T, (K, V))>,
    sorter: Sorter,
    bounds: (T, T),
}

impl<K, V, T, F> BinaryOperator<Batch<K, V>, (T, T), Batch<K, V>> for Window<K, V, T, F>
where
    K: Data,
    V: Data,
    T: EventTime,
    F: Fn(K::Ref<'_>, V::Ref<'_>) -> T + 'static,
{
    fn eval(
        &mut self,
        input: &Incoming<Batch<K, V>>,
        bounds: &Incoming<(T, T)>,
        output: &mut Batch<K, V>,
    ) -> Result<(), Error> {
        let (old, given) = (self.bounds, *bounds.get());
        let (start, end) = (old.0.max(given.0), old.1.max(given.1));
        self.bounds = (start, end);
        if self.bounds != old {
            let mut bring = |from: T, to: T, sign: i64| {
                if from < to {
                    let mut rows = self.rows.group((), <()>::hash(()));
                    rows.skip_while(|row| row.0 < from);
                    rows.take_while(|row| row.0 < to);
                    rows.for_each(|(_, (key, val)), weight| output.push(key, val, sign * weight));
                }
            };
            bring(old.0, old.1.min(start), -1);
            bring(old.1.max(start), end, 1);
        }
        let mut new = Batch::<(), (T, (K, V))>::new();
        for (key, val, weight) in input.get().iter() {
            let time = (self.time)(key, val);
            if time >= start {
                new.push((), (time, (K::shorten(key), V::shorten(val))), weight);
                if time < end {
                    output.push(key, val, weight);
                }
            }
        }
        self.sorter.consolidate(&mut new);
        if start > old.0 {
            self.rows.retain_values(move |row| row.0 >= start);
        }
        self.rows.insert(new);
        Ok(())
    }
    fn state(&self) -> State {
        State { rows: self.rows.len(), bytes: self.rows.bytes() }
    }
}

impl<K: Data, V: Data> Stream<RootCircuit, Batch<K, V>> {
    fn window_of<T: EventTime>(
        &self,
        bounds: &Stream<RootCircuit, (T, T)>,
        time: impl Fn(K::Ref<'_>, V::Ref<'_>) -> T + 'static,
    ) -> Self {
        let bounds_so_far = (T::FIRST, T::FIRST);
        let operator = Window { time, rows: Spine::new(), sorter: Sorter::default(), bounds: bounds_so_far };
        self.binary("window", bounds, operator)
    }

    /// Keeps the rows whose `time` lies in `[start, end)`, as a stream of bounds says in each step. Bounds move forward;
    /// where they would go back they stay.
    pub fn window_by<T: EventTime>(
        &self,
        bounds: &Stream<RootCircuit, (T, T)>,
        time: impl Fn(&V::Row<'_, K>) -> T + 'static,
    ) -> Self {
        self.window_of(bounds, move |key, val| time(&V::row::<K>(K::shorten(key), V::shorten(val))))
    }
}

impl<T: EventTime, V: Data> Stream<RootCircuit, Batch<T, V>> {
    /// Keeps the rows whose key, a time, lies in `[start, end)`, as [`window_by`](Stream::window_by) does.
    ///
    /// ```
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// let (mut circuit, (ticks, recent)) = RootCircuit::build(|circuit| {
    ///     let (ticks, handle) = circuit.add_input_indexed_zset::<u64, i64>();
    ///     let bounds = ticks.waterline(60, |&(time, _)| time).apply(|&start| (start, u64::MAX));
    ///     Ok((handle, ticks.window(&bounds).output()))
    /// })?;
    /// ticks.push(100, 6750, 1);
    /// circuit.step()?;
    /// assert_eq!(recent.take(), indexed_zset! { 100 => { 6750 => 1 } });
    /// ticks.push(200, 6752, 1);
    /// circuit.step()?;
    /// assert_eq!(recent.take(), indexed_zset! { 100 => { 6750 => -1 }, 200 => { 6752 => 1 } });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    #[must_use]
    pub fn window(&self, bounds: &Stream<RootCircuit, (T, T)>) -> Self {
        self.window_of(bounds, |time, _| time)
    }
}
