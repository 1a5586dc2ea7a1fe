//! Waterlines: how far the time of events has come.
//!
//! **Law.** *waterline(t)* is the greatest time of all rows that have come up to step *t*, in any worker, less the
//! lateness; the first of all times while there are none. It never goes back. A row below the waterline of the step
//! *before* is late.
//!
//! ```text
//!   worker 0: Δ ─▶ [ max ] ─┐
//!                           ╳─▶ max of all − lateness, the same in each worker
//!   worker 1: Δ ─▶ [ max ] ─┘
//! ```
//!
//! | time | Δ | `waterline(2, ..)` |
//! |---|---|---|
//! | 0 | 10 → +1, 7 → +1 | 8 |
//! | 1 | 9 → +1 | 8 |
//! | 2 | 15 → +1 | 13 |

use std::rc::Rc;

use super::EventTime;
use crate::circuit::{Ends, Incoming, Node, RootCircuit, Slot, Stream};
use crate::column::Data;
use crate::error::Error;
use crate::trace::Batch;

struct Waterline<K: Data, V: Data, T, F> {
    input: Incoming<Batch<K, V>>,
    output: Rc<Slot<T>>,
    /// The way to the other workers, if there are any.
    ends: Option<(Ends<Option<T>>, usize)>,
    time: F,
    lateness: u64,
    latest: Option<T>,
}

impl<K: Data, V: Data, T: EventTime, F: Fn(&V::Row<'_, K>) -> T> Node for Waterline<K, V, T, F> {
    fn eval(&mut self) -> Result<usize, Error> {
        for (key, val, weight) in self.input.get().iter() {
            if weight > 0 {
                self.latest = self.latest.max(Some((self.time)(&V::row::<K>(key, val))));
            }
        }
        if let Some((ends, workers)) = &self.ends {
            let own = self.latest;
            ends.meet((0..*workers).map(|_| own), |_, other| self.latest = self.latest.max(other))?;
        }
        if let Some(latest) = self.latest {
            *self.output.borrow_mut() = latest.earlier(self.lateness).unwrap_or(T::FIRST);
        }
        Ok(1)
    }
}

impl<K: Data, V: Data> Stream<RootCircuit, Batch<K, V>> {
    /// Brings, in each step, the greatest `time` of all rows so far, less a lateness in the unit of time: the same in
    /// each worker.
    ///
    /// ```
    /// use qadataswap_dbsp::RootCircuit;
    ///
    /// let (mut circuit, (ticks, waterline)) = RootCircuit::build(|circuit| {
    ///     let (ticks, handle) = circuit.add_input_zset::<(u64, i64)>();
    ///     Ok((handle, ticks.waterline(10, |&(time, _)| time).output_value()))
    /// })?;
    /// ticks.extend([((100, 6750), 1), ((95, 6751), 1)]);
    /// circuit.step()?;
    /// assert_eq!(waterline.get(), [Some(90)]);
    /// # Ok::<(), qadataswap_dbsp::Error>(())
    /// ```
    pub fn waterline<T: EventTime>(
        &self,
        lateness: u64,
        time: impl Fn(&V::Row<'_, K>) -> T + 'static,
    ) -> Stream<RootCircuit, T> {
        let output = Slot::new(T::FIRST);
        let worker = self.graph().worker();
        let ends = (worker.workers() > 1).then(|| (worker.ends(), worker.workers()));
        let node =
            Waterline { input: self.read(), output: output.clone(), ends, time, lateness, latest: None };
        Stream::new(self.circuit(), self.graph().restless("waterline", &[self.id()], node), output).by_step()
    }
}
