//! `qads ls`: the rings there are.

use crate::cli::Global;
use crate::human;
use crate::out::Out;
use crate::rings::{Ring, living_readers, state_name};
use crate::table::{Flush, Table};
use qadataswap::inspect::{self, RingInfo};
use serde::Serialize;

/// A ring that cannot be looked into, as one line of JSON.
#[derive(Serialize)]
struct Unreadable<'a> {
    ring: &'a str,
    error: String,
    kind: &'static str,
}

pub(crate) fn run(global: &Global) -> anyhow::Result<()> {
    let rings = inspect::list(&global.directory)?;
    let mut out = Out::new();
    if global.json {
        for (name, info) in &rings {
            match info {
                Ok(info) => out.json(&Ring::from(info))?,
                Err(error) => {
                    let kind = error.kind().name();
                    out.json(&Unreadable { ring: name, error: error.to_string(), kind })?;
                }
            }
        }
        return Ok(());
    }
    let mut table = table();
    for (name, info) in &rings {
        match info {
            Ok(info) => table.push(row(info)),
            Err(error) => tracing::warn!("{name}: {error}"),
        }
    }
    if rings.is_empty() {
        return out.line(format_args!("no rings in {}", global.directory.display()));
    }
    if table.is_empty() {
        return Ok(());
    }
    out.line(table)
}

fn table() -> Table {
    Table::new(&[
        ("ring", Flush::Left),
        ("state", Flush::Left),
        ("writer", Flush::Right),
        ("readers", Flush::Right),
        ("lag", Flush::Right),
        ("frames", Flush::Right),
        ("rows", Flush::Right),
        ("slots", Flush::Left),
        ("resident", Flush::Right),
        ("newest", Flush::Right),
    ])
}

fn row(info: &RingInfo) -> Vec<String> {
    let lag = info.readers.iter().filter(|reader| reader.alive).map(|reader| reader.lag).max();
    let newest = info.standing.last().map(|frame| human::duration(frame.age));
    vec![
        info.name.clone(),
        state_name(info.state).to_owned(),
        info.writer_pid.to_string(),
        living_readers(info).to_string(),
        lag.map_or("-".to_owned(), human::count),
        human::count(info.frames),
        human::count(info.rows),
        format!("{} x {}", info.buffer_count, human::bytes(info.slot_bytes)),
        human::bytes(info.resident_bytes),
        newest.unwrap_or_else(|| "-".to_owned()),
    ]
}
