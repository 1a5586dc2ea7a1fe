//! Reading by `async`: futures and a stream, under any runtime.
//!
//! Law: a frame is taken from the ring by the poll that hands it out. So a future that is dropped, be it by a timeout,
//! a `select!` or an abort, has taken none. Nothing blocks: waiting is the [reactor](crate::reactor)'s, one thread for
//! all readers of the process. The futures need a reader for themselves (`&mut`), which makes them `Send`.

use crate::error::{QADataSwapError, Result};
use crate::reactor::Registration;
use crate::reader::{Form, Frame, Reader};
use arrow_array::RecordBatch;
use futures_core::Stream;
use std::borrow::BorrowMut;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// So many frames are handed out without a pause; then other tasks get their turn.
const TURN: u32 = 64;

/// What a reader keeps between two polls.
#[derive(Default)]
pub(crate) struct Awaited {
    registration: Option<Registration>,
    /// Frames handed out since the last pause.
    unpaused: u32,
}

impl Reader {
    /// Takes the next frame if it is there; else has the task woken when a poll would find one, or an error. What the
    /// futures and streams of this reader are made of.
    ///
    /// A reader whose frames come faster than they are read lets other tasks have their turn now and then.
    ///
    /// # Errors
    /// As [`read_frame`](Reader::read_frame); [`Io`](QADataSwapError::Io) if there can be no thread to wait.
    pub fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Result<Frame>> {
        self.poll_as(context)
    }

    pub(crate) fn poll_as<F: Form>(&mut self, context: &mut Context<'_>) -> Poll<Result<F>> {
        if self.awaited().unpaused >= TURN {
            self.awaited().unpaused = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.take() {
            Ok(None) => match self.register(context) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            done => {
                let awaited = self.awaited();
                awaited.registration = None;
                awaited.unpaused += 1;
                Poll::Ready(done.map(|frame| frame.expect("none was dealt with above")))
            }
        }
    }

    fn register(&mut self, context: &mut Context<'_>) -> Result<()> {
        let place = self.place()?;
        let awaited = self.awaited();
        awaited.unpaused = 0;
        if !awaited.registration.as_ref().is_some_and(|registration| registration.renew(context.waker())) {
            awaited.registration = None;
            match Registration::new(place, context.waker()) {
                Ok(registration) => awaited.registration = Some(registration),
                Err(source) => {
                    return Err(QADataSwapError::Io {
                        ring: self.name(),
                        call: "starting a thread to wait",
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    /// The next frame, as soon as it is there. Dropping the future loses none: for a timeout, wrap it in the runtime's.
    ///
    /// ```
    /// # use qadataswap::{QADataSwapError, Reader, Result};
    /// async fn follow(mut reader: Reader) -> Result<()> {
    ///     loop {
    ///         match reader.read_frame_async().await {
    ///             Ok(frame) => println!("frame {}: {} rows", frame.sequence(), frame.num_rows()),
    ///             Err(QADataSwapError::EndOfStream { .. }) => return Ok(()),
    ///             Err(error) => return Err(error),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// The future's result is an error as of [`poll_frame`](Reader::poll_frame).
    pub fn read_frame_async(&mut self) -> NextFrame<'_> {
        NextFrame { reader: self }
    }

    /// The next table as one batch, as [`read_arrow`](Reader::read_arrow), as soon as it is there. Dropping the future
    /// loses none.
    ///
    /// # Errors
    /// As [`poll_frame`](Reader::poll_frame).
    pub async fn read_arrow_async(&mut self) -> Result<RecordBatch> {
        let frame = self.read_frame_async().await?;
        Ok(self.to_batch(Some(frame))?.expect("of one frame comes one batch"))
    }

    /// Frames as they come, until the stream ends or an error has been yielded.
    pub fn stream(&mut self) -> FrameStream<&mut Reader> {
        FrameStream { reader: self, done: false }
    }

    /// As [`stream`](Reader::stream), with the reader in it: for a task of its own.
    pub fn into_stream(self) -> FrameStream<Reader> {
        FrameStream { reader: self, done: false }
    }
}

/// A reader's next frame; see [`Reader::read_frame_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct NextFrame<'a> {
    pub(crate) reader: &'a mut Reader,
}

impl Future for NextFrame<'_> {
    type Output = Result<Frame>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.reader.poll_frame(context)
    }
}

impl Drop for NextFrame<'_> {
    fn drop(&mut self) {
        self.reader.awaited().registration = None;
    }
}

/// The frames of a reader as they come; see [`Reader::stream`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct FrameStream<R: BorrowMut<Reader>> {
    reader: R,
    done: bool,
}

impl<R: BorrowMut<Reader> + Unpin> Stream for FrameStream<R> {
    type Item = Result<Frame>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        let Poll::Ready(read) = self.reader.borrow_mut().poll_frame(context) else { return Poll::Pending };
        self.done = read.is_err();
        Poll::Ready(match read {
            Err(QADataSwapError::EndOfStream { .. }) => None,
            read => Some(read),
        })
    }
}

impl<R: BorrowMut<Reader>> FrameStream<R> {
    /// The reader, for its numbers.
    pub fn reader(&self) -> &Reader {
        self.reader.borrow()
    }
}

impl<R: BorrowMut<Reader>> Drop for FrameStream<R> {
    fn drop(&mut self) {
        self.reader.borrow_mut().awaited().registration = None;
    }
}
