//! The live views in the demo's report, for people.

use super::super::show::{nanoseconds, price, time_of_day};
use super::report::{Ended, Kept, Live, Viewed};
use super::rows::{Cell, Row};
use crate::human;
use crate::table::{Flush, Table};

/// Rows that are shown of each view.
const SAMPLE: usize = 5;

/// What there is to tell of the live views.
pub(in crate::demo) fn live(live: &Live) -> String {
    let mut text = format!(
        "{}\n\n{}\n(latency: from a change's publication to its receipt, of viewers in Rust)",
        kept(&live.kept, &live.orders),
        viewers(&live.viewers)
    );
    for view in &live.views {
        let shown = sample(&view.rows);
        let of_all = if shown.len() < view.rows.len() {
            format!(", {} of {}", shown.len(), view.rows.len())
        } else {
            String::new()
        };
        let what = match view.view {
            "bars" => "one-minute bars",
            "vwap" => "VWAP of the whole feed",
            _ => "top of the book",
        };
        match shown.is_empty() {
            true => text.push_str(&format!("\n\n{what}: none, there is nothing to make it of")),
            false => text.push_str(&format!("\n\n{what}, in the end{of_all}:\n{}", table(view, &shown))),
        }
    }
    text
}

fn kept(kept: &Kept, orders: &str) -> String {
    format!(
        "live views: {} and {} ({orders}) in {}, in one process;\n\
         a step, with all that it publishes, takes p50 {}, p99 {}, max {}",
        human::plural(kept.trades, "trade"),
        human::plural(kept.events, "event"),
        human::plural(kept.steps, "step"),
        nanoseconds(kept.step.p50_ns),
        nanoseconds(kept.step.p99_ns),
        nanoseconds(kept.step.max_ns),
    )
}

fn viewers(viewers: &[Viewed]) -> Table {
    let mut table = Table::new(&[
        ("viewer", Flush::Left),
        ("is", Flush::Left),
        ("changes", Flush::Right),
        ("p50", Flush::Right),
        ("p99", Flush::Right),
        ("max", Flush::Right),
    ]);
    for viewer in viewers {
        let changes = viewer.views.values().map(|view| view.changes).sum();
        let mut row = vec![viewer.name.clone(), viewer.about.clone(), human::count(changes)];
        match &viewer.latency {
            Some(latency) => row.extend([latency.p50_ns, latency.p99_ns, latency.max_ns].map(nanoseconds)),
            None => row.extend(["", "", ""].map(str::to_owned)),
        }
        table.push(row);
    }
    table
}

/// A few rows, of every symbol if there are not too many.
fn sample(rows: &[Row]) -> Vec<&Row> {
    let mut symbols: Vec<&Cell> = rows.iter().filter_map(|row| row.first()).collect();
    symbols.dedup();
    let each = SAMPLE.div_ceil(symbols.len().max(1));
    let mut shown: Vec<&Row> = Vec::new();
    for row in rows {
        let of_symbol = shown.iter().filter(|shown| shown.first() == row.first()).count();
        if of_symbol < each && shown.len() < SAMPLE {
            shown.push(row);
        }
    }
    shown
}

fn table(view: &Ended, rows: &[&Row]) -> String {
    let columns = view.columns.iter().map(String::as_str);
    let is_text = |name: &str| matches!(name, "symbol" | "side" | "minute");
    let flush = |name: &str| if is_text(name) { Flush::Left } else { Flush::Right };
    let heads: Vec<(&'static str, Flush)> = columns.clone().map(|name| (head(name), flush(name))).collect();
    let mut table = Table::new(&heads);
    for row in rows {
        table.push(columns.clone().zip(*row).map(|(name, cell)| value(name, cell)).collect());
    }
    table.to_string()
}

/// The name of a column, as people read it.
fn head(column: &str) -> &'static str {
    match column {
        "symbol" => "symbol",
        "minute" => "minute (UTC)",
        "open" => "open",
        "high" => "high",
        "low" => "low",
        "close" => "close",
        "volume" => "volume",
        "trades" => "trades",
        "vwap" => "VWAP",
        "side" => "side",
        "price" => "price",
        "size" => "size",
        "orders" => "orders",
        _ => "",
    }
}

fn value(column: &str, cell: &Cell) -> String {
    match (column, cell) {
        (_, Cell::Text(text)) => text.clone(),
        ("minute", Cell::Number(ns)) => time_of_day(ns.div_euclid(1_000_000_000)),
        ("open" | "high" | "low" | "close" | "vwap" | "price", Cell::Number(billionths)) => {
            price(*billionths as f64 / 1e9)
        }
        (_, Cell::Number(number)) => human::count(number.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_well() {
        assert_eq!(value("price", &6_750_250_000_000.into()), "6750.25");
        assert_eq!(value("minute", &1_767_623_460_000_000_000.into()), "14:31:00");
        assert_eq!(value("volume", &12_345.into()), "12,345");
        assert_eq!(value("symbol", &"ES".into()), "ES");
    }

    #[test]
    fn a_sample_has_every_symbol() {
        let rows: Vec<Row> = ["CL", "CL", "CL", "CL", "ES", "ES"]
            .iter()
            .zip(0i64..)
            .map(|(&symbol, minute)| vec![symbol.into(), minute.into()])
            .collect();
        let shown = sample(&rows);
        assert_eq!(
            shown.iter().map(|row| row[1].clone()).collect::<Vec<_>>(),
            [0, 1, 2, 4, 5].map(Cell::from)
        );
        assert!(sample(&[]).is_empty());
    }
}
