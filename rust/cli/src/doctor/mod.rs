//! `qads doctor`: whether this machine is fit for rings, and what to do where it is not.
//!
//! Law: facts are gathered first ([`facts`]), then judged by functions that look at nothing else ([`checks`],
//! [`rings`]); looking changes nothing.

mod checks;
mod facts;
mod limits;
mod rings;

use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::human;
use crate::out::Out;
use facts::{Facts, Roots};
use serde::Serialize;

/// Check whether this machine is fit for rings, and say what to do where it is not.
///
/// Looks at the rings' folder (kind, room, rights), at limits of memory, files and processes, at containers and
/// namespaces, at the kernel, at what removes files behind a ring's back, and at what dead processes have left. Ends
/// with 1 if anything is wrong; notes are for information. With --json, each line is one finding: {"check", "level":
/// "ok" | "note" | "wrong", "found", "remedy"}.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Leave out what is well.
    #[arg(short, long)]
    quiet: bool,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Ok,
    Note,
    Wrong,
}

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    check: &'static str,
    level: Level,
    found: String,
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { check, level: Level::Ok, found: found.into(), remedy: None }
    }

    /// Worth knowing, and what might be done about it.
    fn note(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { check, level: Level::Note, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// Will fail, or has; and what to do about it.
    fn wrong(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding { check, level: Level::Wrong, found: found.into(), remedy: Some(remedy.into()) }
    }
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let facts = Facts::gather(&Roots::system(), &global.directory);
    let findings = examine(&facts);
    let mut out = Out::new();
    for finding in findings.iter().filter(|finding| !args.quiet || finding.level != Level::Ok) {
        if global.json {
            out.json(finding)?;
            continue;
        }
        let level = match finding.level {
            Level::Ok => "ok   ",
            Level::Note => "note ",
            Level::Wrong => "WRONG",
        };
        out.line(format_args!("{level}  {}: {}", finding.check, finding.found))?;
        if let Some(remedy) = &finding.remedy {
            out.line(format_args!("       -> {remedy}"))?;
        }
    }
    match findings.iter().filter(|finding| finding.level == Level::Wrong).count() {
        0 => Ok(()),
        wrong => {
            let message = format!("{} wrong; the remedies stand above", human::plural(wrong as u64, "thing"));
            Err(Failed::new(Exit::Failure, message).into())
        }
    }
}

/// Every check, in the order in which to mend things.
fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = checks::all(facts);
    findings.extend(limits::all(facts));
    findings.extend(rings::all(facts));
    findings
}
