//! Rings without a name, by the numbers of their descriptors.

use crate::bridge::{ReaderOptions, WriterOptions};
use crate::handles::{Reader, Shared, Writer, boxed};
use crate::options;
use crate::status::{attempt, invalid, status};
use qadataswap::Result;
use std::os::fd::{BorrowedFd, IntoRawFd};

/// A descriptor of the caller's, for the length of a call.
fn borrowed<'a>(fd: i32) -> Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(invalid("", format!("{fd} is no descriptor")));
    }
    // SAFETY: it is not -1, and the caller keeps it open for the length of the call. Whoever does not gets the kernel's
    // answer, or what another descriptor of that number is: either is looked at like anything foreign.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

pub(crate) fn open_writer_fd(fd: i32, options: &WriterOptions<'_>) -> *mut Writer {
    boxed(attempt(|| {
        let writer = qadataswap::Writer::from_fd(borrowed(fd)?, options::writer(options)?)?;
        Ok(Writer(Shared::new(writer)))
    }))
}

pub(crate) fn open_reader_fd(fd: i32, options: &ReaderOptions<'_>) -> *mut Reader {
    boxed(attempt(|| Ok(Reader(qadataswap::Reader::from_fd(borrowed(fd)?, options::reader(options)?)?))))
}

impl Writer {
    pub(crate) fn writer_fd(&self, fd: &mut i32) -> i32 {
        status(|| {
            let _alone = self.0.lock();
            *fd = self.0.region_fd()?;
            Ok(())
        })
    }
}

impl Reader {
    pub(crate) fn reader_fd(&self, fd: &mut i32) -> i32 {
        status(|| {
            *fd = self.0.region_fd()?;
            Ok(())
        })
    }
}

pub(crate) fn send_region(socket: i32, fd: i32) -> i32 {
    status(|| qadataswap::send_region(borrowed(socket)?, borrowed(fd)?))
}

pub(crate) fn receive_region(socket: i32, fd: &mut i32) -> i32 {
    status(|| {
        *fd = qadataswap::receive_region(borrowed(socket)?)?.into_raw_fd();
        Ok(())
    })
}
