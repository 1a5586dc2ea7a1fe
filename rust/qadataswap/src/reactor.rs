//! The thread that waits for every reader that is awaited in this process, and wakes their tasks.
//!
//! Law: it knows rings and wakers, and takes no frame. It is started by the first that awaits, ends when nobody has
//! for a while, and is started anew. Wakers are cloned, called and dropped with no lock held: what a task's waker does, or
//! the last of them takes down with it, may await or stop awaiting itself. A forked child, which does not have it, has a reactor of its own: none of its
//! locks can have been copied while they were held.

use crate::lease::Attachment;
use crate::segment::forks;
use crate::selector::Selector;
use crate::wait::WaitStrategy;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

/// How long the thread stays when there is nothing to wait for.
const LINGER: Duration = Duration::from_millis(500);

pub(crate) struct Reactor {
    /// Its keys stand for awaits, not for readers.
    selector: Selector,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    wakers: HashMap<u64, Waker>,
    next_key: u64,
    /// Whether there is a thread.
    is_served: bool,
}

/// The reactors of a process and of those it was forked from.
struct Generation {
    reactor: OnceLock<Reactor>,
    child: OnceLock<Box<Generation>>,
}

impl Generation {
    const fn new() -> Generation {
        Generation { reactor: OnceLock::new(), child: OnceLock::new() }
    }
}

/// This process's reactor.
fn reactor() -> &'static Reactor {
    static FIRST: Generation = Generation::new();
    let mut generation = &FIRST;
    for _ in 0..forks() {
        generation = generation.child.get_or_init(|| Box::new(Generation::new()));
    }
    generation.reactor.get_or_init(|| Reactor {
        selector: Selector::with_strategy(WaitStrategy::SLEEP),
        waiting: Mutex::default(),
    })
}

/// A task that waits for a reader. Dropping it ends the wait.
pub(crate) struct Registration {
    reactor: &'static Reactor,
    key: u64,
}

impl Registration {
    /// Has `waker` called, once, when the reader is ready.
    ///
    /// # Errors
    /// If there can be no thread.
    pub(crate) fn new(place: Arc<Attachment>, waker: &Waker) -> std::io::Result<Registration> {
        let reactor = reactor();
        let waker = waker.clone();
        let mut waiting = reactor.lock();
        if !waiting.is_served {
            std::thread::Builder::new().name("qadataswap-async".to_owned()).spawn(|| reactor.serve())?;
            waiting.is_served = true;
        }
        let key = waiting.next_key;
        waiting.next_key += 1;
        waiting.wakers.insert(key, waker);
        let is_new = reactor.selector.insert(key, place);
        debug_assert!(is_new, "keys are counted");
        Ok(Registration { reactor, key })
    }

    /// Has `waker` called in the place of the one before; false if that has been called.
    pub(crate) fn renew(&self, waker: &Waker) -> bool {
        let mut waker = waker.clone();
        let is_known = match self.reactor.lock().wakers.get_mut(&self.key) {
            Some(known) => {
                std::mem::swap(known, &mut waker);
                true
            }
            None => false,
        };
        drop(waker);
        is_known
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // A forked child leaves its parent's reactor alone.
        if !std::ptr::eq(self.reactor, reactor()) {
            return;
        }
        let waker = self.reactor.lock().wakers.remove(&self.key);
        if waker.is_some() {
            self.reactor.selector.remove(self.key);
        }
    }
}

impl Reactor {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No step that can panic leaves it half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut ready = Vec::new();
        let mut wakers = Vec::new();
        loop {
            self.selector.wait_into(&mut ready, LINGER);
            {
                let mut waiting = self.lock();
                wakers.extend(ready.iter().filter_map(|key| waiting.wakers.remove(key)));
                if ready.is_empty() && waiting.wakers.is_empty() {
                    waiting.is_served = false;
                    return;
                }
            }
            self.selector.remove_all(&ready);
            for waker in wakers.drain(..) {
                // An executor that panics is not to keep the others' tasks asleep.
                if catch_unwind(AssertUnwindSafe(|| waker.wake())).is_err() {
                    tracing::error!("a task's waker panicked");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Reader, SharedMemoryConfig, Writer};
    use std::sync::{Arc, Mutex, mpsc};
    use std::task::{Context, Wake, Waker};
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A task of which nothing but its waker is left.
    struct Task(#[expect(dead_code, reason = "it is there to be dropped")] Mutex<Reader>);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    /// Such a task's waker; the task awaits a reader.
    fn last_of_a_task(config: &SharedMemoryConfig) -> Waker {
        let mut reader = Reader::new(config).expect("attached");
        assert!(reader.poll_frame(&mut Context::from_waker(Waker::noop())).is_pending());
        Waker::from(Arc::new(Task(Mutex::new(reader))))
    }

    #[test]
    fn a_waker_that_takes_a_task_down_with_it_finds_no_lock_held() {
        let name = format!("reactor-{}", std::process::id());
        let config = SharedMemoryConfig::new(name).with_slot_bytes(4096);
        let _writer = Writer::new(&config).expect("created");
        let (done, ended) = mpsc::channel();
        // Were the lock held, this thread would wait for itself.
        std::thread::spawn(move || {
            for is_renewed in [true, false] {
                let mut reader = Reader::new(&config).expect("attached");
                let waker = last_of_a_task(&config);
                assert!(reader.poll_frame(&mut Context::from_waker(&waker)).is_pending());
                drop(waker);
                if is_renewed {
                    assert!(reader.poll_frame(&mut Context::from_waker(Waker::noop())).is_pending());
                }
            }
            done.send(()).expect("somebody listens");
        });
        assert_eq!(ended.recv_timeout(PATIENCE), Ok(()));
    }
}
