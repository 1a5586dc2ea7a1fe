//! What a configuration is made of: policies, starts, what a full ring means, times.

use crate::ring::Policy;
use std::time::{Duration, Instant};

/// What a reader is owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReaderPolicy {
    /// Every frame from the first one on: the writer waits for this reader.
    #[default]
    Lossless,
    /// Every frame it is fast enough for, and the exact number of those it missed.
    Lossy,
    /// The newest frame at each read; all in between count as missed.
    Latest,
    /// As lossy, for whoever may or shall not write to the region: it needs read permission only, takes no place, and
    /// changes nothing that another participant could notice. The price: each frame is copied before it is looked at,
    /// one that the writer takes away meanwhile counts as missed, and a frame that is waited for may be seen up to 2 ms
    /// late, since an observer is not woken.
    Observer,
}

impl ReaderPolicy {
    /// What the ring knows of it; an observer is none of the ring's readers.
    pub(crate) fn on_a_row(self) -> Option<Policy> {
        match self {
            ReaderPolicy::Lossless => Some(Policy::Lossless),
            ReaderPolicy::Lossy => Some(Policy::Lossy),
            ReaderPolicy::Latest => Some(Policy::Latest),
            ReaderPolicy::Observer => None,
        }
    }
}

/// Where a new reader starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// At the oldest frame still in the ring.
    #[default]
    Oldest,
    /// At the newest frame in the ring, or at the next one if the ring is empty.
    Newest,
}

/// What a full ring means to its writer. A ring is full when a lossless reader has not read the oldest frame,
/// or when readers hold every slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Wait, for at most this long (`None`: for as long as it takes). The default, with five seconds.
    Block(Option<Duration>),
    /// Overwrite the oldest frame; the ring refuses lossless readers. Fails at once if readers hold every slot.
    Overwrite,
    /// Fail at once.
    Fail,
}

impl Default for WhenFull {
    fn default() -> Self {
        WhenFull::Block(Some(Duration::from_secs(5)))
    }
}

impl WhenFull {
    /// How the region's status says it; the patience is the writer's own.
    pub(crate) fn code(self) -> u32 {
        match self {
            WhenFull::Block(_) => 0,
            WhenFull::Overwrite => 1,
            WhenFull::Fail => 2,
        }
    }
}

/// A point in time at which a wait of several parts is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// How long the next part may take.
    pub(crate) fn left(self) -> Timeout {
        Timeout(self.0.map(|deadline| deadline.saturating_duration_since(Instant::now())))
    }
}

/// How long a read waits. Converts from milliseconds, a [`Duration`], or an `Option<Duration>` in which `None`
/// means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(pub(crate) Option<Duration>);

impl Timeout {
    /// Waits for as long as it takes.
    pub const FOREVER: Timeout = Timeout(None);

    pub(crate) fn deadline(self) -> Deadline {
        Deadline(self.0.and_then(|timeout| Instant::now().checked_add(timeout)))
    }
}

impl From<Duration> for Timeout {
    fn from(duration: Duration) -> Self {
        Timeout(Some(duration))
    }
}

impl From<Option<Duration>> for Timeout {
    fn from(duration: Option<Duration>) -> Self {
        Timeout(duration)
    }
}

impl From<u64> for Timeout {
    fn from(milliseconds: u64) -> Self {
        Timeout(Some(Duration::from_millis(milliseconds)))
    }
}
