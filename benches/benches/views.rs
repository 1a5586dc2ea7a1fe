//! `cargo bench -p qadataswap-benches --bench views`: how long it is from a frame of trades, published by one process, until it has
//! the views that another process keeps of them, changed: bars of a minute and VWAP by symbol. Beside it, in turns, the same
//! way without a circuit. `-- 0.1` takes a tenth of the samples.

use qadataswap_benches::book::{Book, Key};
use qadataswap_benches::rings::{self, Failure};
use qadataswap_benches::views::{Keeper, until_changed};
use qadataswap_benches::{Asked, pair, provenance};
use std::io::{self, Write};

/// Rounds, in each of which everything is measured once.
const ROUNDS: usize = 3;

fn main() -> Result<(), Failure> {
    if let Some((part, words)) = pair::part() {
        return rings::play(&part, &words);
    }
    writeln!(io::stdout(), "{}", provenance())?;
    if !pair::are_two() {
        writeln!(io::stdout(), "one core: nothing that waits for another process can be measured")?;
        return Ok(());
    }
    pair::settle(0)?;
    let share = Asked::read().share;
    let mut book = Book::new("views");
    for _ in 0..ROUNDS {
        for (rows, name, turns) in
            [(1, "1 trade", 10_000.0), (100, "100 trades", 4_000.0), (10_000, "10,000 trades", 60.0)]
        {
            let turns = ((turns * share) as usize).max(8);
            for (sleeps, way) in [(false, "spinning"), (true, "sleeping")] {
                let (relayed, kept) = (format!("frames alone, {way}"), format!("views, {way}"));
                let floor: Key<'_> = ("live view", name, &relayed);
                book.take(floor, None, until_changed(Keeper::Relay, rows, sleeps, turns)?);
                let samples = until_changed(Keeper::Circuit, rows, sleeps, turns)?;
                book.take(("live view", name, &kept), Some(floor), samples);
            }
        }
    }
    book.close()?;
    Ok(())
}
