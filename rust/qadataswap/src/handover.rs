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

#![allow(unsafe_code)]

use crate::config::SharedMemoryConfig;
use crate::error::{QADataSwapError, Result};
use crate::reader::Reader;
use crate::writer::Writer;
use crate::{attach, create, unnamed};
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

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

/// Room for that many descriptors and some more, aligned as the kernel's structs are.
#[repr(C, align(16))]
struct Room([u8; 64]);

const _: () = {
    // SAFETY: computes a length.
    let needed = unsafe { libc::CMSG_SPACE((MOST * size_of::<c_int>()) as u32) } as usize;
    assert!(needed <= size_of::<Room>() && align_of::<Room>() >= align_of::<libc::cmsghdr>());
};

/// A message of one byte, with `room` for what goes beside it. Points to all three.
fn message(part: &mut libc::iovec, room: &mut Room, length: usize) -> libc::msghdr {
    // SAFETY: integers and pointers, for which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = room.0.as_mut_ptr().cast();
    message.msg_controllen = length as _;
    message
}

/// One byte, and descriptors beside it.
fn send(socket: BorrowedFd<'_>, regions: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut byte = b'Q';
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut room = Room([0; 64]);
    // SAFETY: computes lengths.
    let (length, space) = unsafe {
        let size = size_of_val(regions) as u32;
        (libc::CMSG_LEN(size) as usize, libc::CMSG_SPACE(size) as usize)
    };
    assert!(!regions.is_empty() && space <= size_of::<Room>());
    let message = message(&mut part, &mut room, space);
    // SAFETY: the room is as long as the message says (just asserted), zeroed, aligned for the header, and lives until the end.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = length as _;
        let data = libc::CMSG_DATA(header).cast::<c_int>();
        for (each, region) in regions.iter().enumerate() {
            data.add(each).write_unaligned(region.as_raw_fd());
        }
    }
    loop {
        // SAFETY: everything that the message points to lives, and is as long as it says.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
        match sent {
            1.. => return Ok(()),
            0 => return Err(io::ErrorKind::WriteZero.into()),
            _ => interrupted(io::Error::last_os_error())?,
        }
    }
}

/// One byte at most, and the descriptors that come with it.
fn receive(socket: BorrowedFd<'_>) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut byte = 0_u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut room = Room([0; 64]);
    // SAFETY: computes a length.
    let space = unsafe { libc::CMSG_SPACE((MOST * size_of::<c_int>()) as u32) } as usize;
    let mut message = message(&mut part, &mut room, space);
    let bytes = loop {
        // SAFETY: everything that the message points to lives, can be written, and is as long as it says.
        let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) };
        match usize::try_from(got) {
            Ok(bytes) => break bytes,
            Err(_) => interrupted(io::Error::last_os_error())?,
        }
    };
    let mut received = Vec::new();
    // SAFETY: the kernel has filled the room with headers and what belongs to them, and says how far; the macros stay
    // within that. A descriptor that came so is this process's, and nobody else here knows of it.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&message);
        while let Some(found) = header.as_ref() {
            if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let data = libc::CMSG_DATA(header).cast::<c_int>();
                #[allow(clippy::unnecessary_cast, reason = "of another width in another C library")]
                let length = (found.cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                for each in 0..length / size_of::<c_int>() {
                    received.push(OwnedFd::from_raw_fd(data.add(each).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(&message, header);
        }
    }
    Ok((bytes, received))
}

/// A call that a signal has interrupted is made again.
fn interrupted(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
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
