//! A bar on the terminal while a file is replayed.

use crate::human;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// Rows published so far; nothing at all unless stderr is a terminal.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar up to `total` rows, or a spinner where that is not known.
    pub(super) fn new(total: Option<u64>, quiet: bool) -> Progress {
        if quiet || !std::io::stderr().is_terminal() {
            return Progress { bar: ProgressBar::hidden() };
        }
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{bar:20} {percent:>3}%  {human_pos}/{human_len} rows  {msg}  eta {eta}",
            ),
            None => (ProgressBar::new_spinner(), "{spinner} {human_pos} rows  {msg}  {elapsed}"),
        };
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.set_style(style),
            Err(error) => tracing::debug!(%error, "the progress bar keeps its default style"),
        }
        Progress { bar }
    }

    pub(super) fn show(&self, rows: u64, bytes: u64) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(rows);
        let per_second = human::count(self.bar.per_sec() as u64);
        self.bar.set_message(format!("{per_second} rows/s  {}", human::bytes(bytes)));
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
