//! What a command finds, line by line on stdout. A reader that has enough (`qads tail r | head`) is no failure.

use serde::Serialize;
use std::fmt::Display;
use std::io::{self, StdoutLock, Write};

/// Whoever read stdout has closed it.
#[derive(Debug)]
pub(crate) struct StdoutClosed;

impl Display for StdoutClosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stdout was closed by its reader")
    }
}

impl std::error::Error for StdoutClosed {}

/// Stdout, held for the whole command.
pub(crate) struct Out {
    stdout: StdoutLock<'static>,
}

impl Out {
    pub(crate) fn new() -> Out {
        Out { stdout: io::stdout().lock() }
    }

    /// Prints a line, or a block of lines, at once.
    pub(crate) fn line(&mut self, text: impl Display) -> anyhow::Result<()> {
        self.write(format!("{text}\n").as_bytes())
    }

    /// Prints one JSON object on a line of its own.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.write(&line)
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = self.stdout.write_all(bytes).and_then(|()| self.stdout.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
            written => Ok(written?),
        }
    }
}
