//! Valid frames to begin with: every type by itself, and random tables in chunks, compressed and not.

use crate::{Folder, Forge};
use qadataswap::{Compression, Reader, ReaderPolicy, Writer};
use qadataswap_tables::{batch_of, every_type, random_batch};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// Random tables in the catalogue.
const TABLES: u64 = 24;
/// Rows of each.
const ROWS: usize = 20;

/// The frames' bytes, as a writer wrote them. The same each time.
///
/// # Panics
/// If they cannot be written.
#[must_use]
pub fn catalogue() -> Vec<Vec<u8>> {
    let folder = Folder::new();
    let mut frames = Vec::new();
    for (number, compression) in
        [Compression::None, Compression::Lz4, Compression::Zstd { level: 1 }].into_iter().enumerate()
    {
        let config =
            Forge::config(folder.path(), &format!("catalogue-{number}")).with_compression(compression);
        let writer = Writer::new(&config).expect("a ring in a folder of ours");
        let reader = Forge::reader_of(&config, ReaderPolicy::Latest, Default::default()).expect("its reader");
        let take = |reader: &Reader| {
            let frame = reader.try_read_frame().expect("a frame of ours").expect("just written");
            frame.bytes().to_vec()
        };
        for (_, array) in every_type() {
            writer.write_arrow(&batch_of(vec![("values", array.slice(2, 12))])).expect("room");
            frames.push(take(&reader));
        }
        for seed in 0..TABLES {
            let batch = random_batch(&mut StdRng::seed_from_u64(seed), ROWS);
            let chunks = [batch.slice(0, ROWS / 3), batch.slice(ROWS / 3, ROWS - ROWS / 3)];
            writer.write_batches(&batch.schema(), &chunks).expect("room");
            frames.push(take(&reader));
        }
    }
    frames
}
