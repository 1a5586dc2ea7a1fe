//! The command line: what `qads` can be asked.

use crate::exit::{Exit, Failed};
use crate::{demo, doctor, exit, gc, info, layout, metrics, publish, record, recording, replay, tail, top};
use clap::{Args, Parser, Subcommand};
use qadataswap::Settings;
use std::path::PathBuf;

/// Publishes, watches and tidies QADataSwap rings: Arrow tables in shared memory, one writer, many readers.
#[derive(Debug, Parser)]
#[command(name = "qads", version, after_help = exit::HELP, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Folder of the rings, meant to be a tmpfs; /dev/shm unless given or configured.
    #[arg(long = "directory", global = true, value_name = "DIR")]
    given: Option<PathBuf>,
    /// The same, once settled.
    #[arg(skip)]
    pub(crate) directory: PathBuf,
    /// Print JSON instead of text: one object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Global {
    /// Settles what is configured outside the command line.
    ///
    /// # Errors
    /// Settings that are not understood.
    pub(crate) fn settle(&mut self) -> anyhow::Result<()> {
        self.directory = match self.given.take() {
            Some(given) => given,
            None => {
                let settings =
                    Settings::discover().map_err(|error| Failed::new(Exit::Usage, error.to_string()))?;
                settings.directory().map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from)
            }
        };
        Ok(())
    }
}

/// The commands; each describes itself where its arguments stand.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Publish(publish::Args),
    Record(record::Args),
    Replay(replay::Args),
    Recording(recording::Args),
    Tail(tail::Args),
    /// List the rings, one a line; with --json, all that 'info' tells of each.
    Ls,
    Info(info::Args),
    Top(top::Args),
    Doctor(doctor::Args),
    Metrics(metrics::Args),
    Gc(gc::Args),
    Layout(layout::Args),
    /// Show what the environment and qadataswap.yaml say of rings, and where they say it.
    Config,
    Demo(demo::Args),
    #[command(hide = true)]
    DemoPublisher(demo::publisher::Args),
    #[command(hide = true)]
    DemoReader(demo::reader::Args),
    #[command(hide = true)]
    DemoViews(demo::live::keeper::Args),
    #[command(hide = true)]
    DemoViewer(demo::live::viewer::Args),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_every_command_may_follow_it() {
        let mut cli = Cli::try_parse_from(["qads", "ls", "--json", "--directory", "/tmp"]).expect("parses");
        cli.global.settle().expect("a folder is given");
        assert!(cli.global.json);
        assert_eq!(cli.global.directory, PathBuf::from("/tmp"));
    }

    #[test]
    fn one_pace_at_a_time() {
        let both = ["qads", "publish", "f", "--ring", "r", "--rate", "1", "--rate-rows", "1"];
        let error = Cli::try_parse_from(both).expect_err("two paces");
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
    }

    #[test]
    fn a_watcher_is_lossy_unless_told_otherwise() {
        let cli = Cli::try_parse_from(["qads", "tail", "r"]).expect("parses");
        let Command::Tail(args) = cli.command else { panic!("another command") };
        assert_eq!(args.policy, crate::values::Policy::Lossy);
    }
}
