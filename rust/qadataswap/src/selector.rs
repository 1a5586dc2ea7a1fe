//! Waiting on many rings at once.
//!
//! Law: whether a reader is ready is looked up in its ring, at every wait, and never remembered; what is rung, by rings
//! and by wakers, only ends a sleep. So nothing is lost with a wake, and no frame is taken. Sleeping is the protocol of
//! `wait.rs` with several bells for one sleeper: all are announced, one fence follows, then comes the last look.
//!
//! One system call sleeps on as many bells as it takes (127, and the selector's own); for every further 127 a
//! [relay](crate::relay) sleeps. Where the kernel has no such call the selector sleeps on its own bell, in slices that
//! grow from 50 µs to 2 ms, between which it looks; so it does while there are observers, who may not announce anybody.

use crate::config::Timeout;
use crate::error::{QADataSwapError, Result};
use crate::futex;
use crate::layout::Bell;
use crate::lease::Attachment;
use crate::reader::Reader;
use crate::relay::{MOST_BELLS, Relay};
use crate::segment::forks;
use crate::wait::{self, LONGEST_LOOK, Pulse, Slices, WaitStrategy, wait_with};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Waits until some of many readers have something to read: a frame, the end of the stream, the death of the writer, or
/// an error. It takes no frame: reading does, which then does not wait.
///
/// ```
/// use qadataswap::{Selector, SharedDataFrame, SharedMemoryConfig};
/// # use arrow_array::{Int64Array, RecordBatch};
/// # use std::{sync::Arc, time::Duration};
/// # let config = |ring: &str| SharedMemoryConfig::new(format!("doc-{ring}-{}", std::process::id())).with_size_mb(1);
/// # let column = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// # let table = RecordBatch::try_from_iter([("a", column as _)])?;
/// let writers = ["es", "nq"].map(|ring| SharedDataFrame::create_writer(config(ring)));
/// let readers = ["es", "nq"].map(|ring| qadataswap::Reader::new(config(ring)));
/// # let [Ok(es), Ok(nq)] = &writers else { panic!("{writers:?}") };
/// # let [Ok(from_es), Ok(from_nq)] = &readers else { panic!("{readers:?}") };
/// # let readers = [from_es, from_nq];
/// let selector = Selector::new();
/// for (key, reader) in readers.iter().enumerate() {
///     selector.add(key as u64, reader)?;
/// }
/// nq.write_arrow(&table)?;
///
/// for key in selector.wait(Duration::from_secs(1)) {
///     let frame = readers[key as usize].try_read_frame()?;
///     println!("{}: {} rows", readers[key as usize].name(), frame.expect("it is there").num_rows());
/// #   assert_eq!(key, 1);
/// }
/// # Ok::<(), qadataswap::QADataSwapError>(())
/// ```
///
/// A reader that is ready stays so until it is read; one that is closed, whose writer is dead, or that has read the
/// last frame of its stream, until it is [removed](Selector::remove). Reading with a timeout of zero, or `try_read_*`,
/// tells which it is.
///
/// It may be shared: readers are added and removed, and [wakers](Selector::waker) called, while a thread waits. When
/// two threads wait, the second one's wait begins as the first one's ends. It keeps the place in its ring of each
/// reader that it has, as a frame does.
pub struct Selector {
    members: Mutex<BTreeMap<u64, Arc<Attachment>>>,
    signal: Arc<Signal>,
    turn: Mutex<Turn>,
    strategy: WaitStrategy,
    /// Does not ask the kernel for what it may not have.
    only_looks: bool,
    forks: u64,
}

/// What ends a selector's wait besides its rings.
struct Signal {
    /// Also rung by relays.
    bell: Arc<Bell>,
    woken: AtomicBool,
    /// Counts changes of the members.
    version: AtomicU64,
}

/// Ends a selector's wait from elsewhere; got by [`Selector::waker`].
#[derive(Clone)]
pub struct SelectorWaker(Arc<Signal>);

impl SelectorWaker {
    /// Ends the wait that is going on, or else the next one. Several calls may end one wait.
    pub fn wake(&self) {
        // Released to the waiter that takes it: what was done before the call is seen after the wait.
        self.0.woken.store(true, Ordering::Release);
        wait::ring(&self.0.bell);
    }
}

impl std::fmt::Debug for SelectorWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SelectorWaker").finish_non_exhaustive()
    }
}

/// What the thread that waits works with.
#[derive(Default)]
struct Turn {
    /// The members as of `version`, those with a bell first.
    rings: Vec<(u64, Arc<Attachment>)>,
    /// How many of them have one.
    bells: usize,
    version: u64,
    /// Which of them is told of first.
    first: usize,
    pulse: Pulse,
    /// What to sleep on: the selector's own bell, the first rings', and those of `unarmed`.
    tickets: Vec<u32>,
    /// The groups behind the first whose relay did not sleep when the tickets were got, or was not there.
    unarmed: Vec<usize>,
    /// The version whose rings the tickets are for.
    announced: u64,
    /// One for each group of rings behind the first.
    relays: Vec<Relay>,
}

impl Default for Selector {
    fn default() -> Self {
        Selector::with_strategy(WaitStrategy::default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done where a panic could come from.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Selector {
    /// A selector of no readers, which waits as [`WaitStrategy::BALANCED`] says.
    #[must_use]
    pub fn new() -> Selector {
        Selector::default()
    }

    /// A selector of no readers that waits in this way; those of its readers do not count.
    #[must_use]
    pub fn with_strategy(strategy: WaitStrategy) -> Selector {
        let signal = Signal {
            bell: Arc::new(Bell::silent()),
            woken: AtomicBool::new(false),
            version: AtomicU64::new(0),
        };
        Selector {
            members: Mutex::default(),
            signal: Arc::new(signal),
            turn: Mutex::default(),
            strategy,
            only_looks: false,
            forks: forks(),
        }
    }

    /// Waits for `reader` too, which `key` will stand for. A wait that is going on goes on with it.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if `key` stands for a reader already;
    /// [`Closed`](QADataSwapError::Closed), [`Forked`](QADataSwapError::Forked).
    pub fn add(&self, key: u64, reader: &Reader) -> Result<()> {
        let place = reader.place()?;
        if !self.insert(key, place) {
            return Err(QADataSwapError::InvalidConfig {
                ring: reader.name(),
                reason: format!(
                    "key {key} of the selector stands for a reader already; choose another, or remove that one"
                ),
            });
        }
        Ok(())
    }

    /// As [`add`](Selector::add); false if there is such a key.
    pub(crate) fn insert(&self, key: u64, place: Arc<Attachment>) -> bool {
        let mut members = lock(&self.members);
        if members.contains_key(&key) {
            return false;
        }
        members.insert(key, place);
        self.change(members);
        true
    }

    /// Waits no more for the reader that `key` stands for; false if it stands for none. A wait that is going on goes on
    /// without it.
    pub fn remove(&self, key: u64) -> bool {
        self.remove_all(&[key])
    }

    /// As [`remove`](Selector::remove); whether there was any.
    pub(crate) fn remove_all(&self, keys: &[u64]) -> bool {
        let mut members = lock(&self.members);
        let removed: Vec<_> = keys.iter().filter_map(|key| members.remove(key)).collect();
        if !removed.is_empty() {
            self.change(members);
            self.let_go();
        }
        // The places are given up last, with no lock held: leaving a ring may take a while.
        !removed.is_empty()
    }

    /// Lets go of the places that were removed, unless somebody waits, who does it.
    fn let_go(&self) {
        match self.turn.try_lock() {
            _ if self.forks != forks() => {}
            Ok(mut turn) => self.renew(&mut turn),
            Err(TryLockError::Poisoned(turn)) => self.renew(&mut turn.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    fn change<T>(&self, members: MutexGuard<'_, T>) {
        self.signal.version.fetch_add(1, Ordering::Release);
        drop(members);
        wait::ring(&self.signal.bell);
    }

    /// Number of readers.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.members).len()
    }

    /// Whether there are no readers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What ends a wait from another thread, or from a signal's handler.
    #[must_use]
    pub fn waker(&self) -> SelectorWaker {
        SelectorWaker(self.signal.clone())
    }

    /// Waits for at most `timeout` until some readers are ready; returns their keys, of which the first is another one
    /// from wait to wait. There are none when the time is up, or a [waker](Selector::waker) was called.
    #[must_use]
    pub fn wait(&self, timeout: impl Into<Timeout>) -> Vec<u64> {
        let mut ready = Vec::new();
        self.wait_into(&mut ready, timeout);
        ready
    }

    /// As [`wait`](Selector::wait), with the keys in place of what `ready` held: allocates nothing where it has room.
    /// Returns whether it ended before its time: some are ready, or a waker was called.
    pub fn wait_into(&self, ready: &mut Vec<u64>, timeout: impl Into<Timeout>) -> bool {
        ready.clear();
        let deadline = timeout.into().0.and_then(|timeout| Instant::now().checked_add(timeout));
        // A forked child has neither its parent's relays nor, for sure, that lock.
        let mut shared = (self.forks == forks()).then(|| lock(&self.turn));
        let mut own = Turn::default();
        let turn = shared.as_deref_mut().unwrap_or(&mut own);
        // A busy ring must not keep the death of another one's writer from being noticed.
        if turn.pulse.is_due(Instant::now()) {
            turn.ask_after_writers();
        }
        let pulse = std::mem::take(&mut turn.pulse);
        let state = RefCell::new((&mut *turn, ready));
        let look = || {
            let (turn, ready) = &mut *state.borrow_mut();
            self.renew(turn);
            turn.tell_ready(ready);
            let woken = self.signal.woken.swap(false, Ordering::Acquire);
            Ok((woken || !ready.is_empty()).then_some(()))
        };
        let idle = || {
            state.borrow().0.ask_after_writers();
            Ok::<(), Infallible>(())
        };
        let looks_only = Cell::new(self.only_looks);
        let prepare = || state.borrow_mut().0.announce(&self.signal.bell, !looks_only.get());
        let slices = Slices::new();
        let sleep = |nap: Duration| {
            let turn = &mut *state.borrow_mut().0;
            let nap = if turn.bells < turn.rings.len() { slices.next(nap) } else { nap };
            if looks_only.get() || !turn.sleep(&self.signal.bell, nap) {
                looks_only.set(true);
                futex::wait(&self.signal.bell.word, turn.tickets[0], slices.next(nap));
            }
        };
        let Ok(ended) = wait_with(self.strategy, deadline, &pulse, look, prepare, idle, sleep);
        turn.pulse = pulse;
        turn.first = turn.first.wrapping_add(1);
        let version = turn.version;
        drop(shared);
        if self.signal.version.load(Ordering::Acquire) != version {
            // Removed after the last look, by somebody who left it to us.
            self.let_go();
        }
        ended.is_some()
    }

    /// Takes over what has changed about the members.
    fn renew(&self, turn: &mut Turn) {
        if self.signal.version.load(Ordering::Acquire) == turn.version {
            return;
        }
        let members = lock(&self.members);
        turn.version = self.signal.version.load(Ordering::Relaxed);
        turn.rings.clear();
        turn.rings.extend(members.iter().map(|(&key, place)| (key, place.clone())));
        turn.rings.sort_by_key(|(_, place)| place.bell().is_none());
        turn.bells = turn.rings.partition_point(|(_, place)| place.bell().is_some());
        // The members behind the first 127 are others now: relays sleep for them anew.
        for relay in &mut turn.relays {
            relay.disarm();
        }
        turn.relays.truncate(turn.bells.div_ceil(MOST_BELLS).saturating_sub(1));
    }
}

impl Turn {
    fn tell_ready(&self, ready: &mut Vec<u64>) {
        let (later, sooner) = self.rings.split_at(self.first.checked_rem(self.rings.len()).unwrap_or(0));
        let all = sooner.iter().chain(later);
        ready.extend(all.filter(|(_, place)| place.is_ready()).map(|&(key, _)| key));
    }

    fn ask_after_writers(&self) {
        for (_, place) in &self.rings {
            place.ask_after_writer();
        }
    }

    /// Announces a sleeper on the selector's own bell, and, unless that is all, on those of the first rings and of the
    /// groups whose relay does not sleep.
    fn announce(&mut self, signal: &Arc<Bell>, all: bool) {
        let Turn { rings, bells, tickets, unarmed, relays, .. } = self;
        let rings = &rings[..*bells];
        let (own, others) = rings.split_at(if all { rings.len().min(MOST_BELLS) } else { 0 });
        let groups = if all { others.len().div_ceil(MOST_BELLS) } else { 0 };
        while relays.len() < groups {
            match Relay::start(signal.clone()) {
                Ok(relay) => relays.push(relay),
                Err(error) => {
                    tracing::warn!(%error, "no thread to wait with: more rings are looked at every few milliseconds");
                    break;
                }
            }
        }
        unarmed.clear();
        unarmed.extend((0..groups).filter(|&group| !relays.get(group).is_some_and(Relay::is_armed)));
        let sleeping = own.iter().chain(unarmed.iter().flat_map(|&group| group_of(others, group)));
        let bells = sleeping.map(|(_, place)| place.region.segment.ring().frames);
        tickets.clear();
        wait::announce_all(std::iter::once(&**signal).chain(bells), tickets);
        self.announced = self.version;
    }

    /// Sleeps on what was announced; false, at once, if the kernel cannot.
    fn sleep(&mut self, signal: &Bell, mut nap: Duration) -> bool {
        if self.announced != self.version {
            // The rings are others by now.
            return true;
        }
        let Turn { rings, bells, tickets, unarmed, relays, .. } = self;
        let rings = &rings[..*bells];
        let (own, others) = rings.split_at(rings.len().min(MOST_BELLS));
        let (own_tickets, mut tickets) = tickets.split_at(1 + own.len());
        for &group in &*unarmed {
            let rings = group_of(others, group);
            let (these, rest) = tickets.split_at(rings.len());
            tickets = rest;
            match relays.get_mut(group) {
                Some(relay) => {
                    relay.arm(
                        rings
                            .iter()
                            .zip(these)
                            .map(|((_, place), &ticket)| (place.clone(), ticket))
                            .collect(),
                    );
                }
                None => nap = nap.min(LONGEST_LOOK),
            }
        }
        let words = own.iter().map(|(_, place)| &place.region.segment.ring().frames.word);
        let words = std::iter::once(&signal.word).chain(words);
        let slept = futex::wait_any(words.zip(own_tickets.iter().copied()), nap);
        for (_, place) in own {
            wait::pass_on(place.region.segment.ring().frames);
        }
        slept
    }
}

type Rings = [(u64, Arc<Attachment>)];

fn group_of(rings: &Rings, group: usize) -> &Rings {
    &rings[group * MOST_BELLS..rings.len().min((group + 1) * MOST_BELLS)]
}

impl std::fmt::Debug for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selector").field("readers", &self.len()).field("strategy", &self.strategy).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SharedMemoryConfig, Writer};
    use arrow_array::{Int64Array, RecordBatch};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// As where the kernel cannot sleep on several words.
    #[test]
    fn looking_in_slices_finds_frames_changes_and_wakers_too() {
        let column = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let table = RecordBatch::try_from_iter([("a", column as _)]).expect("one column");
        let name = |each| format!("selector-slices-{each}-{}", std::process::id());
        let config = |each| SharedMemoryConfig::new(name(each)).with_slot_bytes(4096);
        let writers = [0, 1].map(|each| Writer::new(config(each)).expect("created"));
        let readers = [0, 1].map(|each| Reader::new(config(each)).expect("attached"));
        let selector = Selector { only_looks: true, ..Selector::with_strategy(WaitStrategy::SLEEP) };
        assert!(selector.wait(3).is_empty());
        selector.add(0, &readers[0]).expect("a new key");
        for _ in 0..20 {
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| selector.wait(PATIENCE));
                writers[0].write_arrow(&table).expect("written");
                assert_eq!(waiting.join().expect("no panic"), [0]);
            });
            assert!(readers[0].try_read_frame().expect("no error").is_some());
            let waker = selector.waker();
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| selector.wait(Timeout::FOREVER));
                waker.wake();
                assert!(waiting.join().expect("no panic").is_empty());
            });
        }
        writers[1].write_arrow(&table).expect("written");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| selector.wait(Timeout::FOREVER));
            selector.add(1, &readers[1]).expect("a new key");
            assert_eq!(waiting.join().expect("no panic"), [1]);
        });
        assert!(readers[1].try_read_frame().expect("no error").is_some());
    }
}
