//! One file for each way.

pub(crate) mod flight;
pub(crate) mod floor;
pub(crate) mod iceoryx;
pub(crate) mod mapping;
pub(crate) mod message;
pub(crate) mod ring;
pub(crate) mod socket;
pub(crate) mod zeromq;
