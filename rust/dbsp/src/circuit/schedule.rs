//! Stepping the operators of one scope.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::graph::Entry;
use super::{NodeId, State};
use crate::error::Error;

/// The operators of a scope, in the order in which they run, and which of them have to.
///
/// A bit for each operator says that an input of it has brought something. Bits are looked at in order and set ahead
/// only, so one pass over the words runs whatever has to run, each operator once and after all that it reads.
pub(crate) struct Schedule {
    entries: Vec<Entry>,
    consumers: Vec<Vec<NodeId>>,
    counts: Vec<Counts>,
    due: Vec<u64>,
    always: Vec<u64>,
    /// The operators that ran in this step.
    ran: Vec<NodeId>,
    worker: usize,
    timed: bool,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    runs: u64,
    rows: u64,
    time: Duration,
}

/// What an operator has done so far.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OperatorMetrics {
    /// Its number, after those of the scopes that it is in.
    pub path: Vec<usize>,
    /// Its name.
    pub name: &'static str,
    /// The worker.
    pub worker: usize,
    /// The numbers of the operators of its scope that it reads.
    pub inputs: Vec<usize>,
    /// How often it ran.
    pub runs: u64,
    /// The rows that it brought.
    pub rows: u64,
    /// The time it took, if that is [measured](super::CircuitHandle::measure_time).
    pub time: Duration,
    /// What it remembers.
    pub state: State,
}

impl Schedule {
    pub(crate) fn new(entries: Vec<Entry>, worker: usize) -> Self {
        let words = entries.len().div_ceil(64);
        let mut consumers = vec![Vec::new(); entries.len()];
        let mut always = vec![0; words];
        for (id, entry) in entries.iter().enumerate() {
            for &input in &entry.inputs {
                consumers[input].push(id);
            }
            always[id / 64] |= u64::from(entry.always) << (id % 64);
        }
        let counts = vec![Counts::default(); entries.len()];
        Self {
            entries,
            consumers,
            counts,
            due: vec![0; words],
            always,
            ran: Vec::new(),
            worker,
            timed: false,
        }
    }

    /// Runs what has to run.
    pub(crate) fn step(&mut self) -> Result<(), Error> {
        for word in 0..self.due.len() {
            let mut seen = 0u64;
            loop {
                let left = (self.due[word] | self.always[word]) & !seen;
                if left == 0 {
                    break;
                }
                let bit = left.trailing_zeros();
                // What reads an operator comes after it, so no bit at or below this one will be set any more.
                seen |= u64::MAX >> (63 - bit);
                let id = word * 64 + bit as usize;
                let rows = self.run(id)?;
                self.ran.push(id);
                if rows > 0 {
                    for &consumer in &self.consumers[id] {
                        self.due[consumer / 64] |= 1 << (consumer % 64);
                    }
                }
            }
            self.due[word] = 0;
        }
        Ok(())
    }

    /// Has every operator that ran forget what it brought, or remember it, once all that want to have looked.
    pub(crate) fn rest(&mut self) -> Result<(), Error> {
        while let Some(id) = self.ran.pop() {
            let entry = &mut self.entries[id];
            caught(entry.name, id, self.worker, || {
                entry.node.rest();
                Ok(())
            })?;
        }
        Ok(())
    }

    fn run(&mut self, id: NodeId) -> Result<usize, Error> {
        let start = self.timed.then(Instant::now);
        let entry = &mut self.entries[id];
        let _span = tracing::trace_span!("operator", name = entry.name, id, worker = self.worker).entered();
        let rows = caught(entry.name, id, self.worker, || entry.node.eval())?;
        let counts = &mut self.counts[id];
        counts.runs += 1;
        counts.rows += rows as u64;
        if let Some(start) = start {
            counts.time += start.elapsed();
        }
        Ok(rows)
    }

    pub(crate) fn clock_start(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.node.clock_start());
    }

    pub(crate) fn clock_end(&mut self) {
        self.due.fill(0);
        self.entries.iter_mut().for_each(|entry| entry.node.clock_end());
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.entries.iter().all(|entry| entry.node.is_settled())
    }

    /// Whether an input has more of what was pushed than it gave.
    pub(crate) fn has_more(&self) -> bool {
        self.entries.iter().any(|entry| entry.node.has_more())
    }

    /// Returns the name of an operator, here or in a scope within, whose steps do not add up.
    pub(crate) fn by_step(&self) -> Option<String> {
        self.entries.iter().enumerate().find_map(|(id, entry)| {
            let within = || entry.inner.as_ref().and_then(|inner| inner.borrow().by_step());
            if entry.by_step { Some(format!("{} {id}", entry.name)) } else { within() }
        })
    }

    pub(crate) fn measure_time(&mut self, timed: bool) {
        self.timed = timed;
        for inner in self.entries.iter().filter_map(|entry| entry.inner.as_ref()) {
            inner.borrow_mut().measure_time(timed);
        }
    }

    pub(crate) fn metrics(&self, path: &[usize], metrics: &mut Vec<OperatorMetrics>) {
        for (id, (entry, counts)) in self.entries.iter().zip(&self.counts).enumerate() {
            let path: Vec<usize> = path.iter().copied().chain([id]).collect();
            metrics.push(OperatorMetrics {
                path: path.clone(),
                name: entry.name,
                worker: self.worker,
                inputs: entry.inputs.clone(),
                runs: counts.runs,
                rows: counts.rows,
                time: counts.time,
                state: entry.node.state(),
            });
            if let Some(inner) = &entry.inner {
                inner.borrow().metrics(&path, metrics);
            }
        }
    }
}

/// Has an operator act; if it panics or fails, says which it was.
fn caught<T>(
    name: &'static str,
    id: NodeId,
    worker: usize,
    act: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let operator = || format!("{name} {id}");
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(done) => done.map_err(|error| match error {
            Error::Operator { message, .. } => Error::Operator { worker, operator: operator(), message },
            Error::NoFixedPoint { iterations, .. } => Error::NoFixedPoint { scope: operator(), iterations },
            other => other,
        }),
        Err(panic) => {
            let message = match panic.downcast::<String>() {
                Ok(message) => *message,
                Err(panic) => panic.downcast_ref::<&str>().unwrap_or(&"no message").to_string(),
            };
            Err(Error::Panic { worker, operator: operator(), message })
        }
    }
}
