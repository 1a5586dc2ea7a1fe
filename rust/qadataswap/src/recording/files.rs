//! The files of a recording: pairs of a data file and its index, numbered from 1, and who may write them.
//!
//! Law: a frame is whole when its record stands in the index with its checksum and the data file reaches to its end;
//! nothing else is ever handed out. Only the last pair may be torn, and only at its end: a recorder begins a new pair
//! after it has finished, or mended, the one before.

use super::index::{HEADER, Header, RECORD, Record, Refusal};
use crate::candidate::open_file;
use crate::crash;
use crate::error::{QADataSwapError, Result};
use crate::folder::names_in;
use crate::frame::Stretch;
use crate::peers::{Byte, LockFile};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the data files' names end: that of Arrow IPC streams.
const DATA: &str = "arrows";
/// How the indices' names end.
const INDEX: &str = "index";
/// The file whose lock the recorder holds.
const LOCK: &str = "lock";

/// The data file of this number.
pub(super) fn data_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}.{DATA}"))
}

/// The index of this number.
pub(super) fn index_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:08}.{INDEX}"))
}

/// The numbers that have a data file or an index, in order.
pub(super) fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for name in names_in(directory)? {
        let Some((stem, end)) = name.rsplit_once('.') else { continue };
        // Other spellings of a number are not ours.
        if let Ok(number) = stem.parse::<u64>()
            && (end == DATA || end == INDEX)
            && format!("{number:08}") == stem
        {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// An error about a recording that is not known to be of any ring.
pub(super) fn error_in(directory: &Path, call: &'static str, error: io::Error) -> QADataSwapError {
    QADataSwapError::io(&directory.display().to_string(), call, error)
}

/// How long to wait for a recorder that is about to be gone: the kernel gives a lock back a little after a kill.
const PATIENCE: Duration = Duration::from_millis(250);

/// Records that are read at once where many are looked at.
const PIECE: u64 = 4096;

/// What a look at a record found.
#[derive(Debug)]
pub(super) enum Look {
    Record(Record),
    /// There is no such record, as yet.
    End,
    /// There is one, and it or its frame is not whole.
    Broken(String),
}

/// A data file and its index.
pub(super) struct Pair {
    pub(super) header: Header,
    /// The schema message that the data file begins with.
    pub(super) schema: Vec<u8>,
    pub(super) data: File,
    pub(super) index: File,
    index_path: PathBuf,
}

/// Opens a regular file without following a link; `None` if there is none.
fn open(directory: &Path, path: &Path, writable: bool) -> Result<Option<File>> {
    let file = match open_file(path, writable) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error_in(directory, "opening a file of the recording", error)),
    };
    let metadata = file.metadata().map_err(|error| error_in(directory, "asking for the size", error))?;
    match metadata.is_file() {
        true => Ok(Some(file)),
        false => Err(QADataSwapError::Incompatible {
            ring: directory.display().to_string(),
            expected: "a regular file".to_owned(),
            got: format!("something else as {}", path.display()),
        }),
    }
}

impl Pair {
    /// Opens the pair of this number; `None` if it cannot have a frame: a part of it is missing, or was never
    /// finished.
    pub(super) fn open(directory: &Path, number: u64, writable: bool) -> Result<Option<Pair>> {
        let (data_path, index_path) = (data_path(directory, number), index_path(directory, number));
        let Some(index) = open(directory, &index_path, writable)? else { return Ok(None) };
        let Some(data) = open(directory, &data_path, writable)? else { return Ok(None) };
        let mut bytes = [0; HEADER];
        let length =
            read_up_to(&index, &mut bytes, 0).map_err(|e| error_in(directory, "reading an index", e))?;
        let corrupt = |ring: String, what: String| {
            Err(QADataSwapError::Corrupt { ring, what: format!("{}: {what}", index_path.display()) })
        };
        let somebody = || directory.display().to_string();
        let header = match Header::read(&bytes[..length]) {
            Ok(header) => header,
            Err(Refusal::Short) => return Ok(None),
            Err(Refusal::Other { expected, got }) => {
                let got = format!("{got} as {}", index_path.display());
                return Err(QADataSwapError::Incompatible { ring: somebody(), expected, got });
            }
            Err(Refusal::Corrupt(what)) => return corrupt(somebody(), what),
        };
        if header.number != number {
            return corrupt(header.ring, format!("it says it is number {}", header.number));
        }
        let reach = data.metadata().map_err(|e| error_in(directory, "asking for the size", e))?.len();
        if reach < header.schema_bytes {
            return Ok(None);
        }
        let mut schema = vec![0; header.schema_bytes as usize];
        data.read_exact_at(&mut schema, 0).map_err(|e| error_in(directory, "reading a schema", e))?;
        let is_schema = Stretch::schema_of(&schema).is_ok_and(|length| length == schema.len());
        if crc32fast::hash(&schema) != header.schema_checksum || !is_schema {
            return corrupt(
                header.ring,
                "the data file does not begin with the schema that it names".to_owned(),
            );
        }
        Ok(Some(Pair { header, schema, data, index, index_path }))
    }

    /// The number of records by the index's length.
    pub(super) fn records(&self) -> Result<u64> {
        let length = self.index.metadata().map_err(|e| self.error("asking for the size", e))?.len();
        Ok(length.saturating_sub(HEADER as u64) / RECORD as u64)
    }

    /// Bytes of the data file.
    pub(super) fn reach(&self) -> Result<u64> {
        Ok(self.data.metadata().map_err(|e| self.error("asking for the size", e))?.len())
    }

    /// Looks at a record.
    pub(super) fn look(&self, number: u64) -> Result<Look> {
        let mut bytes = [0; RECORD];
        let Some(at) = number.checked_mul(RECORD as u64).and_then(|at| at.checked_add(HEADER as u64)) else {
            return Ok(Look::End);
        };
        let length =
            read_up_to(&self.index, &mut bytes, at).map_err(|e| self.error("reading an index", e))?;
        if length < RECORD {
            return Ok(Look::End);
        }
        // Asked for after the record was read: the data is written first.
        Ok(self.judge(&bytes, self.reach()?))
    }

    /// What the bytes of a record say, if the data file reaches so far.
    fn judge(&self, bytes: &[u8; RECORD], reach: u64) -> Look {
        match Record::read(bytes, &self.header) {
            Ok(record) if record.end() <= reach => Look::Record(record),
            Ok(record) => Look::Broken(format!(
                "frame {} ends at {}, the data at {reach}",
                record.sequence,
                record.end()
            )),
            Err(what) => Look::Broken(what),
        }
    }

    /// Looks at the records from `first` on, at most `PIECE` of them and as far as they go, by two system calls.
    fn look_at_piece(&self, first: u64) -> Result<Vec<Look>> {
        let mut bytes = vec![0; PIECE as usize * RECORD];
        let at = HEADER as u64 + first * RECORD as u64;
        let length =
            read_up_to(&self.index, &mut bytes, at).map_err(|e| self.error("reading an index", e))?;
        // As in `look`.
        let reach = self.reach()?;
        let (records, _) = bytes[..length].as_chunks::<RECORD>();
        Ok(records.iter().map(|record| self.judge(record, reach)).collect())
    }

    /// Looks at all records up to the last whole one, in order.
    pub(super) fn for_each(&self, mut see: impl FnMut(Look)) -> Result<()> {
        let (whole, mut number) = (self.whole()?, 0);
        while number < whole {
            let looks = self.look_at_piece(number)?;
            if looks.is_empty() {
                // Cut short by others meanwhile.
                break;
            }
            for look in looks.into_iter().take(usize::try_from(whole - number).unwrap_or(usize::MAX)) {
                see(look);
                number += 1;
            }
        }
        Ok(())
    }

    /// Looks at a record that has to be there.
    pub(super) fn record(&self, number: u64) -> Result<Record> {
        match self.look(number)? {
            Look::Record(record) => Ok(record),
            Look::End => Err(self.corrupt(number, "it is missing")),
            Look::Broken(what) => Err(self.corrupt(number, &what)),
        }
    }

    /// Records up to the last whole one.
    pub(super) fn whole(&self) -> Result<u64> {
        let records = self.records()?;
        // Mostly it is the last one.
        let Some(last) = records.checked_sub(1) else { return Ok(0) };
        if let Look::Record(_) = self.look(last)? {
            return Ok(records);
        }
        let mut end = last;
        while end > 0 {
            let start = end.saturating_sub(PIECE);
            let mut looks = self.look_at_piece(start)?;
            looks.truncate((end - start) as usize);
            if let Some(at) = looks.iter().rposition(|look| matches!(look, Look::Record(_))) {
                return Ok(start + at as u64 + 1);
            }
            end = start;
        }
        Ok(0)
    }

    /// Whether nothing from this record on is whole.
    pub(super) fn is_torn_at(&self, number: u64) -> Result<bool> {
        Ok(self.whole()? <= number)
    }

    /// The first record of which `is_before` is false; they are ordered by it.
    pub(super) fn find(&self, records: u64, is_before: impl Fn(&Record) -> bool) -> Result<u64> {
        let (mut low, mut high) = (0, records);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(&self.record(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    pub(super) fn corrupt(&self, record: u64, what: &str) -> QADataSwapError {
        QADataSwapError::Corrupt {
            ring: self.header.ring.clone(),
            what: format!("{}, record {record}: {what}", self.index_path.display()),
        }
    }

    pub(super) fn error(&self, call: &'static str, error: io::Error) -> QADataSwapError {
        QADataSwapError::io(&self.header.ring, call, error)
    }
}

/// Fills `bytes` from `at` on as far as the file goes.
fn read_up_to(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Makes a file that must not be there yet.
pub(super) fn create(path: &Path, mode: u32) -> io::Result<File> {
    crash::point();
    OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)
}

/// Makes what was done to a folder's names last.
pub(super) fn sync_folder(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The right to write a recording: one process at a time, given back by the kernel however the process ends.
pub(super) struct Right {
    _lock: LockFile,
}

impl Right {
    /// Takes the right; `None` if another has it.
    pub(super) fn take(directory: &Path, mode: u32) -> Result<Option<Right>> {
        let path = directory.join(LOCK);
        crash::point();
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(mode)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path);
        let take = || {
            let lock = LockFile::open(&opened?, true)?;
            Ok(lock.lock(Byte::Writer, PATIENCE)?.then_some(Right { _lock: lock }))
        };
        take().map_err(|error| error_in(directory, "taking the recording's lock", error))
    }

    /// Whether somebody has it.
    pub(super) fn is_taken(directory: &Path) -> Result<bool> {
        let Some(file) = open(directory, &directory.join(LOCK), false)? else { return Ok(false) };
        LockFile::open(&file, false)
            .and_then(|lock| lock.is_locked(Byte::Writer))
            .map_err(|error| error_in(directory, "asking after the recorder", error))
    }
}
