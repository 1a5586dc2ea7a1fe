//! Many schedules of every scene, drawn by two schedulers.

use crate::draw::{DRAWS, SHORT, config, run};
use crate::scenes::SCENES;
use crate::stage::{DEATHS, FRAMES_READ, HEIRS, PLACES_FREED};
use qadataswap_scorecard::Effort;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Schedules of one scene under one scheduler, one after the other.
const BUNDLE: usize = 500;

/// The environment variable that names a scene and a schedule to run again, as `scene:schedule`.
const AGAIN: &str = "QADATASWAP_SCHEDULE";

#[test]
fn every_schedule_keeps_every_promise() {
    if let Ok(again) = std::env::var(AGAIN) {
        let (name, schedule) = again.split_once(':').expect("scene:schedule");
        let (_, scene) = SCENES.iter().find(|(scene, _)| *scene == name).expect("a scene of this name");
        // As it was printed: on several lines.
        let schedule: String = schedule.split_whitespace().collect();
        return shuttle::replay(*scene, &schedule);
    }
    let mut effort = Effort::of("schedules", SHORT);
    // Every scene with every scheduler, two at a time.
    let mut all = SCENES.iter().flat_map(|scene| DRAWS.map(|draw| (*scene, draw))).cycle();
    while effort.goes_on_by(2 * BUNDLE as u64) {
        let two: Vec<_> = all.by_ref().take(2).collect();
        std::thread::scope(|scope| {
            let runs: Vec<_> = two
                .into_iter()
                .map(|(scene, draw)| {
                    (scene, draw, scope.spawn(move || run(draw, None, BUNDLE, config(), scene.1)))
                })
                .collect();
            for ((name, _), draw, run) in runs {
                if run.join().is_err() {
                    panic!(
                        "{name}, {draw:?}: run it again with {AGAIN}='{name}:…', the schedule being printed above"
                    );
                }
            }
        });
    }
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    let found = [
        ("frames read whole", count(&FRAMES_READ)),
        ("deaths", count(&DEATHS)),
        ("heirs", count(&HEIRS)),
        ("places of the dead freed", count(&PLACES_FREED)),
    ];
    for (what, count) in found {
        println!("{count} {what}");
        assert!(count > 0, "no {what}: the scenes show nothing");
    }
    effort.tell(&found);
}
