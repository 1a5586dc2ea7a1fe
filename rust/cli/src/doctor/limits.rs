//! Limits that rings run into: of memory, of files, of an old kernel.

use super::Finding;
use super::facts::Facts;
use crate::human;

/// A process with a few dozen rings open has enough with as many files: a handle takes two.
const FEW_FILES: u64 = 256;

pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    vec![
        memory_limit(facts),
        memory(facts),
        overcommit(facts),
        file_size(facts),
        open_files(facts),
        locked_memory(facts),
        kernel(facts),
    ]
}

impl Facts {
    /// Bytes that the rings there are may still take when larger frames come.
    pub(super) fn growth(&self) -> u64 {
        let seen = self.rings.iter().filter_map(|ring| ring.seen.as_ref().ok());
        seen.fold(0, |sum, ring| sum.saturating_add(ring.region_bytes.saturating_sub(ring.resident_bytes)))
    }

    fn largest_ring(&self) -> u64 {
        let seen = self.rings.iter().filter_map(|ring| ring.seen.as_ref().ok());
        seen.map(|ring| ring.region_bytes).max().unwrap_or(0)
    }
}

/// A tmpfs's pages count as memory of the group that touches them first.
fn memory_limit(facts: &Facts) -> Finding {
    let check = "cgroup";
    let Some(cgroup) = &facts.cgroup else { return Finding::ok(check, "no memory limit") };
    let room = cgroup.limit.saturating_sub(cgroup.used);
    let told = format!(
        "{} of {} used in {} (version {})",
        human::bytes(cgroup.used),
        human::bytes(cgroup.limit),
        cgroup.path,
        cgroup.version
    );
    let growth = facts.growth();
    if growth > room {
        return Finding::wrong(
            check,
            format!("{told}; the rings there are may take {} more", human::bytes(growth)),
            "raise the memory limit (docker: --memory, Kubernetes: limits.memory) or make the rings smaller: whoever \
             writes beyond it is killed, not refused",
        );
    }
    let folder = facts.folder.as_ref().map_or(0, |folder| folder.bytes);
    if folder > cgroup.limit {
        return Finding::note(
            check,
            format!("{told}; the rings' folder admits {}", human::bytes(folder)),
            "keep the rings' sizes below the memory limit: their pages count, and it kills instead of refusing",
        );
    }
    Finding::ok(check, told)
}

fn memory(facts: &Facts) -> Finding {
    let check = "memory";
    let Some(available) = facts.available_memory else {
        return Finding::note(check, "what is available could not be told", "see that /proc is mounted");
    };
    let (growth, told) = (facts.growth(), format!("{} available", human::bytes(available)));
    if growth > available {
        return Finding::wrong(
            check,
            format!("{told}; the rings there are may take {} more", human::bytes(growth)),
            "make the rings smaller, or free memory: what is reserved may be swapped, or the kernel kills somebody",
        );
    }
    Finding::ok(check, told)
}

fn overcommit(facts: &Facts) -> Finding {
    let check = "overcommit";
    match facts.overcommit {
        Some(2) => Finding::note(
            check,
            "strict (vm.overcommit_memory=2): rings count against the commit limit",
            "raise vm.overcommit_ratio if writers answer NoSpace while memory is free",
        ),
        Some(mode) => Finding::ok(check, format!("vm.overcommit_memory={mode}")),
        None => Finding::ok(check, "not told by this kernel"),
    }
}

fn file_size(facts: &Facts) -> Finding {
    let check = "file size";
    match facts.file_size {
        Some(None) => Finding::ok(check, "no limit"),
        None => Finding::note(check, "the limit could not be told", "see that /proc is mounted"),
        Some(Some(limit)) => {
            let told = format!("ulimit -f: {} at most", human::bytes(limit));
            let remedy = "ulimit -f unlimited (systemd: LimitFSIZE=infinity): a ring is a file";
            match facts.largest_ring() {
                largest if largest > limit => Finding::wrong(
                    check,
                    format!(
                        "{told}, while there is a ring of {}: it could not be made anew",
                        human::bytes(largest)
                    ),
                    remedy,
                ),
                _ => Finding::note(check, told, remedy),
            }
        }
    }
}

fn open_files(facts: &Facts) -> Finding {
    let check = "open files";
    match facts.open_files {
        Some(Some(limit)) if limit < FEW_FILES => Finding::wrong(
            check,
            format!("ulimit -n: {limit} at most; a handle on a ring takes 2"),
            "ulimit -n 4096 (systemd: LimitNOFILE=4096)",
        ),
        Some(Some(limit)) => Finding::ok(check, format!("{} at most", human::count(limit))),
        Some(None) => Finding::ok(check, "no limit"),
        None => Finding::note(check, "the limit could not be told", "see that /proc is mounted"),
    }
}

/// Rings lock nothing: this is for those who lock all their memory themselves.
fn locked_memory(facts: &Facts) -> Finding {
    let check = "locked memory";
    match facts.locked_memory {
        Some(Some(limit)) => Finding::ok(
            check,
            format!(
                "{} at most; only processes that call mlockall need more than their rings",
                human::bytes(limit)
            ),
        ),
        Some(None) => Finding::ok(check, "no limit"),
        None => Finding::ok(check, "not told; rings need none"),
    }
}

/// What rings ask of Linux, oldest first.
fn kernel(facts: &Facts) -> Finding {
    let check = "kernel";
    let release = facts.kernel.as_deref();
    let Some((release, version)) = release.and_then(|release| Some((release, version(release)?))) else {
        return Finding::note(check, "its version could not be told", "rings need Linux 3.15, better 5.14");
    };
    let remedy = "use a newer kernel";
    match version {
        old if old < (3, 15) => Finding::wrong(
            check,
            format!(
                "{release}: has no locks that a dead process loses (3.15), perhaps no nameless files (3.11)"
            ),
            remedy,
        ),
        old if old < (5, 14) => Finding::note(
            check,
            format!(
                "{release}: a writer's pool cannot give away tables that outlive it (MADV_POPULATE_WRITE, 5.14)"
            ),
            "drop tables built in a writer's memory before closing it, or use a newer kernel",
        ),
        _ => Finding::ok(check, release),
    }
}

/// Major and minor number of `6.1.0-13-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::facts::{Cgroup, Folder, Ring, Seen};
    use super::*;

    fn with_ring(region_bytes: u64, resident_bytes: u64) -> Facts {
        let seen = Seen { region_bytes, resident_bytes, ..Seen::default() };
        Facts {
            rings: vec![Ring { name: "r".to_owned(), seen: Ok(seen) }],
            available_memory: Some(8 << 30),
            file_size: Some(None),
            open_files: Some(Some(1024)),
            locked_memory: Some(None),
            kernel: Some("6.12.1".to_owned()),
            overcommit: Some(0),
            ..Facts::default()
        }
    }

    #[test]
    fn a_fit_machine_is_well() {
        let findings = all(&with_ring(1 << 30, 1 << 20));
        assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
    }

    #[test]
    fn rings_beyond_the_groups_memory_are_wrong() {
        let mut facts = with_ring(1 << 30, 0);
        let cgroup = Cgroup { version: 2, path: "/x".to_owned(), limit: 2 << 30, used: 1 << 20 };
        facts.cgroup = Some(cgroup.clone());
        assert_eq!(memory_limit(&facts).level, Level::Ok);
        facts.folder = Some(Folder { bytes: 4 << 30, ..Folder::default() });
        assert_eq!(memory_limit(&facts).level, Level::Note);
        facts.cgroup = Some(Cgroup { used: (3 << 30) / 2, ..cgroup });
        let finding = memory_limit(&facts);
        assert!(finding.level == Level::Wrong && finding.remedy.is_some_and(|r| r.contains("--memory")));
    }

    #[test]
    fn rings_beyond_memory_are_wrong() {
        assert_eq!(memory(&with_ring(9 << 30, 0)).level, Level::Wrong);
        assert_eq!(memory(&with_ring(9 << 30, 2 << 30)).level, Level::Ok);
        assert_eq!(memory(&Facts::default()).level, Level::Note);
    }

    #[test]
    fn limits_on_files_matter_from_the_ring_on_that_exceeds_them() {
        let mut facts = with_ring(1 << 30, 0);
        facts.file_size = Some(Some(1 << 20));
        assert_eq!(file_size(&facts).level, Level::Wrong);
        facts.file_size = Some(Some(2 << 30));
        assert_eq!(file_size(&facts).level, Level::Note);
        facts.open_files = Some(Some(64));
        assert_eq!(open_files(&facts).level, Level::Wrong);
        assert_eq!(open_files(&Facts::default()).level, Level::Note);
    }

    #[test]
    fn kernels_are_judged_by_what_they_lack() {
        let judged =
            |release: &str| kernel(&Facts { kernel: Some(release.to_owned()), ..Facts::default() }).level;
        assert_eq!(judged("3.10.0-1160.el7.x86_64"), Level::Wrong);
        assert_eq!(judged("4.18.0"), Level::Note);
        assert_eq!(judged("5.14.0"), Level::Ok);
        assert_eq!(judged("6.1"), Level::Ok);
        assert_eq!(judged("odd"), Level::Note);
    }

    #[test]
    fn strict_overcommit_is_told() {
        assert_eq!(overcommit(&Facts { overcommit: Some(2), ..Facts::default() }).level, Level::Note);
    }
}
