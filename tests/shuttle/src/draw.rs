//! How schedules are drawn, and how many.

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

/// Schedules that are run unless somebody asks for more.
pub(crate) const SHORT: u64 = 40_000;

/// Which scheduler draws.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Draw {
    /// Any actor, at each step.
    Random,
    /// The actor of the highest priority, of which this many less one change in a schedule (PCT: S. Burckhardt et al.,
    /// "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010).
    Priorities(usize),
}

pub(crate) const DRAWS: [Draw; 4] = [Draw::Random, Draw::Priorities(3), Draw::Random, Draw::Priorities(6)];

/// Steps after which a schedule counts as one that never ends.
const ENDLESS: usize = 200_000;

pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config.max_steps = MaxSteps::FailAfter(ENDLESS);
    // Every order counts as sequentially consistent here, which is known.
    config.silence_warnings = true;
    config
}

/// Runs `count` schedules of a scene, the same ones for the same seed; other ones each time without.
///
/// # Panics
/// If one fails.
pub(crate) fn run(
    draw: Draw,
    seed: Option<u64>,
    count: usize,
    config: Config,
    scene: impl Fn() + Send + Sync + 'static,
) {
    fn with(scheduler: impl Scheduler + 'static, config: Config, scene: impl Fn() + Send + Sync + 'static) {
        Runner::new(scheduler, config).run(scene);
    }
    match (draw, seed) {
        (Draw::Random, None) => with(RandomScheduler::new(count), config, scene),
        (Draw::Random, Some(seed)) => with(RandomScheduler::new_from_seed(seed, count), config, scene),
        (Draw::Priorities(depth), None) => with(PctScheduler::new(depth, count), config, scene),
        (Draw::Priorities(depth), Some(seed)) => {
            with(PctScheduler::new_from_seed(seed, depth, count), config, scene);
        }
    }
}
