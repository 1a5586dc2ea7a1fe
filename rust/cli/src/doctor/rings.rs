//! The rings there are: what the dead have left, who waits for whom, who cannot see whom.

use super::Finding;
use super::facts::{Facts, Participant, Seen};
use crate::human;
use qadataswap::inspect::RingState;
use std::time::Duration;

/// A writer that has waited for longer is held up.
const HELD_UP: Duration = Duration::from_secs(1);

pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ring in &facts.rings {
        match &ring.seen {
            Ok(seen) => {
                findings.push(life(&ring.name, seen));
                findings.extend(held_up(&ring.name, seen));
                findings.extend(places_of_the_dead(&ring.name, seen));
                findings.extend(apart(&ring.name, seen));
            }
            Err(error) => findings.push(Finding::wrong(
                "ring",
                error.clone(),
                format!(
                    "if nobody uses it any more, rm {}/qads_{}; else run programs of one version",
                    facts.directory.display(),
                    ring.name
                ),
            )),
        }
    }
    for staged in &facts.staged {
        let told = format!("{} is a ring in the making, of process {}", staged.file, staged.pid);
        findings.push(match staged.runs {
            true => Finding::ok("staged", told),
            false => {
                Finding::wrong("staged", format!("{told}, which runs no more (as seen from here)"), "qads gc")
            }
        });
    }
    findings
}

/// Whether somebody takes part in a ring, and what is left in it.
fn life(name: &str, ring: &Seen) -> Finding {
    let check = "ring";
    let readers = ring.readers.iter().filter(|reader| reader.alive).count();
    let left = format!(
        "{} and {} in it",
        human::plural(ring.standing as u64, "frame"),
        human::bytes(ring.resident_bytes)
    );
    let told = format!("{name}: {}, {left}", human::plural(readers as u64, "reader"));
    match ring.state {
        Some(RingState::Live) => Finding::ok(check, format!("{told}, writer {}", ring.writer.pid)),
        Some(RingState::Closed) if readers == 0 => Finding::note(
            check,
            format!("{name}: ended, and nobody takes part; {left} were not read"),
            format!("read it ('qads tail {name}'), or 'qads gc' removes it"),
        ),
        Some(RingState::Closed) => Finding::ok(check, format!("{told}, ended")),
        Some(RingState::Orphaned) if readers == 0 => Finding::wrong(
            check,
            format!("{name}: its writer {} died, and nobody takes part; {left}", ring.writer.pid),
            "start a writer of the same geometry, which goes on with it, or 'qads gc' removes it",
        ),
        Some(RingState::Orphaned) => Finding::wrong(
            check,
            format!("{told}, but its writer {} died", ring.writer.pid),
            "start the writer again: with the same geometry, its readers go on",
        ),
        Some(RingState::Gone) | None => Finding::ok(check, format!("{name}: going")),
    }
}

/// Who holds up a writer.
fn held_up(name: &str, ring: &Seen) -> Option<Finding> {
    let waiting = Duration::from_nanos(ring.waiting_ns?);
    if waiting < HELD_UP {
        return None;
    }
    let slowest = ring.readers.iter().filter(|reader| reader.alive).max_by_key(|reader| reader.lag);
    let by = slowest.map_or(String::new(), |reader| {
        format!("; reader {} is {} behind", reader.pid, human::plural(reader.lag, "frame"))
    });
    Some(Finding::wrong(
        "ring",
        format!("{name}: its writer has been waiting for space for {}{by}", human::duration(waiting)),
        "let that reader read faster or as lossy or latest, or give the ring more buffers; 'qads top' shows who lags",
    ))
}

fn places_of_the_dead(name: &str, ring: &Seen) -> Option<Finding> {
    let dead: Vec<String> =
        ring.readers.iter().filter(|reader| !reader.alive).map(|reader| reader.pid.to_string()).collect();
    let told = || {
        format!(
            "{name}: {} of {} hold places",
            human::plural(dead.len() as u64, "dead reader"),
            dead.join(", ")
        )
    };
    let remedy = "none is needed: the writer frees them when they hold it up, or the next reader to come";
    (!dead.is_empty()).then(|| Finding::note("ring", told(), remedy))
}

/// Participants that see something else than this process does.
fn apart(name: &str, ring: &Seen) -> Vec<Finding> {
    let check = "namespaces";
    let who = |participant: &Participant, role: &str| format!("{name}: {role} {}", participant.pid);
    let participants =
        std::iter::once((&ring.writer, "writer")).chain(ring.readers.iter().map(|reader| (reader, "reader")));
    let mut findings = Vec::new();
    for (participant, role) in participants.filter(|(participant, _)| participant.alive) {
        if participant.elsewhere {
            findings.push(Finding::note(
                check,
                format!("{} lives in another PID namespace: its number says nothing here", who(participant, role)),
                "that it lives is told by its lock all the same; to see it here, share PID namespaces (docker: --pid)",
            ));
        }
        if participant.apart.contains(&"time") {
            findings.push(Finding::wrong(
                check,
                format!(
                    "{} lives in another time namespace: its clock may run apart",
                    who(participant, role)
                ),
                "latencies between the two may be off; run both without a time namespace of their own",
            ));
        }
        let others: Vec<&str> = participant.apart.iter().copied().filter(|&kind| kind != "time").collect();
        if !others.is_empty() {
            findings.push(Finding::note(
                check,
                format!("{} lives in another {} namespace", who(participant, role), others.join(" and ")),
                "rings work across them if both see the same folder and may write to it",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::facts::{Ring, Staged};
    use super::*;

    fn living(pid: u32, lag: u64) -> Participant {
        Participant { pid, alive: true, lag, ..Participant::default() }
    }

    fn ring(state: RingState, readers: Vec<Participant>) -> Seen {
        let writer = Participant { pid: 7, alive: state == RingState::Live, ..Participant::default() };
        Seen { state: Some(state), writer, readers, standing: 3, ..Seen::default() }
    }

    fn judged(seen: Seen) -> Vec<(Level, String)> {
        let facts = Facts { rings: vec![Ring { name: "r".to_owned(), seen: Ok(seen) }], ..Facts::default() };
        all(&facts).into_iter().map(|finding| (finding.level, finding.found)).collect()
    }

    #[test]
    fn a_living_ring_is_well() {
        let findings = judged(ring(RingState::Live, vec![living(8, 0)]));
        assert!(
            matches!(&findings[..], [(Level::Ok, found)] if found.contains("1 reader") && found.contains("writer 7"))
        );
    }

    #[test]
    fn a_dead_writer_is_wrong_and_an_ended_ring_worth_knowing() {
        assert_eq!(judged(ring(RingState::Orphaned, vec![]))[0].0, Level::Wrong);
        assert_eq!(judged(ring(RingState::Orphaned, vec![living(8, 0)]))[0].0, Level::Wrong);
        assert_eq!(judged(ring(RingState::Closed, vec![]))[0].0, Level::Note);
        assert_eq!(judged(ring(RingState::Closed, vec![living(8, 0)]))[0].0, Level::Ok);
    }

    #[test]
    fn whoever_holds_up_a_writer_is_named() {
        let readers =
            vec![living(8, 2), living(9, 40), Participant { pid: 10, lag: 99, ..Participant::default() }];
        let mut seen = ring(RingState::Live, readers);
        seen.waiting_ns = Some(3_000_000_000);
        let findings = judged(seen.clone());
        assert!(
            findings.iter().any(|(level, found)| *level == Level::Wrong && found.contains("reader 9 is 40"))
        );
        assert!(
            findings
                .iter()
                .any(|(level, found)| *level == Level::Note && found.contains("1 dead reader of 10"))
        );
        seen.waiting_ns = Some(1000);
        assert!(judged(seen).iter().all(|(level, _)| *level != Level::Wrong));
    }

    #[test]
    fn namespaces_matter_by_kind() {
        let elsewhere = Participant { elsewhere: true, ..living(8, 0) };
        let shifted = Participant { apart: vec!["time", "user"], ..living(9, 0) };
        let levels: Vec<Level> = judged(ring(RingState::Live, vec![elsewhere, shifted]))
            .into_iter()
            .map(|(level, _)| level)
            .collect();
        assert_eq!(levels, [Level::Ok, Level::Note, Level::Wrong, Level::Note]);
    }

    #[test]
    fn what_cannot_be_read_and_what_the_dead_staged_is_wrong() {
        let staged = |pid, runs| Staged { file: format!(".qads_r.{pid}"), pid, runs };
        let facts = Facts {
            directory: "/dev/shm".into(),
            rings: vec![Ring { name: "old".to_owned(), seen: Err("another version".to_owned()) }],
            staged: vec![staged(1, true), staged(2, false)],
            ..Facts::default()
        };
        let findings = all(&facts);
        assert_eq!(
            findings.iter().map(|finding| finding.level).collect::<Vec<_>>(),
            [Level::Wrong, Level::Ok, Level::Wrong]
        );
        assert!(findings[0].remedy.as_ref().is_some_and(|remedy| remedy.contains("rm /dev/shm/qads_old")));
        assert_eq!(findings[2].remedy.as_deref(), Some("qads gc"));
    }
}
