//! An act: something that is done to a ring, at every point of which somebody dies.

use crate::stage::{Cast, Fault, Stage, Verdict};
use crate::victim::{Fate, Victim};

type Set = fn(&Stage) -> Cast;
pub(crate) type Deed = fn(&Stage, &dyn Fn());
type Meanwhile = fn(&Stage, &mut Cast, &Victim) -> Verdict;
type Judge = fn(&Stage, Cast) -> Verdict;

/// Something that is done to a ring.
pub(crate) struct Act {
    pub(crate) name: &'static str,
    /// Who lives on, and what stands before.
    set: Set,
    /// What the victim does.
    play: Deed,
    /// What the others do while it does that.
    meanwhile: Meanwhile,
    /// What has to be after it.
    judge: Judge,
    /// Who comes next, and dies too.
    next: Vec<Deed>,
}

impl Act {
    pub(crate) fn new(name: &'static str, set: Set, play: Deed, judge: Judge) -> Act {
        Act { name, set, play, meanwhile: look_on, judge, next: Vec::new() }
    }

    /// The others do this while the victim acts.
    pub(crate) fn meanwhile(self, meanwhile: Meanwhile) -> Act {
        Act { meanwhile, ..self }
    }

    /// These come next, one or the other, and die too.
    pub(crate) fn then(self, next: &[Deed]) -> Act {
        Act { next: next.to_vec(), ..self }
    }

    /// Plays it once, with a death at this point, and with `again`, of whoever comes next at the point that chance says;
    /// returns how the victim fared, and how many died.
    pub(crate) fn once(&self, stage: &Stage, deadly: u64, again: bool) -> Verdict<(Fate, u64)> {
        let mut cast = (self.set)(stage);
        let victim = Victim::start(deadly, &|arm| (self.play)(stage, arm));
        (self.meanwhile)(stage, &mut cast, &victim)?;
        let fate = victim.fate().map_err(Fault::Stuck)?;
        let mut deaths = 1;
        if again && !self.next.is_empty() {
            let next = self.next[stage.below(self.next.len() as u64) as usize];
            // Half of them soon, where most is done: attaching zeroes some hundred words.
            let most = if stage.below(2) == 0 { 40 } else { 400 };
            let deadly = 1 + stage.below(most);
            Victim::start(deadly, &|arm| next(stage, arm)).fate().map_err(Fault::Stuck)?;
            deaths += 1;
        }
        (self.judge)(stage, cast)?;
        Ok((fate, deaths))
    }
}

/// Readers read as the victim writes, now and then.
fn look_on(stage: &Stage, cast: &mut Cast, victim: &Victim) -> Verdict {
    while stage.jitter && !victim.is_dead() {
        std::thread::sleep(std::time::Duration::from_micros(stage.below(200)));
        for follower in &mut cast.followers {
            follower.glance()?;
        }
    }
    Ok(())
}
