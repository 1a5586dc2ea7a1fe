//! The ring protocol under the loom model checker: the product's own source files, compiled against atomics
//! whose every interleaving and every permitted stale value is tried.
//!
//! `cargo test -p qadataswap-loom` checks the models (`LOOM_MAX_PREEMPTIONS`, 2 unless given, bounds the search),
//! then weakens every ordering and fence that `sync.rs` names, one at a time, and demands that some model
//! fails. A name whose weakening nothing notices would be a name too many. `make test-model` searches deeper
//! (`PREEMPTIONS=3` unless given) and says how many executions that took.

// The files are the product's; what only the rest of the product uses looks unused here.
#![allow(dead_code, unreachable_pub)]
#![cfg(test)]

mod atomic;
mod checker;
mod futex;
mod models;
mod weakened;
mod world;

#[path = "../../../rust/qadataswap/src/layout.rs"]
mod layout;
#[path = "../../../rust/qadataswap/src/observer.rs"]
mod observer;
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
