//! What a file is: by its first bytes, and where they do not tell, by its name.

use clap::ValueEnum;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;

/// A format that can be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file (Feather 2).
    Arrow,
    /// Arrow IPC stream.
    ArrowStream,
    /// Comma-separated values under a line of names; types are inferred.
    Csv,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Parquet => "Parquet",
            Format::Arrow => "an Arrow IPC file",
            Format::ArrowStream => "an Arrow IPC stream",
            Format::Csv => "CSV",
        })
    }
}

impl Format {
    /// The format of the file at `path` with this `content`, if either tells.
    pub(super) fn of(path: &Path, mut content: impl Read) -> io::Result<Option<Format>> {
        let mut head = Vec::new();
        content.by_ref().take(8).read_to_end(&mut head)?;
        let by_content = match head.as_slice() {
            [b'P', b'A', b'R', b'1', ..] => Some(Format::Parquet),
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Some(Format::Arrow),
            [0xff, 0xff, 0xff, 0xff, ..] => Some(Format::ArrowStream),
            _ => None,
        };
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let by_name = || match extension.as_deref() {
            Some("parquet" | "pq") => Some(Format::Parquet),
            Some("arrow" | "feather" | "ipc") => Some(Format::Arrow),
            Some("arrows") => Some(Format::ArrowStream),
            Some("csv" | "txt") => Some(Format::Csv),
            _ => None,
        };
        Ok(by_content.or_else(by_name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, content: &[u8]) -> Option<Format> {
        Format::of(Path::new(name), content).expect("a slice can be read")
    }

    #[test]
    fn content_goes_before_name() {
        assert_eq!(of("x.csv", b"PAR1...."), Some(Format::Parquet));
        assert_eq!(of("x", b"ARROW1\0\0"), Some(Format::Arrow));
        assert_eq!(of("x.arrow", b"\xff\xff\xff\xff\x10\0\0\0"), Some(Format::ArrowStream));
    }

    #[test]
    fn text_is_known_by_its_name() {
        assert_eq!(of("quotes.CSV", b"a,b\n1,2\n"), Some(Format::Csv));
        assert_eq!(of("quotes", b"a,b\n1,2\n"), None);
        assert_eq!(of("empty.csv", b""), Some(Format::Csv));
    }
}
