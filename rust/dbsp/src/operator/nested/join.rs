//! Joins in a nested scope.
//!
//! A pair of rows of iterations *i* and *j* comes to be at the later of the two. So what is new in iteration *i* meets
//! all that is there: rows of *i* and before at once, rows of a later iteration *j*, which an earlier step has left, in *j*.
//!
//! | step, iteration | Δa | Δb | b: (iteration) | a ⋈ b |
//! |---|---|---|---|---|
//! | 0, 0 | x → +1 | | | |
//! | 0, 2 | | y → +1 | y (2) | (x, y) → +1 |
//! | 1, 1 | z → +1 | | y (2) | |
//! | 1, 2 | | | y (2) | (z, y) → +1 |

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::stamp;
use crate::algebra::{ZWeight, multiply_weights};
use crate::circuit::{Clock, Incoming, State};
use crate::column::Data;
use crate::error::Error;
use crate::operator::join::both;
use crate::operator::trace::keys;
use crate::operator::{BinaryOperator, Brought};
use crate::trace::{Batch, Sorter, Spine};

pub(crate) struct NestedJoin<K: Data, V: Data, W: Data, O, E> {
    clock: Clock,
    left: Spine<K, (V, u32)>,
    right: Spine<K, (W, u32)>,
    later: BTreeMap<u32, O>,
    sorter: Sorter,
    emit: E,
    output: PhantomData<O>,
}

impl<K: Data, V: Data, W: Data, O, E> NestedJoin<K, V, W, O, E> {
    pub(crate) fn new(clock: Clock, emit: E) -> Self {
        Self {
            clock,
            left: Spine::new(),
            right: Spine::new(),
            later: BTreeMap::new(),
            sorter: Sorter::default(),
            emit,
            output: PhantomData,
        }
    }
}

impl<K, V, W, O, E> BinaryOperator<Batch<K, V>, Batch<K, W>, O> for NestedJoin<K, V, W, O, E>
where
    K: Data,
    V: Data,
    W: Data,
    O: Brought,
    E: Fn(K::Ref<'_>, V::Ref<'_>, W::Ref<'_>, ZWeight, &mut O) + 'static,
{
    fn eval(
        &mut self,
        left: &Incoming<Batch<K, V>>,
        right: &Incoming<Batch<K, W>>,
        output: &mut O,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        if let Some(waited) = self.later.remove(&now) {
            *output = waited;
        }
        // A stream joined with itself is read twice, and taken the second time.
        let mut new_left = left.take();
        let mut new_right = right.take();
        self.sorter.consolidate(&mut new_left);
        self.sorter.consolidate(&mut new_right);
        let later = &mut self.later;
        let mut at = |time: u32, emit: &mut dyn FnMut(&mut O)| {
            if time <= now { emit(output) } else { emit(later.entry(time).or_default()) }
        };
        let emit = &self.emit;
        keys(&new_left, |key, hash, rows| {
            self.right.group(key, hash).for_each(|(val, time), weight| {
                for row in rows.clone() {
                    let weight = multiply_weights(new_left.weight(row), weight);
                    at(time, &mut |output| emit(key, new_left.val(row), val, weight, output));
                }
            });
        });
        keys(&new_right, |key, hash, rows| {
            self.left.group(key, hash).for_each(|(val, time), weight| {
                for row in rows.clone() {
                    let weight = multiply_weights(weight, new_right.weight(row));
                    at(time, &mut |output| emit(key, val, new_right.val(row), weight, output));
                }
            });
        });
        both(&new_left, &new_right, |key, lefts, rights| {
            for i in lefts {
                for j in rights.clone() {
                    let weight = multiply_weights(new_left.weight(i), new_right.weight(j));
                    at(now, &mut |output| emit(key, new_left.val(i), new_right.val(j), weight, output));
                }
            }
        });
        self.left.insert(stamp(new_left, now));
        self.right.insert(stamp(new_right, now));
        Ok(())
    }
    fn is_settled(&self) -> bool {
        self.later.is_empty()
    }
    fn state(&self) -> State {
        let (left, right) = (&self.left, &self.right);
        State { rows: left.len() + right.len(), bytes: left.bytes() + right.bytes() }
    }
}
