//! `qads layout`: where everything lies in a ring's region.

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::human;
use crate::out::Out;
use crate::table::{Flush, Table};
use qadataswap::{LayoutField, describe_layout};
use serde::Serialize;

/// Print where everything lies in a ring's region: its parts, then the fields of each fixed part.
///
/// With --json, each line is a part or a field: {"part", "name", "offset", "size"}.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Number of slots.
    #[arg(long, default_value_t = 3, value_name = "N")]
    buffers: u32,
    /// Most readers at a time.
    #[arg(long, default_value_t = 64, value_name = "N")]
    max_readers: u32,
    /// Bytes of a slot, a multiple of 4096.
    #[arg(long, default_value_t = 1 << 20, value_name = "N")]
    slot_bytes: u64,
}

/// A part or a field, as one line of JSON.
#[derive(Serialize)]
struct Line {
    /// The part that a field belongs to; none for a part of the region.
    part: Option<&'static str>,
    name: &'static str,
    offset: u64,
    size: u64,
}

impl From<LayoutField> for Line {
    fn from(field: LayoutField) -> Line {
        let (part, name) = match field.name.split_once('.') {
            Some((part, name)) => (Some(part), name),
            None => (None, field.name),
        };
        Line { part, name, offset: field.offset, size: field.size }
    }
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let Some(fields) = describe_layout(args.buffers, args.max_readers, args.slot_bytes) else {
        let message = format!(
            "no ring can have {} slots of {} bytes and {} readers: expected 1 to 65536 slots, each a multiple of \
             4096 bytes, and 1 to 1024 readers",
            args.buffers, args.slot_bytes, args.max_readers
        );
        return Err(Failed::new(Exit::Usage, message).into());
    };
    let mut out = Out::new();
    let lines: Vec<Line> = fields.into_iter().map(Line::from).collect();
    if global.json {
        return lines.iter().try_for_each(|line| out.json(line));
    }
    let mut parts = Table::new(&[("part", Flush::Left), ("offset", Flush::Right), ("bytes", Flush::Right)]);
    let mut fields =
        Table::new(&[("field", Flush::Left), ("offset in part", Flush::Right), ("bytes", Flush::Right)]);
    for line in &lines {
        let (table, name) = match line.part {
            None => (&mut parts, line.name.to_owned()),
            Some(part) => (&mut fields, format!("{part}.{}", line.name)),
        };
        table.push(vec![name, human::count(line.offset), human::count(line.size)]);
    }
    out.line(parts)?;
    out.line("")?;
    out.line(fields)
}
