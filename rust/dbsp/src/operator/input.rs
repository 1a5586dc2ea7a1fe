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

use super::KeyIndex;
use crate::algebra::ZWeight;
use crate::circuit::{Node, RootCircuit, Scope, Slot, State, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

/// What has been pushed and not been taken yet, for each worker.
#[derive(Debug)]
struct Mailboxes<T> {
    boxes: Vec<Mutex<T>>,
    next: AtomicUsize,
}

impl<T: Default> Mailboxes<T> {
    fn new(workers: usize) -> Self {
        Self { boxes: (0..workers).map(|_| Mutex::default()).collect(), next: AtomicUsize::new(0) }
    }

    fn open(&self, worker: usize) -> MutexGuard<'_, T> {
        self.boxes[worker].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses a worker, each in turn.
    fn turn(&self) -> usize {
        if self.boxes.len() == 1 { 0 } else { self.next.fetch_add(1, Ordering::Relaxed) % self.boxes.len() }
    }
}

/// Changes an [`OrdZSet`](crate::trace::OrdZSet) that enters a circuit. May be cloned and used in any thread; what is
/// pushed while a step is under way is taken by it or by the next.
#[derive(Clone, Debug)]
pub struct ZSetHandle<T: Data>(IndexedZSetHandle<T, ()>);

/// Changes an [`OrdIndexedZSet`](crate::trace::OrdIndexedZSet) that enters a circuit, as a [`ZSetHandle`] does.
#[derive(Clone, Debug)]
pub struct IndexedZSetHandle<K: Data, V: Data>(Arc<Mailboxes<Batch<K, V>>>);

impl<T: Data> ZSetHandle<T> {
    /// Adds a row so many times, or takes it away.
    pub fn push(&self, row: T, weight: ZWeight) {
        self.0.push(row, (), weight);
    }

    /// Adds many rows.
    pub fn extend(&self, rows: impl IntoIterator<Item = (T, ZWeight)>) {
        self.append(rows.into_iter().collect());
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

    /// Adds many.
    pub fn extend(&self, rows: impl IntoIterator<Item = (K, V, ZWeight)>) {
        self.append(rows.into_iter().collect());
    }

    /// Adds a batch: to one worker all of it, to several a share each.
    pub fn append(&self, batch: Batch<K, V>) {
        let workers = self.0.boxes.len();
        if workers == 1 {
            let mut mailbox = self.0.open(0);
            if mailbox.is_empty() {
                *mailbox = batch;
            } else {
                mailbox.extend(&batch);
            }
            return;
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
    output: Rc<Slot<Batch<K, V>>>,
}

impl<K: Data, V: Data> Node for Input<K, V> {
    fn eval(&mut self) -> Result<usize, Error> {
        let mut mailbox = self.mailboxes.open(self.worker);
        let mut output = self.output.borrow_mut();
        std::mem::swap(&mut *mailbox, &mut *output);
        Ok(output.len())
    }
    fn rest(&mut self) {
        self.output.clear();
    }
}

/// The last change of each key, in the order in which they came.
type Upserts<K, V> = Vec<(K, Option<V>)>;

/// Sets the value under each key of a map that enters a circuit, as a [`ZSetHandle`] changes a set.
#[derive(Clone, Debug)]
pub struct MapHandle<K: Data, V: Data>(Arc<Mailboxes<Upserts<K, V>>>);

impl<K: Data, V: Data> MapHandle<K, V> {
    /// Sets the value under a key, whether there is one or not.
    pub fn upsert(&self, key: K, val: V) {
        self.set(key, Some(val));
    }

    /// Takes away the value under a key, if there is one.
    pub fn remove(&self, key: K) {
        self.set(key, None);
    }

    fn set(&self, key: K, val: Option<V>) {
        let workers = self.0.boxes.len();
        let worker = ((K::hash(key.borrow()) >> 56) as usize * workers) >> 8;
        self.0.open(worker).push((key, val));
    }
}

/// **Law.** Brings *new − old* of each key that was set, so that the sum of all it brings is the map.
struct Upsert<K: Data, V: Data> {
    mailboxes: Arc<Mailboxes<Upserts<K, V>>>,
    worker: usize,
    keys: KeyIndex<K>,
    vals: Vec<V>,
    output: Rc<Slot<Batch<K, V>>>,
}

impl<K: Data, V: Data> Node for Upsert<K, V> {
    fn eval(&mut self) -> Result<usize, Error> {
        let changes = std::mem::take(&mut *self.mailboxes.open(self.worker));
        let mut output = self.output.borrow_mut();
        for (key, val) in changes {
            let hash = K::hash(key.borrow());
            match (self.keys.find(key.borrow(), hash), val) {
                (Some(slot), Some(val)) => {
                    if self.vals[slot] != val {
                        output.push(key.borrow(), self.vals[slot].borrow(), -1);
                        output.push(key.borrow(), val.borrow(), 1);
                        self.vals[slot] = val;
                    }
                }
                (Some(slot), None) => {
                    output.push(key.borrow(), self.vals[slot].borrow(), -1);
                    self.keys.remove(slot, hash);
                }
                (None, Some(val)) => {
                    let slot = self.keys.insert(key.borrow(), hash);
                    output.push(key.borrow(), val.borrow(), 1);
                    if slot == self.vals.len() { self.vals.push(val) } else { self.vals[slot] = val }
                }
                (None, None) => {}
            }
        }
        Ok(output.len())
    }
    fn rest(&mut self) {
        self.output.clear();
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
        let node = Input { mailboxes: mailboxes.clone(), worker: worker.index(), output: output.clone() };
        (Stream::new(self, self.graph().restless("input", &[], node), output), IndexedZSetHandle(mailboxes))
    }

    /// Adds an input of one value under each key, set by key.
    pub fn add_input_map<K: Data, V: Data>(&self) -> (Stream<Self, Batch<K, V>>, MapHandle<K, V>) {
        let worker = self.graph().worker();
        let mailboxes = worker.common(|| Mailboxes::<Upserts<K, V>>::new(worker.workers()));
        let output = Slot::new(Batch::new());
        let node = Upsert {
            mailboxes: mailboxes.clone(),
            worker: worker.index(),
            keys: KeyIndex::default(),
            vals: Vec::new(),
            output: output.clone(),
        };
        (Stream::new(self, self.graph().restless("input_map", &[], node), output), MapHandle(mailboxes))
    }

    /// Adds an input of a plain value, the same for all workers: the last that was set, from the next step on.
    pub fn add_input_value<T: Clone + Default + Send + Sync + 'static>(&self) -> (Stream<Self, T>, ValueHandle<T>) {
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
        Stream::new(self, self.graph().restless(name, &[], node), output)
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
