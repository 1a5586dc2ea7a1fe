//! What the cross-process tests share: a scene to play in, actors that are processes of their own, and frames
//! whose every value can be recomputed by whoever reads them.
//!
//! ```text
//! test ── Scene            a private folder of rings, empty again at the end or the test fails
//!   ├──── Actor ── stdin ──▶ qadataswap-actor   (or qadataswap-cpp-actor) a process that plays a Role; killed and waited for on drop
//!   │       ◀──── stdout ── Line per event
//!   ├──── Keeper         of rings without a name: hands them over a socket
//!   └──── table(seed, n)   frame n of a stream: equal in every process, different for every n
//! ```
//!
//! Law: nothing here waits without a deadline, and an actor that dies of anything but the SIGKILL it was sent
//! fails its test.

pub mod actor;
pub mod cpp;
pub mod crossing;
pub mod deadline;
pub mod echo;
pub mod frames;
pub mod keeper;
pub mod kills;
pub mod python;
pub mod role;
pub mod samples;
pub mod scene;

pub use actor::Actor;
pub use cpp::Cpp;
pub use deadline::{PATIENCE, PROMPT, eventually};
pub use frames::{check, in_place, table};
pub use python::Python;
pub use role::{Line, Role, Tally};
pub use scene::{Ring, Scene, note, skip};
