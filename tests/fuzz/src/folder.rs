//! A private folder for rings, removed on drop.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that names the folder in which the folders are made; `/dev/shm` if it is not set.
pub const PARENT: &str = "QADATASWAP_FUZZ_FOLDER";

/// A folder on the machine's tmpfs, with everything in it removed on drop.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let parent = std::env::var_os(PARENT).map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("qads-hostile-{}-{count}", std::process::id()));
        std::fs::create_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        Folder(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes the files in it.
    ///
    /// # Panics
    /// If it cannot be read, or a file not be removed.
    pub fn clear(&self) {
        for entry in std::fs::read_dir(&self.0).expect("the folder is there") {
            std::fs::remove_file(entry.expect("a readable folder").path()).expect("a file of ours");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that somebody else removed is gone, which is what was wanted.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
