//! The built `qads`, run as a user runs it: in processes of its own, on rings in a folder of its own.

mod demo;
mod doctor;
mod exits;
mod folder;
mod look;
mod metrics;
mod record;
mod replay;
mod signals;
mod terminal;
mod top;
