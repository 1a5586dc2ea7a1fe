//! `qads metrics`: what rings and readers count, for Prometheus.

mod families;
mod serve;
mod text;

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::out::Out;
use crate::stop::Stop;
use anyhow::Context;
use qadataswap::inspect;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Tell Prometheus what the rings and their readers count: printed once as OpenMetrics, served, or written to a file.
///
/// Names begin with qadataswap_ring_ and qadataswap_reader_; latencies from publication to read are a histogram in
/// seconds, qadataswap_reader_latency_seconds. Counters of a ring last as long as the ring, those of a reader as long
/// as the reader; a reader is told by the labels ring, row and pid.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Serve http://ADDR/metrics until told to end, as 127.0.0.1:9464.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Write them to a file, in one step, for the textfile collector of node_exporter (its name must end in .prom).
    #[arg(long, value_name = "FILE", conflicts_with = "listen")]
    textfile: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    if global.json {
        let message =
            "metrics speak Prometheus's text, not JSON; 'qads top --once --json' has the same figures";
        return Err(Failed::new(Exit::Usage, message).into());
    }
    if let Some(address) = args.listen {
        return serve::run(address, &Stop::on_signals()?, || gather(&global.directory));
    }
    let metrics = gather(&global.directory)?;
    match &args.textfile {
        Some(file) => replace(file, &text::classic(&metrics)),
        None => Out::new().line(metrics.trim_end()),
    }
}

/// All rings of a folder, as OpenMetrics.
fn gather(directory: &Path) -> anyhow::Result<String> {
    text::open_metrics(families::of(&inspect::list(directory)?))
}

/// Puts `text` in the place of `file` in one step: whoever reads it finds the old text or the new one.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let name = file.file_name().with_context(|| format!("{} names no file", file.display()))?;
    // Collectors take no file that begins with a dot.
    let staged = file.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut out = std::fs::File::create(&staged)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        std::fs::rename(&staged, file)
    };
    write().map_err(|error| {
        // What is to be told is why writing failed.
        let _ = std::fs::remove_file(&staged);
        anyhow::Error::new(error).context(format!("writing {}", file.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = std::env::temp_dir().join(format!("qads-metrics-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a new folder");
        let file = folder.join("qads.prom");
        for text in ["old, and longer", "new"] {
            replace(&file, text).expect("written");
            assert_eq!(std::fs::read_to_string(&file).expect("read"), text);
        }
        assert_eq!(std::fs::read_dir(&folder).expect("read").count(), 1);
        std::fs::remove_dir_all(&folder).expect("removed");
        let error = replace(&file, "x").expect_err("the folder is gone");
        assert!(error.to_string().contains("qads.prom"), "{error}");
    }
}
