//! Deaths between any two steps: for every act on a ring, its process dies before its first shared effect, before its
//! second, and so on, until it comes to its end; after each death those who live on are looked at, and an heir, who dies
//! on the way too, and a second one.
//!
//! The number of deaths is the program's own: an act is repeated with its death one point later each time, until it
//! comes to its end without having died. `QADATASWAP_CRASH_POINTS` says how many points are died at in all, in passes
//! over all of them; one pass unless given. From the second pass on the others are busy meanwhile. Arguments choose acts
//! by a part of their name.
//!
//! Law: whoever dies is of the library's mortal copy (`crash.rs` of its sources); whoever judges is of the library itself.

mod act;
#[path = "../../../src/deadline.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod deadline;
#[path = "../../../src/frames.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod frames;
mod judge;
#[path = "../../../src/keeper.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod keeper;
mod readers;
mod recorders;
#[path = "../../../src/scene.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod scene;
mod stage;
mod victim;
mod writers;

use act::Act;
use qadataswap_scorecard::Effort;
use scene::note;
use stage::{Fault, Stage};
use std::process::ExitCode;
use victim::Fate;

/// What the deaths came to.
#[derive(Default)]
struct Toll {
    deaths: u64,
    torn: u64,
    stuck: u64,
    left: u64,
}

impl Toll {
    fn book(&mut self, act: &Act, point: u64, fault: &Fault) {
        let (count, what) = match fault {
            Fault::Torn(what) => (&mut self.torn, what),
            Fault::Stuck(what) => (&mut self.stuck, what),
            Fault::Left(what) => (&mut self.left, what),
        };
        *count += 1;
        note(&format!("FAULT, {} at point {point}: {what}", act.name));
    }

    fn faults(&self) -> u64 {
        self.torn + self.stuck + self.left
    }
}

/// Points of an act that are all followed by a second death, in the first pass.
const MANY: u64 = 40;

/// Faults after which nothing new is to be learnt.
const ENOUGH: u64 = 20;

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut acts = writers::acts();
    acts.extend(readers::acts());
    acts.extend(recorders::acts());
    acts.retain(|act| chosen.is_empty() || chosen.iter().any(|part| act.name.contains(part.as_str())));
    if acts.is_empty() {
        // The names are of another program's tests.
        return ExitCode::SUCCESS;
    }
    let mut toll = Toll::default();
    let points: u64 = acts.iter().map(|act| count(act, &mut toll)).sum();
    let mut effort = Effort::of("crash points", 1);
    let mut pass = 0;
    while toll.faults() < ENOUGH && effort.goes_on_by(points) {
        for (number, act) in acts.iter().enumerate() {
            let passed = enumerate(act, number as u64, pass, &mut toll);
            if pass == 0 {
                note(&format!("{passed:5} points: {}", act.name));
            }
        }
        pass += 1;
    }
    note(&format!(
        "{} acts of {points} crash points, {pass} times: {} deaths, {} torn, {} stuck, {} left",
        acts.len(),
        toll.deaths,
        toll.torn,
        toll.stuck,
        toll.left
    ));
    if toll.faults() > 0 {
        return ExitCode::FAILURE;
    }
    effort.tell(&[
        ("acts", acts.len() as u64),
        ("points in one pass", points),
        ("deaths", toll.deaths),
        ("torn", toll.torn),
        ("stuck", toll.stuck),
        ("left", toll.left),
    ]);
    ExitCode::SUCCESS
}

/// How many points an act has, by playing it to its end.
fn count(act: &Act, toll: &mut Toll) -> u64 {
    let stage = Stage::new(0, false);
    match act.once(&stage, u64::MAX, false) {
        Ok((Fate::Finished(points), _)) => points,
        Ok((Fate::Died, _)) => unreachable!("no act has so many points"),
        Err(fault) => {
            toll.book(act, u64::MAX, &fault);
            clear(&stage);
            0
        }
    }
}

/// Dies at every point of an act, and so does who comes next; returns how many it had.
fn enumerate(act: &Act, number: u64, pass: u64, toll: &mut Toll) -> u64 {
    for point in 1.. {
        let mut finished = false;
        // Once alone, and once followed by somebody who dies too; in the first pass not at each of the many points at
        // which an attaching reader zeroes its numbers.
        for again in [false, true] {
            if again && pass == 0 && point > MANY && point % 4 != 0 {
                continue;
            }
            let seed = pass << 40 | number << 32 | point << 1 | u64::from(again);
            let stage = Stage::new(seed, pass > 0);
            match act.once(&stage, point, again) {
                Ok((fate, deaths)) => {
                    toll.deaths += deaths;
                    finished |= matches!(fate, Fate::Finished(_));
                }
                Err(fault) => {
                    toll.book(act, point, &fault);
                    clear(&stage);
                }
            }
        }
        if finished || toll.faults() >= ENOUGH {
            return point - 1;
        }
    }
    unreachable!("an act ends")
}

/// What a fault has left on the stage has been told.
fn clear(stage: &Stage) {
    let folder = stage.scene.folder();
    if let Err(error) = std::fs::remove_dir_all(folder).and_then(|()| std::fs::create_dir(folder)) {
        note(&format!("clearing the stage failed: {error}"));
    }
}
