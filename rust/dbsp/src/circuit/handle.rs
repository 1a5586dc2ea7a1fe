//! Stepping a circuit in the caller's thread.

use super::schedule::{OperatorMetrics, Schedule};
use super::transaction::{Chunked, Gate, Pace, Pacer, Transaction};
use crate::error::Error;

/// A circuit that is stepped by the thread that has it.
pub struct CircuitHandle {
    /// Nothing once it is lost: so that other workers find out.
    schedule: Option<Schedule>,
    lost: String,
    pacer: Pacer,
    gate: Gate,
    /// Whether outputs are held back.
    held: bool,
}

impl CircuitHandle {
    pub(super) fn new(schedule: Schedule, pacer: Pacer, gate: Gate) -> Self {
        Self { schedule: Some(schedule), lost: String::new(), pacer, gate, held: false }
    }

    /// Takes what was pushed to the inputs and brings all outputs up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Panic`] if code of an operator panicked, [`Error::Operator`] if one cannot go on,
    /// [`Error::NoFixedPoint`] if a recursion does not end; [`Error::Lost`] from then on.
    pub fn step(&mut self) -> Result<(), Error> {
        self.chunk(Pace::WHOLE)?;
        self.hold(false);
        Ok(())
    }

    /// Begins a transaction: what is pushed from now on is evaluated in chunks of so many rows of each input, and outputs
    /// show the net change when it is committed, and nothing before. Change inputs in between as ever.
    ///
    /// ```
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// let (mut circuit, (trades, volumes)) = RootCircuit::build(|circuit| {
    ///     let (trades, handle) = circuit.add_input_indexed_zset::<String, i64>();
    ///     Ok((handle, trades.aggregate_linear(|&size| size).output()))
    /// })?;
    /// let mut day = circuit.transaction(1000)?;
    /// for size in 0..5000 {
    ///     trades.push("ESZ6".to_owned(), size, 1);
    ///     if size % 2000 == 0 {
    ///         day.evaluate()?;
    ///         assert!(volumes.take().is_empty());
    ///     }
    /// }
    /// day.commit()?;
    /// assert_eq!(volumes.take(), indexed_zset! { "ESZ6".to_owned() => { 4999 * 5000 / 2 => 1 } });
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::BySteps`] if what an operator brings in some steps does not add up to what it would bring in one;
    /// [`Error::Lost`] after a step that failed.
    ///
    /// # Panics
    ///
    /// If chunks are to have no rows.
    pub fn transaction(&mut self, rows: usize) -> Result<Transaction<'_>, Error> {
        self.check_adds_up()?;
        Ok(Transaction::new(self, rows))
    }

    pub(super) fn check_adds_up(&mut self) -> Result<(), Error> {
        match self.schedule()?.by_step() {
            Some(operator) => Err(Error::BySteps { operator }),
            None => Ok(()),
        }
    }

    /// Gives the circuit up.
    pub(super) fn lose(&mut self, error: &Error) {
        if self.schedule.take().is_some() {
            self.lost = error.to_string();
        }
    }

    /// Returns what each operator has done so far.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] after a step that failed.
    pub fn gather_metrics(&mut self) -> Result<Vec<OperatorMetrics>, Error> {
        let mut metrics = Vec::new();
        self.schedule()?.metrics(&[], &mut metrics);
        Ok(metrics)
    }

    /// Starts, or stops, measuring the time that each operator takes, which costs two looks at the clock per run.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] after a step that failed.
    pub fn measure_time(&mut self, measured: bool) -> Result<(), Error> {
        self.schedule()?.measure_time(measured);
        Ok(())
    }

    fn schedule(&mut self) -> Result<&mut Schedule, Error> {
        self.schedule.as_mut().ok_or_else(|| Error::Lost(self.lost.clone()))
    }
}

impl Chunked for CircuitHandle {
    fn chunk(&mut self, pace: Pace) -> Result<bool, Error> {
        self.pacer.set(pace);
        let schedule = self.schedule()?;
        let _span = tracing::debug_span!("step").entered();
        let done = schedule.step().and_then(|()| schedule.rest());
        let done = done.map(|()| !pace.is_whole() && schedule.has_more());
        if let Err(error) = &done {
            self.lose(error);
        }
        done
    }
    fn hold(&mut self, held: bool) {
        if self.held != held {
            self.gate.hold(held);
            self.held = held;
        }
    }
}
