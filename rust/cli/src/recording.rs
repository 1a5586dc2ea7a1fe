//! `qads recording`: what a recording holds.

use crate::cli::Global;
use crate::human;
use crate::out::Out;
use crate::table::{Flush, Table};
use crate::values::time;
use qadataswap::recording::{FileInfo, Recording};
use serde::Serialize;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Show what a recording holds: its files, frames, times and gaps.
///
/// With --json, each file is one line: {"file", "ring", "region", "data", "data_bytes", "frames", "rows", "missed",
/// "damaged", "first", "last", "first_ns", "last_ns"}, the last four null if it has no frame; times are in nanoseconds
/// since the Unix epoch.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Folder of the recording.
    folder: PathBuf,
    /// First cut off what a killed recorder has left half-written, so that other programs read the last file to its
    /// end. A recorder that goes on does this by itself.
    #[arg(long)]
    repair: bool,
}

/// A file, as one line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    file: u64,
    ring: &'a str,
    region: String,
    data: String,
    data_bytes: u64,
    frames: u64,
    rows: u64,
    missed: u64,
    damaged: u64,
    first: Option<u64>,
    last: Option<u64>,
    first_ns: Option<u64>,
    last_ns: Option<u64>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let recording = Recording::open(&args.folder)?;
    let mut out = Out::new();
    if args.repair {
        let mended = recording.repair()?;
        if !global.json {
            out.line(format_args!(
                "cut off {} of data, {} of the index",
                human::bytes(mended.data_bytes),
                human::bytes(mended.index_bytes)
            ))?;
        }
    }
    let files = recording.files()?;
    if global.json {
        return files.iter().try_for_each(|file| out.json(&Line::from(file)));
    }
    let mut table = Table::new(&[
        ("file", Flush::Right),
        ("frames", Flush::Right),
        ("rows", Flush::Right),
        ("bytes", Flush::Right),
        ("first", Flush::Right),
        ("last", Flush::Right),
        ("missed", Flush::Right),
        ("damaged", Flush::Right),
        ("from", Flush::Left),
        ("to", Flush::Left),
        ("region", Flush::Left),
    ]);
    for file in &files {
        let sequence =
            |place: Option<(u64, SystemTime)>| place.map_or("-".to_owned(), |(at, _)| human::count(at));
        let when = |place: Option<(u64, SystemTime)>| place.map_or("-".to_owned(), |(_, at)| time(at));
        table.push(vec![
            format!("{:08}", file.number),
            human::count(file.frames),
            human::count(file.rows),
            human::bytes(file.data_bytes),
            sequence(file.first),
            sequence(file.last),
            human::count(file.missed),
            human::count(file.damaged),
            when(file.first),
            when(file.last),
            region(file)[..8].to_owned(),
        ]);
    }
    if table.is_empty() {
        return out.line(format_args!("no files in {}", args.folder.display()));
    }
    let sum = |of: fn(&FileInfo) -> u64| files.iter().map(of).fold(0, u64::saturating_add);
    out.line(format_args!(
        "ring '{}': {} in {}, {}, {} missed{}\n\n{table}",
        files[0].ring,
        human::plural(sum(|file| file.frames), "frame"),
        human::plural(files.len() as u64, "file"),
        human::bytes(sum(|file| file.data_bytes)),
        human::count(sum(|file| file.missed)),
        if recording.is_live()? { ", being recorded" } else { "" },
    ))
}

fn region(file: &FileInfo) -> String {
    format!("{:016x}{:016x}", file.region_id[0], file.region_id[1])
}

impl<'a> From<&'a FileInfo> for Line<'a> {
    fn from(file: &'a FileInfo) -> Line<'a> {
        let ns = |(_, time): (u64, SystemTime)| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        };
        Line {
            file: file.number,
            ring: &file.ring,
            region: region(file),
            data: file.data.display().to_string(),
            data_bytes: file.data_bytes,
            frames: file.frames,
            rows: file.rows,
            missed: file.missed,
            damaged: file.damaged,
            first: file.first.map(|(sequence, _)| sequence),
            last: file.last.map(|(sequence, _)| sequence),
            first_ns: file.first.map(ns),
            last_ns: file.last.map(ns),
        }
    }
}
