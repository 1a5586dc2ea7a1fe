//! The folder of the rings, before and after: the demo leaves nothing behind.

use super::verify::Check;
use anyhow::Context;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The rings' files in a folder.
pub(super) struct Folder {
    files: BTreeSet<String>,
    directory: PathBuf,
}

impl Folder {
    /// What is there now.
    pub(super) fn list(directory: &Path) -> anyhow::Result<Folder> {
        let entries =
            std::fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let files = names.filter(|name| name.starts_with("qads_") || name.starts_with(".qads_")).collect();
        Ok(Folder { files, directory: directory.to_owned() })
    }

    /// Whether `ring` left the folder as it was. Rings of others may come and go meanwhile.
    pub(super) fn unchanged_by(&self, ring: &str, after: &Folder) -> Check {
        let left: Vec<&str> = after
            .files
            .difference(&self.files)
            .map(String::as_str)
            .filter(|file| file.contains(ring))
            .collect();
        let detail = match left.as_slice() {
            [] => format!("{} ring files before, {} after", self.files.len(), after.files.len()),
            left => format!("left: {}", left.join(", ")),
        };
        Check::new(format!("{} is as it was", self.directory.display()), left.is_empty(), detail)
    }
}

/// The demo's ring. Its file is removed with this, should the processes have been killed before they could.
pub(super) struct OwnRing {
    name: String,
    path: PathBuf,
}

impl OwnRing {
    pub(super) fn new(name: String, directory: &Path) -> OwnRing {
        let path = directory.join(format!("qads_{name}"));
        OwnRing { name, path }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for OwnRing {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "removing {} failed", self.path.display());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> Folder {
        Folder { files: files.iter().map(|&file| file.to_owned()).collect(), directory: PathBuf::from("/x") }
    }

    #[test]
    fn only_our_own_leavings_count() {
        let before = folder(&["qads_a"]);
        assert!(before.unchanged_by("demo-1", &folder(&["qads_a"])).passed);
        assert!(before.unchanged_by("demo-1", &folder(&["qads_b"])).passed, "others come and go");
        assert!(!before.unchanged_by("demo-1", &folder(&["qads_a", "qads_demo-1"])).passed);
        assert!(!before.unchanged_by("demo-1", &folder(&["qads_a", ".qads_demo-1.7"])).passed);
    }
}
