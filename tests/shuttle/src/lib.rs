//! The ring protocol under random schedules: the product's own source files, run by up to seven actors that die at any
//! step, under the shuttle scheduler.
//!
//! What loom does for two or three threads completely, this does for a whole ring by chance: it knows only sequentially
//! consistent interleavings, so it finds errors of logic among many actors, and none of memory order.
//! `cargo test -p qadataswap-shuttle` runs `QADATASWAP_SCHEDULES` of them (40,000 unless given) and then, in
//! `tests/mutants.rs`, breaks the same source lines one at a time and demands that each break is found within as many.
//!
//! A failing schedule is printed, with how to run it again.

// The files are the product's; what only the rest of the product uses looks unused here.
#![allow(dead_code, unreachable_pub)]
#![cfg(test)]

mod actors;
mod atomic;
mod cell;
mod checker;
mod dice;
mod draw;
mod futex;
mod process;
mod scenes;
mod schedules;
mod stage;

#[path = "../../loom/src/world.rs"]
mod world;

#[path = "../../../rust/qadataswap/src/layout.rs"]
mod layout;
#[path = "../../../rust/qadataswap/src/publisher.rs"]
mod publisher;
#[path = "../../../rust/qadataswap/src/ring.rs"]
mod ring;
#[path = "../../../rust/qadataswap/src/subscriber.rs"]
mod subscriber;
#[path = "../../../rust/qadataswap/src/sync.rs"]
mod sync;
#[path = "../../../rust/qadataswap/src/wait.rs"]
mod wait;
