//! Waiting for a reader's next frame without taking it: for event loops, which must not block, and for whoever
//! wants to be able to give up a wait without losing a frame.

use crate::config::Timeout;
use crate::lease::Attachment;
use crate::wait::{Pulse, WaitStrategy};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

/// Waits until its reader has something to read; got by [`Reader::waiter`](crate::Reader::waiter).
///
/// It may be sent to another thread and used there while the reader itself is not waited on. It keeps the reader's
/// place in the ring, as a frame does.
pub struct Waiter {
    attachment: Arc<Attachment>,
    /// The sequence that is waited for.
    next: u64,
    strategy: WaitStrategy,
    pulse: Pulse,
}

impl Waiter {
    pub(crate) fn new(attachment: Arc<Attachment>, next: u64, strategy: WaitStrategy) -> Waiter {
        Waiter { attachment, next, strategy, pulse: Pulse::default() }
    }

    /// Waits for at most `timeout` until a read would not wait: there is a frame, the stream has ended, the writer has
    /// died, or reading is an error. Whether that came to be.
    #[must_use]
    pub fn wait(&self, timeout: impl Into<Timeout>) -> bool {
        let attachment = &*self.attachment;
        let deadline = timeout.into().0.and_then(|timeout| Instant::now().checked_add(timeout));
        if !attachment.region.is_ours() {
            return true;
        }
        let look = || Ok(attachment.has(self.next).then_some(()));
        let idle = || {
            attachment.ask_after_writer();
            Ok::<(), Infallible>(())
        };
        match attachment.wait(self.strategy, deadline, &self.pulse, look, idle) {
            Ok(ready) => ready.is_some(),
        }
    }
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiter")
            .field("ring", &self.attachment.region.name)
            .field("next", &self.next)
            .finish()
    }
}
