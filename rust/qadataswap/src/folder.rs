//! The names in a folder.
//!
//! Law: a folder that could be read in part only is an error, and nothing that the kernel may say is a panic (the
//! language's own iterator throws one where closing fails).

use rustix::fs::{Dir, Mode, OFlags};
use rustix::io::retry_on_intr;
use std::path::Path;

/// Everything in the folder whose name is text, in no order; names of ours all are.
///
/// # Errors
/// If it cannot be opened or read.
pub(crate) fn names_in(directory: &Path) -> std::io::Result<Vec<String>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = Dir::new(retry_on_intr(|| rustix::fs::open(directory, flags, Mode::empty()))?)?;
    let mut names = Vec::new();
    for entry in folder {
        if let Ok(name) = entry?.file_name().to_str()
            && name != "."
            && name != ".."
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn names_that_are_text_are_listed_whatever_lies_beside_them() {
        let folder = std::env::temp_dir().join(format!("qads-names-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        for name in [&b"one"[..], b".two", b"\xff"] {
            std::fs::write(folder.join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        }
        let mut names = names_in(&folder).unwrap();
        names.sort();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(names, [".two", "one"]);
        assert_eq!(names_in(&folder).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
}
