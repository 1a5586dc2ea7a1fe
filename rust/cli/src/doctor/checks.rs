//! The folder that rings lie in, what it is made of, and what is done to it behind a ring's back.

use super::Finding;
use super::facts::{Container, Facts, Folder, Mount};
use crate::human;

/// Docker gives a container this much, unless told.
const DOCKER_DEFAULT: u64 = 64 << 20;
/// A folder with less than this share free is nearly full.
const NEARLY_FULL: u64 = 10;
/// Fewer free inodes are too few.
const FEW_INODES: u64 = 64;
/// Users below this are the system's own, whose files logind leaves alone.
const FIRST_USER: u32 = 1000;

pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    let Some(folder) = &facts.folder else {
        return vec![Finding::wrong(
            "folder",
            format!("{} does not exist, or is no folder", facts.directory.display()),
            format!("mount -t tmpfs -o mode=1777 tmpfs {}", facts.directory.display()),
        )];
    };
    let mut findings = vec![kind(facts), space(facts, folder), inodes(facts, folder), rights(facts, folder)];
    findings.extend(facts.mount.as_ref().map(huge_pages));
    findings.push(transparent_huge_pages(facts));
    findings.push(remove_ipc(facts));
    findings
}

/// Rings need memory that is a file.
fn kind(facts: &Facts) -> Finding {
    let directory = facts.directory.display();
    match &facts.mount {
        None => Finding::note(
            "folder",
            format!("{directory}: what it lies on could not be told"),
            "see that it lies on a tmpfs",
        ),
        Some(mount) if mount.kind == "tmpfs" => {
            let container =
                facts.container.map_or(String::new(), |kind| format!(", in a container ({kind:?})"));
            Finding::ok("folder", format!("{directory} lies on the tmpfs {}{container}", mount.point))
        }
        Some(mount) => Finding::wrong(
            "folder",
            format!("{directory} lies on {} ({}), not on a tmpfs", mount.point, mount.kind),
            "use /dev/shm, or mount a tmpfs there: other file systems write every frame to their device, or cannot \
             reserve memory",
        ),
    }
}

/// Room for what the rings there may still take, and for more.
fn space(facts: &Facts, folder: &Folder) -> Finding {
    let told = format!("{} of {} free", human::bytes(folder.free_bytes), human::bytes(folder.bytes));
    // A tmpfs mounted without a limit says that it has no bytes at all.
    if folder.bytes == 0 {
        return Finding::ok("space", "no limit");
    }
    if facts.container.is_some() && folder.bytes <= DOCKER_DEFAULT {
        return Finding::wrong("space", format!("{told}: a container's default"), grow(facts.container));
    }
    if folder.free_bytes < folder.bytes / NEARLY_FULL {
        return Finding::wrong(
            "space",
            told,
            format!("'qads gc' removes what is abandoned; or {}", grow(facts.container)),
        );
    }
    let growth = facts.growth();
    if growth > folder.free_bytes {
        let growth = human::bytes(growth);
        return Finding::note(
            "space",
            format!("{told}, while the rings there are may take {growth} more as larger frames come"),
            format!(
                "writers will answer NoSpace if they do: make rings smaller, or {}",
                grow(facts.container)
            ),
        );
    }
    Finding::ok("space", told)
}

/// How to get a larger tmpfs.
fn grow(container: Option<Container>) -> &'static str {
    match container {
        Some(Container::Docker | Container::Podman) => {
            "start the container with --shm-size=2g (compose: shm_size), or share the host's with --ipc=host"
        }
        Some(Container::Kubernetes) => {
            "mount an emptyDir with medium: Memory and a sizeLimit at /dev/shm, and count it in the memory limit"
        }
        Some(Container::Other) | None => {
            "mount -o remount,size=8G on it, and in /etc/fstab for the next start"
        }
    }
}

fn inodes(facts: &Facts, folder: &Folder) -> Finding {
    let told = format!("{} of {} free", human::count(folder.free_inodes), human::count(folder.inodes));
    // 0 of 0 means without limit.
    if folder.inodes > 0 && folder.free_inodes < FEW_INODES {
        let remedy =
            format!("remove files, or mount -o remount,nr_inodes=100k {}", facts.directory.display());
        return Finding::wrong("inodes", told, remedy);
    }
    Finding::ok("inodes", if folder.inodes == 0 { "no limit".to_owned() } else { told })
}

fn rights(facts: &Facts, folder: &Folder) -> Finding {
    let mode = format!("mode {:04o}", folder.mode);
    if folder.read_only {
        return Finding::wrong(
            "rights",
            "mounted read-only",
            "mount it writable: readers store what they hold, too",
        );
    }
    if !folder.writable {
        let remedy = "have it made writable for this user or group, or use a folder that is (--directory)";
        return Finding::wrong("rights", format!("{mode}: this process may not make files in it"), remedy);
    }
    if folder.mode & 0o002 != 0 && folder.mode & 0o1000 == 0 {
        let remedy = format!("chmod +t {}", facts.directory.display());
        return Finding::wrong("rights", format!("{mode}: anybody may remove anybody's rings"), remedy);
    }
    Finding::ok("rights", mode)
}

fn huge_pages(mount: &Mount) -> Finding {
    let huge = mount.options.iter().find_map(|option| option.strip_prefix("huge="));
    match huge {
        None | Some("never") => Finding::ok("mount", format!("{}: no huge pages", mount.point)),
        Some(huge @ ("always" | "within_size")) => Finding::note(
            "mount",
            format!("{}: huge={huge}, so memory is taken in pieces of 2 MiB", mount.point),
            "good for large frames; many small rings take more memory than they show",
        ),
        Some(huge) => Finding::ok("mount", format!("{}: huge={huge}", mount.point)),
    }
}

fn transparent_huge_pages(facts: &Facts) -> Finding {
    let check = "huge pages";
    match facts.shmem_huge.as_deref() {
        None => Finding::ok(check, "the kernel has none for shared memory"),
        Some("force") => Finding::note(
            check,
            "shmem_enabled is 'force': every ring takes memory in pieces of 2 MiB",
            "echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled, unless it is for testing",
        ),
        Some("deny") => Finding::note(
            check,
            "shmem_enabled is 'deny': mounts with huge= get none",
            "echo never > /sys/kernel/mm/transparent_hugepage/shmem_enabled leaves it to the mounts",
        ),
        Some(word) => {
            Finding::ok(check, format!("shmem_enabled is '{word}'; a mount's huge= decides for its files"))
        }
    }
}

/// logind removes a user's files in /dev/shm when the user's last session ends.
fn remove_ipc(facts: &Facts) -> Finding {
    let check = "logout";
    let removes = facts.systemd && facts.remove_ipc != Some(false);
    match facts.user {
        _ if !removes => Finding::ok(check, "nothing removes rings when their user logs out"),
        Some(user) if user < FIRST_USER => {
            Finding::ok(check, format!("user {user} is a system user, whose rings stay when it logs out"))
        }
        _ => Finding::wrong(
            check,
            "systemd-logind removes this user's rings when the last session ends (RemoveIPC=yes)",
            "put RemoveIPC=no under [Login] in /etc/systemd/logind.conf.d/rings.conf and restart systemd-logind, or \
             run writers as a system user, or 'loginctl enable-linger'",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::super::facts::{Ring, Seen};
    use super::*;

    fn well() -> Folder {
        Folder {
            mode: 0o1777,
            writable: true,
            read_only: false,
            bytes: 8 << 30,
            free_bytes: 6 << 30,
            inodes: 1_000_000,
            free_inodes: 999_000,
        }
    }

    fn tmpfs() -> Mount {
        Mount { point: "/dev/shm".to_owned(), kind: "tmpfs".to_owned(), options: vec!["noexec".to_owned()] }
    }

    fn machine(folder: Folder) -> Facts {
        Facts { directory: "/dev/shm".into(), folder: Some(folder), mount: Some(tmpfs()), ..Facts::default() }
    }

    /// The level of a check, and its remedy.
    fn judged(facts: &Facts, check: &str) -> (Level, String) {
        let findings = all(facts);
        let finding = findings.iter().find(|finding| finding.check == check);
        let finding = finding.unwrap_or_else(|| panic!("no {check} in {findings:?}"));
        (finding.level, finding.remedy.clone().unwrap_or_default())
    }

    #[test]
    fn a_fit_machine_is_well() {
        let findings = all(&machine(well()));
        assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_to_be_mounted() {
        let facts = Facts { directory: "/mnt/rings".into(), ..Facts::default() };
        let (level, remedy) = judged(&facts, "folder");
        assert!(level == Level::Wrong && remedy.contains("mount -t tmpfs") && remedy.contains("/mnt/rings"));
    }

    #[test]
    fn a_disk_is_no_tmpfs() {
        let mut facts = machine(well());
        facts.mount = Some(Mount { kind: "ext4".to_owned(), ..tmpfs() });
        assert_eq!(judged(&facts, "folder").0, Level::Wrong);
        facts.mount = None;
        assert_eq!(judged(&facts, "folder").0, Level::Note);
    }

    #[test]
    fn a_containers_small_default_names_the_containers_remedy() {
        let mut facts = machine(Folder { bytes: 64 << 20, free_bytes: 64 << 20, ..well() });
        assert_eq!(judged(&facts, "space").0, Level::Ok, "small, but nobody's default");
        for (container, remedy) in [
            (Container::Docker, "--shm-size"),
            (Container::Podman, "--shm-size"),
            (Container::Kubernetes, "medium: Memory"),
        ] {
            facts.container = Some(container);
            let (level, told) = judged(&facts, "space");
            assert!(level == Level::Wrong && told.contains(remedy), "{told}");
        }
    }

    #[test]
    fn a_folder_nearly_full_is_wrong_and_one_that_may_become_full_is_told() {
        let facts = machine(Folder { free_bytes: 700 << 20, ..well() });
        assert_eq!(judged(&facts, "space").0, Level::Wrong);
        let mut facts = machine(well());
        let seen = Seen { region_bytes: 7 << 30, resident_bytes: 1 << 20, ..Seen::default() };
        facts.rings = vec![Ring { name: "r".to_owned(), seen: Ok(seen) }];
        let (level, remedy) = judged(&facts, "space");
        assert!(level == Level::Note && remedy.contains("NoSpace"), "{remedy}");
        assert_eq!(judged(&machine(Folder { bytes: 0, free_bytes: 0, ..well() }), "space").0, Level::Ok);
    }

    #[test]
    fn inodes_run_out_too() {
        assert_eq!(judged(&machine(Folder { free_inodes: 3, ..well() }), "inodes").0, Level::Wrong);
        assert_eq!(judged(&machine(Folder { inodes: 0, free_inodes: 0, ..well() }), "inodes").0, Level::Ok);
    }

    #[test]
    fn rights_that_are_too_few_or_too_many_are_wrong() {
        for folder in [
            Folder { writable: false, ..well() },
            Folder { read_only: true, ..well() },
            Folder { mode: 0o777, ..well() },
        ] {
            assert_eq!(judged(&machine(folder.clone()), "rights").0, Level::Wrong, "{folder:?}");
        }
        assert_eq!(judged(&machine(Folder { mode: 0o700, ..well() }), "rights").0, Level::Ok);
    }

    #[test]
    fn huge_pages_are_told() {
        let mut facts = machine(well());
        let options = |huge: &str| vec!["rw".to_owned(), format!("huge={huge}")];
        facts.mount = Some(Mount { options: options("always"), ..tmpfs() });
        assert_eq!(judged(&facts, "mount").0, Level::Note);
        facts.mount = Some(Mount { options: options("advise"), ..tmpfs() });
        assert_eq!(judged(&facts, "mount").0, Level::Ok);
        for (word, level) in
            [("never", Level::Ok), ("advise", Level::Ok), ("force", Level::Note), ("deny", Level::Note)]
        {
            facts.shmem_huge = Some(word.to_owned());
            assert_eq!(judged(&facts, "huge pages").0, level, "{word}");
        }
    }

    #[test]
    fn logind_takes_the_rings_of_users_only() {
        let logind = |user, remove_ipc, systemd| {
            let facts = Facts { user: Some(user), remove_ipc, systemd, ..machine(well()) };
            judged(&facts, "logout").0
        };
        assert_eq!(logind(1000, None, true), Level::Wrong, "it is the default");
        assert_eq!(logind(1000, Some(true), true), Level::Wrong);
        assert_eq!(logind(1000, Some(false), true), Level::Ok);
        assert_eq!(logind(999, Some(true), true), Level::Ok);
        assert_eq!(logind(1000, Some(true), false), Level::Ok, "no logind runs");
    }
}
