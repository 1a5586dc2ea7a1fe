//! Inputs: where changes enter a circuit.
//!
//! ```text
//!   handle.push(row, weight) ──▶ [ mailbox of each worker ] ──▶ Δ, at the next step
//! ```
//!
//! | before step | pushed | stream |
//! |---|---|---|
//! | 0 | a → +1, b → +1 | a → +1, b → +1 |
//! | 1 | | |
//! | 2 | a → −1 | a → −1 |

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use super::KeyIndex;
use crate::algebra::ZWeight;
use crate::circuit::{Node, Pacer, RootCircuit, Scope, Slot, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

/// So few rows are put into a mailbox one by one.
const FEW: usize = 4;
/// The rows that a worker gets in its turn, of those of which nobody knows how many there are.
const SHARE: usize = 1024;

/// What has been pushed and not been taken yet, for each worker.
#[derive(Debug)]
struct Mailboxes<T> {
    boxes: Vec<Mutex<T>>,
    next: AtomicUsize,
}

impl<T: Default> Mailboxes<T> {
    fn new(workers: usize) -> Self {
        let boxes = (0..workers).map(|_| Mutex::default()).collect();
        Self { boxes, next: AtomicUsize::new(0) }
    }

    fn open(&self, worker: usize) -> MutexGuard<'_, T> {
        self.boxes[worker].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses a worker, each in turn.
    fn turn(&self) -> usize {
        if self.boxes.len() == 1 { 0 } else { self.next.fetch_add(1, Ordering::Relaxed) % self.boxes.len() }
    }
}

impl<K: Data, V: Data> Mailboxes<Batch<K, V>> {
    /// Takes an empty batch whose memory has been used before: that of a mailbox, if it is empty, or of none.
    fn memory(&self, worker: usize) -> Batch<K, V> {
        let mut mailbox = self.open(worker);
        if mailbox.is_empty() { std::mem::take(&mut *mailbox) } else { Batch::new() }
    }

    /// Puts a batch into a mailbox.
    fn put(&self, worker: usize, batch: Batch<K, V>) {
        let mut mailbox = self.open(worker);
        if mailbox.is_empty() {
            *mailbox = batch;
        } else {
            mailbox.extend(&batch);
        }
    }
}

/// Changes an [`OrdZSet`](crate::trace::OrdZSet) that enters a circuit. May be cloned and used in any thread; what is
/// pushed while a step is under way is taken by it or by the next.
#[derive(Clone, Debug)]
pub struct ZSetHandle<T: Data>(IndexedZSetHandle<T, ()>);

/// Changes an [`OrdIndexedZSet`](crate::trace::OrdIndexedZSet) that enters a circuit, as a [`ZSetHandle`] does.
#[derive(Clone, Debug)]
pub struct IndexedZSetHandle<K: Data, V: Data>(Arc<Mailboxes<Batch<K, V>>>);

impl<T: Data> From<ZSetHandle<T>> for IndexedZSetHandle<T, ()> {
    fn from(handle: ZSetHandle<T>) -> Self {
        handle.0
    }
}

impl<T: Data> ZSetHandle<T> {
    /// Adds a row so many times, or takes it away.
    pub fn push(&self, row: T, weight: ZWeight) {
        self.0.push(row, (), weight);
    }

    /// Adds many rows.
    pub fn extend(&self, rows: impl IntoIterator<Item = (T, ZWeight)>) {
        self.0.extend(rows.into_iter().map(|(row, weight)| (row, (), weight)));
    }

    /// Adds a batch.
    pub fn append(&self, batch: Batch<T>) {
        self.0.append(batch);
    }
}

impl<K: Data, V: Data> IndexedZSetHandle<K, V> {
    /// Adds a value under a key so many times, or takes it away.
    pub fn push(&self, key: K, val: V, weight: ZWeight) {
        self.0.open(self.0.turn()).push_item(key, val, weight);
    }

    /// Adds many: to one worker all of them, to several a share each.
    pub fn extend(&self, rows: impl IntoIterator<Item = (K, V, ZWeight)>) {
        let (mut rows, workers) = (rows.into_iter(), self.0.boxes.len());
        if rows.size_hint().1.is_some_and(|most| most <= FEW) {
            // Taken out of the iterator first: nobody knows what it waits for.
            let rows: SmallVec<[_; FEW]> = rows.collect();
            let mut mailbox = self.0.open(self.0.turn());
            return rows.into_iter().for_each(|(key, val, weight)| mailbox.push_item(key, val, weight));
        }
        if workers == 1 {
            let mut batch = self.0.memory(0);
            batch.extend_items(rows);
            return self.0.put(0, batch);
        }
        let mut shares: Vec<_> = (0..workers).map(|worker| self.0.memory(worker)).collect();
        let known = rows.size_hint().0;
        let share = if known == 0 { SHARE } else { known.div_ceil(workers) };
        for turn in self.0.turn().. {
            let batch = &mut shares[turn % workers];
            let before = batch.len();
            batch.extend_items(rows.by_ref().take(share));
            if batch.len() < before + share {
                break;
            }
        }
        shares.into_iter().enumerate().for_each(|(worker, batch)| self.0.put(worker, batch));
    }

    /// Adds a batch: to one worker all of it, to several a share each.
    pub fn append(&self, batch: Batch<K, V>) {
        let workers = self.0.boxes.len();
        if workers == 1 {
            return self.0.put(0, batch);
        }
        for worker in 0..workers {
            let share = batch.len() * worker / workers..batch.len() * (worker + 1) / workers;
            if !share.is_empty() {
                self.0.open(worker).extend_range(&batch, share);
            }
        }
    }
}

struct Input<K: Data, V: Data> {
    mailboxes: Arc<Mailboxes<Batch<K, V>>>,
    worker: usize,
    pacer: Pacer,
    /// What was taken out of the mailbox, of which the first `given` rows were given.
    taken: Batch<K, V>,
    given: usize,
    output: Rc<Slot<Batch<K, V>>>,
}

impl<K: Data, V: Data> Node for Input<K, V> {
    fn eval(&mut self) -> Result<usize, Error> {
        let pace = self.pacer.get();
        let mut output = self.output.borrow_mut();
        if pace.fresh {
            let mut mailbox = self.mailboxes.open(self.worker);
            if mailbox.is_empty() {
                return Ok(0);
            }
            if mailbox.len() <= pace.rows {
                std::mem::swap(&mut *mailbox, &mut *output);
                return Ok(output.len());
            }
            std::mem::swap(&mut *mailbox, &mut self.taken);
        }
        let end = self.taken.len().min(self.given.saturating_add(pace.rows));
        output.extend_range(&self.taken, self.given..end);
        self.given = end;
        if end == self.taken.len() {
            (self.taken, self.given) = (Batch::new(), 0);
        }
        Ok(output.len())
    }
    fn rest(&mut self) {
        self.output.clear();
    }
    fn has_more(&self) -> bool {
        !self.taken.is_empty()
    }
}

/// Changes of keys, in the order in which they came.
type Changes<K, U> = Vec<(K, U)>;

/// Sets the value under each key of a map that enters a circuit, as a [`ZSetHandle`] changes a set.
#[derive(Clone, Debug)]
pub struct MapHandle<K: Data, V: Data>(KeyedHandle<K, Option<V>>);

/// Sends changes of what is under each key to a [keyed input](RootCircuit::add_input_keyed).
#[derive(Clone, Debug)]
pub struct KeyedHandle<K: Data, U>(Arc<Mailboxes<Changes<K, U>>>);

impl<K: Data, V: Data> MapHandle<K, V> {
    /// Sets the value under a key, whether there is one or not.
    pub fn upsert(&self, key: K, val: V) {
        self.0.push(key, Some(val));
    }

    /// Takes away the value under a key, if there is one.
    pub fn remove(&self, key: K) {
        self.0.push(key, None);
    }
}

impl<K: Data, U> KeyedHandle<K, U> {
    /// Sends a change of what is under a key. Changes of one key are made in the order in which one thread sent them.
    pub fn push(&self, key: K, change: U) {
        let workers = self.0.boxes.len();
        let worker = ((K::hash(key.borrow()) >> 56) as usize * workers) >> 8;
        self.0.open(worker).push((key, change));
    }
}

/// **Law.** Brings *new − old* of each key that has changed, so that the sum of all it brings is the map.
struct Keyed<K: Data, V: Data, U, F> {
    mailboxes: Arc<Mailboxes<Changes<K, U>>>,
    worker: usize,
    pacer: Pacer,
    /// What was taken out of the mailbox and not been given yet.
    taken: std::vec::IntoIter<(K, U)>,
    keys: KeyIndex<K>,
    vals: Vec<V>,
    change: F,
    output: Rc<Slot<Batch<K, V>>>,
}

impl<K: Data, V: Data, U, F: Fn(Option<&V>, U) -> Option<V>> Node for Keyed<K, V, U, F> {
    fn eval(&mut self) -> Result<usize, Error> {
        let pace = self.pacer.get();
        if pace.fresh {
            self.taken = std::mem::take(&mut *self.mailboxes.open(self.worker)).into_iter();
        }
        let mut output = self.output.borrow_mut();
        for (key, change) in self.taken.by_ref().take(pace.rows) {
            let hash = K::hash(key.borrow());
            let slot = self.keys.find(key.borrow(), hash);
            let old = slot.map(|slot| &self.vals[slot]);
            let new = (self.change)(old, change);
            if old == new.as_ref() {
                continue;
            }
            if let Some(old) = old {
                output.push(key.borrow(), old.borrow(), -1);
            }
            if let Some(new) = &new {
                output.push(key.borrow(), new.borrow(), 1);
            }
            match (slot, new) {
                (Some(slot), Some(new)) => self.vals[slot] = new,
                (Some(slot), None) => self.keys.remove(slot, hash),
                (None, Some(new)) => {
                    self.keys.slot(key.borrow(), hash, || self.vals.push(new));
                }
                (None, None) => {}
            }
        }
        if let Some(kept) = self.keys.compact() {
            self.vals = kept.into_iter().map(|slot| self.vals[slot as usize].clone()).collect();
        }
        Ok(output.len())
    }
    fn rest(&mut self) {
        self.output.clear();
    }
    fn has_more(&self) -> bool {
        self.taken.len() > 0
    }
    fn state(&self) -> State {
        State { rows: self.keys.len(), bytes: self.keys.bytes() + size_of_val(self.vals.as_slice()) }
    }
}

impl RootCircuit {
    /// Adds an input of a set of rows.
    pub fn add_input_zset<T: Data>(&self) -> (Stream<Self, Batch<T>>, ZSetHandle<T>) {
        let (stream, handle) = self.add_input_indexed_zset::<T, ()>();
        (stream, ZSetHandle(handle))
    }

    /// Adds an input of values under keys.
    pub fn add_input_indexed_zset<K: Data, V: Data>(
        &self,
    ) -> (Stream<Self, Batch<K, V>>, IndexedZSetHandle<K, V>) {
        let worker = self.graph().worker();
        let mailboxes = worker.common(|| Mailboxes::<Batch<K, V>>::new(worker.workers()));
        let output = Slot::new(Batch::new());
        let node = Input {
            mailboxes: mailboxes.clone(),
            worker: worker.index(),
            pacer: self.graph().pacer().clone(),
            taken: Batch::new(),
            given: 0,
            output: output.clone(),
        };
        (Stream::new(self, self.graph().restless("input", &[], node), output), IndexedZSetHandle(mailboxes))
    }

    /// Adds an input of one value under each key, set by key.
    pub fn add_input_map<K: Data, V: Data>(&self) -> (Stream<Self, Batch<K, V>>, MapHandle<K, V>) {
        let (stream, handle) = self.add_keyed("input_map", |_: Option<&V>, new: Option<V>| new);
        (stream, MapHandle(handle))
    }

    /// Adds an input of one value under each key, changed by key: `change` makes the new value of the old one, if there
    /// is one, and of what was sent; nothing if there is to be none.
    ///
    /// ```
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// // Orders of a book: added with a size, cancelled in parts.
    /// let (mut circuit, (changes, orders)) = RootCircuit::build(|circuit| {
    ///     let (orders, changes) = circuit.add_input_keyed(|size: Option<&i64>, change: i64| {
    ///         Some(size.unwrap_or(&0) + change).filter(|&size| size > 0)
    ///     });
    ///     Ok((changes, orders.output()))
    /// })?;
    /// changes.push(7u64, 10);
    /// changes.push(8, 5);
    /// changes.push(7, -4);
    /// changes.push(8, -5);
    /// circuit.step()?;
    /// assert_eq!(orders.take(), indexed_zset! { 7 => { 6 => 1 } });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn add_input_keyed<K: Data, V: Data, U: Send + 'static>(
        &self,
        change: impl Fn(Option<&V>, U) -> Option<V> + 'static,
    ) -> (Stream<Self, Batch<K, V>>, KeyedHandle<K, U>) {
        self.add_keyed("input_keyed", change)
    }

    fn add_keyed<K: Data, V: Data, U: Send + 'static>(
        &self,
        name: &'static str,
        change: impl Fn(Option<&V>, U) -> Option<V> + 'static,
    ) -> (Stream<Self, Batch<K, V>>, KeyedHandle<K, U>) {
        let worker = self.graph().worker();
        let mailboxes = worker.common(|| Mailboxes::<Changes<K, U>>::new(worker.workers()));
        let output = Slot::new(Batch::new());
        let node = Keyed {
            mailboxes: mailboxes.clone(),
            worker: worker.index(),
            pacer: self.graph().pacer().clone(),
            taken: Vec::new().into_iter(),
            keys: KeyIndex::default(),
            vals: Vec::new(),
            change,
            output: output.clone(),
        };
        (Stream::new(self, self.graph().restless(name, &[], node), output), KeyedHandle(mailboxes))
    }

    /// Adds an input of a plain value, the same for all workers: the last that was set, from the next step on.
    pub fn add_input_value<T: Clone + Default + Send + Sync + 'static>(
        &self,
    ) -> (Stream<Self, T>, ValueHandle<T>) {
        let value = self.graph().worker().common(|| Mutex::new(T::default()));
        let handle = ValueHandle(value.clone());
        let latest = move || value.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.add_generator("input_value", latest), handle)
    }

    /// Adds a stream that brings what `next` returns, which is called once in each step, in each worker.
    pub fn generator<T: Default + 'static>(&self, next: impl FnMut() -> T + 'static) -> Stream<Self, T> {
        self.add_generator("generator", next)
    }

    fn add_generator<T: Default + 'static>(
        &self,
        name: &'static str,
        next: impl FnMut() -> T + 'static,
    ) -> Stream<Self, T> {
        let output = Slot::new(T::default());
        let node = Generator { next, output: output.clone() };
        Stream::new(self, self.graph().restless(name, &[], node), output).by_step()
    }
}

/// Sets a plain value that enters a circuit.
#[derive(Clone, Debug)]
pub struct ValueHandle<T>(Arc<Mutex<T>>);

impl<T> ValueHandle<T> {
    /// Sets the value.
    pub fn set(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

struct Generator<F, T> {
    next: F,
    output: Rc<Slot<T>>,
}

impl<F: FnMut() -> T, T> Node for Generator<F, T> {
    fn eval(&mut self) -> Result<usize, Error> {
        let value = (self.next)();
        *self.output.borrow_mut() = value;
        Ok(1)
    }
}
