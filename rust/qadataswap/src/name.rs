//! Names of rings and the paths they stand for.

use crate::error::{QADataSwapError, Result};
use std::path::{Path, PathBuf};

/// What a region's file name begins with.
pub(crate) const PREFIX: &str = "qads_";
/// What the file of a region that is about to replace another begins with.
pub(crate) const STAGED_PREFIX: &str = ".qads_";
const MAX_LENGTH: usize = 200;

/// A checked name: one path component that cannot leave its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RingName(String);

impl RingName {
    pub(crate) fn new(name: &str) -> Result<RingName> {
        let invalid = |reason| Err(QADataSwapError::InvalidName { name: name.to_owned(), reason });
        if name.is_empty() {
            return invalid("is empty");
        }
        if name.len() > MAX_LENGTH {
            return invalid("is longer than 200 bytes");
        }
        if name.starts_with('.') {
            return invalid("starts with a dot");
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
            return invalid("has a character that is not allowed");
        }
        Ok(RingName(name.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The region's file in `directory`.
    pub(crate) fn path_in(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{PREFIX}{}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_folder_are_refused() {
        for bad in ["", ".", "..", ".hidden", "a/b", "../x", "a b", "a\0b", "ä", &"x".repeat(201)] {
            assert!(matches!(RingName::new(bad), Err(QADataSwapError::InvalidName { .. })), "{bad:?}");
        }
        for good in ["a", "market_data", "ES-1.mbo", &"x".repeat(200)] {
            assert!(RingName::new(good).is_ok(), "{good:?}");
        }
    }
}
