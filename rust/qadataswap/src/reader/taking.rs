//! How a reader gets at frames: where they lie, behind a pin, or by copying them.

use crate::error::{QADataSwapError, Result};
use crate::lease::{Attachment, Lease};
use crate::observer::Observer;
use crate::place::{Aside, Place, Seat};
use crate::region::Region;
use crate::ring::FrameMeta;
use crate::segment::Segment;
use crate::subscriber::{Next, Subscriber};
use arrow_buffer::Buffer;
use std::sync::Arc;

/// How a reader gets at frames.
pub(crate) enum Taking {
    /// It has a row, and pins them.
    Pins(Subscriber, Seat),
    /// It is an observer, and copies them.
    Copies(Copier),
}

/// An observer, and the frame that it copied last.
pub(crate) struct Copier {
    observer: Observer,
    /// `None` if it reached beyond its slot.
    copy: std::io::Result<Option<Buffer>>,
}

impl Taking {
    /// As an observer does.
    pub(crate) fn copying(observer: Observer) -> Taking {
        Taking::Copies(Copier { observer, copy: Ok(None) })
    }

    /// The sequence wanted next.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        match self {
            Taking::Pins(subscriber, _) => subscriber.next(),
            Taking::Copies(copier) => copier.observer.next(),
        }
    }

    /// Takes the next frame, if there is one: it is to be [held](Taking::hold) at once.
    #[inline]
    pub(super) fn poll(&mut self, attachment: &Attachment) -> Next {
        let segment = &attachment.region.segment;
        match self {
            Taking::Pins(subscriber, _) => {
                let ring = segment.ring();
                if let Some(meta) = subscriber.glimpse(&ring) {
                    // It is on its way while the pin is set, which takes as long.
                    segment.prefetch(meta.slot, meta.bytes);
                }
                subscriber.poll(&ring)
            }
            Taking::Copies(copier) => match &attachment.place {
                Place::Aside(aside) => copier.poll(segment, aside),
                Place::Row(_) => unreachable!("an observer has no row"),
            },
        }
    }

    /// The bytes of the frame that was just taken, for as long as somebody has them, and how many of them were copied.
    ///
    /// # Errors
    /// [`Corrupt`](QADataSwapError::Corrupt) if the directory says more bytes than a slot has,
    /// [`Io`](QADataSwapError::Io) if there is no memory for a copy.
    #[inline]
    pub(super) fn hold(&mut self, attachment: &Arc<Attachment>, meta: &FrameMeta) -> Result<(Buffer, u64)> {
        match self {
            Taking::Pins(_, seat) => {
                match Lease::new(attachment.clone(), *seat, meta.slot).into_buffer(meta.bytes) {
                    Some(bytes) => Ok((bytes, 0)),
                    None => Err(too_long(&attachment.region, meta)),
                }
            }
            Taking::Copies(copier) => match std::mem::replace(&mut copier.copy, Ok(None)) {
                Ok(Some(bytes)) => Ok((bytes, meta.bytes)),
                Ok(None) => Err(too_long(&attachment.region, meta)),
                Err(error) => Err(QADataSwapError::io(&attachment.region.name, "copying a frame", error)),
            },
        }
    }

    /// Passes over whatever comes before the frame `first`. False if it is to be waited for: the writer is asking whether
    /// a frame before it may go.
    ///
    /// # Errors
    /// Whatever `poll` returns instead of a frame.
    pub(super) fn pass(
        &mut self,
        attachment: &Arc<Attachment>,
        first: u64,
        mut poll: impl FnMut(&mut Taking) -> Result<Option<(FrameMeta, u64)>>,
    ) -> Result<bool> {
        if let Taking::Copies(copier) = self {
            copier.observer.skip_to(first);
        }
        while self.next() < first {
            match poll(self)? {
                // Of one that cannot be held nothing is wanted.
                Some((meta, _)) => drop(self.hold(attachment, &meta)),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl Copier {
    fn poll(&mut self, segment: &Segment, aside: &Aside) -> Next {
        let Copier { observer, copy } = self;
        let found = observer.poll(&segment.ring(), aside.left_by(), |meta, goes_on| {
            *copy = segment.copy_slot(meta.slot, meta.bytes, goes_on);
        });
        if !matches!(found, Next::Frame(..)) {
            *copy = Ok(None);
        }
        aside.wants(observer.next());
        found
    }
}

#[cold]
fn too_long(region: &Region, meta: &FrameMeta) -> QADataSwapError {
    QADataSwapError::Corrupt {
        ring: region.name.clone(),
        what: format!(
            "frame {}: expected at most {} bytes, the directory says {}",
            meta.sequence,
            region.segment.geometry().slot_bytes,
            meta.bytes
        ),
    }
}
