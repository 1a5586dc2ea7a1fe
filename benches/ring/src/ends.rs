//! The two ends of a ring of one reader, whose payload is a few words.

#![allow(unsafe_code)]

use crate::layout::{Geometry, STATE_OPEN};
use crate::publisher::Publisher;
use crate::ring::{FrameMeta, Policy};
use crate::segment::{Access, Segment};
use crate::subscriber::{Next, Subscriber};
use crate::sync::Ordering;
use crate::wait;
use std::fs::File;
use std::hint::spin_loop;
use std::io;
use std::path::Path;

/// Bytes of a message.
pub const PAYLOAD: usize = 56;

/// A message.
pub type Payload = [u64; PAYLOAD / 8];

fn geometry(slots: u32) -> io::Result<Geometry> {
    Geometry::new(slots, 1, 4096).map_err(io::Error::other)
}

fn create(path: &Path, slots: u32) -> io::Result<()> {
    let file = File::options().read(true).write(true).create_new(true).open(path)?;
    file.set_len(geometry(slots)?.region_bytes)?;
    let segment = map(path, slots, Access::Writer)?;
    segment.ring().status.state.store(STATE_OPEN, Ordering::Release);
    Ok(())
}

fn map(path: &Path, slots: u32, access: Access) -> io::Result<Segment> {
    Segment::map(File::options().read(true).write(true).open(path)?, geometry(slots)?, access)
}

/// The writer's.
pub struct Outgoing {
    pub(crate) segment: Segment,
    pub(crate) publisher: Publisher,
}

impl Outgoing {
    /// Of a ring that it makes, with the reader in its place: whoever [opens](Incoming::open) it takes that one.
    pub fn create(path: &Path, slots: u32) -> io::Result<Outgoing> {
        create(path, slots)?;
        Outgoing::open(path, slots)
    }

    /// Of a ring that the reader has made.
    pub fn open(path: &Path, slots: u32) -> io::Result<Outgoing> {
        let segment = map(path, slots, Access::Writer)?;
        let publisher = Publisher::new(&segment.ring());
        Ok(Outgoing { segment, publisher })
    }

    /// Publishes a message, as soon as there is room. Nobody is woken.
    #[inline]
    pub fn send(&mut self, payload: &Payload) {
        let ring = self.segment.ring();
        let mut slot = loop {
            match self.publisher.acquire(&ring) {
                Ok(slot) => break slot,
                Err(_) => spin_loop(),
            }
        };
        self.segment.slot_mut(&mut slot)[..PAYLOAD].copy_from_slice(bytemuck::bytes_of(payload));
        let meta = FrameMeta { bytes: PAYLOAD as u64, ..FrameMeta::default() };
        self.publisher.publish(&ring, slot, &meta);
    }

    /// Wakes whoever sleeps.
    #[inline]
    pub fn flush(&self) {
        wait::ring(self.segment.ring().frames);
    }
}

/// The reader's.
pub struct Incoming {
    pub(crate) segment: Segment,
    pub(crate) subscriber: Subscriber,
}

impl Incoming {
    /// Of a ring that it makes.
    pub fn create(path: &Path, slots: u32) -> io::Result<Incoming> {
        create(path, slots)?;
        Incoming::open(path, slots)
    }

    /// Of a ring that the writer has made.
    pub fn open(path: &Path, slots: u32) -> io::Result<Incoming> {
        let segment = map(path, slots, Access::Reader)?;
        let ring = segment.ring();
        ring.claim(0, Policy::Lossless);
        let joined = ring.join(0, false).ok_or_else(|| io::Error::other("nothing to join"))?;
        let subscriber = Subscriber::new(0, Policy::Lossless, joined);
        Ok(Incoming { segment, subscriber })
    }

    /// Takes the next message, as soon as it has come.
    #[inline]
    pub fn take(&mut self) -> Payload {
        let ring = self.segment.ring();
        loop {
            // As the product's reader does it.
            if let Some(meta) = self.subscriber.glimpse(&ring) {
                self.segment.prefetch(meta.slot, meta.bytes);
            }
            let Next::Frame(meta, _) = self.subscriber.poll(&ring) else { continue };
            let place = self.segment.slot(meta.slot, meta.bytes).expect("a slot of this ring");
            // SAFETY: as many bytes as were published, on a page of its own, which stays as it is while it is pinned.
            let payload = unsafe { place.cast::<Payload>().read() };
            ring.unpin(0, meta.slot);
            return payload;
        }
    }
}
