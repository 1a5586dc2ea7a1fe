//! What has to be after a death.

use crate::deadline::PROMPT;
use crate::frames::table;
use crate::scene::Ring;
use crate::stage::{Cast, Fault, Follower, SEED, SLOTS, Stage, Verdict, demand, heir, stuck, whole};
use qadataswap::{ErrorKind, SharedDataStream};

/// Frames that are written after a death: every slot is used again, and more.
const AFTER: u64 = SLOTS + 1;

/// Chunks of a stream.
pub(crate) const CHUNKS: u64 = 3;

/// Why it is broken off, if it is.
pub(crate) const REASON: &str = "on purpose, and for a reason of some length";

/// Nothing is left.
fn is_empty(stage: &Stage) -> Verdict {
    let left = stage.scene.files();
    demand!(left.is_empty(), Left, "files: {left:?}");
    Ok(())
}

/// No dead reader has a place once another has come, nor does it hold anything.
fn nobody_dead(stage: &Stage) -> Verdict {
    let info = stage.scene.info(&stage.ring.name).map_err(stuck)?;
    let dead = info.readers.iter().find(|reader| !reader.alive);
    demand!(dead.is_none(), Left, "a dead reader's place: {dead:?}");
    Ok(())
}

/// The frames that a dead writer has left whole, by the words of the directory: those that are published, and those that
/// it was asking for.
fn whole_frames(stage: &Stage) -> Vec<u64> {
    let ring = &stage.ring;
    let Ok(region) = std::fs::read(ring.path()) else { return Vec::new() };
    let layout = qadataswap::describe_layout(ring.slots as u32, ring.max_readers as u32, ring.slot_bytes);
    let layout = layout.expect("in range");
    let part = |name: &str| layout.iter().find(|field| field.name == name).expect("a part");
    let (entries, stamp) = (part("Entry × buffer_count"), part("Entry.stamp").offset as usize);
    let entries = &region[entries.offset as usize..(entries.offset + entries.size) as usize];
    let size = entries.len() / ring.slots;
    let words = entries
        .chunks_exact(size)
        .map(|entry| u64::from_ne_bytes(entry[stamp..stamp + 8].try_into().expect("eight bytes")));
    // The low two bits: 1 published, 2 asked for; above them the number, plus one.
    let mut whole: Vec<u64> =
        words.filter(|word| matches!(word & 3, 1 | 2)).map(|word| (word >> 2) - 1).collect();
    whole.sort_unstable();
    whole
}

/// A writer has died: its readers have read what there is and are told, and an heir goes on.
pub(crate) fn writer(stage: &Stage, mut cast: Cast) -> Verdict {
    let whole = whole_frames(stage);
    for follower in &mut cast.followers {
        follower.drain()?;
    }
    if cast.held.len() as u64 == SLOTS {
        // There would be no slot for anybody.
        release(&mut cast)?;
    }
    let heir = heir(&stage.ring)?;
    let info = stage.scene.info(&stage.ring.name).map_err(stuck)?;
    let standing: Vec<u64> = info.standing.iter().map(|frame| frame.sequence).collect();
    // Also those that the dead writer was asking for; unless all was read, and the ring is a new one.
    demand!(standing == whole || standing.is_empty(), Torn, "of frames {whole:?} only {standing:?} stand");
    demand!(!standing.is_empty() || whole.is_empty() || info.generation == 1, Torn, "{whole:?} are gone");
    let next = heir.stats().frames_published;
    demand!(next >= cast.written, Torn, "the heir goes on from {next} after {}", cast.written);
    for follower in cast.followers.iter().filter(|follower| follower.lossless) {
        let due = follower.due;
        demand!(due.is_none_or(|due| due == next), Torn, "read up to {due:?}, the heir goes on from {next}");
    }
    cast.writer = Some(heir);
    cast.written = next;
    goes_on(stage, cast)
}

/// What is held throughout is as it was, and is let go of.
fn release(cast: &mut Cast) -> Verdict {
    cast.held.drain(..).try_for_each(|frame| whole(&frame))
}

/// There is a writer: it writes more frames than there are slots, all of them are read, and at the end nothing is left.
fn goes_on(stage: &Stage, mut cast: Cast) -> Verdict {
    let mut lossless = stage.ring.clone();
    lossless.policy = crate::scene::Owed::Lossless;
    if cast.followers.is_empty() {
        let mut follower = Follower::of(&lossless)?;
        // What nobody has read is there still, or all of it is gone.
        while let Some(frame) = follower.reader.try_read_frame().map_err(stuck)? {
            follower.take(&frame)?;
        }
        let due = *follower.due.get_or_insert(cast.written);
        demand!(due == cast.written, Torn, "read up to {due} of {}", cast.written);
        cast.followers.push(follower);
    }
    let until = cast.written + AFTER;
    while cast.written < until {
        cast.write()?;
        for follower in &mut cast.followers {
            follower.read_until(cast.written)?;
        }
    }
    // Whoever joins frees the places of the dead.
    let mut late = Follower::of(&lossless)?;
    nobody_dead(stage)?;
    late.read_until(cast.written)?;
    release(&mut cast)?;
    let info = stage.scene.info(&stage.ring.name).map_err(stuck)?;
    let pins: u32 = info.readers.iter().map(|reader| reader.pins).sum();
    demand!(pins == 0, Left, "{pins} pins");
    let writer = cast.writer.take().expect("there is one");
    writer.close().map_err(stuck)?;
    cast.followers.push(late);
    for follower in &mut cast.followers {
        let end = follower.drain()?;
        demand!(end == ErrorKind::EndOfStream, Torn, "{end:?} instead of the end");
    }
    drop((cast, writer));
    is_empty(stage)
}

/// A reader has died: the writer goes on as if it had not been.
pub(crate) fn reader(stage: &Stage, mut cast: Cast) -> Verdict {
    for follower in &mut cast.followers {
        follower.read_until(cast.written)?;
    }
    goes_on(stage, cast)
}

/// A stream's writer has died: whoever is told that the stream has ended has had all of it, and whoever is told that it
/// was broken off is told why.
pub(crate) fn stream(stage: &Stage, cast: Cast) -> Verdict {
    if stage.scene.files().is_empty() {
        return writer(stage, cast);
    }
    let taken = SharedDataStream::create_reader(stage.ring.config()).map_err(stuck)?;
    let mut chunks = 0;
    let end = loop {
        match taken.read_chunk(PROMPT) {
            Ok(Some(chunk)) => {
                demand!(chunk == table(SEED, chunks), Torn, "chunk {chunks} differs");
                chunks += 1;
            }
            Ok(None) => return Err(stuck("neither a chunk nor an end within a second")),
            Err(error) => break error,
        }
    };
    match end.kind() {
        ErrorKind::EndOfStream => demand!(chunks == CHUNKS, Torn, "it ended after {chunks} chunks"),
        ErrorKind::Aborted => {
            demand!(end.to_string().contains(REASON), Torn, "broken off for another reason: {end}");
        }
        ErrorKind::WriterDied => {}
        _ => return Err(Fault::Torn(format!("no end: {end}"))),
    }
    drop(taken);
    writer(stage, cast)
}

/// An abandoned ring was being cleared away.
pub(crate) fn cleared(stage: &Stage, cast: Cast) -> Verdict {
    drop(cast);
    stage.scene.gc();
    is_empty(stage)
}

/// Somebody has died who put a ring of more slots in the place of this one.
pub(crate) fn replaced(stage: &Stage, mut cast: Cast) -> Verdict {
    let other = larger(&stage.ring);
    for follower in &mut cast.followers {
        let end = follower.drain()?;
        let due = follower.due;
        let fits = matches!(end, ErrorKind::WriterDied | ErrorKind::Replaced) && due == Some(cast.written);
        demand!(fits, Torn, "{end:?} at {due:?} after {}", cast.written);
    }
    let heir = heir(&other)?;
    for follower in &mut cast.followers {
        let end = follower.drain()?;
        demand!(end == ErrorKind::Replaced, Torn, "{end:?} instead of Replaced");
    }
    cast.followers.clear();
    let mut late = Follower::of(&other)?;
    for sequence in 0..AFTER {
        heir.write_arrow(&table(SEED, sequence)).map_err(stuck)?;
        late.read_until(sequence + 1)?;
    }
    heir.close().map_err(stuck)?;
    late.drain()?;
    drop((late, heir));
    // Who was killed before the new region had the name has left it staged.
    stage.scene.gc();
    is_empty(stage)
}

/// A ring of more slots.
pub(crate) fn larger(ring: &Ring) -> Ring {
    ring.clone().slots(SLOTS as usize + 1)
}
