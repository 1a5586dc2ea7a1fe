//! One interval, as text or JSON.

use super::picture::{Picture, Seen};
use super::view;
use crate::cli::Global;
use crate::out::Out;
use crate::table::{Flush, Table};

pub(crate) fn print(picture: &Picture, global: &Global) -> anyhow::Result<()> {
    let mut out = Out::new();
    if global.json {
        return picture.rings.iter().try_for_each(|ring| out.json(ring));
    }
    if picture.rings.is_empty() {
        return out.line(format_args!("no rings in {}", global.directory.display()));
    }
    out.line(table(&view::RINGS, picture.rings.iter().map(view::ring_cells)))?;
    for ring in &picture.rings {
        match &ring.seen {
            Seen::Ring(figures) if !figures.readers.is_empty() => {
                let cells = figures.readers.iter().map(view::reader_cells);
                out.line(format_args!("\nreaders of {}\n{}", ring.name, table(&view::READERS, cells)))?;
            }
            Seen::Ring(_) => {}
            Seen::Unreadable { error, .. } => out.line(format_args!("\n{}: {error}", ring.name))?,
        }
    }
    Ok(())
}

fn table(columns: &[view::Column], rows: impl Iterator<Item = Vec<String>>) -> Table {
    let headings: Vec<(&'static str, Flush)> =
        columns.iter().map(|column| (column.heading, column.flush)).collect();
    let mut table = Table::new(&headings);
    rows.for_each(|row| table.push(row));
    table
}
