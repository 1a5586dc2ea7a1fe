//! `qads info`: one ring, from outside.

use crate::cli::Global;
use crate::human;
use crate::out::Out;
use crate::rings::{Ring, state_name, when_full_name};
use crate::rows::{self, Column};
use crate::table::{Flush, Table};
use crate::values::policy_name;
use qadataswap::inspect::{self, ReaderInfo, RingInfo, StreamInfo};
use qadataswap::{QADataSwapError, Reader, ReaderPolicy, SharedMemoryConfig, StartAt};
use rustix::fs::{Mode, OFlags};
use serde::Serialize;

/// Show one ring: its geometry, writer, frames and readers.
///
/// Looking changes nothing; with --json, the ring is one object.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Name of the ring.
    #[arg(required_unless_present = "fd", conflicts_with = "fd")]
    name: Option<String>,
    /// Show the ring without a name behind a descriptor: of the process --pid, or one that this command has inherited.
    #[arg(long, value_name = "N")]
    fd: Option<u32>,
    /// The process whose descriptor it is.
    #[arg(long, requires = "fd")]
    pid: Option<u32>,
    /// Also show the columns of the newest frame; this attaches as a reader for a moment.
    #[arg(long, conflicts_with = "fd")]
    schema: bool,
}

impl Args {
    fn look(&self, global: &Global) -> Result<RingInfo, QADataSwapError> {
        if let Some(name) = &self.name {
            return inspect::info(name, &global.directory);
        }
        let process = self.pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let path = format!("/proc/{process}/fd/{}", self.fd.unwrap_or_default());
        // Whatever else may be behind it must not hold us up.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::open(&path, flags, Mode::empty()).map_err(|error| QADataSwapError::Io {
            ring: path,
            call: "opening the descriptor",
            source: error.into(),
        })?;
        inspect::info_of(fd)
    }
}

/// A ring with its columns, as one line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    ring: Ring<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Vec<Column>>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let info = args.look(global)?;
    let schema = match args.schema {
        true => schema(&info, global)?,
        false => None,
    };
    let mut out = Out::new();
    if global.json {
        return out.json(&Line { ring: Ring::from(&info), schema });
    }
    let place = match &args.name {
        Some(name) => format!("{}/qads_{name}", global.directory.display()),
        None => "none".to_owned(),
    };
    out.line(summary(&info, &place))?;
    if info.readers.is_empty() {
        out.line("\nno readers")?;
    } else {
        out.line(format_args!("\n{}", readers(&info.readers)))?;
    }
    match schema {
        Some(columns) => out.line(format_args!("\n{}", schema_table(&columns))),
        None if args.schema => out.line("\nno schema: there is no frame"),
        None => Ok(()),
    }
}

/// The columns of the newest frame. An observer changes nothing, so the ring stays as it is.
fn schema(info: &RingInfo, global: &Global) -> anyhow::Result<Option<Vec<Column>>> {
    let config = SharedMemoryConfig::new(&info.name)
        .with_directory(&global.directory)
        .with_policy(ReaderPolicy::Observer)
        .with_start(StartAt::Newest);
    match Reader::new(config)?.try_read_frame() {
        Ok(frame) => Ok(frame.map(|frame| rows::columns(frame.schema()))),
        Err(QADataSwapError::EndOfStream { .. } | QADataSwapError::Replaced { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn summary(info: &RingInfo, place: &str) -> String {
    let standing = match (info.standing.first(), info.standing.last()) {
        (Some(oldest), Some(newest)) => format!(
            "{}, {} to {}, the newest {} old",
            human::plural(info.standing.len() as u64, "frame"),
            human::count(oldest.sequence),
            human::count(newest.sequence),
            human::duration(newest.age)
        ),
        _ => "no frame".to_owned(),
    };
    let lines = [
        ("ring", info.name.clone()),
        (
            "state",
            format!("{}, writer {}, generation {}", state_name(info.state), info.writer_pid, info.generation),
        ),
        ("when full", when_full_name(info.when_full).to_owned()),
        (
            "geometry",
            format!(
                "{} of {}, at most {}",
                human::plural(info.buffer_count.into(), "slot"),
                human::bytes(info.slot_bytes),
                human::plural(info.max_readers.into(), "reader")
            ),
        ),
        (
            "memory",
            format!("{} of {} resident", human::bytes(info.resident_bytes), human::bytes(info.region_bytes)),
        ),
        (
            "published",
            format!(
                "{}, {}, {}",
                human::plural(info.frames, "frame"),
                human::plural(info.rows, "row"),
                human::bytes(info.bytes)
            ),
        ),
        ("stream", info.stream.as_ref().map_or_else(|| "none".to_owned(), stream)),
        ("standing", standing),
        ("file", format!("{place}, user {}, mode {:04o}", info.uid, info.mode)),
    ];
    lines.map(|(name, value)| format!("{name:<11}{value}")).join("\n")
}

fn stream(stream: &StreamInfo) -> String {
    let rows = human::plural(stream.rows, "row");
    let rows = match stream.total_rows {
        Some(total) => format!("{} of {}", human::count(stream.rows), human::plural(total, "row")),
        None => rows,
    };
    let from = format!("{rows}, from frame {} on", human::count(stream.first));
    match &stream.aborted {
        Some(reason) => format!("{from}; broken off: {reason}"),
        None => from,
    }
}

fn readers(readers: &[ReaderInfo]) -> Table {
    let mut table = Table::new(&[
        ("reader", Flush::Right),
        ("pid", Flush::Right),
        ("state", Flush::Left),
        ("policy", Flush::Left),
        ("next", Flush::Right),
        ("lag", Flush::Right),
        ("pins", Flush::Right),
        ("missed", Flush::Right),
        ("attached", Flush::Right),
    ]);
    for reader in readers {
        let state = match (reader.alive, reader.lingering) {
            (false, _) => "dead",
            (true, true) => "lingering",
            (true, false) => "alive",
        };
        table.push(vec![
            reader.row.to_string(),
            reader.pid.to_string(),
            state.to_owned(),
            policy_name(reader.policy).to_owned(),
            human::count(reader.cursor),
            human::count(reader.lag),
            reader.pins.to_string(),
            human::count(reader.missed),
            human::duration(reader.attached),
        ]);
    }
    table
}

fn schema_table(columns: &[Column]) -> Table {
    let mut table = Table::new(&[("column", Flush::Left), ("type", Flush::Left), ("nullable", Flush::Left)]);
    for column in columns {
        let nullable = if column.nullable { "yes" } else { "no" };
        table.push(vec![column.name.clone(), column.data_type.clone(), nullable.to_owned()]);
    }
    table
}
