//! Waiting on the rings of many processes at once: frames, ends and deaths of each are told; a death on the waiting side
//! costs the writers nothing.

use qadataswap::{ErrorKind, Reader, Selector, WaitStrategy};
use qadataswap_tests::kills::{self, SEED};
use qadataswap_tests::scene::Owed;
use qadataswap_tests::{Actor, Line, PATIENCE, PROMPT, Ring, Role, Scene, check};

fn writer(ring: &Ring, until: Option<u64>, stay: bool) -> Actor {
    kills::writer(&mut Actor::start, ring, until, stay, true)
}

/// A selector of readers by their positions, asleep whenever it waits.
fn selector_of(readers: &[Reader]) -> Selector {
    let selector = Selector::with_strategy(WaitStrategy::SLEEP);
    for (key, reader) in (0..).zip(readers) {
        selector.add(key, reader).expect("a new key");
    }
    selector
}

#[test]
fn a_selector_is_woken_by_each_of_several_processes() {
    let scene = Scene::new();
    let rings: Vec<Ring> = (0..4).map(|each| scene.ring(&format!("feed-{each}"))).collect();
    let mut writing: Vec<Actor> = rings.iter().map(|ring| writer(ring, Some(3), false)).collect();
    writing.iter().for_each(|writing| {
        writing.opens();
    });
    let readers: Vec<Reader> = rings.iter().map(|ring| ring.reader().expect("attached")).collect();
    let selector = selector_of(&readers);
    for ring in [2, 0, 3, 1] {
        assert!(selector.wait(0).is_empty());
        writing[ring].tell("go");
        let (mut read, mut ended) = (0, false);
        while !ended {
            let ready = selector.wait(PATIENCE);
            assert_eq!(ready, [ring as u64]);
            match readers[ring].try_read_frame() {
                Ok(frame) => {
                    check(SEED, &frame.expect("it is ready")).expect("whole");
                    read += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::EndOfStream);
                    ended = true;
                }
            }
        }
        assert_eq!(read, 3);
        assert!(selector.remove(ring as u64));
    }
    // Whoever leaves a ring last removes it: nobody is to be killed while leaving.
    for writing in writing {
        writing.says(&Line::Wrote { next: 3 });
        writing.finish();
    }
}

#[test]
fn a_writer_killed_while_many_rings_are_waited_for_is_told_of_and_so_is_its_heir() {
    let scene = Scene::new();
    let rings: Vec<Ring> = (0..200).map(|each| scene.ring(&format!("feed-{each}"))).collect();
    // The last of them is waited for by a relay.
    let victims = [0, 60, 199];
    let mut writing: Vec<Actor> = victims.iter().map(|&ring| writer(&rings[ring], Some(2), true)).collect();
    writing.iter_mut().for_each(|writing| {
        writing.opens();
    });
    let own = rings.iter().enumerate().filter(|(each, _)| !victims.contains(each));
    let own: Vec<_> = own.map(|(_, ring)| ring.writer().expect("created")).collect();
    let readers: Vec<Reader> = rings.iter().map(|ring| ring.reader().expect("attached")).collect();
    let selector = selector_of(&readers);
    assert!(selector.wait(0).is_empty());
    for (&ring, writing) in victims.iter().zip(&mut writing) {
        writing.tell("go");
        for _ in 0..2 {
            assert_eq!(selector.wait(PATIENCE), [ring as u64]);
            check(SEED, &readers[ring].try_read_frame().expect("no error").expect("ready")).expect("whole");
        }
        let waiting = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| selector.wait(PROMPT));
            writing.kill();
            waiting.join().expect("no panic")
        });
        assert_eq!(waiting, [ring as u64], "its death is told");
        // Whichever way it is read, although none looks for it.
        let error = readers[ring].try_read_frame().expect_err("no frame will come");
        assert_eq!(error.kind(), ErrorKind::WriterDied);
        assert_eq!(selector.wait(PROMPT), [ring as u64], "the writer is still dead");
        let error = readers[ring].read_frame(0).expect_err("no frame will come");
        assert_eq!(error.kind(), ErrorKind::WriterDied);
        let heir = rings[ring].writer().expect("taken over");
        heir.write_arrow(&qadataswap_tests::table(SEED, 2)).expect("written");
        assert_eq!(selector.wait(PATIENCE), [ring as u64]);
        check(SEED, &readers[ring].try_read_frame().expect("no error").expect("ready")).expect("whole");
        assert!(readers[ring].try_read_frame().expect("the heir lives").is_none());
        assert!(selector.wait(0).is_empty(), "nothing is told of the former writer");
        heir.close().expect("closed");
        assert_eq!(selector.wait(PATIENCE), [ring as u64]);
        assert!(selector.remove(ring as u64));
        assert_eq!(readers[ring].try_read_frame().expect_err("ended").kind(), ErrorKind::EndOfStream);
    }
    drop(own);
}

#[test]
fn a_selector_killed_in_its_sleep_holds_no_writer_up() {
    let scene = Scene::new();
    let rings: Vec<Ring> = (0..3).map(|each| scene.ring(&format!("feed-{each}"))).collect();
    let writers: Vec<_> = rings.iter().map(|ring| ring.writer().expect("created")).collect();
    for round in 0..20 {
        let roles = rings.iter().map(|ring| ring.clone().policy(Owed::Lossless)).collect();
        let mut selecting = Actor::start(&Role::Select { rings: roles, seed: SEED });
        selecting.opens();
        for sequence in round * 4..round * 4 + 4 {
            if sequence == round * 4 + 2 {
                selecting.kill();
            }
            for writer in &writers {
                writer
                    .write_arrow(&qadataswap_tests::table(SEED, sequence))
                    .expect("the dead are passed over");
            }
        }
    }
    let roles = rings.clone();
    let selecting = Actor::start(&Role::Select { rings: roles, seed: SEED });
    selecting.opens();
    writers.into_iter().for_each(|writer| writer.close().expect("closed"));
    let Line::Ended(tally) = selecting.line() else { panic!("it reads to the ends") };
    assert!(tally.read >= 3);
    selecting.finish();
}
