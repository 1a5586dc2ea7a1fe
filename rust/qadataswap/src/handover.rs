//! Rings without a name, from process to process: opened by a descriptor, which can be sent over a Unix socket, as one byte
//! with the descriptor beside it.
//!
//! ```
//! use qadataswap::{Reader, SharedMemoryConfig, Writer, receive_region, send_region};
//! use std::os::unix::net::UnixStream;
//!
//! let (here, there) = UnixStream::pair()?;
//! // One process:
//! let writer = Writer::new(SharedMemoryConfig::new("ticks").with_size_mb(1).with_memfd(true))?;
//! send_region(&here, writer.share()?)?;
//!
//! // The one at the other end:
//! let region = receive_region(&there)?;
//! let reader = Reader::from_fd(&region, "")?;
//! assert_eq!(reader.name(), "ticks");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Any other means of handing over a descriptor will do as well: inheriting it, or another library's `SCM_RIGHTS`.
//!
//! Law: whatever descriptors come are owned the moment they have come, so that none is left open, whatever else is wrong
//! with the message; and no more are let in than it takes to tell that there are too many.

use crate::config::SharedMemoryConfig;
use crate::error::{QADataSwapError, Result};
use crate::reader::Reader;
use crate::writer::Writer;
use crate::{attach, create, unnamed};
use rustix::cmsg_space;
use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

impl Writer {
    /// Takes over a ring without a name whose writer is gone: its frames and its sequence go on. `fd` is a descriptor of it,
    /// which stays the caller's and may be closed then. What the configuration leaves unsaid of its size is as it is; an
    /// empty name stands for what its creator called it.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if `fd` is not of a sealed memory file, or the configuration asks for
    /// another size; [`Unsupported`](QADataSwapError::Unsupported) where there is no `/proc`; as [`new`](Writer::new).
    pub fn from_fd(fd: impl AsFd, config: impl Into<SharedMemoryConfig>) -> Result<Writer> {
        let mut config = config.into().resolved()?;
        let made = create::inherit(&mut config, fd.as_fd())?;
        Ok(Writer::of(config, made))
    }

    /// A descriptor of a ring that was created without a name ([`with_memfd`](SharedMemoryConfig::with_memfd)), for others
    /// to open it by ([`Reader::from_fd`], [`Writer::from_fd`]): to be sent
    /// ([`send_region`]) or inherited. Whoever has one keeps the memory, but takes no part in the ring.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if the ring has a name, [`Closed`](QADataSwapError::Closed),
    /// [`Forked`](QADataSwapError::Forked).
    pub fn share(&self) -> Result<OwnedFd> {
        self.inner().region()?.share()
    }

    /// The number of the descriptor by which this writer itself has a ring without a name; good until it is closed.
    ///
    /// # Errors
    /// As [`share`](Writer::share).
    pub fn region_fd(&self) -> Result<RawFd> {
        Ok(self.inner().region()?.descriptor()?.as_raw_fd())
    }
}

impl Reader {
    /// Attaches to a ring without a name. `fd` is a descriptor of it ([`Writer::share`]), which stays
    /// the caller's and may be closed then. An empty name stands for what its creator called it.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if `fd` is not of a sealed memory file;
    /// [`Unsupported`](QADataSwapError::Unsupported) where there is no `/proc`; as [`new`](Reader::new).
    pub fn from_fd(fd: impl AsFd, config: impl Into<SharedMemoryConfig>) -> Result<Reader> {
        let mut config = config.into().resolved()?;
        let place = attach::attach_fd(&mut config, fd.as_fd())?;
        Ok(Reader::of(config, place))
    }

    /// As [`Writer::share`].
    ///
    /// # Errors
    /// As there.
    pub fn share(&self) -> Result<OwnedFd> {
        self.place()?.region.share()
    }

    /// As [`Writer::region_fd`].
    ///
    /// # Errors
    /// As there.
    pub fn region_fd(&self) -> Result<RawFd> {
        Ok(self.place()?.region.descriptor()?.as_raw_fd())
    }
}

/// What a region is called in messages of which it is not known yet what it is.
const RECEIVED: &str = "received";

/// Sends a region that has no name, as one byte with a descriptor of it.
///
/// # Errors
/// [`InvalidConfig`](QADataSwapError::InvalidConfig) if the descriptor is not of such a region;
/// [`Io`](QADataSwapError::Io) if the socket does not take it.
pub fn send_region(socket: impl AsFd, region: impl AsFd) -> Result<()> {
    let (socket, region) = (socket.as_fd(), region.as_fd());
    let ring = unnamed::label(region);
    unnamed::check(ring.as_str(), region, false)?;
    send(socket, &[region]).map_err(|error| QADataSwapError::io(ring.as_str(), "sending the region", error))
}

/// Receives what [`send_region`] has sent, waiting for it as long as the socket does. Whether it is a region of this
/// version that may be trusted is found out by whoever opens it.
///
/// # Errors
/// [`InvalidConfig`](QADataSwapError::InvalidConfig) if what has come is not one byte with one descriptor of a sealed memory
/// file in it; [`Io`](QADataSwapError::Io) if the socket was closed, or receiving fails.
pub fn receive_region(socket: impl AsFd) -> Result<OwnedFd> {
    let (bytes, mut received) = receive(socket.as_fd())
        .map_err(|error| QADataSwapError::io(RECEIVED, "receiving a region", error))?;
    match (received.pop(), received.len()) {
        (Some(region), 0) => {
            unnamed::check(RECEIVED, region.as_fd(), false)?;
            Ok(region)
        }
        (None, _) if bytes == 0 => {
            Err(QADataSwapError::io(RECEIVED, "receiving a region", io::ErrorKind::UnexpectedEof))
        }
        (region, _) => Err(QADataSwapError::InvalidConfig {
            ring: RECEIVED.to_owned(),
            reason: format!(
                "expected a byte with one descriptor, got {} descriptor; send it with send_region, or socket.send_fds in \
                 Python",
                if region.is_some() { "more than one" } else { "no" }
            ),
        }),
    }
}

/// Descriptors that a message may bring: enough to tell that there are too many. The kernel closes the others.
const MOST: usize = 2;

/// One byte, and descriptors beside it.
fn send(socket: BorrowedFd<'_>, regions: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut room = vec![MaybeUninit::uninit(); SendAncillaryMessage::ScmRights(regions).size()];
    let mut beside = SendAncillaryBuffer::new(&mut room);
    assert!(beside.push(SendAncillaryMessage::ScmRights(regions)), "as much room as it takes");
    let sent = retry_on_intr(|| sendmsg(socket, &[IoSlice::new(b"Q")], &mut beside, SendFlags::NOSIGNAL))?;
    if sent == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(()) }
}

/// One byte at most, and the descriptors that come with it.
fn receive(socket: BorrowedFd<'_>) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut byte = [0];
    let mut room = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut beside = RecvAncillaryBuffer::new(&mut room);
    let message = retry_on_intr(|| {
        recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut beside, RecvFlags::CMSG_CLOEXEC)
    })?;
    let received = beside.drain().filter_map(|each| match each {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok((message.bytes, received.flatten().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    /// What receiving comes to after `send`, and that no descriptor of the pipe that it sends stays open.
    fn received(send: impl FnOnce(&UnixStream, BorrowedFd<'_>)) -> QADataSwapError {
        let (here, there) = UnixStream::pair().unwrap();
        let (mut end, sent) = io::pipe().unwrap();
        send(&here, sent.as_fd());
        drop(sent);
        let error = receive_region(&there).expect_err("this is no region");
        // Ends only when the other end of the pipe is closed everywhere.
        assert_eq!(end.read(&mut [0]).unwrap(), 0);
        error
    }

    #[test]
    fn whatever_is_not_one_region_is_refused_and_closed() {
        for count in [1, 2, 5] {
            let error = received(|socket, fd| send(socket.as_fd(), &vec![fd; count]).unwrap());
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{count} descriptors: {error}");
        }
        let error = received(|mut socket, _| socket.write_all(b"Q").unwrap());
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "no descriptor: {error}");
        let error = received(|socket, _| socket.shutdown(std::net::Shutdown::Write).unwrap());
        assert_eq!(error.kind(), ErrorKind::Io, "closed: {error}");
    }

    #[test]
    fn what_is_no_region_is_not_sent() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let error = send_region(&here, &here).expect_err("a socket is no region");
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        drop(here);
        assert_eq!(there.read(&mut [0]).unwrap(), 0, "nothing was sent");
        let region = unnamed::create(&crate::name::RingName::new("r").unwrap()).unwrap();
        unnamed::seal(&region).unwrap();
        let error = send_region(&there, &region).expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::Io);
    }
}
