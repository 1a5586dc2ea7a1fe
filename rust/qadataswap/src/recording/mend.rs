//! Mending the last pair of a recording after its recorder was killed, so that it ends with its last whole frame and
//! an end of stream, and any Arrow library reads it.
//!
//! Law: whoever mends has the recording's [`Right`](super::files::Right). Whole frames are never touched; a mender
//! killed in the middle leaves what the next one mends. A data file that holds more than a schema but has no index is
//! left alone: it is no part of the recording any more, but an Arrow stream still.

use super::files::{Look, Pair, data_path, index_path, numbers};
use super::index::{HEADER, RECORD};
use super::read::has_its_checksum;
use super::recorder::refused;
use crate::crash;
use crate::error::Result;
use crate::frame::{END, Stretch};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What mending has cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mended {
    /// Bytes of the data file behind its last whole frame.
    pub data_bytes: u64,
    /// Bytes of the index behind that frame's record.
    pub index_bytes: u64,
}

/// Mends the last pair.
pub(super) fn mend(directory: &Path) -> Result<Mended> {
    let named = |call, error| super::files::error_in(directory, call, error);
    let listed = numbers(directory).map_err(|error| named("listing the recording", error))?;
    let Some(&number) = listed.last() else { return Ok(Mended::default()) };
    match Pair::open(directory, number, true)? {
        Some(pair) => mend_pair(directory, &pair),
        None => remove_stillborn(directory, number).map_err(|error| named("removing an empty file", error)),
    }
}

fn mend_pair(directory: &Path, pair: &Pair) -> Result<Mended> {
    let mut records = pair.whole()?;
    let mut end = pair.header.schema_bytes;
    while records > 0 {
        // With the system's own death, a record may have outlived its frame.
        if let Look::Record(record) = pair.look(records - 1)?
            && has_its_checksum(pair, &record)?
        {
            end = record.end();
            break;
        }
        records -= 1;
    }
    let error =
        |error| refused(&pair.header.ring, directory, END.len() as u64, "mending the recording", error);
    let index_end = HEADER as u64 + records * RECORD as u64;
    let index_reach = pair.index.metadata().map_err(error)?.len();
    let data_reach = pair.reach()?;
    let mut mended = Mended::default();
    if !ends_with_end(&pair.data, end, data_reach).map_err(error)? {
        mended.data_bytes = data_reach - end;
        crash::point();
        pair.data.set_len(end).map_err(error)?;
        crash::point();
        match pair.data.write_all_at(&END, end) {
            Ok(()) => {}
            // A stream may end without it, too.
            Err(full) if is_full(&full) => pair.data.set_len(end).map_err(error)?,
            Err(other) => return Err(error(other)),
        }
        pair.data.sync_data().map_err(error)?;
    }
    if index_reach != index_end {
        mended.index_bytes = index_reach - index_end;
        crash::point();
        pair.index.set_len(index_end).map_err(error)?;
        pair.index.sync_data().map_err(error)?;
    }
    if mended != Mended::default() {
        tracing::info!(ring = pair.header.ring, file = pair.header.number, ?mended, "mended a recording");
    }
    Ok(mended)
}

fn ends_with_end(data: &File, end: u64, reach: u64) -> io::Result<bool> {
    if reach != end + END.len() as u64 {
        return Ok(false);
    }
    let mut bytes = [0; END.len()];
    data.read_exact_at(&mut bytes, end)?;
    Ok(bytes == END)
}

/// Removes a pair whose recorder was killed before it was made.
fn remove_stillborn(directory: &Path, number: u64) -> io::Result<Mended> {
    let there = |path: &Path| match std::fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let (index, data) = (index_path(directory, number), data_path(directory, number));
    let mut mended = Mended::default();
    if let Some(metadata) = there(&index)?.filter(|metadata| metadata.len() < HEADER as u64) {
        mended.index_bytes = metadata.len();
        crash::point();
        std::fs::remove_file(&index)?;
    }
    if let Some(metadata) = there(&data)?.filter(std::fs::Metadata::is_file)
        && holds_no_more_than_a_schema(&data, metadata.len())?
        && there(&index)?.is_none()
    {
        mended.data_bytes = metadata.len();
        crash::point();
        std::fs::remove_file(&data)?;
    }
    Ok(mended)
}

fn holds_no_more_than_a_schema(data: &Path, length: u64) -> io::Result<bool> {
    /// No schema that is worth its file is longer; what is longer is kept.
    const MOST: u64 = 1 << 20;
    if length > MOST {
        return Ok(false);
    }
    let bytes = std::fs::read(data)?;
    Ok(Stretch::schema_of(&bytes).map_or(true, |schema| {
        let rest = &bytes[schema..];
        rest.is_empty() || rest == END
    }))
}

/// Whether an error says that there is no more room.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
