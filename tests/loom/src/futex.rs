//! A model of the kernel's futex: comparing and going to sleep are one step, under the lock that a wake takes, and a wake
//! reaches those who sleep on that very word, those first who have slept for longest.
//! There is no time here: a sleeper that nobody wakes is a deadlock, which the checker reports.

use crate::sync::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;

/// The fewest: of two sleepers the second one is woken by the first.
pub(crate) const FEW: usize = 1;

struct Sleeper {
    /// Where the words are that it sleeps on.
    words: [usize; 2],
    signal: Arc<Condvar>,
}

loom::lazy_static! {
    static ref QUEUE: Mutex<Vec<Sleeper>> = Mutex::new(Vec::new());
}

fn address(word: &AtomicU32) -> usize {
    std::ptr::from_ref(word).addr()
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, _timeout: Duration) {
    wait_any(&[(word, expected)]);
}

/// As `wait`, on two words at most.
pub(crate) fn wait_any(words: &[(&AtomicU32, u32)]) {
    let mut queue = QUEUE.lock().expect("no model thread panics with the lock held");
    if words.iter().any(|(word, expected)| word.load(Ordering::Relaxed) != *expected) {
        return;
    }
    let mut all = [0; 2];
    for (place, (word, _)) in all.iter_mut().zip(words) {
        *place = address(word);
    }
    let signal = Arc::new(Condvar::new());
    queue.push(Sleeper { words: all, signal: signal.clone() });
    // Woken only by name, and not for nothing.
    drop(signal.wait(queue));
}

pub(crate) fn wake(word: &AtomicU32) -> usize {
    wake_up_to(word, FEW)
}

pub(crate) fn wake_all(word: &AtomicU32) {
    wake_up_to(word, usize::MAX);
}

fn wake_up_to(word: &AtomicU32, most: usize) -> usize {
    let mut queue = QUEUE.lock().expect("no model thread panics with the lock held");
    let sleeps_here = |sleeper: &mut Sleeper| sleeper.words.contains(&address(word));
    let woken: Vec<_> = queue.extract_if(.., sleeps_here).take(most).collect();
    for sleeper in &woken {
        sleeper.signal.notify_one();
    }
    woken.len()
}
