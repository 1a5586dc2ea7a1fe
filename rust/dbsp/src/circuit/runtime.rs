//! Workers: the same circuit several times, each with a share of the rows.
//!
//! Worker 0 is the thread that has the handle, so a circuit of one worker needs no other thread. All build the same
//! circuit by the same closure. They meet in operators that share rows out ([`Ends`]): each sends one message to each
//! other worker per tick, so whoever has one from each knows that they have all come this far. A worker that fails drops
//! its circuit and its ends with it; the others find out at once, at their next message.

use std::any::Any;
use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::handle::CircuitHandle;
use super::schedule::OperatorMetrics;
use super::scope::RootCircuit;
use super::transaction::{Chunked, Gate, Pace, Transaction};
use crate::error::Error;

/// What the workers of a circuit have in common, by the number of what asked for it.
type Shared = Mutex<HashMap<usize, Arc<dyn Any + Send + Sync>>>;

/// A worker, as its circuit sees it.
#[derive(Clone)]
pub(crate) struct Worker {
    index: usize,
    workers: usize,
    shared: Arc<Shared>,
    asked: Rc<Cell<usize>>,
    gate: Gate,
}

impl Worker {
    pub(crate) fn alone() -> Self {
        Self::new(0, 1, Arc::default(), Gate::default())
    }

    fn new(index: usize, workers: usize, shared: Arc<Shared>, gate: Gate) -> Self {
        Self { index, workers, shared, asked: Rc::default(), gate }
    }

    /// Returns what holds the outputs of all workers back.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn workers(&self) -> usize {
        self.workers
    }

    /// Returns the worker that has the rows of keys with this hash.
    pub(crate) fn of_hash(&self, hash: u64) -> usize {
        ((hash >> 56) as usize * self.workers) >> 8
    }

    /// Returns what all workers get that ask for it at this point of describing their circuits, made once.
    pub(crate) fn common<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let number = self.asked.replace(self.asked.get() + 1);
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let common = shared.entry(number).or_insert_with(|| Arc::new(make())).clone();
        common.downcast().expect("all workers describe the same circuit")
    }

    /// Returns this worker's ends of channels from each to each.
    pub(crate) fn ends<T: Send + 'static>(&self) -> Ends<T> {
        let all = self.common(|| Mutex::new(Ends::all(self.workers)));
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all[self.index].take().expect("each worker describes its circuit once")
    }
}

/// One worker's ends of channels from each worker to each other, in both directions.
pub(crate) struct Ends<T> {
    own: usize,
    to: Vec<Sender<T>>,
    from: Vec<Receiver<T>>,
}

impl<T> Ends<T> {
    fn all(workers: usize) -> Vec<Option<Self>> {
        let mut all: Vec<Self> =
            (0..workers).map(|own| Self { own, to: Vec::new(), from: Vec::new() }).collect();
        for from in 0..workers {
            for to in 0..workers {
                let (sender, receiver) = channel();
                all[from].to.push(sender);
                all[to].from.push(receiver);
            }
        }
        all.into_iter().map(Some).collect()
    }

    /// Returns the number of workers.
    pub(crate) fn workers(&self) -> usize {
        self.to.len()
    }

    /// Sends a message to each worker but this one, of which it returns that for this one, and then calls `each` for
    /// what each of the others has sent, in the order of their numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if a worker has failed.
    pub(crate) fn meet(
        &self,
        messages: impl IntoIterator<Item = T>,
        mut each: impl FnMut(usize, T),
    ) -> Result<(), Error> {
        let mut own = None;
        for (to, message) in messages.into_iter().enumerate() {
            if to == self.own {
                own = Some(message);
            } else if self.to[to].send(message).is_err() {
                return Err(gone(to));
            }
        }
        for (from, receiver) in self.from.iter().enumerate() {
            match own.take_if(|_| from == self.own) {
                Some(own) => each(from, own),
                None if from == self.own => {}
                None => each(from, receiver.recv().map_err(|_| gone(from))?),
            }
        }
        Ok(())
    }
}

fn gone(worker: usize) -> Error {
    Error::Lost(format!("worker {worker} has failed"))
}

/// Starts circuits of several workers.
#[derive(Debug)]
pub struct Runtime;

impl Runtime {
    /// Builds the same circuit in each of so many workers; returns a handle to step all of them by, and what the
    /// closure returned in the first: its handles reach all workers.
    ///
    /// The closure has to describe the same circuit each time. The handle stays in the thread that called this, which
    /// is the first worker.
    ///
    /// # Errors
    ///
    /// What the closure returns, and [`Error::Spawn`] if a thread cannot be started.
    ///
    /// # Panics
    ///
    /// If there are to be no workers, or more than 256.
    pub fn init_circuit<T>(
        workers: usize,
        describe: impl Fn(&mut RootCircuit) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<(DBSPHandle, T), Error> {
        assert!((1..=256).contains(&workers), "a circuit has 1 to 256 workers, not {workers}");
        let (shared, gate) = (Arc::<Shared>::default(), Gate::default());
        let mut threads = Vec::new();
        for index in 1..workers {
            let (describe, shared, gate) = (describe.clone(), shared.clone(), gate.clone());
            let (commands, received) = channel();
            let (answer, answers) = channel();
            let thread = Builder::new()
                .name(format!("dbsp-{index}"))
                .spawn(move || {
                    let worker = Worker::new(index, workers, shared, gate);
                    work(
                        RootCircuit::build_in(worker, |circuit| describe(circuit).map(drop)),
                        &received,
                        &answer,
                    );
                })
                .map_err(|error| Error::Spawn { worker: index, message: error.to_string() })?;
            threads.push(Thread { commands: Some(commands), answers, thread: Some(thread) });
        }
        let (own, handles) = RootCircuit::build_in(Worker::new(0, workers, shared, gate), describe)?;
        let mut handle = DBSPHandle { own, threads };
        handle.answers(Ok(Answer::default()))?;
        Ok((handle, handles))
    }
}

enum Command {
    Chunk(Pace),
    MeasureTime(bool),
    GatherMetrics,
}

/// What a worker says when it has done something.
#[derive(Default)]
struct Answer {
    metrics: Vec<OperatorMetrics>,
    /// Whether an input of its has more.
    more: bool,
}

impl Answer {
    fn of_chunk(more: bool) -> Self {
        Self { metrics: Vec::new(), more }
    }

    fn of_metrics(metrics: Vec<OperatorMetrics>) -> Self {
        Self { metrics, more: false }
    }
}

/// What a worker's thread does.
fn work(
    built: Result<(CircuitHandle, ()), Error>,
    commands: &Receiver<Command>,
    answer: &Sender<Result<Answer, Error>>,
) {
    let mut circuit = match built {
        Ok((circuit, ())) => circuit,
        Err(error) => {
            // Whoever asked has given up if nobody listens.
            let _ = answer.send(Err(error));
            return;
        }
    };
    if answer.send(Ok(Answer::default())).is_err() {
        return;
    }
    for command in commands {
        let done = match command {
            Command::Chunk(pace) => circuit.chunk(pace).map(Answer::of_chunk),
            Command::MeasureTime(measured) => circuit.measure_time(measured).map(|()| Answer::default()),
            Command::GatherMetrics => circuit.gather_metrics().map(Answer::of_metrics),
        };
        if answer.send(done).is_err() {
            return;
        }
    }
}

struct Thread {
    commands: Option<Sender<Command>>,
    answers: Receiver<Result<Answer, Error>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic of its own has been reported as an answer.
            let _ = thread.join();
        }
    }
}

/// A circuit of one or more workers.
pub struct DBSPHandle {
    own: CircuitHandle,
    threads: Vec<Thread>,
}

impl DBSPHandle {
    /// Takes what was pushed to the inputs and brings all outputs up to date.
    ///
    /// # Errors
    ///
    /// As [`CircuitHandle::step`], of whichever worker failed first.
    pub fn step(&mut self) -> Result<(), Error> {
        self.chunk(Pace::WHOLE)?;
        self.hold(false);
        Ok(())
    }

    /// Begins a transaction, as [`CircuitHandle::transaction`] does; a chunk has so many rows of each input in each worker.
    ///
    /// # Errors
    ///
    /// As [`CircuitHandle::transaction`].
    ///
    /// # Panics
    ///
    /// If chunks are to have no rows.
    pub fn transaction(&mut self, rows: usize) -> Result<Transaction<'_>, Error> {
        self.own.check_adds_up()?;
        Ok(Transaction::new(self, rows))
    }

    /// Returns what each operator of each worker has done so far.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] after a step that failed.
    pub fn gather_metrics(&mut self) -> Result<Vec<OperatorMetrics>, Error> {
        self.ask(|| Command::GatherMetrics);
        let own = self.own.gather_metrics().map(Answer::of_metrics);
        Ok(self.answers(own)?.metrics)
    }

    /// Starts, or stops, measuring the time that each operator takes.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] after a step that failed.
    pub fn measure_time(&mut self, measured: bool) -> Result<(), Error> {
        self.ask(|| Command::MeasureTime(measured));
        let own = self.own.measure_time(measured).map(|()| Answer::default());
        self.answers(own).map(drop)
    }

    /// Returns the number of workers.
    #[must_use]
    pub fn workers(&self) -> usize {
        1 + self.threads.len()
    }

    fn ask(&self, command: impl Fn() -> Command) {
        for commands in self.threads.iter().filter_map(|thread| thread.commands.as_ref()) {
            // A thread that is gone does not answer either.
            let _ = commands.send(command());
        }
    }

    /// Waits for all, and returns the error that was the cause of the others.
    fn answers(&mut self, own: Result<Answer, Error>) -> Result<Answer, Error> {
        let (mut all, mut failed) = match own {
            Ok(own) => (own, None),
            Err(error) => (Answer::default(), Some(error)),
        };
        for (index, thread) in self.threads.iter().enumerate() {
            match thread.answers.recv() {
                Ok(Ok(other)) => {
                    all.metrics.extend(other.metrics);
                    all.more |= other.more;
                }
                Ok(Err(error)) => {
                    if failed.as_ref().is_none_or(|failed| matches!(failed, Error::Lost(_))) {
                        failed = Some(error);
                    }
                }
                Err(_) => failed = failed.or_else(|| Some(gone(index + 1))),
            }
        }
        match failed {
            Some(error) => {
                self.own.lose(&error);
                self.threads.clear();
                Err(error)
            }
            None => Ok(all),
        }
    }
}

impl Chunked for DBSPHandle {
    fn chunk(&mut self, pace: Pace) -> Result<bool, Error> {
        self.ask(|| Command::Chunk(pace));
        let own = self.own.chunk(pace).map(Answer::of_chunk);
        Ok(self.answers(own)?.more)
    }
    fn hold(&mut self, held: bool) {
        self.own.hold(held);
    }
}
