//! A look at the ring for the next frame, and what it means that there is none.

use super::taking::Taking;
use crate::error::{QADataSwapError, Result};
use crate::layout::{STATE_CLOSED, STATE_GONE, STATE_REPLACED};
use crate::lease::Attachment;
use crate::region::Region;
use crate::ring::FrameMeta;
use crate::stream::Beginning;
use crate::subscriber::Next;
use crate::sync::Ordering;

/// Takes the next frame, if it is there.
#[inline]
pub(super) fn poll(
    attachment: &Attachment,
    taking: &mut Taking,
    stream: &Option<Beginning>,
) -> Result<Option<(FrameMeta, u64)>> {
    match taking.poll(attachment) {
        Next::Frame(meta, missed) => Ok(Some((meta, missed))),
        Next::NotYet => Ok(None),
        other => end(attachment, taking, other, stream),
    }
}

/// What it means that there is no next frame, nor will be; unless there is one after all, or will be, because another
/// writer has taken over meanwhile.
#[cold]
pub(super) fn end(
    attachment: &Attachment,
    taking: &mut Taking,
    mut next: Next,
    stream: &Option<Beginning>,
) -> Result<Option<(FrameMeta, u64)>> {
    let region = &attachment.region;
    let ring = region.name.clone();
    let what = loop {
        break match next {
            Next::Frame(meta, missed) => return Ok(Some((meta, missed))),
            Next::NotYet => return Ok(None),
            Next::Ended(STATE_CLOSED | STATE_GONE) => {
                let generation = &region.segment.ring().status.generation;
                let before = generation.load(Ordering::Acquire);
                match taking.poll(attachment) {
                    Next::Ended(STATE_CLOSED | STATE_GONE) => {}
                    other => {
                        next = other;
                        continue;
                    }
                }
                let verdict = match verdict(region, stream) {
                    QADataSwapError::EndOfStream { ring } if stream.is_some() => {
                        end_of_stream(ring, region, taking)
                    }
                    verdict => verdict,
                };
                if generation.load(Ordering::Relaxed) != before {
                    continue;
                }
                return Err(verdict);
            }
            Next::Ended(STATE_REPLACED) => return Err(QADataSwapError::Replaced { ring }),
            Next::Lost => return Err(QADataSwapError::Evicted { ring, sequence: taking.next() }),
            Next::Ended(state) => format!("expected a state from 1 to 4, got {state}"),
            Next::NoSuchSlot(sequence, slot) => format!(
                "frame {sequence}: expected a slot below {}, the directory says {slot}",
                region.segment.geometry().buffer_count
            ),
            Next::Impossible => "the directory speaks of frames that were never published".to_owned(),
        };
    };
    Err(QADataSwapError::Corrupt { ring, what })
}

/// How the ring has ended, for a reader of `stream` or of whatever comes. What its words say is of one writer if the
/// generation was the same before the end was seen and after: a writer that takes over opens the ring, then counts the
/// generation, then changes what is looked at here.
pub(super) fn verdict(region: &Region, stream: &Option<Beginning>) -> QADataSwapError {
    let notice = region.segment.stream();
    let ring = region.name.clone();
    match notice.broken_off() {
        // That of another one says nothing of the stream that was read.
        _ if stream.is_some() && notice.beginning() != *stream => superseded(&ring),
        Some(reason) => QADataSwapError::Aborted { ring, reason },
        None => QADataSwapError::EndOfStream { ring },
    }
}

/// The end of a stream, of which nothing stands that was not read: all of it, unless its last frames had to make room and
/// nothing came in their place.
fn end_of_stream(ring: String, region: &Region, taking: &Taking) -> QADataSwapError {
    match region.segment.ring().published().saturating_sub(taking.next()) {
        0 => QADataSwapError::EndOfStream { ring },
        gone => {
            let reason = format!("its last {gone} frames were overwritten before this reader came to them");
            QADataSwapError::Aborted { ring, reason }
        }
    }
}

/// Somebody else writes to the ring, and it cannot be known whether the stream was whole.
pub(super) fn superseded(ring: &str) -> QADataSwapError {
    QADataSwapError::Aborted {
        ring: ring.to_owned(),
        reason: "its writer is gone, and another one writes to the ring".to_owned(),
    }
}

/// What it means that the writer has died.
#[cold]
pub(super) fn orphan(region: &Region) -> QADataSwapError {
    let ring = region.name.clone();
    if region.is_nameless() {
        // Whoever replaced it was killed before saying so, or somebody removed the file: no writer will come.
        return QADataSwapError::Replaced { ring };
    }
    QADataSwapError::WriterDied { ring, pid: region.writer_pid() }
}
