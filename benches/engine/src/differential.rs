//! Views by `differential-dataflow`, in one worker of `timely`, in the caller's thread.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use differential_dataflow::collection::VecCollection;
use differential_dataflow::input::{Input, InputSession};
use differential_dataflow::operators::{CountTotal, Iterate, ThresholdTotal};
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::dataflow::{ProbeHandle, Scope};
use timely::worker::Worker;

use crate::job::{Changes, Job, Numbers, check, check_total, check_two, text};
use crate::{Engine, Failure};

type Sum = Rc<Cell<i64>>;
type Rows<'a, D> = VecCollection<'a, u64, D, isize>;

enum Inputs {
    Row(InputSession<u64, u64, isize>),
    Numbers(InputSession<u64, (u64, i64), isize>),
    Edges(InputSession<u64, (u64, u64), isize>),
    Text(InputSession<u64, (String, i64), isize>),
}

pub(crate) fn lacks(job: Job) -> Option<&'static str> {
    job.is_nexmark().then_some("Nexmark is for what computes views by operators like ours")
}

pub(crate) struct Differential {
    worker: Worker,
    inputs: Inputs,
    dimensions: Option<InputSession<u64, (u64, i64), isize>>,
    probe: ProbeHandle<u64>,
    time: u64,
    sum: Sum,
}

/// Adds what a collection becomes to a checksum.
fn watch<D: Clone + 'static>(
    view: Rows<'_, D>,
    probe: &ProbeHandle<u64>,
    sum: &Sum,
    check: impl Fn(&D, i64) -> i64 + 'static,
) {
    let sum = sum.clone();
    view.inspect(move |(row, _, weight)| sum.set(sum.get().wrapping_add(check(row, *weight as i64))))
        .probe_with(probe);
}

impl Differential {
    pub(crate) fn new(job: Job) -> Result<Self, Failure> {
        let mut worker =
            Worker::new(WorkerConfig::default(), Allocator::Thread(Thread::default()), Some(Instant::now()));
        let (probe, sum) = (ProbeHandle::new(), Sum::default());
        let (inputs, dimensions) = worker.dataflow(|scope| describe(job, scope, &probe, &sum));
        let mut engine = Self { worker, inputs, dimensions, probe, time: 0, sum };
        if let Some(input) = &mut engine.dimensions {
            job.dimensions()
                .into_iter()
                .for_each(|(key, name, weight)| input.update((key, name), weight as isize));
            engine.advance();
        }
        Ok(engine)
    }

    fn advance(&mut self) {
        self.time += 1;
        match &mut self.inputs {
            Inputs::Row(input) => advance(input, self.time),
            Inputs::Numbers(input) => advance(input, self.time),
            Inputs::Edges(input) => advance(input, self.time),
            Inputs::Text(input) => advance(input, self.time),
        }
        if let Some(input) = &mut self.dimensions {
            advance(input, self.time);
        }
        let Self { worker, probe, time, .. } = self;
        worker.step_while(|| probe.less_than(time));
    }
}

fn advance<D: differential_dataflow::Data>(input: &mut InputSession<u64, D, isize>, time: u64) {
    input.advance_to(time);
    input.flush();
}

type Described = (Inputs, Option<InputSession<u64, (u64, i64), isize>>);

fn describe(job: Job, scope: Scope<'_, u64>, probe: &ProbeHandle<u64>, sum: &Sum) -> Described {
    match job {
        Job::Strings => {
            let (input, rows) = scope.new_collection::<(String, i64), isize>();
            let totals = rows.explode(|(key, val)| Some((key, (val as isize, 1isize)))).count_total();
            watch(totals, probe, sum, |(key, (total, count)), weight| {
                check_total(text(key), (*total as i64, *count as i64), weight)
            });
            (Inputs::Text(input), None)
        }
        Job::Distinct | Job::FilterMap => {
            let (input, rows) = scope.new_collection::<u64, isize>();
            let view = match job {
                Job::Distinct => rows.distinct_total(),
                _ => rows.filter(|row| row % 8 == 0).map(|row| row / 8),
            };
            watch(view, probe, sum, |row, weight| check(*row, weight));
            (Inputs::Row(input), None)
        }
        Job::Sparse | Job::Dense => {
            let (input, edges) = scope.new_collection::<(u64, u64), isize>();
            // From where one is, to where one came from.
            let first = edges.clone().map(|(from, to)| (to, from));
            let paths = first.clone().iterate(|scope, paths| {
                let (first, edges) = (first.enter(scope), edges.enter(scope));
                paths.join_map(edges, |_, start, end| (*end, *start)).concat(first).distinct()
            });
            watch(paths, probe, sum, |(end, start), weight| check_two(*end, *start, weight));
            (Inputs::Edges(input), None)
        }
        _ => {
            let (input, rows) = scope.new_collection::<(u64, i64), isize>();
            let mut dimensions = None;
            match job {
                Job::Join => {
                    let (input, names) = scope.new_collection::<(u64, i64), isize>();
                    dimensions = Some(input);
                    let joined = rows.join_map(names, |key, val, name| (*key, val + name));
                    watch(joined, probe, sum, |(key, val), weight| check_two(*key, *val as u64, weight));
                }
                Job::Max => {
                    let greatest =
                        rows.reduce(|_, vals, max| max.extend(vals.last().map(|(val, _)| (**val, 1isize))));
                    watch(greatest, probe, sum, |(key, val), weight| check_two(*key, *val as u64, weight));
                }
                _ => {
                    let totals = rows.explode(|(key, val)| Some((key, (val as isize, 1isize)))).count_total();
                    watch(totals, probe, sum, |(key, (total, count)), weight| {
                        check_total(*key, (*total as i64, *count as i64), weight)
                    });
                }
            }
            (Inputs::Numbers(input), dimensions)
        }
    }
}

impl Engine for Differential {
    fn step(&mut self, changes: Changes) -> Result<(), Failure> {
        match &mut self.inputs {
            Inputs::Text(input) => {
                changes
                    .text()?
                    .into_iter()
                    .for_each(|(key, val, weight)| input.update((key, val), weight as isize));
            }
            Inputs::Row(input) => update(input, changes, |(row, _, _)| row)?,
            Inputs::Edges(input) => update(input, changes, |(from, to, _)| (from, to as u64))?,
            Inputs::Numbers(input) => update(input, changes, |(key, val, _)| (key, val))?,
        }
        self.advance();
        Ok(())
    }

    fn checksum(&self) -> i64 {
        self.sum.get()
    }
}

fn update<D: differential_dataflow::Data>(
    input: &mut InputSession<u64, D, isize>,
    changes: Changes,
    row: impl Fn(Numbers) -> D,
) -> Result<(), Failure> {
    changes.numbers()?.into_iter().for_each(|change| input.update(row(change), change.2 as isize));
    Ok(())
}
