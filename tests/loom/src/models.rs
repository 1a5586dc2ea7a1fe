//! The models: each a small scene in which one promise of the ring is at stake.

use crate::checker;
mod observers;

use crate::layout::{STATE_CLOSED, Stamp, row};
use crate::publisher::Publisher;
use crate::ring::{Pin, Policy};
use crate::subscriber::Next;
use crate::sync::Ordering;
use crate::wait;
use crate::world::World;
use loom::thread;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// How many preemptions are tried unless the environment says otherwise.
pub(crate) const PREEMPTIONS: usize = 2;

/// What a model says behind the number of its executions.
pub(crate) const EXECUTIONS: &str = " executions";

/// Tries every interleaving within the bound on preemptions, and says how many there were.
fn model(scene: impl Fn() + Sync + Send + 'static) {
    model_within(usize::MAX, scene);
}

/// As [`model`], with at most so many preemptions however many are asked for.
fn model_within(most: usize, scene: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(PREEMPTIONS).min(most));
    let executions = Arc::new(AtomicU64::new(0));
    let count = executions.clone();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        scene();
    });
    println!("{}{EXECUTIONS}", executions.load(Ordering::Relaxed));
}

/// Starts a thread in the scene.
fn spawn<T: 'static>(
    world: &checker::Arc<World>,
    act: impl FnOnce(&World) -> T + 'static,
) -> thread::JoinHandle<T> {
    let world = world.clone();
    thread::spawn(move || act(&world))
}

/// publish/observe, pin/reclaim: with a single slot, every frame is rewritten under a reader's nose.
#[test]
fn a_pinned_frame_is_never_rewritten() {
    model(|| {
        let world = World::new(1, 1);
        let mut subscriber = world.join(0, Policy::Lossy);
        let writer = spawn(&world, |world| {
            let mut publisher = Publisher::new(&world.ring());
            for _ in 0..2 {
                // A held slot may refuse a frame; that is the point.
                let _ = world.write(&mut publisher);
            }
        });
        let mut next = 0;
        for _ in 0..2 {
            if let Some((sequence, missed)) = world.read(&mut subscriber, 0) {
                assert_eq!(sequence, next + missed, "missed is exact");
                next = sequence + 1;
            }
        }
        writer.join().expect("the writer ends");
    });
}

/// Two slots: the writer goes round while a reader is between pin and check.
#[test]
fn a_lossy_reader_counts_what_it_missed() {
    model(|| {
        let world = World::new(2, 1);
        let mut subscriber = world.join(0, Policy::Lossy);
        let writer = spawn(&world, |world| {
            let mut publisher = Publisher::new(&world.ring());
            for _ in 0..3 {
                world.write(&mut publisher).expect("one reader holds one of two slots at most");
            }
        });
        let mut next = 0;
        while next < 3 {
            match world.read(&mut subscriber, 0) {
                Some((sequence, missed)) => {
                    assert_eq!(sequence, next + missed);
                    next = sequence + 1;
                }
                None => thread::yield_now(),
            }
        }
        writer.join().expect("the writer ends");
    });
}

/// Cursor and pin: the writer goes by the cursor and must not overlook the pin behind it.
#[test]
fn a_lossless_reader_gets_every_frame_whole() {
    model(|| {
        let world = World::new(1, 1);
        let mut subscriber = world.join(0, Policy::Lossless);
        let writer = spawn(&world, |world| {
            let mut publisher = Publisher::new(&world.ring());
            let mut written = 0;
            while written < 2 {
                match world.write(&mut publisher) {
                    Ok(()) => written += 1,
                    Err(_) => thread::yield_now(),
                }
            }
        });
        for expected in 0..2 {
            loop {
                match world.read(&mut subscriber, 0) {
                    Some(found) => break assert_eq!(found, (expected, 0)),
                    None => thread::yield_now(),
                }
            }
        }
        writer.join().expect("the writer ends");
    });
}

/// Broadcast: the slot is free when both have read.
#[test]
fn two_lossless_readers_both_get_every_frame() {
    model(|| {
        let world = World::new(1, 2);
        let mut mine = world.join(0, Policy::Lossless);
        let mut theirs = world.join(1, Policy::Lossless);
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        let other = spawn(&world, move |world| {
            assert_eq!(world.read(&mut theirs, 1), Some((0, 0)));
        });
        let writer = spawn(&world, move |world| {
            // Allowed only after both reads; refused otherwise, whatever was seen of either.
            let _ = world.write(&mut publisher);
        });
        assert_eq!(world.read(&mut mine, 0), Some((0, 0)));
        other.join().expect("the other reader ends");
        writer.join().expect("the writer ends");
    });
}

/// Several slots out at once: each has a vacant directory entry waiting for it.
#[test]
fn two_drafts_do_not_overwrite_a_frame_that_stands() {
    model(|| {
        let world = World::new(3, 1);
        let mut subscriber = world.join(0, Policy::Lossy);
        let mut publisher = Publisher::new(&world.ring());
        for _ in 0..3 {
            world.write(&mut publisher).expect("an empty ring has room");
        }
        // Frame 1 is held, so the slots of frames 0 and 2 are those that can be had.
        assert_eq!(world.read(&mut subscriber, 0), Some((0, 0)));
        let Next::Frame(held, 0) = subscriber.poll(&world.ring()) else { panic!("frame 1 stands") };
        let writer = spawn(&world, move |world| {
            let ring = world.ring();
            let first = publisher.acquire(&ring).expect("frame 0 may go");
            // Refused while the reader is looking at frame 2.
            let second = publisher.acquire(&ring);
            world.publish(&mut publisher, first);
            if let Ok(second) = second {
                world.publish(&mut publisher, second);
            }
            publisher
        });
        world.check(&held);
        let mut next = 2;
        while let Some((sequence, missed)) = world.read(&mut subscriber, 0) {
            assert_eq!(sequence, next + missed);
            next = sequence + 1;
        }
        world.check(&held);
        let mut publisher = writer.join().expect("the writer ends");
        world.ring().unpin(0, held.slot);
        let all: Vec<_> = (0..3).map(|_| publisher.acquire(&world.ring())).collect();
        assert!(all.iter().all(Result::is_ok), "a slot has been lost: {all:?}");
    });
}

/// A frame that another reader holds stands on while newer ones go: a newcomer must not start before the gap.
#[test]
fn a_lossless_reader_that_joins_starts_behind_the_last_gap() {
    model(|| {
        let world = World::new(4, 2);
        let mut holder = world.join(0, Policy::Lossy);
        let mut publisher = Publisher::new(&world.ring());
        for _ in 0..4 {
            world.write(&mut publisher).expect("an empty ring has room");
        }
        let Next::Frame(oldest, 0) = holder.poll(&world.ring()) else { panic!("frame 0 stands") };
        let Next::Frame(held, 0) = holder.poll(&world.ring()) else { panic!("frame 1 stands") };
        let writer = spawn(&world, move |world| {
            // Frame 0 gives up its entry, frame 2 its slot, frame 1 stays; unless the newcomer is there already.
            let _ = world.write(&mut publisher);
        });
        let mut newcomer = world.join(1, Policy::Lossless);
        let first = newcomer.next();
        writer.join().expect("the writer ends");
        for expected in first..world.ring().published() {
            assert_eq!(world.read(&mut newcomer, 1), Some((expected, 0)), "from {first}");
        }
        world.check(&oldest);
        world.check(&held);
    });
}

/// Joining while the ring turns: from the first cursor on, nothing is lost.
#[test]
fn a_reader_that_joins_loses_nothing_from_its_first_frame_on() {
    model(|| {
        let world = World::new(1, 1);
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        let writer = spawn(&world, move |world| {
            let _ = world.write(&mut publisher);
        });
        let mut subscriber = world.join(0, Policy::Lossless);
        let first = subscriber.next();
        for expected in first..2 {
            match world.read(&mut subscriber, 0) {
                Some(found) => assert_eq!(found, (expected, 0)),
                None => break,
            }
        }
        writer.join().expect("the writer ends");
        let published = world.ring().published();
        let mut expected = subscriber.next();
        while expected < published {
            assert_eq!(world.read(&mut subscriber, 0), Some((expected, 0)), "of {published}");
            expected += 1;
        }
    });
}

/// Whoever knows the head finds the frames below it.
#[test]
fn a_late_reader_finds_the_frames_that_stand() {
    model(|| {
        let world = World::new(2, 1);
        let writer = spawn(&world, |world| {
            let mut publisher = Publisher::new(&world.ring());
            world.write(&mut publisher).expect("an empty ring has room");
        });
        let ring = world.ring();
        if ring.published() == 1 {
            assert_eq!(ring.oldest_from(0), 0, "frame 0 stands and nobody removes it");
        }
        writer.join().expect("the writer ends");
    });
}

/// Leaving: the writer stops looking at the pins of a reader that has left.
#[test]
fn a_reader_that_left_has_finished_reading() {
    model(|| {
        let world = World::new(1, 1);
        let mut subscriber = world.join(0, Policy::Lossless);
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        let reader = spawn(&world, move |world| {
            let ring = world.ring();
            let Next::Frame(meta, 0) = subscriber.poll(&ring) else { panic!("frame 0 stands") };
            world.check(&meta);
            // As after a crash of the protocol's other half: the row is given up with its pin still set.
            world.leave(0);
        });
        let _ = world.write(&mut publisher);
        reader.join().expect("the reader ends");
        world.write(&mut publisher).expect("nobody is left");
    });
}

/// More sleep than the publisher wakes: whoever is woken wakes the next, and no other frame comes that would.
#[test]
fn a_crowd_is_woken_to_the_last() {
    model_within(PREEMPTIONS, || {
        let world = World::new(1, 3);
        let others = [0, 1, 2].map(|row| {
            let mut subscriber = world.join(row, Policy::Lossless);
            spawn(&world, move |world| {
                assert_eq!(world.read_blocking(&mut subscriber, row), 0);
            })
        });
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        for other in others {
            other.join().expect("nobody sleeps for ever");
        }
    });
}

/// Publisher and sleeping reader: no wake is lost. A lost one is a deadlock, which the checker reports.
#[test]
fn a_sleeping_reader_is_woken() {
    model(|| {
        let world = World::new(2, 1);
        let mut subscriber = world.join(0, Policy::Lossy);
        let writer = spawn(&world, |world| {
            let mut publisher = Publisher::new(&world.ring());
            world.write(&mut publisher).expect("an empty ring has room");
        });
        assert_eq!(world.read_blocking(&mut subscriber, 0), 0);
        writer.join().expect("the writer ends");
    });
}

/// One sleeper on the bells of two rings: announced on both by one fence, woken by either.
#[test]
fn a_selector_asleep_on_two_bells_is_woken_by_each() {
    model(|| {
        let worlds = [World::new(1, 1), World::new(1, 1)];
        let mut subscribers = [worlds[0].join(0, Policy::Lossy), worlds[1].join(0, Policy::Lossy)];
        let writers = [0, 1].map(|each| {
            spawn(&worlds[each], |world| {
                let mut publisher = Publisher::new(&world.ring());
                world.write(&mut publisher).expect("an empty ring has room");
            })
        });
        let mut read = [false; 2];
        while read != [true; 2] {
            let ready = World::select([&worlds[0], &worlds[1]], |each| {
                !read[each] && worlds[each].ring().published() > 0
            });
            assert_eq!(worlds[ready].read(&mut subscribers[ready], 0), Some((0, 0)));
            read[ready] = true;
        }
        for writer in writers {
            writer.join().expect("the writer ends");
        }
    });
}

/// Reader and sleeping writer: both the cursor and the pin wake it.
#[test]
fn a_sleeping_writer_is_woken() {
    model(|| {
        let world = World::new(1, 1);
        let mut subscriber = world.join(0, Policy::Lossless);
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        let writer = spawn(&world, move |world| world.write_blocking(&mut publisher));
        assert_eq!(world.read(&mut subscriber, 0), Some((0, 0)));
        writer.join().expect("the writer ends");
        assert_eq!(world.read(&mut subscriber, 0), Some((1, 0)));
    });
}

/// A sleeping writer that only a leaving reader can help.
#[test]
fn a_sleeping_writer_is_woken_by_a_reader_that_leaves() {
    model(|| {
        let world = World::new(1, 1);
        let _subscriber = world.join(0, Policy::Lossless);
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        let writer = spawn(&world, move |world| world.write_blocking(&mut publisher));
        world.leave(0);
        writer.join().expect("the writer ends");
    });
}

/// A writer that keeps what nobody has read: neither a reader that leaves without having read, nor the moment when there
/// is none, nor one that joins lets an unread frame go.
#[test]
fn an_unread_frame_stays_while_readers_come_and_go() {
    model(|| {
        let world = World::new(1, 2);
        let mut publisher = Publisher::new(&world.ring());
        publisher.keep_unread();
        world.write(&mut publisher).expect("an empty ring has room");
        let _ = world.join(0, Policy::Lossless);
        let writer = spawn(&world, move |world| {
            assert!(world.write(&mut publisher).is_err(), "frame 0 has gone unread");
        });
        world.close(0);
        let mut second = world.join(1, Policy::Lossless);
        writer.join().expect("the writer ends");
        assert_eq!(world.read(&mut second, 1), Some((0, 0)));
    });
}

/// The same writer, asleep until somebody has read: the last reader books what it has read before it leaves, so that
/// the wake finds it.
#[test]
fn a_writer_that_keeps_the_unread_is_woken_by_a_reader_that_read_and_left() {
    model(|| {
        let world = World::new(1, 1);
        let mut publisher = Publisher::new(&world.ring());
        publisher.keep_unread();
        world.write(&mut publisher).expect("an empty ring has room");
        let writer = spawn(&world, move |world| world.write_blocking(&mut publisher));
        let mut subscriber = world.join(0, Policy::Lossless);
        // As whoever attaches does: the writer may have gone to sleep over a ring without readers.
        wait::ring_always(world.ring().space);
        assert_eq!(world.read(&mut subscriber, 0), Some((0, 0)));
        world.close(0);
        writer.join().expect("the writer ends");
    });
}

/// A newcomer that shows an old cursor for a moment, and moves on, wakes the writer that waits for it.
#[test]
fn a_sleeping_writer_is_woken_by_a_newcomer_that_moves_on() {
    model(|| {
        let world = World::new(3, 3);
        let ring = world.ring();
        let mut publisher = Publisher::new(&ring);
        let hold = |reader: usize, sequence: u64, publisher: &mut Publisher| {
            let mut holder = world.join(reader, Policy::Lossy);
            loop {
                match holder.poll(&ring) {
                    Next::Frame(meta, _) if meta.sequence == sequence => break meta.slot,
                    Next::Frame(meta, _) => ring.unpin(reader, meta.slot),
                    Next::NotYet => world.write(publisher).expect("one slot of three is free"),
                    other => panic!("{other:?}"),
                }
            }
        };
        // Frames 3 and 5 stand, frame 4 is gone: frame 1 was held while 3 came, 3 while 5 did.
        let first = hold(0, 1, &mut publisher);
        let second = hold(1, 3, &mut publisher);
        for _ in 0..2 {
            world.write(&mut publisher).expect("one slot of three is free");
        }
        ring.unpin(0, first);
        ring.unpin(1, second);
        world.leave(0);
        world.leave(1);
        let newcomer = spawn(&world, |world| world.join(2, Policy::Lossless).next());
        world.write_blocking(&mut publisher);
        assert!(newcomer.join().expect("the newcomer joins") >= 3);
    });
}

/// The end comes after the last frame.
#[test]
fn a_reader_sees_the_last_frame_before_the_end() {
    model(|| {
        let world = World::new(2, 1);
        let mut subscriber = world.join(0, Policy::Lossless);
        let writer = spawn(&world, |world| {
            let mut publisher = Publisher::new(&world.ring());
            world.write_quietly(&mut publisher).expect("an empty ring has room");
            world.ring().close();
        });
        loop {
            match subscriber.poll(&world.ring()) {
                Next::Frame(meta, 0) => break world.check(&meta),
                Next::NotYet => thread::yield_now(),
                other => panic!("{other:?} before frame 0"),
            }
        }
        writer.join().expect("the writer ends");
        assert_eq!(subscriber.poll(&world.ring()), Next::Ended(STATE_CLOSED));
    });
}

/// A writer that died after asking for a frame: its heir takes the question back, whoever reads meanwhile.
#[test]
fn a_dead_writers_question_is_taken_back() {
    model(|| {
        let world = World::new(2, 1);
        let mut subscriber = world.join(0, Policy::Lossless);
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        // Died here: asked for frame 0, and decided nothing.
        world.ring().entry(0).stamp.store(Stamp::Marked(0).word(), Ordering::Relaxed);
        drop(publisher);
        let heir = spawn(&world, |world| {
            let mut publisher = Publisher::take_over(&world.ring()).expect("the directory is sound");
            assert_eq!(publisher.next(), 1);
            world.write(&mut publisher).expect("one of two slots is free");
            let _ = world.write(&mut publisher);
        });
        for expected in 0..2 {
            loop {
                match world.read(&mut subscriber, 0) {
                    Some(found) => break assert_eq!(found, (expected, 0)),
                    None => thread::yield_now(),
                }
            }
        }
        heir.join().expect("the heir ends");
    });
}

/// A writer that died between a frame's stamp and the head: the frame counts, and its slot is not given away.
#[test]
fn a_dead_writers_last_frame_counts() {
    model(|| {
        let world = World::new(2, 1);
        let mut subscriber = world.join(0, Policy::Lossless);
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        // Died here: frame 0 is stamped, the head does not count it.
        world.ring().head.frames.store(0, Ordering::Relaxed);
        drop(publisher);
        let heir = spawn(&world, |world| {
            let mut publisher = Publisher::take_over(&world.ring()).expect("the directory is sound");
            assert_eq!(publisher.next(), 1);
            world.write(&mut publisher).expect("one of two slots is free");
        });
        let mut next = 0;
        while next < 2 {
            match world.read(&mut subscriber, 0) {
                Some((sequence, missed)) => {
                    assert_eq!((sequence, missed), (next, 0));
                    next += 1;
                }
                None => thread::yield_now(),
            }
        }
        heir.join().expect("the heir ends");
    });
}

/// A claim by a newcomer and the eviction of the former owner: whoever comes second gives way.
#[test]
fn an_eviction_does_not_hit_the_next_owner() {
    model(|| {
        let world = World::new(1, 1);
        let _ = world.join(0, Policy::Lossless);
        let (seen, _) = world.ring().reader(0);
        let evictor = spawn(&world, move |world| {
            world.ring().evict(0, seen);
        });
        let _ = world.join(0, Policy::Lossy);
        evictor.join().expect("the evictor ends");
        assert_eq!(world.ring().reader(0).0.phase, row::ACTIVE);
        assert!(matches!(world.ring().pin(0, 0), Pin::NotYet));
    });
}
