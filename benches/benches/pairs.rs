//! `cargo bench -p qadataswap-benches --bench pairs`: what frames take between two processes, each on a core of its own, beside
//! the floors: a word's way from one to the other, and a futex's wake. All take turns in one run; ratios are what to
//! compare, and which two cores these are changes from run to run on machines that are shared. `-- 0.1` takes a tenth of the
//! samples.

use qadataswap_benches::floors::{self, Waiting};
use qadataswap_benches::rings::{self, Failure};
use qadataswap_benches::{Samples, pair, provenance};
use std::io::{self, Write};
use std::time::Duration;

/// Rounds, in each of which everything is measured once.
const ROUNDS: usize = 3;

fn main() -> Result<(), Failure> {
    if let Some((part, words)) = pair::part() {
        return rings::play(&part, &words);
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}", provenance())?;
    if !pair::are_two() {
        writeln!(out, "one core: nothing that waits for another process can be measured")?;
        return Ok(());
    }
    pair::settle(0)?;
    let share = std::env::args().skip(1).find_map(|argument| argument.parse::<f64>().ok()).unwrap_or(1.0);
    let of = |turns: usize| ((turns as f64 * share) as usize).max(50);
    let mut lines: Vec<(String, Vec<Duration>, Vec<Duration>)> = Vec::new();
    for _ in 0..ROUNDS {
        let mut place = 0;
        let mut take = |name: String, mut samples: Samples| {
            if lines.len() == place {
                lines.push((name, Vec::new(), Vec::new()));
            }
            let (_, medians, tails) = &mut lines[place];
            medians.push(samples.quantile(0.5));
            tails.push(samples.quantile(0.99));
            place += 1;
        };
        for waiting in [Waiting::Hot, Waiting::Pausing, Waiting::Asleep] {
            let samples = floors::one_way(waiting, of(200) as u64)?;
            take(samples.name().to_owned(), samples);
        }
        for (rows, turns) in [(1, 20_000), (1_000, 10_000), (1_000_000, 40)] {
            for sleeps in [false, true] {
                let samples = rings::one_way(rows, sleeps, of(turns))?;
                take(format!("{}, {rows} × 5", samples.name()), samples);
            }
        }
        for slots in [4, 64, 1024] {
            take(
                format!("a frame of many, 1 × 5, {slots} slots"),
                rings::sustained(1, slots, of(500_000) as u64)?,
            );
        }
        for readers in [1, 2, 8, 64] {
            take(
                format!("write_arrow, 1 × 5, {readers} attached"),
                rings::publish_beside(readers, of(50_000))?,
            );
        }
    }
    writeln!(out, "{:<36} {:>12} {:>12} {:>10}", "step", "p50 ns", "p99 ns", "÷ floor")?;
    let floor = |name: &str| if name.contains("asleep") || name.contains("futex") { 2 } else { 0 };
    let medians: Vec<u128> = lines.iter_mut().map(|(_, medians, _)| middle(medians)).collect();
    for (at, (name, _, tails)) in lines.iter_mut().enumerate() {
        let ratio = medians[at] as f64 / medians[floor(name)] as f64;
        writeln!(out, "{name:<36} {:>12} {:>12} {ratio:>10.2}", medians[at], middle(tails))?;
    }
    Ok(())
}

fn middle(values: &mut [Duration]) -> u128 {
    values.sort_unstable();
    values[values.len() / 2].as_nanos()
}
