//! Circuits to look at: what is in them, and what each operator has done.
//!
//! ```
//! use qadataswap_dbsp::{RootCircuit, monitor};
//!
//! let (mut circuit, numbers) = RootCircuit::build(|circuit| {
//!     let (numbers, handle) = circuit.add_input_zset::<i64>();
//!     let _ = numbers.filter(|number| number % 2 == 0).distinct().output();
//!     Ok(handle)
//! })?;
//! circuit.measure_time(true)?;
//! numbers.extend((0..100).map(|number| (number, 1)));
//! circuit.step()?;
//! let metrics = circuit.gather_metrics()?;
//! assert!(monitor::dot(&metrics).contains("filter"));
//! for line in monitor::folded_stacks(&metrics).lines() {
//!     // worker 0;distinct 2 8130
//! }
//! # Ok::<(), qadataswap_dbsp::Error>(())
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::circuit::OperatorMetrics;

/// What one operator has done in all workers.
struct Total<'a> {
    first: &'a OperatorMetrics,
    runs: u64,
    rows: u64,
    nanoseconds: u128,
    state_rows: usize,
    state_bytes: usize,
}

fn totals(metrics: &[OperatorMetrics]) -> BTreeMap<&[usize], Total<'_>> {
    let mut totals: BTreeMap<&[usize], Total<'_>> = BTreeMap::new();
    for metric in metrics {
        let total = totals.entry(&metric.path).or_insert(Total {
            first: metric,
            runs: 0,
            rows: 0,
            nanoseconds: 0,
            state_rows: 0,
            state_bytes: 0,
        });
        total.runs = total.runs.max(metric.runs);
        total.rows += metric.rows;
        total.nanoseconds += metric.time.as_nanos();
        total.state_rows += metric.state.rows;
        total.state_bytes += metric.state.bytes;
    }
    totals
}

fn name(path: &[usize]) -> String {
    path.iter().fold("n".to_owned(), |name, number| format!("{name}_{number}"))
}

/// Returns a circuit as a graph in the DOT language of Graphviz: an operator a node, a scope a box, a stream an arrow, with
/// what all workers together have done. Operators are the redder the more of the measured time they took.
#[must_use]
pub fn dot(metrics: &[OperatorMetrics]) -> String {
    let totals = totals(metrics);
    let inner =
        |path: &[usize]| totals.keys().any(|other| other.len() > path.len() && other.starts_with(path));
    let all: u128 = totals.iter().filter(|(path, _)| !inner(path)).map(|(_, total)| total.nanoseconds).sum();
    let mut text = String::from(
        "digraph circuit {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=10];\n",
    );
    scope(&totals, &[], all, &inner, &mut text);
    for (path, total) in &totals {
        for input in &total.first.inputs {
            let from = name(&[&path[..path.len() - 1], &[*input]].concat());
            if !inner(path) {
                line(&mut text, 1, &format!("{from} -> {};", name(path)));
            }
        }
        // What enters a scope enters it by its δ₀, in the order in which they were described.
        let entries = totals.iter().filter(|(other, total)| {
            other.len() == path.len() + 1 && other.starts_with(path) && total.first.name == "delta0"
        });
        for (input, (entry, _)) in total.first.inputs.iter().zip(entries) {
            let from = name(&[&path[..path.len() - 1], &[*input]].concat());
            line(&mut text, 1, &format!("{from} -> {};", name(entry)));
        }
    }
    text.push_str("}\n");
    text
}

fn scope(
    totals: &BTreeMap<&[usize], Total<'_>>,
    around: &[usize],
    all: u128,
    inner: &impl Fn(&[usize]) -> bool,
    text: &mut String,
) {
    let depth = around.len() + 1;
    for (path, total) in totals.iter().filter(|(path, _)| path.len() == depth && path.starts_with(around)) {
        if inner(path) {
            line(text, depth, &format!("subgraph cluster{} {{", name(path)));
            line(
                text,
                depth + 1,
                &format!("label=\"{} {}\";", total.first.name, total.first.path[depth - 1]),
            );
            scope(totals, path, all, inner, text);
            // Streams out of the scope start at a point of it.
            line(text, depth + 1, &format!("{} [label=\"Σ\", shape=circle];", name(path)));
            line(text, depth, "}");
        } else {
            let share = if all == 0 { 0.0 } else { total.nanoseconds as f64 / all as f64 };
            let mut label = format!("{} {}\\n{} rows", total.first.name, path[depth - 1], total.rows);
            if total.state_rows > 0 {
                let _ = write!(label, "\\nstate: {} rows, {} bytes", total.state_rows, total.state_bytes);
            }
            if all > 0 {
                let _ = write!(label, "\\n{:.1} %", share * 100.0);
            }
            let color = format!("0.0 {:.3} 1.0", share.sqrt() * 0.8);
            line(text, depth, &format!("{} [label=\"{label}\", fillcolor=\"{color}\"];", name(path)));
        }
    }
}

fn line(text: &mut String, depth: usize, words: &str) {
    let _ = writeln!(text, "{:width$}{words}", "", width = 2 * depth);
}

/// Returns the same graph, laid out and drawn.
///
/// # Errors
///
/// [`Error::Circuit`](crate::Error::Circuit) if the layout does not understand the graph.
#[cfg(feature = "svg")]
pub fn svg(metrics: &[OperatorMetrics]) -> Result<String, crate::Error> {
    use layout::backends::svg::SVGWriter;
    use layout::gv::{DotParser, GraphBuilder};

    let graph = DotParser::new(&dot(metrics)).process().map_err(crate::Error::Circuit)?;
    let mut builder = GraphBuilder::new();
    builder.visit_graph(&graph);
    let mut writer = SVGWriter::new();
    builder.get().do_it(false, false, false, &mut writer);
    Ok(writer.finalize())
}

/// Returns the time that each operator took, in nanoseconds, as folded stacks: what flame graph programs read.
#[must_use]
pub fn folded_stacks(metrics: &[OperatorMetrics]) -> String {
    let names: BTreeMap<(usize, &[usize]), &str> =
        metrics.iter().map(|metric| ((metric.worker, metric.path.as_slice()), metric.name)).collect();
    let mut text = String::new();
    for metric in metrics {
        let within: u128 = metrics
            .iter()
            .filter(|other| other.worker == metric.worker && other.path.len() == metric.path.len() + 1)
            .filter(|other| other.path.starts_with(&metric.path))
            .map(|other| other.time.as_nanos())
            .sum();
        let own = metric.time.as_nanos().saturating_sub(within);
        if own == 0 {
            continue;
        }
        let mut stack = format!("worker {}", metric.worker);
        for depth in 1..=metric.path.len() {
            let path = &metric.path[..depth];
            let _ = write!(stack, ";{} {}", names[&(metric.worker, path)], path[depth - 1]);
        }
        let _ = writeln!(text, "{stack} {own}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::OrdZSet;
    use crate::{RootCircuit, Runtime, Stream};

    fn metrics(workers: usize) -> Vec<OperatorMetrics> {
        let (mut circuit, edges) = Runtime::init_circuit(workers, |circuit: &mut RootCircuit| {
            let (edges, handle) = circuit.add_input_zset::<(u64, u64)>();
            let paths = circuit.recursive(|scope, paths: Stream<_, OrdZSet<(u64, u64)>>| {
                let edges = edges.delta0(scope);
                Ok(edges.plus(&paths.map_index(|&(a, b)| (b, a)).join(&edges.index(), |_, &a, &b| (a, b))))
            })?;
            let _ = paths.output();
            Ok(handle)
        })
        .unwrap();
        circuit.measure_time(true).unwrap();
        edges.extend((0..20).map(|node| ((node, node + 1), 1)));
        circuit.step().unwrap();
        circuit.gather_metrics().unwrap()
    }

    #[test]
    fn a_graph_has_every_operator_and_every_stream_between_operators_that_are_there() {
        for workers in [1, 2] {
            let metrics = metrics(workers);
            let dot = dot(&metrics);
            let nodes: Vec<&str> = dot
                .lines()
                .filter(|line| line.contains("label=") && !line.trim().starts_with("label="))
                .map(|line| line.trim().split(' ').next().unwrap())
                .collect();
            let paths: std::collections::BTreeSet<_> =
                metrics.iter().map(|metric| name(&metric.path)).collect();
            assert_eq!(
                nodes.iter().map(|&name| name.to_owned()).collect::<std::collections::BTreeSet<_>>(),
                paths
            );
            assert_eq!(nodes.len(), paths.len(), "each operator once, not once per worker");
            let arrows: Vec<&str> = dot.lines().filter(|line| line.contains("->")).collect();
            assert!(arrows.len() >= paths.len() - 3);
            for arrow in arrows {
                let (from, to) = arrow.trim().trim_end_matches(';').split_once(" -> ").unwrap();
                assert!(nodes.contains(&from) && nodes.contains(&to), "{arrow}");
            }
            assert!(dot.contains("subgraph cluster") && dot.contains("Σ"));
        }
    }

    #[cfg(feature = "svg")]
    #[test]
    fn a_drawing_shows_every_operator() {
        let metrics = metrics(1);
        let drawing = svg(&metrics).unwrap();
        assert!(drawing.trim_end().ends_with("</svg>"));
        for metric in metrics.iter().filter(|metric| metric.name != "recursive") {
            assert!(
                drawing.contains(&format!("{} {}", metric.name, metric.path.last().unwrap())),
                "{drawing}"
            );
        }
    }

    #[test]
    fn stacks_add_up_to_the_time_that_was_measured() {
        let metrics = metrics(2);
        let stacks = folded_stacks(&metrics);
        let sum: u128 =
            stacks.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u128>().unwrap()).sum();
        let roots: u128 =
            metrics.iter().filter(|metric| metric.path.len() == 1).map(|metric| metric.time.as_nanos()).sum();
        assert_eq!(sum, roots);
        assert!(
            stacks.lines().any(|line| line.starts_with("worker 1;recursive ") && line.contains(";join ")),
            "{stacks}"
        );
    }
}
