//! A file of hostile bytes where a ring should be: looked at, read, taken over by a writer.

use crate::{Folder, walk};
use qadataswap::arrow_array::{Int64Array, RecordBatch};
use qadataswap::{
    Compression, Reader, ReaderPolicy, SharedMemoryConfig, Timeout, Validation, WhenFull, Writer, inspect,
};
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "region";
/// Slots of a page each, and readers: the smallest region has as many bytes as a fuzzer can cope with.
const SLOTS: usize = 2;

thread_local! {
    static FOLDER: Folder = Folder::new();
}

fn config(folder: &Folder) -> SharedMemoryConfig {
    SharedMemoryConfig::new(NAME)
        .with_settings(Default::default())
        .with_directory(folder.path())
        .with_buffer_count(SLOTS)
        .with_max_readers(1)
        .with_slot_bytes(4096)
        .with_when_full(WhenFull::Fail)
}

fn table(rows: i64) -> RecordBatch {
    let column = Arc::new((0..rows).collect::<Int64Array>());
    RecordBatch::try_from_iter([("values", column as _)]).expect("one column")
}

/// Attaches, reads what there is, and leaves. Whatever it is, it ends. Who asks for a stream may wait a quarter of a second
/// for what comes before it, so that is not tried of every input.
fn visit(config: SharedMemoryConfig, patient: bool) {
    let Ok(reader) = Reader::new(config.with_validation(Validation::FullOnCopy)) else { return };
    for _ in 0..SLOTS + 1 {
        match reader.try_read_frame() {
            Ok(Some(frame)) => frame.batches().iter().for_each(walk::batch),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    let _ = (reader.stats(), reader.progress(), reader.has_writer());
    if patient {
        let _ = reader.expect_stream();
    }
    let _ = reader.read_ffi(Timeout::from(0));
}

pub(super) fn run(input: &[u8]) {
    FOLDER.with(|folder| {
        let config = config(folder);
        std::fs::write(folder.path().join(format!("qads_{NAME}")), input).expect("room");
        let _ = inspect::info(NAME, folder.path());
        let listed = inspect::list(folder.path()).expect("a readable folder");
        assert!(listed.len() <= 1, "{listed:?}");
        // The policies take turns: each leaves its marks for the next.
        let policy = [ReaderPolicy::Lossless, ReaderPolicy::Lossy, ReaderPolicy::Latest][input.len() % 3];
        let patient = crc32fast::hash(input).is_multiple_of(32);
        visit(config.clone().with_policy(policy), patient);
        if let Ok(writer) = Writer::new(config.clone()) {
            for rows in 0..3 {
                let _ = writer.write_arrow(&table(rows));
            }
            visit(config.with_policy(policy), patient);
            let _ = (writer.stats(), inspect::info(NAME, folder.path()));
        }
        let _ = inspect::gc(folder.path(), false);
        folder.clear();
    });
}

/// Regions as they lie there when everybody has been killed, at several points of their life.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let folder = Folder::new();
    let mut seeds = Vec::new();
    for compression in [Compression::None, Compression::Lz4] {
        for stream in [false, true] {
            let mut config = config(&folder).with_compression(compression);
            if stream {
                config = config.with_stream(Some(9));
            }
            let path = folder.path().join(format!("qads_{NAME}"));
            let image = || std::fs::read(&path).expect("our ring");
            let writer = Writer::new(config.clone()).expect("a ring in a folder of ours");
            seeds.push(image());
            writer.write_arrow(&table(3)).expect("room");
            seeds.push(image());
            let reader = Reader::new(config.with_attach_timeout(Duration::ZERO)).expect("a place");
            let frame = reader.try_read_frame().expect("a frame of ours");
            writer.write_arrow(&table(5)).expect("room");
            seeds.push(image());
            drop(frame);
            writer.write_arrow(&table(7)).expect("room");
            seeds.push(image());
            drop(writer);
            seeds.push(image());
            drop(reader);
            folder.clear();
        }
    }
    seeds
}
