//! What the machine does to rings. Tests of this package fork: none has a harness, and they link nothing that is heavy.
//!
//! *System calls that fail*: what the ring makes of each error that the kernel may give it, call by call.
//!
//! ```text
//! test ── fork ──▶ a run: one act, in a thread whose system calls are judged by another one
//!   │                  act's thread ── call ──▶ seccomp ──▶ referee ── goes on, or fails with an errno
//!   │                  then: what is still open or mapped, what the act came to
//!   └──── afterwards: do the others go on, and can what is left be removed?
//! ```
//!
//! An [act](acts) is first run as it is, and its calls are listed; then it is run anew for each call of the list and each
//! error that [the table](calls) has for it, with that one call failing once, and again with that call and all later ones
//! of its name failing.
//!
//! Law: what is not in the table fails the test, so that no call slips in without somebody having asked how it fails.
//!
//! *A [crowd]*: as many reader processes as a ring admits, some of them killed.
//!
//! *[Containers](container)*: namespaces, users and limits that tests make for themselves.

pub mod acts;
pub mod calls;
pub mod container;
pub mod crowd;
pub mod referee;
pub mod run;
pub mod stage;
