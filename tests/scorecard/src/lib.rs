//! How much of a reliability test is run, and what it found.
//!
//! A test that can be run for a moment or for an hour asks an [`Effort`] how long to go on, and tells it at its end
//! what it has counted:
//!
//! ```
//! use qadataswap_scorecard::Effort;
//!
//! // 300 unless QADATASWAP_KILLS says otherwise; at most QADATASWAP_SECONDS seconds, if that is set.
//! let mut effort = Effort::of("kills", 300);
//! let mut torn = 0;
//! while effort.goes_on() {
//!     // ... kill, look ...
//! #   torn += 0;
//! }
//! effort.tell(&[("torn", torn)]);
//! assert_eq!(torn, 0);
//! ```
//!
//! The line goes to the file that `QADATASWAP_SCORECARD` names, where `make scorecard` finds it; without that, nowhere.
//!
//! Law: only what a run has counted is told. A test that fails tells nothing of the failed part.

use serde::{Deserialize, Serialize};
use std::io::Write;
use std::time::{Duration, Instant};

/// The environment variable that names the file to which [`Effort::tell`] appends.
pub const FILE: &str = "QADATASWAP_SCORECARD";

/// The environment variable that bounds every effort's time, in seconds.
pub const SECONDS: &str = "QADATASWAP_SECONDS";

/// What one test has told: a line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// What was counted: `kills`, `round trips`, …
    pub unit: String,
    /// How many of them there were.
    pub done: u64,
    /// How many were asked for, or [`FOREVER`].
    pub asked: u64,
    /// How long that took.
    pub seconds: f64,
    /// What was found, by name, in the order it was told.
    pub found: Vec<(String, u64)>,
}

/// How many rounds a test does: so many, or as many as there is time for.
#[derive(Debug)]
pub struct Effort {
    unit: String,
    asked: u64,
    done: u64,
    began: Instant,
    bound: Option<Duration>,
}

/// So many rounds are no number: the time alone ends them.
pub const FOREVER: u64 = u64::MAX;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty())?;
    if text == "forever" {
        return Some(FOREVER);
    }
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

impl Effort {
    /// `unless_asked` rounds of `unit`, or as many as the environment variable `QADATASWAP_<UNIT>` says (upper case, blanks
    /// as underscores): a number, or `forever`, if there is a bound in time.
    ///
    /// # Panics
    /// If a variable is set to something else, or to `forever` without a bound.
    #[must_use]
    pub fn of(unit: &str, unless_asked: u64) -> Effort {
        Effort::part(unit, unless_asked, unless_asked)
    }

    /// `share` rounds out of `all` that several tests do together; in proportion, if the variable asks for others in all.
    ///
    /// # Panics
    /// As [`of`](Effort::of).
    #[must_use]
    pub fn part(unit: &str, share: u64, all: u64) -> Effort {
        let variable = format!("QADATASWAP_{}", unit.to_uppercase().replace(' ', "_"));
        let asked = number(&variable)
            .map(|asked| if share == all { asked } else { asked.saturating_mul(share).div_ceil(all) });
        let bound = number(SECONDS).map(Duration::from_secs);
        assert!(asked != Some(FOREVER) || bound.is_some(), "{variable}=forever wants {SECONDS}");
        Effort { unit: unit.to_owned(), asked: asked.unwrap_or(share), done: 0, began: Instant::now(), bound }
    }

    /// An effort whose rounds nobody chooses: a search that ends when it has tried everything, and is [`add`](Effort::add)ed
    /// up.
    #[must_use]
    pub fn uncounted(unit: &str) -> Effort {
        Effort { unit: unit.to_owned(), asked: 0, done: 0, began: Instant::now(), bound: None }
    }

    /// Counts `rounds` that were done, as many as there were to do.
    pub fn add(&mut self, rounds: u64) {
        self.done += rounds;
        self.asked = self.asked.max(self.done);
    }

    /// How many rounds were asked for.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked
    }

    /// How many rounds have begun.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Whether there is to be another round; counts it.
    pub fn goes_on(&mut self) -> bool {
        self.goes_on_by(1)
    }

    /// Whether there is to be another bundle of `rounds`; counts them.
    pub fn goes_on_by(&mut self, rounds: u64) -> bool {
        if self.done >= self.asked || self.bound.is_some_and(|bound| self.began.elapsed() >= bound) {
            return false;
        }
        self.done += rounds;
        true
    }

    /// Ends the effort and tells what was found.
    ///
    /// # Panics
    /// If nothing was done, or the file cannot be written to.
    pub fn tell(self, found: &[(&str, u64)]) {
        assert!(self.done > 0 || self.asked == 0, "no {} were done", self.unit);
        let told = Told {
            unit: self.unit,
            done: self.done,
            asked: self.asked,
            seconds: self.began.elapsed().as_secs_f64(),
            found: found.iter().map(|&(name, count)| (name.to_owned(), count)).collect(),
        };
        let Some(path) = std::env::var_os(FILE) else { return };
        let line = serde_json::to_string(&told).expect("plain data") + "\n";
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        // One write: tests of several processes tell at the same time.
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.to_string_lossy()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effort_ends_after_what_was_asked_for() {
        let mut effort = Effort::of("test rounds", 3);
        let rounds = std::iter::from_fn(|| effort.goes_on().then_some(())).count();
        assert_eq!((rounds, effort.done()), (3, 3));
        let mut bundles = Effort::of("test rounds", 10);
        while bundles.goes_on_by(4) {}
        assert_eq!(bundles.done(), 12);
        assert_eq!(Effort::part("test rounds", 3, 12).asked(), 3);
    }

    #[test]
    fn an_uncounted_effort_has_done_what_was_added() {
        let mut effort = Effort::uncounted("test rounds");
        effort.add(3);
        effort.add(4);
        assert_eq!((effort.done(), effort.asked()), (7, 7));
    }

    #[test]
    fn a_line_is_read_back_as_it_was_told() {
        let told = Told {
            unit: "kills".to_owned(),
            done: 3,
            asked: 4,
            seconds: 0.5,
            found: vec![("torn".to_owned(), 0)],
        };
        let line = serde_json::to_string(&told).expect("plain data");
        assert_eq!(serde_json::from_str::<Told>(&line).expect("as written"), told);
    }
}
