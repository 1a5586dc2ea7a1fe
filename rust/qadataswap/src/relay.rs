//! Sleeping on more bells than one system call takes: a thread that sleeps on some, on behalf of a selector.
//!
//! Law: the selector announces the sleeper and hands over the tickets; the relay sleeps on them until one of the bells
//! has been rung, says that it has stopped, and rings the selector's own bell. Until then the bells stay announced,
//! however often the selector looks and sleeps: an order is good for one ring of a bell, not for one sleep.

use crate::futex::{self, MOST_WORDS};
use crate::layout::Bell;
use crate::lease::Attachment;
use crate::segment::forks;
use crate::wait::{self, LONGEST_LOOK, SLICE};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Most bells that a relay, or the selector itself, sleeps on: one word is what it is called by.
pub(crate) const MOST_BELLS: usize = MOST_WORDS - 1;

/// A thread that sleeps on bells.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    /// The number of the last order.
    ordered: u64,
    /// Whether that was to sleep.
    sleeps: bool,
    /// Always there; an `Option` so that it can be waited for.
    thread: Option<JoinHandle<()>>,
    forks: u64,
}

struct Shared {
    order: Mutex<Order>,
    /// Rung when there is an order.
    control: Bell,
    /// The number of the last order that is done with.
    done: AtomicU64,
    /// The selector's own bell, rung when a bell of the order has been.
    signal: Arc<Bell>,
}

#[derive(Default)]
struct Order {
    number: u64,
    /// The rings on whose bells to sleep, and the tickets; none for resting.
    bells: Vec<(Arc<Attachment>, u32)>,
    end: bool,
}

impl Relay {
    /// Starts one, which rests.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(crate) fn start(signal: Arc<Bell>) -> std::io::Result<Relay> {
        let (order, done) = (Mutex::default(), AtomicU64::new(0));
        let shared = Arc::new(Shared { order, control: Bell::silent(), done, signal });
        let thread =
            std::thread::Builder::new().name("qadataswap-relay".to_owned()).stack_size(64 << 10).spawn({
                let shared = shared.clone();
                move || shared.serve()
            })?;
        Ok(Relay { shared, ordered: 0, sleeps: false, thread: Some(thread), forks: forks() })
    }

    /// Whether it still sleeps on what it was told to.
    pub(crate) fn is_armed(&self) -> bool {
        self.sleeps && self.ordered > self.shared.done.load(Ordering::Acquire)
    }

    /// Has it sleep on these bells, at most [`MOST_BELLS`], which have been announced, and on no other any more.
    pub(crate) fn arm(&mut self, bells: Vec<(Arc<Attachment>, u32)>) {
        self.ordered += 1;
        self.sleeps = !bells.is_empty();
        self.shared.give(Order { number: self.ordered, bells, end: false });
    }

    /// Has it rest, and let go of the rings.
    pub(crate) fn disarm(&mut self) {
        if self.sleeps {
            self.arm(Vec::new());
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        if self.forks != forks() {
            // A forked child does not have the thread, and may find its lock held for ever.
            std::mem::forget(thread);
        } else {
            self.shared.give(Order { number: u64::MAX, bells: Vec::new(), end: true });
            // It has panicked nowhere but in the system's own calls, and reported that.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn give(&self, order: Order) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = order;
        wait::ring(&self.control);
    }

    fn serve(&self) {
        let mut served = 0;
        loop {
            let ticket = wait::announce(&self.control);
            let (number, bells) = {
                let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
                if order.end {
                    return;
                }
                (order.number, std::mem::take(&mut order.bells))
            };
            if number == served || bells.is_empty() {
                served = number;
                futex::wait(&self.control.word, ticket, Duration::MAX);
                continue;
            }
            served = number;
            let words = || {
                let rings =
                    bells.iter().map(|(place, ticket)| (&place.region.segment.ring().frames.word, *ticket));
                std::iter::once((&self.control.word, ticket)).chain(rings)
            };
            // In slices, each of which compares anew: a publisher may be killed between taking the announcement off a
            // bell and waking.
            while words().all(|(word, ticket)| word.load(Ordering::Relaxed) == ticket) {
                if !futex::wait_any(words(), SLICE) {
                    // The selector was not refused what this thread is: let it look by itself.
                    futex::wait(&self.control.word, ticket, LONGEST_LOOK);
                    break;
                }
            }
            for (place, _) in &bells {
                wait::pass_on(place.region.segment.ring().frames);
            }
            drop(bells);
            self.done.store(number, Ordering::Release);
            wait::ring(&self.signal);
        }
    }
}
