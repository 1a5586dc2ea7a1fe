//! A ring whose control words change between any two calls of those who take part in it.
//!
//! ```text
//! what a full ring means: 1 byte | steps: what 1 byte, and what it needs
//! ```
//!
//! Contents are checked on a copy: a directory that lies may hand out a slot that is being written.

use super::Input;
use crate::{Folder, stamp, walk};
use qadataswap::arrow_array::{Int64Array, RecordBatch};
use qadataswap::{
    Reader, ReaderPolicy, SharedMemoryConfig, Validation, WhenFull, Writer, describe_layout, inspect,
};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "directory";
const SLOTS: usize = 3;
const READERS: usize = 3;
const SLOT_BYTES: u64 = 4096;
/// Steps of one input.
const STEPS: usize = 100;

thread_local! {
    static FOLDER: Folder = Folder::new();
}

fn config(folder: &Folder, how: u8) -> SharedMemoryConfig {
    let full = match how % 3 {
        0 => WhenFull::Fail,
        1 => WhenFull::Overwrite,
        _ => WhenFull::Block(Some(Duration::from_millis(1))),
    };
    SharedMemoryConfig::new(NAME)
        .with_settings(Default::default())
        .with_directory(folder.path())
        .with_buffer_count(SLOTS)
        .with_max_readers(READERS)
        .with_slot_bytes(SLOT_BYTES)
        .with_when_full(full)
        .with_write_timeout(Some(Duration::from_millis(1)))
        .with_validation(Validation::FullOnCopy)
}

fn table(rows: u8) -> RecordBatch {
    let column = Arc::new((0..i64::from(rows % 32)).collect::<Int64Array>());
    RecordBatch::try_from_iter([("values", column as _)]).expect("one column")
}

/// A word to put somewhere: any, or one that stands for something.
fn word(input: &mut Input<'_>) -> u64 {
    match input.byte() {
        kind @ 0..64 => stamp(u64::from(kind % 16)) ^ u64::from(kind / 16),
        kind @ 64..128 => u64::from(kind - 64),
        kind @ 128..192 => 1 << (kind - 128),
        kind @ 192..224 => u64::MAX >> (kind - 192),
        _ => input.word(),
    }
}

pub(super) fn run(input: &[u8]) {
    let mut input = Input(input);
    FOLDER.with(|folder| {
        let config = config(folder, input.byte());
        let layout = describe_layout(SLOTS as u32, READERS as u32, SLOT_BYTES).expect("in range");
        let at = |part: &str| layout.iter().find(|field| field.name == part).expect("a part").offset;
        // The tallies are numbers of which nothing depends, and many.
        let (from, words) = (at("Status"), (at("Tally × max_readers") + 64 - at("Status")) / 8);
        let mut writer = Writer::new(&config).ok();
        let file = OpenOptions::new().read(true).write(true).open(folder.path().join(format!("qads_{NAME}")));
        let file = file.expect("our ring");
        let mut readers: [Option<Reader>; READERS] = [const { None }; READERS];
        let mut held = Vec::new();
        for _ in 0..STEPS {
            if input.is_empty() {
                break;
            }
            let step = input.byte();
            let place = usize::from(step / 16) % READERS;
            match step % 16 {
                0..5 => {
                    let offset = from + u64::from(input.short()) % words * 8;
                    file.write_all_at(&word(&mut input).to_ne_bytes(), offset).expect("it is there");
                }
                5..8 => {
                    if let Some(Ok(Some(frame))) = readers[place].as_ref().map(Reader::try_read_frame) {
                        frame.batches().iter().for_each(walk::batch);
                        held.push(frame);
                    }
                }
                8..10 => {
                    if let Some(writer) = &writer {
                        let _ = writer.write_arrow(&table(step));
                    }
                }
                10..12 => {
                    let policy = [ReaderPolicy::Lossless, ReaderPolicy::Lossy, ReaderPolicy::Latest];
                    let config = config.clone().with_policy(policy[usize::from(input.byte()) % 3]);
                    readers[place] = Reader::new(config).ok();
                }
                12 => readers[place] = None,
                13 => held.clear(),
                14 => {
                    let _ = inspect::info(NAME, folder.path());
                    if let Some(reader) = &readers[place] {
                        let _ = (reader.stats(), reader.progress(), reader.has_writer());
                    }
                }
                _ => {
                    drop(writer.take());
                    writer = Writer::new(&config).ok();
                }
            }
        }
        drop((writer, readers, held));
        folder.clear();
    });
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    // Full ring's meaning, then: open readers, write, read, let go, spoil.
    let play = [10, 0, 26, 1, 42, 2, 8, 24, 5, 21, 37, 13, 8, 5, 14, 15, 8, 5, 12, 9];
    let spoil = |at: u16, word: u8| [&[0][..], &at.to_le_bytes(), &[word]].concat();
    let mut seeds = Vec::new();
    for full in 0..3 {
        seeds.push([&[full][..], &play].concat());
        for at in 0..128 {
            let (before, after) = play.split_at(usize::from(at) % play.len() / 2 * 2);
            seeds.push([&[full][..], before, &spoil(at, (at * 7) as u8), after, &play].concat());
        }
    }
    seeds
}
