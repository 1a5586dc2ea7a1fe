//! A recording whose index and data are the input: looked at, read from any place, mended, gone on with.
//!
//! ```text
//! how: 1 byte | from: 8 bytes | bytes of the index: 2 bytes | the index | the data file
//! ```
//!
//! Unless `how` says otherwise, checksums are set right first: what is behind them is to be met too.

use super::Input;
use crate::{Folder, Forge, walk};
use qadataswap::recording::{Recorder, RecorderConfig, Recording, Since};
use qadataswap::{Timeout, Validation, Writer};
use qadataswap_tables::{batch_of, every_type};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

const HEADER: usize = 512;
const RECORD: usize = 64;
/// More items than a recording of that few bytes has.
const ITEMS: usize = 10_000;

thread_local! {
    static FOLDERS: (Folder, Folder) = (Folder::new(), Folder::new());
}

fn word(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 8).map_or(0, |bytes| u64::from_le_bytes(std::array::from_fn(|i| bytes[i])) as usize)
}

/// Sets the checksums right of an index beside this data file.
fn sign(index: &mut [u8], data: &[u8]) {
    let crc = |bytes: &[u8]| crc32fast::hash(bytes).to_le_bytes();
    let (head, records) = index.split_at_mut(HEADER.min(index.len()));
    if head.len() < HEADER {
        return;
    }
    if let Some(schema) = data.get(..word(head, 24)) {
        head[20..24].copy_from_slice(&crc(schema));
    }
    let sum = crc(&head[..HEADER - 4]);
    head[HEADER - 4..].copy_from_slice(&sum);
    for record in records.chunks_exact_mut(RECORD) {
        let end = word(record, 24).saturating_add(word(record, 32));
        if let Some(messages) = data.get(word(record, 24)..end) {
            record[56..60].copy_from_slice(&crc(messages));
        }
        let sum = crc(&record[..RECORD - 4]);
        record[RECORD - 4..].copy_from_slice(&sum);
    }
}

fn read(folder: &Path, how: u8, from: u64) {
    let validation = if how & 2 == 0 { Validation::Full } else { Validation::FullOnCopy };
    let recording = Recording::open(folder).expect("a readable folder").with_validation(validation);
    let _ = (recording.files(), recording.summary());
    let since = match how >> 2 & 3 {
        0 | 1 => Since::Start,
        2 => Since::Sequence(from),
        _ => Since::Time(UNIX_EPOCH + Duration::from_nanos(from)),
    };
    let Ok(mut frames) = recording.frames(since) else { return };
    for item in 0.. {
        assert!(item < ITEMS, "a recording without end");
        if how & 16 == 0 {
            match frames.next() {
                Some(Ok(frame)) => frame.batches().iter().for_each(walk::batch),
                Some(Err(_)) => {}
                None => break,
            }
        } else {
            match frames.read_ffi() {
                Ok(Some(frame)) => (0..frame.num_batches())
                    .for_each(|number| walk::exported(frame.export(number), frame.schema())),
                Ok(None) => break,
                Err(_) => {}
            }
        }
    }
}

pub(super) fn run(input: &[u8]) {
    let mut input = Input(input);
    let (how, from, length) = (input.byte(), input.word(), usize::from(input.short()));
    let rest = input.rest();
    let (index, data) = rest.split_at(length.min(rest.len()));
    let mut index = index.to_vec();
    if how & 1 == 0 {
        sign(&mut index, data);
    }
    FOLDERS.with(|(folder, ring)| {
        std::fs::write(folder.path().join("00000001.index"), index).expect("room");
        std::fs::write(folder.path().join("00000001.arrows"), data).expect("room");
        read(folder.path(), how, from);
        if how & 32 != 0 {
            let _ = Recording::open(folder.path()).expect("a readable folder").repair();
            read(folder.path(), how, from);
        }
        if how & 64 != 0 {
            record(ring.path(), folder.path());
            read(folder.path(), how, from);
            ring.clear();
        }
        folder.clear();
    });
}

/// Records a table of a ring of its own; the recording may be of another.
fn record(ring: &Path, folder: &Path) {
    let config = Forge::config(ring, "recorded");
    let writer = Writer::new(&config).expect("a ring in a folder of ours");
    writer.write_arrow(&batch_of(every_type().into_iter().take(3).collect())).expect("room");
    let Ok(mut recorder) = Recorder::open(RecorderConfig::new(&config, folder)) else { return };
    let _ = recorder.record(Timeout::from(0));
    let _ = recorder.close();
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (number, (_, array)) in every_type().into_iter().enumerate() {
        let (folder, ring) = (Folder::new(), Folder::new());
        let config = Forge::config(ring.path(), "recorded").with_when_full(qadataswap::WhenFull::Fail);
        let writer = Writer::new(&config).expect("a ring in a folder of ours");
        let recorder = Recorder::open(RecorderConfig::new(&config, folder.path()));
        let mut recorder = recorder.expect("a recorder of ours");
        for rows in [5, 9] {
            writer.write_arrow(&batch_of(vec![("values", array.slice(0, rows))])).expect("room");
            recorder.record(Timeout::from(0)).expect("recorded");
        }
        recorder.close().expect("room");
        let file = |end: &str| std::fs::read(folder.path().join(format!("00000001.{end}"))).expect("ours");
        let (index, data) = (file("index"), file("arrows"));
        let length = u16::try_from(index.len()).expect("two records");
        let how = (number * 2) as u8;
        seeds.push([&[how][..], &[0; 8], &length.to_le_bytes(), &index, &data].concat());
    }
    seeds
}
