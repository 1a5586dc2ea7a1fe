//! The demo's report, for people.

use super::bars::Bar;
use super::live;
use super::program::Program;
use super::relay::Relayed;
use super::report::{Published, Report, Role};
use super::tables::Plan;
use crate::human;
use crate::table::{Flush, Table};
use std::time::Duration;

/// What is about to happen.
pub(super) fn heading(
    plan: &Plan,
    orders: &Plan,
    ring: &str,
    relays: &[Program],
    viewers: &[Program],
) -> String {
    let of = |what: &str, programs: &[Program]| -> String {
        programs.iter().map(|program| format!(", a {what} in {}", program.language)).collect()
    };
    format!(
        "ring '{ring}': {}\n{} of {} at {:.0} frames/s; one writer, three readers{}, each a process of its own\n\
         live views of it, and of {}: kept in a process of their own, followed by two viewers in Rust{}",
        plan.title,
        human::plural(plan.frames, "frame"),
        human::plural(plan.rows_per_frame, "row"),
        plan.rate,
        of("relay", relays),
        orders.title,
        of("viewer", viewers),
    )
}

/// What happened.
pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    for role in [Role::Consumer, Role::Dashboard, Role::LateJoiner] {
        text.push_str(&format!("\n  {:<12} {}", role.name(), role.terms()));
    }
    if !report.relays.is_empty() {
        text.push_str(&format!("\n  {:<12} {}", Role::Auditor.name(), Role::Auditor.terms()));
    }
    text.push_str(&format!("\n\n{}", readers(report)));
    text.push_str(
        "\n(latency: from publication to receipt, of frames published while attached; the dashboard's",
    );
    text.push_str("\n is how old the newest frame was when it looked)");
    text.push_str(&format!("\n\n{}", writer(&report.publisher)));
    for relay in &report.relays {
        text.push_str(&format!("\n{}", relayed(relay)));
    }
    let bars = report.readers.iter().find_map(|reader| reader.bars.as_ref());
    if let Some(bars) = bars.filter(|bars| bars.bars > 0) {
        text.push_str(&format!(
            "\n\none-second bars of the consumer, {} of {}:\n",
            bars.sample.len(),
            bars.bars
        ));
        text.push_str(&bar_table(&bars.sample).to_string());
    }
    text.push_str(&format!("\n\n{}", live::show::live(&report.live)));
    text.push('\n');
    for check in &report.checks {
        let verdict = if check.passed { "ok  " } else { "FAIL" };
        text.push_str(&format!("\n{verdict}  {} ({})", check.fact, check.detail));
    }
    text.push_str(if report.passed { "\n\nall checks passed" } else { "\n\nTHE DEMO FAILED" });
    text
}

fn readers(report: &Report) -> Table {
    let mut table = Table::new(&[
        ("reader", Flush::Left),
        ("frames", Flush::Right),
        ("rows", Flush::Right),
        ("bytes", Flush::Right),
        ("missed", Flush::Right),
        ("p50", Flush::Right),
        ("p99", Flush::Right),
        ("max", Flush::Right),
        ("bytes copied", Flush::Right),
    ]);
    for reader in &report.readers {
        table.push(vec![
            reader.name(),
            human::count(reader.frames),
            human::count(reader.rows),
            human::bytes(reader.bytes),
            human::count(reader.missed),
            nanoseconds(reader.latency.p50_ns),
            nanoseconds(reader.latency.p99_ns),
            nanoseconds(reader.latency.max_ns),
            human::count(reader.bytes_copied),
        ]);
    }
    table
}

fn writer(published: &Published) -> String {
    format!(
        "writer: {}, {}, {} in {}; a write takes p50 {}, p99 {}, max {}; waited for room {}",
        human::plural(published.frames, "frame"),
        human::plural(published.rows, "row"),
        human::bytes(published.bytes),
        human::duration(Duration::from_secs_f64(published.seconds)),
        nanoseconds(published.write.p50_ns),
        nanoseconds(published.write.p99_ns),
        nanoseconds(published.write.max_ns),
        human::plural(published.full_waits, "time"),
    )
}

fn relayed(relay: &Relayed) -> String {
    format!(
        "{} relay ({}): read {} from publication to receipt in p50 {}, p99 {}; a write takes p50 {}, p99 {}",
        relay.language,
        relay.about,
        human::plural(relay.frames, "frame"),
        nanoseconds(relay.latency.p50_ns),
        nanoseconds(relay.latency.p99_ns),
        nanoseconds(relay.write.p50_ns),
        nanoseconds(relay.write.p99_ns),
    )
}

fn bar_table(bars: &[Bar]) -> Table {
    let mut table = Table::new(&[
        ("symbol", Flush::Left),
        ("time (UTC)", Flush::Left),
        ("open", Flush::Right),
        ("high", Flush::Right),
        ("low", Flush::Right),
        ("close", Flush::Right),
        ("volume", Flush::Right),
        ("trades", Flush::Right),
    ]);
    for bar in bars {
        let mut row = vec![bar.symbol.clone(), time_of_day(bar.second)];
        row.extend([bar.open, bar.high, bar.low, bar.close].map(price));
        row.extend([human::count(bar.volume.unsigned_abs()), human::count(bar.trades)]);
        table.push(row);
    }
    table
}

/// A price without the digits that its binary form adds.
pub(super) fn price(price: f64) -> String {
    let text = format!("{price:.5}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

pub(super) fn time_of_day(second: i64) -> String {
    let second = second.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

pub(super) fn nanoseconds(ns: u64) -> String {
    human::duration(Duration::from_nanos(ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_and_times_read_well() {
        assert_eq!(price(1.1720499999999999), "1.17205");
        assert_eq!(price(6900.0), "6900");
        assert_eq!(time_of_day(1_767_623_400), "14:30:00");
    }
}
