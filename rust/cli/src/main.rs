//! `qads`: QADataSwap rings from the command line. Publishes files, watches, lists and tidies rings, and shows
//! the whole thing at work (`qads demo`).
//!
//! Law: what a command finds goes to stdout, what it has to say about itself to stderr, and how it ended is an
//! exit code of [`exit::Exit`].

mod cli;
mod demo;
mod doctor;
mod exit;
mod follow;
mod gc;
mod human;
mod info;
mod layout;
mod log;
mod ls;
mod metrics;
mod out;
mod pace;
mod publish;
mod record;
mod recording;
mod replay;
mod rings;
mod rows;
mod send;
mod settings;
mod slot;
mod source;
mod stop;
mod table;
mod tail;
mod top;
mod values;

use clap::Parser;
use cli::{Cli, Command};
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    log::init();
    match cli.global.settle().and_then(|()| run(&cli)) {
        Ok(()) => Exit::Ok.into(),
        Err(error) => exit::report(&error).into(),
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let global = &cli.global;
    match &cli.command {
        Command::Publish(args) => publish::run(args, global),
        Command::Record(args) => record::run(args, global),
        Command::Recording(args) => recording::run(args, global),
        Command::Replay(args) => replay::run(args, global),
        Command::Tail(args) => tail::run(args, global),
        Command::Ls => ls::run(global),
        Command::Info(args) => info::run(args, global),
        Command::Top(args) => top::run(args, global),
        Command::Doctor(args) => doctor::run(args, global),
        Command::Metrics(args) => metrics::run(args, global),
        Command::Gc(args) => gc::run(args, global),
        Command::Layout(args) => layout::run(args, global),
        Command::Config => settings::run(global),
        Command::Demo(args) => demo::run(args, global),
        Command::DemoPublisher(args) => demo::publisher::run(args, global),
        Command::DemoReader(args) => demo::reader::run(args, global),
        Command::DemoViews(args) => demo::live::keeper::run(args, global),
        Command::DemoViewer(args) => demo::live::viewer::run(args, global),
    }
}
