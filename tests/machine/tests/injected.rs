//! Each act of a process with rings, with each of its system calls failing in each way that the kernel may choose.
//!
//! `cargo test -p qadataswap-machine -- take` plays only the acts with `take` in their names. `QADATASWAP_INJECTED_FAILURES`
//! says how many failures there are at most: they are spread over all acts and calls.

use qadataswap_machine::acts::{ACTS, Act};
use qadataswap_machine::calls::CALLS;
use qadataswap_machine::referee::Plan;
use qadataswap_machine::run::{CameTo, Report, describe, fault, run};
use qadataswap_machine::stage::{Peers, Stage};
use qadataswap_scorecard::Effort;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// How many failures make the short form.
const FEW: u64 = 1500;

/// Calls of one name beyond so many are like those before.
const ALIKE: usize = 24;

/// After so many faults it is of no use to go on.
const ENOUGH: usize = 40;

#[derive(Default)]
struct Count {
    calls: u64,
    told: u64,
    recovered: u64,
    not_reached: u64,
    left: u64,
    faults: Vec<String>,
}

#[allow(clippy::print_stderr, reason = "a test without a harness")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Every failure of every call that the act has been seen to make.
fn plans(calls: &[usize]) -> Vec<Plan> {
    let mut counts = BTreeMap::<usize, usize>::new();
    for &call in calls {
        *counts.entry(call).or_default() += 1;
    }
    let mut plans = Vec::new();
    for (call, count) in counts {
        for &(errno, _) in CALLS[call].failures {
            for nth in 0..count.min(ALIKE) {
                plans.extend([false, true].map(|for_good| Plan { call, nth, errno, for_good }));
            }
        }
    }
    plans
}

/// An act, on its own stage, beside those who stay if it wants any.
struct Play {
    act: &'static Act,
    stage: Stage,
    peers: Option<Peers>,
}

impl Play {
    fn new(number: usize, act: &'static Act) -> Play {
        let stage = Stage::new(&number.to_string());
        let peers = act.peers.then(|| Peers::new(&stage).expect("those who stay"));
        Play { act, stage, peers }
    }

    /// One run, and what it leaves to the others.
    fn run(&mut self, plan: Option<Plan>, round: u64, count: &mut Count) -> Result<Report, String> {
        let report = run(&self.stage, self.act, plan)?;
        if let Some(peers) = &mut self.peers {
            peers.go_on()?;
        }
        count.left += self.stage.tidy(self.peers.is_some(), round % 2 == 1)? as u64;
        Ok(report)
    }
}

fn main() -> ExitCode {
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_chosen =
        |act: &Act| chosen.is_empty() || chosen.iter().any(|part| act.name.contains(part.as_str()));
    let mut count = Count::default();
    let mut plays: Vec<Play> =
        ACTS.iter().enumerate().filter(|(_, act)| is_chosen(act)).map(|(n, act)| Play::new(n, act)).collect();
    let mut all = Vec::new();
    for (number, play) in plays.iter_mut().enumerate() {
        let name = play.act.name;
        match play.run(None, 0, &mut count) {
            Ok(Report { came_to: CameTo::Refused(why), .. }) => {
                say(&format!("SKIPPED: this kernel does not let a process filter its system calls: {why}"));
                return ExitCode::SUCCESS;
            }
            Ok(report) => {
                let wrong =
                    report.came_to != CameTo::Well || report.left != (0, 0) || report.unknown.is_some();
                if wrong || report.calls.is_empty() {
                    let Report { came_to, left, unknown, .. } = report;
                    count
                        .faults
                        .push(format!("{name}: {came_to:?}, left {left:?}, not in the table: {unknown:?}"));
                }
                count.calls += report.calls.len() as u64;
                all.extend(plans(&report.calls).into_iter().map(|plan| (number, plan)));
            }
            Err(what) => count.faults.push(format!("{name}, with nothing failing: {what}")),
        }
    }
    let mut effort = Effort::of("injected failures", FEW.min(all.len() as u64));
    // Evenly over all of them, whatever is asked for.
    let asked = (effort.asked() as usize).min(all.len());
    let order = (0..asked).map(|place| all[place * all.len() / asked]);
    for (number, plan) in order {
        if count.faults.len() >= ENOUGH || !effort.goes_on() {
            break;
        }
        let play = &mut plays[number];
        let what = format!("{}: {}", play.act.name, describe(plan));
        match play.run(Some(plan), effort.done(), &mut count) {
            Ok(report) => {
                match report.came_to {
                    _ if report.failed == 0 => count.not_reached += 1,
                    CameTo::Told(..) => count.told += 1,
                    CameTo::Well => count.recovered += 1,
                    _ => {}
                }
                count.faults.extend(fault(plan, &report).map(|wrong| format!("{what}: {wrong}")));
            }
            Err(wrong) => {
                count.faults.push(format!("{what}: {wrong}"));
                // What is left would be the next run's.
                *play = Play::new(1000 + effort.done() as usize, play.act);
            }
        }
    }
    for fault in &count.faults {
        say(fault);
    }
    let (done, faults) = (effort.done(), count.faults.len());
    let Count { calls, told, recovered, not_reached, left, .. } = count;
    say(&format!(
        "{done} of {} failures in {} acts of {calls} calls: {told} told, {recovered} recovered, {not_reached} not reached, \
         {left} files left to others, {faults} faults",
        all.len(),
        plays.len(),
    ));
    if faults > 0 {
        return ExitCode::FAILURE;
    }
    effort.tell(&[
        ("acts", plays.len() as u64),
        ("calls", calls),
        ("typed errors", told),
        ("recovered", recovered),
        ("not reached", not_reached),
    ]);
    ExitCode::SUCCESS
}
