//! Counts words of standard input, line by line: `cargo run -p qadataswap-dbsp --example word_count < some.txt`.

#![allow(clippy::print_stdout)]

use std::io::BufRead;

use qadataswap_dbsp::{Runtime, operator::Count};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut circuit, (lines, best)) = Runtime::init_circuit(2, |circuit| {
        let (lines, handle) = circuit.add_input_zset::<String>();
        let words = lines.flat_map(|line| line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>());
        let counts = words.map_index(|word| (word.to_string(), ())).aggregate(Count);
        let best = counts.map_index(|&(word, count)| ((), (count, word.to_owned()))).topk_desc(10);
        Ok((handle, best.output()))
    })?;
    for line in std::io::stdin().lock().lines() {
        lines.push(line?, 1);
    }
    circuit.step()?;
    let mut best = best.take().to_rows();
    best.reverse();
    for ((), (count, word), _) in best {
        println!("{count:>8} {word}");
    }
    Ok(())
}
