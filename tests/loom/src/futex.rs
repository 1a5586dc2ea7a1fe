//! A model of the kernel's futex: comparing and going to sleep are one step, under the lock that a wake takes.
//! There is no time here: a sleeper that nobody wakes is a deadlock, which the checker reports.

use crate::sync::{AtomicU32, Ordering};
use loom::sync::{Condvar, Mutex};
use std::time::Duration;

loom::lazy_static! {
    static ref QUEUE: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, _timeout: Duration) {
    let guard = QUEUE.0.lock().expect("no model thread panics with the lock held");
    if word.load(Ordering::Relaxed) == expected {
        drop(QUEUE.1.wait(guard));
    }
}

/// As `wait`, on several words.
pub(crate) fn wait_any(words: &[(&AtomicU32, u32)]) {
    let guard = QUEUE.0.lock().expect("no model thread panics with the lock held");
    if words.iter().all(|(word, expected)| word.load(Ordering::Relaxed) == *expected) {
        drop(QUEUE.1.wait(guard));
    }
}

pub(crate) fn wake_all(_word: &AtomicU32) {
    let _guard = QUEUE.0.lock().expect("no model thread panics with the lock held");
    QUEUE.1.notify_all();
}
