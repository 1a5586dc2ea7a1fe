//! Puts beside each trade the quote of its time, also when quotes are late.

#![allow(clippy::print_stdout)]

use qadataswap_dbsp::RootCircuit;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut circuit, (trades, quotes, joined)) = RootCircuit::build(|circuit| {
        // Under each symbol: time, then price; time, then bid and ask.
        let (trades, trade) = circuit.add_input_indexed_zset::<String, (u64, i64)>();
        let (quotes, quote) = circuit.add_input_indexed_zset::<String, (u64, (i64, i64))>();
        let joined = trades.left_asof_join(
            &quotes,
            |&(time, _)| time,
            |&(time, _)| time,
            |symbol, &(_, price), quote| (symbol.to_string(), price, quote.map(|&(_, prices)| prices)),
        );
        Ok((trade, quote, joined.output()))
    })?;
    let mut step = |what: &str| -> Result<(), qadataswap_dbsp::Error> {
        circuit.step()?;
        println!("{what}");
        for ((symbol, price, quote), (), weight) in joined.take().to_rows() {
            println!("  {weight:+} {symbol} at {price}, quoted {quote:?}");
        }
        Ok(())
    };
    let es = || "ESZ6".to_owned();
    quotes.push(es(), (100, (6750, 6751)), 1);
    trades.push(es(), (105, 6751), 1);
    trades.push(es(), (115, 6752), 1);
    step("two trades, one quote")?;
    quotes.push(es(), (110, (6751, 6752)), 1);
    step("a late quote, of a time between the two")?;
    Ok(())
}
