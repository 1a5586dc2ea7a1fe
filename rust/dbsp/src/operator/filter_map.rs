//! `map`, `filter` and their kin: row by row.
//!
//! **Law.** They are linear, *f(a + b) = f(a) + f(b)*, so each is its own incremental form: what has come before is not
//! looked at, and rows are neither sorted nor consolidated.
//!
//! ```text
//!   Δ ──▶ [ f, row by row ] ──▶ f(Δ)
//! ```
//!
//! | time | input | `filter(even)` | `map(half)` of that |
//! |---|---|---|---|
//! | 0 | 1 → +1, 2 → +1 | 2 → +1 | 1 → +1 |
//! | 1 | 2 → −1, 4 → +3 | 2 → −1, 4 → +3 | 1 → −1, 2 → +3 |

use crate::circuit::{Circuit, Stream};
use crate::column::Data;
use crate::trace::Batch;

/// Rows that are copied together.
const SOME: usize = 1024;

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Keeps the rows of which `keep` is true.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&V::Row<'_, K>) -> bool + 'static) -> Self {
        let mut kept = [0; SOME];
        self.linear("filter", move |input, output: &mut Batch<K, V>| {
            let input = input.get();
            u32::try_from(input.len()).expect("a batch has fewer than 2^32 rows");
            let (mut some, mut row) = (0, 0);
            input.iter().for_each(|(key, val, _)| {
                // Written whether it is kept or not: what a processor cannot foresee is then no branch.
                kept[some] = row;
                some += usize::from(keep(&V::row::<K>(key, val)));
                row += 1;
                if some == SOME {
                    output.extend_rows(&input, &kept);
                    some = 0;
                }
            });
            output.extend_rows(&input, &kept[..some]);
        })
    }

    /// Makes one row of each.
    pub fn map<T: Data>(&self, to: impl Fn(&V::Row<'_, K>) -> T + 'static) -> Stream<C, Batch<T>> {
        self.linear("map", move |input, output: &mut Batch<T>| {
            let input = input.get();
            output.extend_items(
                input.iter().map(|(key, val, weight)| (to(&V::row::<K>(key, val)), (), weight)),
            );
        })
    }

    /// Makes one value under a key of each row.
    pub fn map_index<K2: Data, V2: Data>(
        &self,
        to: impl Fn(&V::Row<'_, K>) -> (K2, V2) + 'static,
    ) -> Stream<C, Batch<K2, V2>> {
        self.linear("map_index", move |input, output: &mut Batch<K2, V2>| {
            let input = input.get();
            output.extend_items(input.iter().map(|(key, val, weight)| {
                let (key, val) = to(&V::row::<K>(key, val));
                (key, val, weight)
            }));
        })
    }

    /// Makes one row of each, as [`map`](Stream::map) does, and looks at all of it where it lies: a string goes from column
    /// to column, and no memory is allocated for it. Of what type the rows are has to be said.
    ///
    /// ```
    /// use qadataswap_dbsp::{RootCircuit, zset};
    ///
    /// let (mut circuit, (trades, symbols)) = RootCircuit::build(|circuit| {
    ///     let (trades, handle) = circuit.add_input_zset::<(String, i64)>();
    ///     Ok((handle, trades.map_by_ref::<String>(|&(symbol, _)| symbol).output()))
    /// })?;
    /// trades.extend([(("ESZ6".to_owned(), 3), 1), (("ESZ6".to_owned(), 5), 1)]);
    /// circuit.step()?;
    /// assert_eq!(symbols.take(), zset! { "ESZ6".to_owned() => 2 });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn map_by_ref<T: Data>(
        &self,
        to: impl for<'a> Fn(&'a V::Row<'a, K>) -> T::Ref<'a> + 'static,
    ) -> Stream<C, Batch<T>> {
        self.linear("map_by_ref", move |input, output: &mut Batch<T>| {
            let input = input.get();
            output.reserve(input.len());
            input.iter().for_each(|(key, val, weight)| {
                let row = V::row::<K>(K::shorten(key), V::shorten(val));
                output.push(to(&row), (), weight);
            });
        })
    }

    /// Makes one value under a key of each row, as [`map_index`](Stream::map_index) does, and looks at all of it where it
    /// lies: see [`map_by_ref`](Stream::map_by_ref).
    pub fn map_index_by_ref<K2: Data, V2: Data>(
        &self,
        to: impl for<'a> Fn(&'a V::Row<'a, K>) -> (K2::Ref<'a>, V2::Ref<'a>) + 'static,
    ) -> Stream<C, Batch<K2, V2>> {
        self.linear("map_index_by_ref", move |input, output: &mut Batch<K2, V2>| {
            let input = input.get();
            output.reserve(input.len());
            input.iter().for_each(|(key, val, weight)| {
                let row = V::row::<K>(K::shorten(key), V::shorten(val));
                let (key, val) = to(&row);
                output.push(key, val, weight);
            });
        })
    }

    /// Makes one row of some.
    pub fn filter_map<T: Data>(
        &self,
        to: impl Fn(&V::Row<'_, K>) -> Option<T> + 'static,
    ) -> Stream<C, Batch<T>> {
        self.spread("filter_map", to)
    }

    /// Makes any number of rows of each.
    pub fn flat_map<T: Data, I: IntoIterator<Item = T>>(
        &self,
        to: impl Fn(&V::Row<'_, K>) -> I + 'static,
    ) -> Stream<C, Batch<T>> {
        self.spread("flat_map", to)
    }

    /// Makes any number of values under keys of each row.
    pub fn flat_map_index<K2: Data, V2: Data, I: IntoIterator<Item = (K2, V2)>>(
        &self,
        to: impl Fn(&V::Row<'_, K>) -> I + 'static,
    ) -> Stream<C, Batch<K2, V2>> {
        self.linear("flat_map_index", move |input, output: &mut Batch<K2, V2>| {
            let input = input.get();
            output.extend_items(input.iter().flat_map(|(key, val, weight)| {
                to(&V::row::<K>(key, val)).into_iter().map(move |(key, val)| (key, val, weight))
            }));
        })
    }

    fn spread<T: Data, I: IntoIterator<Item = T>>(
        &self,
        name: &'static str,
        to: impl Fn(&V::Row<'_, K>) -> I + 'static,
    ) -> Stream<C, Batch<T>> {
        self.linear(name, move |input, output: &mut Batch<T>| {
            let input = input.get();
            output.extend_items(input.iter().flat_map(|(key, val, weight)| {
                to(&V::row::<K>(key, val)).into_iter().map(move |row| (row, (), weight))
            }));
        })
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<(K, V)>> {
    /// Puts the second of each pair under the first.
    #[must_use]
    pub fn index(&self) -> Stream<C, Batch<K, V>> {
        self.linear("index", |input, output: &mut Batch<K, V>| {
            let (pairs, _, weights) = input.take().into_columns();
            *output = Batch::from_columns(pairs.0, pairs.1, weights);
        })
    }
}
