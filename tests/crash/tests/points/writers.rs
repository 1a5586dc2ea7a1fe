//! What writers do when they die.

use crate::act::{Act, Deed};
use crate::frames::table;
use crate::judge::{self, CHUNKS, REASON, larger};
use crate::readers::read_through;
use crate::scene::{Full, Owed, Ring};
use crate::stage::{Cast, Follower, SEED, SLOTS, Stage, mortal_config, numbers, write_until};
use arrow_array::{Array, UInt64Array};
use qadataswap_mortal::{Reader, SharedDataStream, Writer, inspect};
use std::mem::forget;

/// An orphaned ring of so many frames, and a lossless reader that has read them.
fn followed(stage: &Stage, frames: u64) -> Cast {
    let mut cast = orphaned(stage, frames);
    let mut follower = Follower::of(&stage.ring).expect("an orphan can be read");
    follower.due = Some(frames.saturating_sub(SLOTS));
    follower.read_until(frames).expect("they are there");
    cast.followers.push(follower);
    cast
}

/// As [`followed`], with a reader that holds the last of the frames.
fn held(stage: &Stage, frames: u64) -> Cast {
    let mut cast = orphaned(stage, frames);
    let reader = stage.ring.reader().expect("an orphan can be read");
    let mut last = None;
    while let Ok(Some(frame)) = reader.try_read_frame() {
        last = Some(frame);
    }
    cast.held.extend(last);
    cast.followers.push(Follower { reader, lossless: true, due: Some(frames) });
    cast
}

fn orphaned(stage: &Stage, frames: u64) -> Cast {
    stage.former_writer(frames);
    Cast { written: frames, ..Cast::default() }
}

/// The victim takes the ring over, and writes a frame.
pub(crate) fn publish(stage: &Stage, arm: &dyn Fn()) {
    let Ok(writer) = Writer::new(stage.mortal()) else { return };
    let next = writer.stats().frames_published;
    arm();
    // Refused, by a ring that is full, it leaves the ring as it was.
    let _ = writer.write_arrow(&table(SEED, next));
    forget(writer);
}

fn take_over(stage: &Stage, arm: &dyn Fn()) {
    arm();
    forget(Writer::new(stage.mortal()));
}

fn send(stage: &Stage, arm: &dyn Fn(), end: impl FnOnce(&SharedDataStream)) {
    arm();
    let rows = (0..CHUNKS).map(|chunk| table(SEED, chunk).num_rows() as u64).sum();
    let stream = SharedDataStream::create_writer_of(stage.mortal(), rows).expect("created");
    for chunk in 0..CHUNKS {
        stream.write_chunk(&table(SEED, chunk)).expect("written");
    }
    end(&stream);
    forget(stream);
}

/// A frame that is built in its slot: the columns of numbers of the next table, of which `unused` rows more were lent.
fn commit(stage: &Stage, arm: &dyn Fn(), unused: usize) {
    let writer = Writer::new(stage.mortal()).expect("taken over");
    let next = writer.stats().frames_published;
    let batch = numbers(next, 20);
    arm();
    let mut loan = writer.loan(batch.schema_ref(), batch.num_rows() + unused).expect("there is a slot");
    for column in 0..batch.num_columns() {
        let values: &UInt64Array = batch.column(column).as_any().downcast_ref().expect("numbers");
        loan.column::<u64>(column).expect("lent")[..values.len()].copy_from_slice(values.values());
    }
    loan.commit(batch.num_rows()).expect("published");
    forget(writer);
}

/// A stream of one chunk so far.
pub(crate) fn sent_in_part(stage: &Stage) -> impl Fn(&dyn Fn()) + '_ {
    |_| {
        let stream = SharedDataStream::create_writer(stage.mortal()).expect("created");
        stream.write_chunk(&table(SEED, 0)).expect("written");
        forget(stream);
    }
}

/// Dies at some point of a publication that lets an old frame go, after the ring was read.
pub(crate) fn died_publishing(stage: &Stage, frames: u64) -> Cast {
    let cast = followed(stage, frames);
    let deadly = 1 + stage.below(60);
    stage.dies(deadly, &|arm| publish(stage, arm));
    cast
}

fn replace(stage: &Stage, arm: &dyn Fn()) {
    arm();
    forget(Writer::new(mortal_config(&larger(&stage.ring))));
}

fn full(stage: &Stage, full: Full) -> Ring {
    stage.ring.clone().full(full)
}

pub(crate) fn acts() -> Vec<Act> {
    let next: &[Deed] = &[take_over, publish, read_through];
    let writer =
        |name, set: fn(&Stage) -> Cast, play: Deed| Act::new(name, set, play, judge::writer).then(next);
    let nobody = |_: &Stage| Cast::default();
    vec![
        writer("create", nobody, take_over),
        writer("create and publish", nobody, |stage, arm| {
            arm();
            let writer = Writer::new(stage.mortal()).expect("created");
            write_until(&writer, 1);
            forget(writer);
        }),
        writer("publish to nobody", |stage| orphaned(stage, 1), publish),
        writer("publish", |stage| followed(stage, 1), publish),
        writer("publish what has been read", |stage| followed(stage, SLOTS), publish),
        writer("publish round the ring", |stage| followed(stage, 2 * SLOTS + 1), publish),
        writer("publish beside a held frame", |stage| held(stage, SLOTS + 1), publish),
        writer(
            "publish a larger frame",
            |stage| followed(stage, SLOTS),
            |stage, arm| {
                let writer = Writer::new(stage.mortal()).expect("taken over");
                let next = writer.stats().frames_published;
                write_until(&writer, next + 1);
                arm();
                // More than any slot has memory for.
                writer.write_arrow(&numbers(next + 1, 4_000)).expect("written");
                forget(writer);
            },
        ),
        writer(
            "be refused by a ring that is held",
            |stage| {
                let mut cast = orphaned(stage, SLOTS);
                let mut holder = Follower::of(&stage.ring).expect("an orphan can be read");
                for _ in 0..SLOTS {
                    cast.held.extend(holder.reader.try_read_frame().expect("it is there"));
                }
                holder.due = Some(SLOTS);
                cast.followers.push(holder);
                cast
            },
            |stage, arm| {
                let writer = Writer::new(mortal_config(&full(stage, Full::Fail))).expect("taken over");
                arm();
                assert_eq!(writer.try_write_arrow(&table(SEED, SLOTS)).expect("no error"), None);
                forget(writer);
            },
        ),
        writer(
            "overwrite",
            |stage| {
                let mut cast = orphaned(stage, SLOTS);
                let mut reader = Follower::of(&stage.ring.clone().policy(Owed::Lossy)).expect("read");
                reader.due = Some(0);
                cast.followers.push(reader);
                cast
            },
            |stage, arm| {
                let writer = Writer::new(mortal_config(&full(stage, Full::Overwrite))).expect("taken over");
                arm();
                write_until(&writer, SLOTS + 2);
                forget(writer);
            },
        ),
        writer("commit a loan", |stage| followed(stage, SLOTS), |stage, arm| commit(stage, arm, 0)),
        writer("commit a part of a loan", |stage| followed(stage, SLOTS), |stage, arm| commit(stage, arm, 9)),
        writer(
            "give a loan back",
            |stage| followed(stage, SLOTS),
            |stage, arm| {
                let writer = Writer::new(stage.mortal()).expect("taken over");
                arm();
                drop(writer.loan(numbers(0, 20).schema_ref(), 8).expect("there is a slot"));
                forget(writer);
            },
        ),
        writer(
            "publish to a sleeper",
            |stage| followed(stage, SLOTS),
            |stage, arm| {
                let writer = Writer::new(stage.mortal()).expect("taken over");
                let next = writer.stats().frames_published;
                // The others sleep by now, or do soon.
                std::thread::sleep(std::time::Duration::from_millis(3));
                arm();
                write_until(&writer, next + 1);
                forget(writer);
            },
        )
        .meanwhile(|_, cast, victim| {
            for follower in &mut cast.followers {
                follower.wait_for(victim)?;
            }
            Ok(())
        }),
        writer(
            "wait for space",
            |stage| {
                let mut cast = orphaned(stage, SLOTS);
                let mut unread = Follower::of(&stage.ring).expect("an orphan can be read");
                unread.due = Some(0);
                cast.followers.push(unread);
                cast
            },
            publish,
        )
        .meanwhile(|stage, cast, victim| {
            while !victim.is_dead() {
                let info = stage.scene.info(&stage.ring.name);
                if info.is_ok_and(|info| info.waiting.is_some()) {
                    return cast.followers[0].glance();
                }
            }
            Ok(())
        }),
        writer(
            "free the place of the dead for space",
            |stage| followed(stage, SLOTS),
            |stage, arm| {
                let writer = Writer::new(stage.mortal()).expect("taken over");
                let next = writer.stats().frames_published;
                // It has read one frame, which it holds, and the others stand in the way.
                stage.dies(0, &|_| {
                    let reader = Reader::new(stage.mortal()).expect("attached");
                    forget(reader.read_frame(0));
                    forget(reader);
                });
                arm();
                write_until(&writer, next + 2);
                forget(writer);
            },
        ),
        Act::new(
            "send a stream",
            nobody,
            |stage, arm| {
                send(stage, arm, |stream| stream.close().expect("whole"));
            },
            judge::stream,
        ),
        Act::new(
            "break a stream off",
            nobody,
            |stage, arm| {
                send(stage, arm, |stream| stream.abort(REASON).expect("not closed"));
            },
            judge::stream,
        ),
        writer(
            "close before a reader",
            |stage| followed(stage, SLOTS),
            |stage, arm| {
                let writer = Writer::new(stage.mortal()).expect("taken over");
                arm();
                writer.close().expect("no loan is out");
                forget(writer);
            },
        ),
        writer("close with everything read", nobody, |stage, arm| {
            let writer = Writer::new(stage.mortal()).expect("created");
            write_until(&writer, SLOTS);
            let reader = Reader::new(stage.mortal()).expect("attached");
            while let Ok(Some(_)) = reader.read_frame(0) {}
            drop(reader);
            arm();
            writer.close().expect("no loan is out");
            forget(writer);
        }),
        writer("take over from one that died publishing", |stage| died_publishing(stage, SLOTS), take_over),
        writer(
            "take over with dead readers",
            |stage| {
                let cast = followed(stage, SLOTS);
                for _ in 0..2 {
                    stage.dies(0, &|_| forget(Reader::new(stage.mortal())));
                }
                cast
            },
            take_over,
        ),
        writer(
            "take over from a stream",
            |stage| {
                stage.dies(0, &sent_in_part(stage));
                Cast { written: 1, ..Cast::default() }
            },
            take_over,
        ),
        Act::new("replace", |stage| followed(stage, SLOTS), replace, judge::replaced).then(&[replace]),
        Act::new(
            "replace where another died replacing",
            |stage| {
                let cast = followed(stage, SLOTS);
                let deadly = 1 + stage.below(40);
                stage.dies(deadly, &|arm| replace(stage, arm));
                cast
            },
            replace,
            judge::replaced,
        )
        .then(&[replace]),
        Act::new(
            "clear away",
            |stage| {
                stage.former_writer(2);
                // Staged, of another that died replacing it.
                let staged = stage.scene.folder().join(".qads_feed.1");
                std::fs::copy(stage.ring.path(), staged).expect("there is room");
                Cast::default()
            },
            |stage, arm| {
                arm();
                let _ = inspect::gc(stage.scene.folder(), false);
            },
            judge::cleared,
        ),
    ]
}
