//! Stepping a circuit in the caller's thread.

use super::schedule::{OperatorMetrics, Schedule};
use crate::error::Error;

/// A circuit that is stepped by the thread that has it.
pub struct CircuitHandle {
    /// Nothing once it is lost: so that other workers find out.
    schedule: Option<Schedule>,
    lost: String,
}

impl CircuitHandle {
    pub(super) fn new(schedule: Schedule) -> Self {
        Self { schedule: Some(schedule), lost: String::new() }
    }

    /// Takes what was pushed to the inputs and brings all outputs up to date.
    ///
    /// # Errors
    ///
    /// [`Error::Panic`] if code of an operator panicked, [`Error::Operator`] if one cannot go on,
    /// [`Error::NoFixedPoint`] if a recursion does not end; [`Error::Lost`] from then on.
    pub fn step(&mut self) -> Result<(), Error> {
        let schedule = self.schedule()?;
        let _span = tracing::debug_span!("step").entered();
        let done = schedule.step().and_then(|()| schedule.rest());
        if let Err(error) = &done {
            self.lose(error);
        }
        done
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
