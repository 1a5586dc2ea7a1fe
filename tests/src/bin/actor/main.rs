//! The process behind every actor: `qadataswap-actor ROLE`, the role as JSON; one line of JSON per event.

mod crowd;
mod forks;
mod hostile;
mod record;
mod soak;
mod stream;
mod tables;
mod transfer;

use qadataswap::QADataSwapError;
use qadataswap_tests::{Line, Role};
use std::io::{Read, Write};
use std::process::ExitCode;

/// Says a line; an actor whose test is gone ends.
fn say(line: &Line) {
    let mut text = serde_json::to_string(line).expect("lines are plain data");
    text.push('\n');
    if std::io::stdout().lock().write_all(text.as_bytes()).is_err() {
        std::process::exit(1);
    }
}

/// Says that opening a ring failed.
fn refused(error: &QADataSwapError) -> Line {
    Line::Refused { kind: error.kind().name().to_owned(), message: error.to_string() }
}

/// Waits until the input ends.
fn wait_for_end() {
    let mut rest = Vec::new();
    let _ = std::io::stdin().lock().read_to_end(&mut rest);
}

/// What a role comes to: `Err` is a fault.
type Outcome = Result<(), String>;

/// Makes a fault of an error.
fn fault(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Makes a fault of a condition that does not hold.
macro_rules! hold {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+));
        }
    };
}
use hold;

fn main() -> ExitCode {
    let role = std::env::args().nth(1).unwrap_or_default();
    let role: Role = match serde_json::from_str(&role) {
        Ok(role) => role,
        Err(error) => {
            say(&Line::Fault(format!("no role: {error}")));
            return ExitCode::FAILURE;
        }
    };
    let outcome = match role {
        Role::Write { ring, seed, until, stay, wait } => stream::write(&ring, seed, until, stay, wait),
        Role::Follow { ring, seed, hold, survive } => stream::follow(&ring, seed, hold, survive),
        Role::Observe { ring, rows, frames } => stream::observe(&ring, rows, frames),
        Role::Select { rings, seed } => stream::select(&rings, seed),
        Role::Hover { ring } => stream::hover(&ring),
        Role::Echo { from, to } => stream::echo(&from, &to),
        Role::Send { ring, rows, chunk, fail } => transfer::send(&ring, rows, chunk, fail),
        Role::Take { ring } => transfer::take(&ring),
        Role::Compare { ring, file } => tables::compare(&ring, &file),
        Role::Build { .. } | Role::Emit { .. } => Err("this role is played in C++ only".to_owned()),
        Role::Crowd { ring, seed, count } => crowd::crowd(&ring, seed, count),
        Role::Visit { ring, seed } => crowd::visit(&ring, seed),
        Role::Umask { ring, umask } => crowd::umask(&ring, umask),
        Role::Demote { ring, uid } => crowd::demote(&ring, uid),
        Role::Cramp { ring } => crowd::cramp(&ring),
        Role::Starve { ring, relief } => crowd::starve(&ring, relief),
        Role::Lap { ring } => soak::lap(&ring),
        Role::Lapped { ring, folder } => soak::lapped(&ring, &folder),
        Role::Tidy { ring } => crowd::tidy(&ring),
        Role::Probe { ring } => hostile::probe(&ring),
        Role::Mutate { ring, seed, rounds } => hostile::mutate(&ring, seed, rounds),
        Role::Fork { ring } => forks::fork_with_everything(&ring),
        Role::ForkAwaiting { ring } => forks::fork_awaiting(&ring),
        Role::ForkAndStay { ring, seed } => forks::fork_and_stay(&ring, seed),
        Role::SpawnAndStay { ring, seed } => forks::spawn_and_stay(&ring, seed),
        Role::Record { ring, folder, rotate } => record::record(&ring, &folder, rotate),
        Role::Rejoin { ring, folder, seed, from, live } => record::rejoin(&ring, &folder, seed, from, live),
        Role::RecordInLittleRoom { ring, folder } => record::in_little_room(&ring, &folder),
        Role::Idle => {
            wait_for_end();
            Ok(())
        }
    };
    match outcome {
        Ok(()) => {
            say(&Line::Done);
            ExitCode::SUCCESS
        }
        Err(what) => {
            say(&Line::Fault(what));
            ExitCode::FAILURE
        }
    }
}
