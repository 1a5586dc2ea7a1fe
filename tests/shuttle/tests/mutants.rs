//! Each law of the protocol is needed: without it, in the product's own lines, some schedule fails, and within as many
//! schedules as `make tests` runs of the sound ones. `build/mutants.rs` says what is broken and how.

#![allow(dead_code, unreachable_pub, missing_docs)]

#[path = "../src/actors.rs"]
mod actors;
#[path = "../src/atomic.rs"]
mod atomic;
#[path = "../src/cell.rs"]
mod cell;
#[path = "../src/checker.rs"]
mod checker;
#[path = "../src/dice.rs"]
mod dice;
#[path = "../src/draw.rs"]
mod draw;
#[path = "../src/futex.rs"]
mod futex;
#[path = "../src/process.rs"]
mod process;
#[path = "../src/scenes.rs"]
mod scenes;
#[path = "../src/stage.rs"]
mod stage;
#[path = "../../loom/src/world.rs"]
mod world;

#[path = "../../../rust/qadataswap/src/layout.rs"]
mod layout;
#[path = "../../../rust/qadataswap/src/sync.rs"]
mod sync;

/// The product's files, with a switch at each mutant's place.
macro_rules! switched {
    ($($file:ident)*) => {
        $(mod $file {
            include!(concat!(env!("OUT_DIR"), "/", stringify!($file), ".rs"));
        })*
    };
}
switched! { publisher ring subscriber wait }

mod mutant {
    //! Which mutant lives in this thread.

    use std::cell::Cell;

    include!(concat!(env!("OUT_DIR"), "/laws.rs"));

    /// No mutant: the laws are kept.
    pub(crate) const NONE: usize = usize::MAX;

    thread_local! {
        static LIVING: Cell<usize> = const { Cell::new(NONE) };
    }

    /// Whether this one does.
    pub(crate) fn lives(number: usize) -> bool {
        LIVING.get() == number
    }

    /// From now on this one does.
    pub(crate) fn breed(number: usize) {
        LIVING.set(number);
    }
}

use draw::{DRAWS, SHORT, config, run};
use qadataswap_scorecard::Effort;
use scenes::SCENES;
use shuttle::FailurePersistence;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Schedules of one scene under one scheduler before the next ones have their turn.
const TURN: usize = 100;

/// Schedules that all pass while no mutant lives.
const SOUND: u64 = 2_000;

#[test]
fn each_broken_law_is_found() {
    let mut effort = Effort::uncounted("broken laws");
    // What fails here is meant to: its messages would bury the one that counts.
    std::panic::set_hook(Box::new(|_| {}));
    let sound = first_failure(mutant::NONE, SOUND);
    let next = AtomicUsize::new(0);
    let breed = || {
        let numbers =
            std::iter::from_fn(|| Some(next.fetch_add(1, Relaxed)).filter(|&n| n < mutant::LAWS.len()));
        numbers.map(|number| (mutant::LAWS[number], first_failure(number, SHORT))).collect::<Vec<_>>()
    };
    let mut found = std::thread::scope(|scope| {
        let other = scope.spawn(breed);
        let mut found = breed();
        found.extend(other.join().unwrap_or_default());
        found
    });
    let _ = std::panic::take_hook();
    assert_eq!(sound, None, "a schedule fails though no law is broken");
    assert_eq!(found.len(), mutant::LAWS.len(), "every mutant was bred");
    found.sort_by_key(|(_, failed)| failed.unwrap_or(u64::MAX));
    for (law, failed) in &found {
        let after =
            failed.map_or_else(|| "nothing fails".to_owned(), |failed| format!("schedule {failed} fails"));
        println!("{after} unless {law}");
    }
    let unnoticed: Vec<_> = found.iter().filter(|(_, failed)| failed.is_none()).map(|(law, _)| law).collect();
    assert!(unnoticed.is_empty(), "none of {SHORT} schedules needs that {unnoticed:#?}");
    effort.add(found.len() as u64);
    let most = found.iter().filter_map(|(_, failed)| *failed).max();
    effort.tell(&[("found", found.len() as u64), ("schedules until the last was", most.unwrap_or(0))]);
}

/// Which schedule is the first that fails with this mutant, counted from 1; `None` if none of so many does. They are the
/// same whenever it is asked.
fn first_failure(number: usize, limit: u64) -> Option<u64> {
    mutant::breed(number);
    let begun = Arc::new(AtomicU64::new(0));
    let turns = SCENES.iter().flat_map(|(_, scene)| DRAWS.map(|draw| (*scene, draw))).cycle();
    for (seed, (scene, draw)) in (0..).zip(turns) {
        if begun.load(Relaxed) >= limit {
            break;
        }
        let count = begun.clone();
        let counted = move || {
            count.fetch_add(1, Relaxed);
            scene();
        };
        let mut config = config();
        config.failure_persistence = FailurePersistence::None;
        if catch_unwind(AssertUnwindSafe(|| run(draw, Some(seed), TURN, config, counted))).is_err() {
            return Some(begun.load(Relaxed));
        }
    }
    None
}
