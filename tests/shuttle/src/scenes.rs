//! The scenes. Each draws its cast anew for every schedule, and is played to the end: all that live read all that they
//! were promised.

use crate::actors::{Manner, readers, selector, writers};
use crate::dice::Dice;
use crate::process;
use crate::ring::Policy;
use crate::stage::{Stage, WhenFull};
use shuttle::thread;

/// A scene and its name.
pub(crate) type Scene = (&'static str, fn());

pub(crate) const SCENES: &[Scene] = &[
    ("pair", || of_any_policy(2, 3)),
    ("crowd", || of_any_policy(5, 6)),
    ("overwriting", overwriting),
    ("unread", unread),
    ("succession", succession),
    ("lockstep", lockstep),
    ("selector", two_rings),
];

const POLICIES: [Policy; 3] = [Policy::Lossless, Policy::Lossy, Policy::Latest];

/// Readers of any policy: the writer waits for the lossless ones.
fn of_any_policy(count: usize, slots: u64) {
    process::reset();
    let mut dice = Dice::of_the_schedule();
    let slots = 1 + dice.below(slots);
    // One place too few makes newcomers wait for one that somebody has left, or died on.
    let places = if dice.one_in(3) { count - 1 } else { count };
    let when_full = dice.one_of(&[WhenFull::Block, WhenFull::Block, WhenFull::Fail]);
    let stage = Stage::new(slots as usize, places, slots + 1 + dice.below(2), when_full);
    play(&stage, count, &POLICIES, 2, &mut dice);
}

/// The writer waits for nobody.
fn overwriting() {
    process::reset();
    let mut dice = Dice::of_the_schedule();
    let slots = 1 + dice.below(5);
    let stage = Stage::new(slots as usize, 3, slots + 1 + dice.below(3), WhenFull::Fail);
    play(&stage, 3, &[Policy::Lossy, Policy::Latest], 2, &mut dice);
}

/// The writer keeps what nobody has read, while lossless readers come, go and die.
fn unread() {
    process::reset();
    let mut dice = Dice::of_the_schedule();
    let count = 1 + dice.below(3) as usize;
    let stage = Stage::new(1 + dice.below(3) as usize, count, 2 + dice.below(3), WhenFull::KeepUnread);
    play(&stage, count, &[Policy::Lossless], 3, &mut dice);
}

/// One place and a single slot: readers die, and those who wait for their place and the writer are at it together.
fn succession() {
    process::reset();
    let mut dice = Dice::of_the_schedule();
    let stage = Stage::new(1, 1, 3 + dice.below(3), WhenFull::Block);
    play(&stage, 2, &[Policy::Lossless], 4, &mut dice);
}

/// One slot, and readers of whom all but one want every frame: whoever is not woken stops them all. That one may be late.
fn lockstep() {
    process::reset();
    let mut dice = Dice::of_the_schedule();
    let count = 4;
    let stage = Stage::new(1, count, 3 + dice.below(6), WhenFull::Block);
    thread::scope(|scope| {
        let (stage, writing) = (&stage, dice.another());
        scope.spawn(move || writers(stage, 0, writing));
        for reader in 0..count {
            let policy = if reader == 0 { Policy::Lossy } else { Policy::Lossless };
            let manner = Manner {
                policy,
                hoards: false,
                only_sleeps: true,
                is_faithful: true,
                short_lives: 0,
                steps: 0,
            };
            let reading = dice.another();
            scope.spawn(move || readers(stage, manner, reading));
        }
    });
    stage.check_end();
}

/// A writer with its heirs, and `count` readers, each with up to so many short lives before its last.
fn play(stage: &Stage, count: usize, policies: &[Policy], short_lives: u64, dice: &mut Dice) {
    // Whoever keeps a frame while it sleeps for the next keeps the ring full, if it is no larger than that.
    let may_hoard = stage.slots > count;
    // Where nobody dies, no slice ends: no wake is made up for.
    let (heirs, steps) = if dice.one_in(3) { (0, 0) } else { (3, 300 / (1 + short_lives)) };
    thread::scope(|scope| {
        let writing = dice.another();
        scope.spawn(move || writers(stage, heirs, writing));
        for reader in 0..count {
            let manner = Manner {
                policy: dice.one_of(policies),
                hoards: may_hoard && dice.one_in(2),
                only_sleeps: false,
                // What is kept until somebody reads it needs somebody who does.
                is_faithful: (reader == 0 && stage.when_full == WhenFull::KeepUnread) || dice.one_in(2),
                short_lives,
                steps,
            };
            let reading = dice.another();
            scope.spawn(move || readers(stage, manner, reading));
        }
    });
    stage.check_end();
}

/// Two writers, a reader of each, and one that waits for both.
fn two_rings() {
    process::reset();
    let mut dice = Dice::of_the_schedule();
    let stages =
        [(); 2].map(|()| Stage::new(1 + dice.below(2) as usize, 2, 1 + dice.below(3), WhenFull::Block));
    let (heirs, steps) = if dice.one_in(3) { (0, 0) } else { (2, 150) };
    thread::scope(|scope| {
        for stage in &stages {
            let (writing, reading) = (dice.another(), dice.another());
            let policy = dice.one_of(&POLICIES);
            let manner = Manner {
                policy,
                hoards: false,
                only_sleeps: false,
                is_faithful: true,
                short_lives: 1,
                steps,
            };
            scope.spawn(move || writers(stage, heirs, writing));
            scope.spawn(move || readers(stage, manner, reading));
        }
        let policies = [dice.one_of(&POLICIES), dice.one_of(&POLICIES)];
        let [first, second] = &stages;
        scope.spawn(move || selector([first, second], policies));
    });
    stages.iter().for_each(Stage::check_end);
}
