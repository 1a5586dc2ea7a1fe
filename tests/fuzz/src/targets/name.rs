//! Names and sizes of rings: what is accepted stays in its folder, what is not leaves nothing.
//!
//! ```text
//! slots: 2 bytes | readers: 2 bytes | a slot's bytes: 8 bytes | the name
//! ```

use super::Input;
use crate::Folder;
use qadataswap::{ErrorKind, QADataSwapError, Reader, SharedMemoryConfig, Writer, inspect};
use std::time::Duration;

thread_local! {
    static FOLDER: Folder = Folder::new();
}

pub(super) fn run(input: &[u8]) {
    let mut input = Input(input);
    let (slots, readers, bytes) = (input.short(), input.short(), input.word());
    let name = String::from_utf8_lossy(input.rest());
    FOLDER.with(|folder| {
        let config = SharedMemoryConfig::new(&*name)
            .with_settings(Default::default())
            .with_directory(folder.path())
            .with_attach_timeout(Duration::ZERO)
            .with_buffer_count(usize::from(slots))
            .with_max_readers(usize::from(readers));
        let config =
            if bytes & 1 == 0 { config.with_slot_bytes(bytes) } else { config.with_size_bytes(bytes) };
        let refused = Reader::new(&config).expect_err("there is no ring");
        let is_name = refused.kind() == ErrorKind::NotFound;
        assert!(is_name || refused.kind() == ErrorKind::InvalidName, "{name:?}: {refused}");
        assert!(inspect::info(&name, folder.path()).is_err());
        let entries = || {
            let entries = std::fs::read_dir(folder.path()).expect("ours");
            entries.map(|entry| entry.expect("readable").file_name()).collect::<Vec<_>>()
        };
        match Writer::new(&config) {
            Ok(writer) => {
                assert!(is_name, "{name:?} is a name for a writer only");
                assert_eq!(entries(), [&*format!("qads_{name}")]);
                // A sanitizer leaves no room to map so many terabytes twice.
                let refused = Reader::new(&config).err();
                let no_room = |error: &QADataSwapError| error.kind() == ErrorKind::MemoryMapFailed;
                assert!(refused.as_ref().is_none_or(no_room), "{name:?}, which has a writer: {refused:?}");
                drop(writer);
            }
            Err(error) => {
                assert_eq!(error.kind() == ErrorKind::InvalidName, !is_name, "{name:?}: {error}");
                assert_eq!(entries(), [""; 0]);
            }
        }
        folder.clear();
    });
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let names = ["a", "market_data", "ES-1.mbo", "..", ".hidden", "../a", "a/b", "a\0b", "ä", ""];
    let sizes = [(3_u16, 64_u16, 4096_u64), (1, 1, 1), (1024, 1024, 1 << 20), (0, 0, 0), (2, 2, u64::MAX)];
    let mut seeds = Vec::new();
    for (slots, readers, bytes) in sizes {
        for name in names {
            let numbers = [&slots.to_le_bytes()[..], &readers.to_le_bytes(), &bytes.to_le_bytes()].concat();
            seeds.push([&numbers, name.as_bytes()].concat());
        }
    }
    seeds
}
