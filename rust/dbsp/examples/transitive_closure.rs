//! Keeps the paths of a graph while edges come and go.

#![allow(clippy::print_stdout)]

use std::time::Instant;

use qadataswap_dbsp::{OrdZSet, RootCircuit, Stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut circuit, (edges, paths)) = RootCircuit::build(|circuit| {
        let (edges, handle) = circuit.add_input_zset::<(u32, u32)>();
        let paths = circuit.recursive(|scope, paths: Stream<_, OrdZSet<(u32, u32)>>| {
            let edges = edges.delta0(scope);
            let by_end = paths.map_index(|&(start, end)| (end, start));
            Ok(edges.plus(&by_end.join(&edges.index(), |_, &start, &end| (start, end))))
        })?;
        Ok((handle, paths.output()))
    })?;
    // Ten chains of a hundred nodes.
    edges.extend((0..1000).filter(|node| node % 100 != 99).map(|node| ((node, node + 1), 1)));
    let mut step = |what: &str| -> Result<(), qadataswap_dbsp::Error> {
        let start = Instant::now();
        circuit.step()?;
        let (taken, change) = (start.elapsed(), paths.take());
        let (come, gone) =
            change.iter().fold(
                (0, 0),
                |(come, gone), (_, (), weight)| {
                    if weight > 0 { (come + 1, gone) } else { (come, gone + 1) }
                },
            );
        println!("{what}: {come} paths come, {gone} go, in {taken:?}");
        Ok(())
    };
    step("all edges")?;
    edges.push((49, 50), -1);
    step("one edge goes")?;
    edges.push((99, 100), 1);
    step("one edge comes")?;
    Ok(())
}
