//! What an actor can be asked to do, and what it says about it. Both cross as one line of JSON.

use crate::scene::Ring;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A part for a process of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Role {
    /// Writes the stream `seed` from the ring's next frame on, up to frame `until`, or until it is told to
    /// close; then closes, or with `stay` waits to be killed.
    Write {
        /// The ring.
        ring: Ring,
        /// Seed of its frames.
        seed: u64,
        /// One more than the last frame's sequence.
        until: Option<u64>,
        /// Does not close.
        stay: bool,
        /// Waits to be told a line before the first frame.
        wait: bool,
    },
    /// Reads the stream `seed` to its end (a ring that closes), checks every frame, and holds the last `hold` of them.
    Follow {
        /// The ring.
        ring: Ring,
        /// Seed of its frames.
        seed: u64,
        /// Frames to hold.
        hold: usize,
        /// Goes on after the writer's death.
        survive: bool,
    },
    /// Attaches, and reads so many frames of the [even](crate::frames::even) stream of so many rows, checks each, and how
    /// many were missed between it and the one before.
    Observe {
        /// The ring.
        ring: Ring,
        /// Rows of a frame.
        rows: usize,
        /// Frames to be read.
        frames: u64,
    },
    /// Waits on all of the rings at once, reads the stream `seed` from each to its end or its writer's death, and checks
    /// every frame.
    Select {
        /// The rings.
        rings: Vec<Ring>,
        /// Seed of their frames.
        seed: u64,
    },
    /// Attaches, reads without pause to whatever end, says by which error, and attaches again when told a line.
    Hover {
        /// The ring.
        ring: Ring,
    },
    /// Reads every table of one ring and writes it to another, in its chunks.
    Echo {
        /// Where from.
        from: Ring,
        /// Where to.
        to: Ring,
    },
    /// Writes the stream `seed` up to frame `until`, built where it is published, once it is told a line; then says
    /// how many bytes were written and how many of them in place. Played in C++ only.
    Build {
        /// The ring.
        ring: Ring,
        /// Seed of its frames.
        seed: u64,
        /// One more than the last frame's sequence.
        until: u64,
    },
    /// Reads the ring to its end and demands that its tables equal those of a file, in place; then lets go of the
    /// ring, says so, and at the end of its input demands it again of the last table, which it has kept.
    Compare {
        /// The ring.
        ring: Ring,
        /// Arrow IPC streams, one after the other, each of them a table.
        file: PathBuf,
    },
    /// Writes the tables of a file, as of [`Role::Compare`], once it is told a line; then closes. Not played in Rust.
    Emit {
        /// The ring.
        ring: Ring,
        /// The file.
        file: PathBuf,
    },
    /// Sends the whole numbers below `rows` in the column `n`, in chunks of `chunk` rows, as a stream of that many rows;
    /// with `fail` half of them, and breaks it off for the reason "on purpose".
    Send {
        /// The ring.
        ring: Ring,
        /// Rows in all.
        rows: u64,
        /// Rows of a chunk.
        chunk: u64,
        /// Breaks off half-way.
        fail: bool,
    },
    /// Takes such a stream to its end, checks every number, and says as facts how many `rows` there were, the `total`
    /// that was announced, and whether it was `aborted` for the reason that is expected (0 or 1).
    Take {
        /// The ring.
        ring: Ring,
    },
    /// Attaches `count` readers, each of which reads and checks one frame.
    Crowd {
        /// The ring.
        ring: Ring,
        /// Seed of its frames.
        seed: u64,
        /// Readers.
        count: usize,
    },
    /// Attaches, says whether it was let in, reads and checks one frame.
    Visit {
        /// The ring.
        ring: Ring,
        /// Seed of its frames.
        seed: u64,
    },
    /// Creates the ring under this umask and reports the file's mode.
    Umask {
        /// The ring.
        ring: Ring,
        /// The umask.
        umask: u32,
    },
    /// Gives up root for `uid` without starting a new program, then creates the ring, writes and reads.
    Demote {
        /// The ring.
        ring: Ring,
        /// The user.
        uid: u32,
    },
    /// Creates, fills and reads a ring in a folder that has too little room.
    Cramp {
        /// The ring; its folder is the small one.
        ring: Ring,
    },
    /// Goes on with a ring three of whose four slots have memory, in a folder that has no more; with `relief`
    /// it gets more after a while.
    Starve {
        /// The ring; its folder is the small one.
        ring: Ring,
        /// Room is made after the first error.
        relief: bool,
    },
    /// Does all that can be done with whatever lies under the ring's name; errors are fine, a crash is not.
    Probe {
        /// The ring.
        ring: Ring,
    },
    /// Writes frames, alters their bytes in the slot, and reads them, so many times.
    Mutate {
        /// The ring.
        ring: Ring,
        /// What to alter.
        seed: u64,
        /// How often.
        rounds: u64,
    },
    /// Forks with a writer, a reader and a frame in hand, and tries them in the child.
    Fork {
        /// The ring.
        ring: Ring,
    },
    /// Awaits a frame, forks, and awaits one in the child and in the parent.
    ForkAwaiting {
        /// The ring.
        ring: Ring,
    },
    /// Writes three frames, forks, and waits to be killed; the child lives until the actor's input ends.
    ForkAndStay {
        /// The ring.
        ring: Ring,
        /// Seed of its frames.
        seed: u64,
    },
    /// As [`Role::ForkAndStay`], with a child that runs another program.
    SpawnAndStay {
        /// The ring.
        ring: Ring,
        /// Seed of its frames.
        seed: u64,
    },
    /// Records the ring into a folder to its end (a ring that closes), in files of so many bytes; then says how many
    /// frames it has recorded, and how many it knows to be missing.
    Record {
        /// The ring.
        ring: Ring,
        /// The recording.
        folder: PathBuf,
        /// Bytes of a file.
        rotate: u64,
    },
    /// Reads the stream `seed` from frame `from` on in the recording, and into the ring, where it reads `live` frames
    /// or to the end; checks every frame, and says what it has had, having said how often frames were said to be
    /// missing between the two.
    Rejoin {
        /// The ring.
        ring: Ring,
        /// The recording.
        folder: PathBuf,
        /// Seed of its frames.
        seed: u64,
        /// The frame to start at.
        from: u64,
        /// Frames to be read in the ring.
        live: u64,
    },
    /// Records into a folder that has too little room, and goes on when there is more.
    RecordInLittleRoom {
        /// The ring; its folder is not the small one.
        ring: Ring,
        /// The small one.
        folder: PathBuf,
    },
    /// Writes small frames of changing schemas until its input ends, by one writer after the other; then says up to where.
    Lap {
        /// The ring.
        ring: Ring,
    },
    /// Reads the frames of [`Role::Lap`] up to the one that it is told by a line, while other readers, recorders and
    /// streams come and go; then says as a fact how many it has `read`.
    Lapped {
        /// The ring.
        ring: Ring,
        /// Where recordings are made, which are removed again.
        folder: PathBuf,
    },
    /// Waits until its input ends.
    Idle,
    /// Opens, uses and drops rings, then compares what the process holds open with what it held before.
    Tidy {
        /// The ring.
        ring: Ring,
    },
}

/// What an actor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// The ring is open; this frame comes next. Opening took this long.
    Open {
        /// The next frame's sequence.
        next: u64,
        /// Milliseconds.
        millis: u64,
    },
    /// The ring could not be opened.
    Refused {
        /// Name of the error's kind.
        kind: String,
        /// The error.
        message: String,
    },
    /// Frames up to this one are written, and the actor stays.
    Wrote {
        /// The next frame's sequence.
        next: u64,
    },
    /// The writer is dead; everything before this frame has been read and was right.
    Orphaned {
        /// The next frame's sequence.
        next: u64,
    },
    /// The stream has ended.
    Ended(Tally),
    /// A number worth knowing.
    Fact(String, u64),
    /// Something is wrong.
    Fault(String),
    /// All done.
    Done,
}

/// What a reader has had of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Frames read.
    pub read: u64,
    /// Frames missed.
    pub missed: u64,
    /// Sequence of the first frame read.
    pub first: Option<u64>,
    /// Sequence of the last frame read.
    pub last: Option<u64>,
}
