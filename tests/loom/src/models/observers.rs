//! The models of observers, who hold nothing and copy what may be going: what they accept is whole.

use super::{model_within, spawn};
use crate::layout::{STATE_CLOSED, Stamp};
use crate::observer::Observer;
use crate::publisher::Publisher;
use crate::subscriber::Next;
use crate::sync::Ordering;
use crate::world::World;
use loom::thread;

/// Tries every interleaving with one preemption: more take long, and each order that is relied on is missed with one.
fn model(scene: impl Fn() + Sync + Send + 'static) {
    model_within(1, scene);
}

/// Copies the next frame, and checks that the copy is whole; returns its sequence and what was missed before it.
fn observe(world: &World, observer: &mut Observer, left_by: Option<u64>) -> Option<(u64, u64)> {
    let mut copy = [u64::MAX; 2];
    match observer.poll(&world.ring(), left_by, |meta, _| copy = world.halves(meta.slot)) {
        Next::Frame(meta, missed) => {
            assert_eq!(meta.rows, meta.sequence, "the entry is another frame's");
            assert_eq!(copy, [meta.sequence; 2], "the copy is not the frame's");
            Some((meta.sequence, missed))
        }
        Next::NotYet | Next::Ended(_) => None,
        other => panic!("{other:?}"),
    }
}

/// With a single slot, every frame is rewritten while it is being copied.
#[test]
fn what_an_observer_accepts_is_whole() {
    model(|| {
        let world = World::of_halves(1);
        let writer = spawn(&world, |world| {
            let mut publisher = Publisher::new(&world.ring());
            for _ in 0..2 {
                world.write_quietly(&mut publisher).expect("nobody holds anything up");
            }
        });
        let mut observer = Observer::new(&world.ring(), false, None);
        let next = observer.next();
        if let Some((sequence, missed)) = observe(&world, &mut observer, None) {
            assert_eq!(sequence, next + missed, "missed is exact");
        }
        writer.join().expect("the writer ends");
    });
}

/// Two slots: what is missed is counted while the writer goes round.
#[test]
fn an_observer_counts_what_it_missed() {
    model(|| {
        let world = World::of_halves(2);
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        let mut observer = Observer::new(&world.ring(), false, None);
        world.write(&mut publisher).expect("an empty ring has room");
        let writer = spawn(&world, move |world| {
            world.write_quietly(&mut publisher).expect("nobody holds anything up");
        });
        let mut next = 0;
        if let Some((sequence, missed)) = observe(&world, &mut observer, None) {
            assert_eq!(sequence, missed, "missed is exact");
            next = sequence + 1;
        }
        writer.join().expect("the writer ends");
        while let Some((sequence, missed)) = observe(&world, &mut observer, None) {
            assert_eq!(sequence, next + missed, "missed is exact");
            next = sequence + 1;
        }
        assert_eq!(next, 3, "the newest frame stands");
    });
}

/// A mark that is taken back, because another reader holds the frame, loses nothing for good.
#[test]
fn an_observer_gets_a_frame_that_was_asked_for_and_stays() {
    model(|| {
        let world = World::of_halves(1);
        let ring = world.ring();
        let mut publisher = Publisher::new(&ring);
        world.write(&mut publisher).expect("an empty ring has room");
        ring.claim(0, crate::ring::Policy::Lossless);
        ring.join(0, false).expect("the directory is sound");
        let writer = spawn(&world, move |world| {
            assert!(world.write(&mut publisher).is_err(), "frame 0 is somebody's");
        });
        let mut observer = Observer::new(&ring, false, None);
        observer.skip_to(0);
        let first = observe(&world, &mut observer, None);
        writer.join().expect("the writer ends");
        if first.is_none() && observer.next() == 0 {
            assert_eq!(observe(&world, &mut observer, None), Some((0, 0)));
        }
    });
}

/// The end comes after the last frame.
#[test]
fn an_observer_sees_the_last_frame_before_the_end() {
    model(|| {
        let world = World::of_halves(2);
        let mut observer = Observer::new(&world.ring(), false, None);
        let writer = spawn(&world, |world| {
            let mut publisher = Publisher::new(&world.ring());
            world.write_quietly(&mut publisher).expect("an empty ring has room");
            world.ring().close();
        });
        let poll = |observer: &mut Observer| observer.poll(&world.ring(), None, |_, _| {});
        loop {
            match poll(&mut observer) {
                Next::Frame(meta, 0) => break assert_eq!(meta.sequence, 0),
                Next::NotYet => thread::yield_now(),
                other => panic!("{other:?} before frame 0"),
            }
        }
        writer.join().expect("the writer ends");
        assert_eq!(poll(&mut observer), Next::Ended(STATE_CLOSED));
    });
}

/// A dead writer's mark hides a frame, which an observer may take, until the heir's first frame.
#[test]
fn what_a_dead_writer_asked_for_is_whole_until_there_is_an_heir() {
    model(|| {
        let world = World::of_halves(1);
        let mut publisher = Publisher::new(&world.ring());
        world.write(&mut publisher).expect("an empty ring has room");
        // Died here: asked for frame 0, and decided nothing.
        world.ring().entry(0).stamp.store(Stamp::Marked(0).word(), Ordering::Relaxed);
        drop(publisher);
        let left_by = Some(world.ring().status.generation.load(Ordering::Relaxed));
        let mut observer = Observer::new(&world.ring(), false, left_by);
        assert_eq!(observer.next(), 0);
        let heir = spawn(&world, |world| {
            let ring = world.ring();
            let mut publisher = Publisher::take_over(&ring).expect("the directory is sound");
            // As whoever takes over does.
            ring.status.generation.fetch_add(1, Ordering::Release);
            world.write_quietly(&mut publisher).expect("nobody holds anything up");
        });
        let mut next = 0;
        if let Some((sequence, missed)) = observe(&world, &mut observer, left_by) {
            assert_eq!(sequence, missed, "missed is exact");
            next = sequence + 1;
        }
        heir.join().expect("the heir ends");
        while let Some((sequence, missed)) = observe(&world, &mut observer, left_by) {
            assert_eq!(sequence, next + missed, "missed is exact");
            next = sequence + 1;
        }
        assert_eq!(next, 2);
    });
}
