//! One writer process, many reader processes: each sees every frame, whatever the others do.

use qadataswap_tests::scene::{Owed, Squeeze};
use qadataswap_tests::{Actor, PATIENCE, Ring, Role, Scene, Tally};

const FRAMES: u64 = 1500;

fn writer(ring: &Ring) -> Actor {
    Actor::start(&Role::Write { ring: ring.clone(), seed: 5, until: Some(FRAMES), stay: false, wait: true })
}

fn reader(ring: &Ring, hold: usize) -> Actor {
    let ring = ring.clone().attach_within(PATIENCE);
    Actor::start(&Role::Follow { ring, seed: 5, hold, survive: false })
}

const ALL: Tally = Tally { read: FRAMES, missed: 0, first: Some(0), last: Some(FRAMES - 1) };

/// Plays a stream before readers of these policies and returns what each has had.
fn play(ring: &Ring, readers: &[(Owed, usize)]) -> Vec<Tally> {
    let mut writer = writer(ring);
    let readers: Vec<_> =
        readers.iter().map(|&(policy, hold)| reader(&ring.clone().policy(policy), hold)).collect();
    readers.iter().for_each(|reader| {
        reader.opens();
    });
    writer.opens();
    writer.tell("go");
    let tallies = readers.iter().map(Actor::ends).collect();
    assert_eq!(writer.line(), qadataswap_tests::Line::Wrote { next: FRAMES });
    readers.into_iter().for_each(Actor::finish);
    writer.finish();
    tallies
}

#[test]
fn every_lossless_reader_gets_every_frame_in_order() {
    let scene = Scene::new();
    let tallies = play(&scene.ring("feed"), &[(Owed::Lossless, 0); 4]);
    assert_eq!(tallies, [ALL; 4]);
}

#[test]
fn a_lossless_reader_gets_every_frame_beside_lossy_and_latest_ones() {
    let scene = Scene::new();
    let readers = [(Owed::Lossless, 0), (Owed::Lossy, 0), (Owed::Latest, 0), (Owed::Lossless, 2)];
    let tallies = play(&scene.ring("feed").slots(6), &readers);
    assert_eq!((tallies[0], tallies[3]), (ALL, ALL));
    for tally in tallies {
        assert_eq!(tally.last, ALL.last, "the newest frame stays until it has been read");
        let first = tally.first.expect("it has read");
        assert_eq!(tally.read + tally.missed, FRAMES - first, "{tally:?}");
    }
}

#[test]
fn sleeping_readers_are_woken_for_every_frame() {
    let scene = Scene::new();
    let tallies = play(&scene.ring("feed").sleep(), &[(Owed::Lossless, 0); 3]);
    assert_eq!(tallies, [ALL; 3]);
}

#[test]
fn one_slot_is_enough_to_lose_nothing() {
    let scene = Scene::new();
    let tallies = play(&scene.ring("feed").slots(1), &[(Owed::Lossless, 0); 2]);
    assert_eq!(tallies, [ALL; 2]);
}

#[test]
fn a_ring_of_several_pin_words_loses_nothing() {
    let scene = Scene::new();
    let ring = scene.ring("feed").slots(200).slot_bytes(32 << 10);
    let tallies = play(&ring, &[(Owed::Lossless, 0), (Owed::Lossless, 150)]);
    assert_eq!(tallies, [ALL; 2]);
}

#[test]
fn compressed_frames_arrive_whole() {
    for squeeze in [Squeeze::Lz4, Squeeze::Zstd] {
        let scene = Scene::new();
        let tallies = play(&scene.ring("feed").squeeze(squeeze), &[(Owed::Lossless, 1)]);
        assert_eq!(tallies, [ALL]);
    }
}

#[test]
fn a_thousand_and_twenty_four_readers_are_served_and_the_next_is_told() {
    let scene = Scene::new();
    let ring = scene.ring("feed").max_readers(1024).slot_bytes(16 << 10);
    let writer = ring.writer().expect("created");
    let lines = Role::Crowd { ring: ring.clone(), seed: 5, count: 1024 };
    let crowd = Actor::start(&lines);
    let qadataswap_tests::Line::Fact(_, descriptors) = crowd.line() else { panic!("no limit told") };
    if descriptors < 2200 {
        drop(crowd);
        qadataswap_tests::skip("this machine admits too few descriptors for 1,024 readers in one process");
    } else {
        crowd.opens();
        match crowd.line() {
            qadataswap_tests::Line::Refused { kind, .. } => assert_eq!(kind, "TooManyReaders"),
            line => panic!("{line:?}"),
        }
        writer.write_arrow(&qadataswap_tests::table(5, 0)).expect("written");
        crowd.finish();
    }
}
