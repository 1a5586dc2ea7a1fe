//! Views by our engine.

use std::cell::Cell;
use std::rc::Rc;

use qadataswap_dbsp::column::Data;
use qadataswap_dbsp::operator::{IndexedZSetHandle, ZSetHandle};
use qadataswap_dbsp::trace::Batch;
use qadataswap_dbsp::{CircuitHandle, Error, RootCircuit, Stream};

use crate::job::{Job, Numbers, Text, check, check_text, check_two};
use crate::{Engine, Failure};

enum Input {
    Rows(ZSetHandle<u64>),
    Numbers(IndexedZSetHandle<u64, i64>),
    Text(IndexedZSetHandle<String, i64>),
}

pub(crate) struct Ours {
    circuit: CircuitHandle,
    input: Input,
    dimensions: Option<IndexedZSetHandle<u64, i64>>,
    sum: Rc<Cell<i64>>,
}

/// Adds what a stream brings to a checksum.
fn watch<K: Data, V: Data>(
    view: &Stream<RootCircuit, Batch<K, V>>,
    sum: &Rc<Cell<i64>>,
    check: impl Fn(K::Ref<'_>, V::Ref<'_>, i64) -> i64 + 'static,
) {
    let sum = sum.clone();
    let _ = view.inspect(move |batch| {
        let more = batch.iter().fold(0i64, |more, (key, val, weight)| more.wrapping_add(check(key, val, weight)));
        sum.set(sum.get().wrapping_add(more));
    });
}

impl Ours {
    pub(crate) fn new(job: Job) -> Result<Self, Failure> {
        let sum = Rc::new(Cell::new(0));
        let (circuit, (input, dimensions)) = RootCircuit::build(|circuit| describe(job, circuit, &sum))?;
        let mut engine = Self { circuit, input, dimensions, sum };
        if let Some(dimensions) = &engine.dimensions {
            dimensions.extend(job.dimensions());
            engine.circuit.step()?;
        }
        Ok(engine)
    }
}

type Described = (Input, Option<IndexedZSetHandle<u64, i64>>);

fn describe(job: Job, circuit: &mut RootCircuit, sum: &Rc<Cell<i64>>) -> Result<Described, Error> {
    if job == Job::Strings {
        let (rows, handle) = circuit.add_input_indexed_zset::<String, i64>();
        let totals = rows.aggregate_linear(|&val| (val, 1i64));
        watch(&totals, sum, |key, (total, count), weight| check_text(key, (total ^ count << 40) as u64, weight));
        return Ok((Input::Text(handle), None));
    }
    if job == Job::Distinct || job == Job::FilterMap {
        let (rows, handle) = circuit.add_input_zset::<u64>();
        let view = match job {
            Job::Distinct => rows.distinct(),
            _ => rows.filter(|row| row % 8 == 0).map(|row| row / 8),
        };
        watch(&view, sum, |row, (), weight| check(row, weight));
        return Ok((Input::Rows(handle), None));
    }
    let (rows, handle) = circuit.add_input_indexed_zset::<u64, i64>();
    let mut dimensions = None;
    match job {
        Job::Join => {
            let (names, handle) = circuit.add_input_indexed_zset::<u64, i64>();
            dimensions = Some(handle);
            let joined = rows.join_index(&names, |&key, &val, &name| (key, val + name));
            watch(&joined, sum, |key, val, weight| check_two(key, val as u64, weight));
        }
        _ => {
            let totals = rows.aggregate_linear(|&val| (val, 1i64));
            watch(&totals, sum, |key, (total, count), weight| check_two(key, (total ^ count << 40) as u64, weight));
        }
    }
    Ok((Input::Numbers(handle), dimensions))
}

impl Engine for Ours {
    fn numbers(&mut self, changes: &[Numbers]) -> Result<(), Failure> {
        match &self.input {
            Input::Rows(input) => input.extend(changes.iter().map(|&(row, _, weight)| (row, weight))),
            Input::Numbers(input) => input.extend(changes.iter().copied()),
            Input::Text(_) => return Err("numbers for a job of text".into()),
        }
        Ok(self.circuit.step()?)
    }

    fn text(&mut self, changes: &[Text]) -> Result<(), Failure> {
        let Input::Text(input) = &self.input else { return Err("text for a job of numbers".into()) };
        let mut batch = Batch::<String, i64>::new();
        changes.iter().for_each(|(key, val, weight)| batch.push(key, *val, *weight));
        input.append(batch);
        Ok(self.circuit.step()?)
    }

    fn checksum(&self) -> i64 {
        self.sum.get()
    }
}
