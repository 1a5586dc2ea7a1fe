//! [`distinct`](crate::Stream::distinct) in a nested scope.
//!
//! Each row has a history: by iteration, what has come and what was brought. A change of a row at iteration *i* changes
//! what it adds up to from *i* on, so the row is looked at in *i* and again in each later iteration of its history, and
//! there brings what makes the sum of what was brought right: 1 if what has come is positive, else 0.
//!
//! | step, iteration | in | history of x: (iteration, in, out) | out |
//! |---|---|---|---|
//! | 0, 3 | x → +1 | (3, 1, 1) | x → +1 |
//! | 1, 2 | x → +1 | (2, 1, 1), (3, 1, 1) | x → +1 |
//! | 1, 3 | | (2, 1, 1), (3, 1, 0) | x → −1 |

use smallvec::SmallVec;

use super::Later;
use crate::algebra::{ZWeight, add_weights};
use crate::circuit::{Clock, Incoming, State};
use crate::column::Data;
use crate::error::Error;
use crate::operator::{KeyIndex, UnaryOperator};
use crate::trace::Batch;

#[derive(Clone, Copy, Debug)]
struct Event {
    iteration: u32,
    came: ZWeight,
    brought: ZWeight,
}

type History = SmallVec<[Event; 1]>;

pub(crate) struct NestedDistinct<K: Data, V: Data> {
    clock: Clock,
    rows: KeyIndex<(K, V)>,
    histories: Vec<History>,
    later: Later,
    /// The rows to look at in this iteration.
    now: Vec<u32>,
}

impl<K: Data, V: Data> NestedDistinct<K, V> {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            rows: KeyIndex::default(),
            histories: Vec::new(),
            later: Later::default(),
            now: Vec::new(),
        }
    }

    fn note<'a>(&mut self, row: (K::Ref<'a>, V::Ref<'a>), weight: ZWeight, iteration: u32) {
        let hash = <(K, V)>::hash(row);
        let slot = self.rows.slot(row, hash, || self.histories.push(History::new()));
        let history = &mut self.histories[slot];
        match history.binary_search_by_key(&iteration, |event| event.iteration) {
            Ok(place) => history[place].came = add_weights(history[place].came, weight),
            Err(place) => history.insert(place, Event { iteration, came: weight, brought: 0 }),
        }
        self.now.push(slot as u32);
    }

    /// Brings what is missing of a row in this iteration, and sees to later ones.
    fn settle(&mut self, slot: u32, iteration: u32, output: &mut Batch<K, V>) {
        let history = &mut self.histories[slot as usize];
        let (mut came, mut brought, mut here) = (0, 0, None);
        for (place, event) in history.iter().enumerate() {
            if event.iteration > iteration {
                self.later.note(event.iteration, slot);
                break;
            }
            came = add_weights(came, event.came);
            brought += event.brought;
            if event.iteration == iteration {
                here = Some(place);
            }
        }
        let change = ZWeight::from(came > 0) - brought;
        if change != 0 {
            let here = here.expect("a row is looked at in the iterations of its history");
            history[here].brought += change;
            let (key, val) = self.rows.key(slot as usize);
            output.push(key, val, change);
        }
    }

    /// Forgets what has cancelled.
    fn tidy(&mut self, slot: u32) {
        let history = &mut self.histories[slot as usize];
        history.retain(|event| event.came != 0 || event.brought != 0);
        if history.is_empty() {
            let hash = <(K, V)>::hash(self.rows.key(slot as usize));
            if self.rows.find(self.rows.key(slot as usize), hash) == Some(slot as usize) {
                self.rows.remove(slot as usize, hash);
            }
        }
    }
}

impl<K: Data, V: Data> UnaryOperator<Batch<K, V>, Batch<K, V>> for NestedDistinct<K, V> {
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, V>) -> Result<(), Error> {
        let iteration = self.clock.now();
        self.now = self.later.take(iteration);
        for (key, val, weight) in input.get().iter() {
            self.note((key, val), weight, iteration);
        }
        let mut now = std::mem::take(&mut self.now);
        now.sort_unstable();
        now.dedup();
        for &slot in &now {
            self.settle(slot, iteration, output);
        }
        now.iter().for_each(|&slot| self.tidy(slot));
        Ok(())
    }
    fn is_settled(&self) -> bool {
        self.later.is_empty()
    }
    fn clock_end(&mut self) {
        if let Some(kept) = self.rows.compact() {
            self.histories =
                kept.iter().map(|&slot| std::mem::take(&mut self.histories[slot as usize])).collect();
            self.later.renumber(&kept);
        }
    }
    fn state(&self) -> State {
        let spilt = self
            .histories
            .iter()
            .filter(|history| history.spilled())
            .map(|history| history.len() * size_of::<Event>());
        let bytes = self.rows.bytes() + size_of_val(self.histories.as_slice()) + spilt.sum::<usize>();
        State { rows: self.rows.len(), bytes }
    }
}
