//! What is to be known of a machine, read from `/proc`, `/sys`, `/etc` and `/run` below a root that tests choose, and
//! from the rings' folder.
//!
//! Law: what cannot be read is `None`, and no check takes it for well or ill without saying so.

use qadataswap::inspect::{self, RingInfo};
use rustix::fs::{Access, StatVfsMountFlags};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Where the system's own files lie.
pub(crate) struct Roots {
    root: PathBuf,
}

impl Roots {
    /// This machine's.
    pub(crate) fn system() -> Roots {
        Roots { root: "/".into() }
    }

    #[cfg(test)]
    pub(crate) fn below(root: &Path) -> Roots {
        Roots { root: root.to_owned() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.path(path)).ok().map(|text| text.trim_end().to_owned())
    }

    fn number(&self, path: &str) -> Option<u64> {
        self.read(path)?.parse().ok()
    }

    fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The namespace of a kind that a process lives in, as the kernel names it: `time:[4026531834]`.
    fn namespace(&self, process: &str, kind: &str) -> Option<String> {
        let link = std::fs::read_link(self.path(&format!("/proc/{process}/ns/{kind}"))).ok()?;
        Some(link.to_string_lossy().into_owned())
    }
}

/// All that the checks look at.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) directory: PathBuf,
    /// `None` if there is no such folder.
    pub(crate) folder: Option<Folder>,
    pub(crate) mount: Option<Mount>,
    pub(crate) container: Option<Container>,
    pub(crate) cgroup: Option<Cgroup>,
    pub(crate) user: Option<u32>,
    /// Soft limits; the outer `None` is unknown, the inner one unlimited.
    pub(crate) file_size: Option<Option<u64>>,
    pub(crate) open_files: Option<Option<u64>>,
    pub(crate) locked_memory: Option<Option<u64>>,
    pub(crate) kernel: Option<String>,
    pub(crate) available_memory: Option<u64>,
    pub(crate) overcommit: Option<u64>,
    pub(crate) shmem_huge: Option<String>,
    pub(crate) systemd: bool,
    pub(crate) remove_ipc: Option<bool>,
    pub(crate) rings: Vec<Ring>,
    pub(crate) staged: Vec<Staged>,
}

/// The rings' folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Folder {
    pub(crate) mode: u32,
    /// Files may be made in it by this process.
    pub(crate) writable: bool,
    pub(crate) read_only: bool,
    pub(crate) bytes: u64,
    pub(crate) free_bytes: u64,
    pub(crate) inodes: u64,
    pub(crate) free_inodes: u64,
}

/// The file system that the folder lies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) point: String,
    pub(crate) kind: String,
    /// Of the mount and of the file system.
    pub(crate) options: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    Docker,
    Podman,
    Kubernetes,
    Other,
}

/// The tightest memory limit above this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cgroup {
    pub(crate) version: u8,
    pub(crate) path: String,
    pub(crate) limit: u64,
    pub(crate) used: u64,
}

/// A ring, and the processes that take part in it.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(crate) name: String,
    /// What can be seen of it, or why nothing can.
    pub(crate) seen: Result<Seen, String>,
}

/// What the checks want to know of a ring.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) state: Option<inspect::RingState>,
    pub(crate) region_bytes: u64,
    pub(crate) resident_bytes: u64,
    pub(crate) standing: usize,
    pub(crate) waiting_ns: Option<u64>,
    pub(crate) writer: Participant,
    pub(crate) readers: Vec<Participant>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Participant {
    pub(crate) pid: u32,
    pub(crate) alive: bool,
    pub(crate) lag: u64,
    /// It lives in another PID namespace, so that its PID says nothing here.
    pub(crate) elsewhere: bool,
    /// Kinds of namespaces in which it lives elsewhere than this process, PID namespaces aside.
    pub(crate) apart: Vec<&'static str>,
}

/// What a creator that was replacing a ring has left, or is about to rename.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Staged {
    pub(crate) file: String,
    pub(crate) pid: u32,
    pub(crate) runs: bool,
}

/// Kinds of namespaces that matter to rings, PID namespaces aside.
const KINDS: [&str; 3] = ["ipc", "user", "time"];

impl Facts {
    /// Looks at the machine below `roots` and at the rings of `directory`.
    pub(crate) fn gather(roots: &Roots, directory: &Path) -> Facts {
        let limits = roots.read("/proc/self/limits").unwrap_or_default();
        let mount = roots.read("/proc/self/mountinfo");
        let resolved = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
        Facts {
            directory: directory.to_owned(),
            folder: folder(directory),
            mount: mount.and_then(|mounts| mount_of(&mounts, &resolved)),
            container: container(roots),
            cgroup: cgroup(roots),
            user: status_user(&roots.read("/proc/self/status").unwrap_or_default()),
            file_size: soft_limit(&limits, "Max file size"),
            open_files: soft_limit(&limits, "Max open files"),
            locked_memory: soft_limit(&limits, "Max locked memory"),
            kernel: roots.read("/proc/sys/kernel/osrelease"),
            available_memory: available_memory(&roots.read("/proc/meminfo").unwrap_or_default()),
            overcommit: roots.number("/proc/sys/vm/overcommit_memory"),
            shmem_huge: roots
                .read("/sys/kernel/mm/transparent_hugepage/shmem_enabled")
                .and_then(|text| chosen(&text)),
            systemd: roots.exists("/run/systemd/system"),
            remove_ipc: remove_ipc(roots),
            rings: rings(roots, directory),
            staged: staged(roots, directory),
        }
    }
}

fn folder(directory: &Path) -> Option<Folder> {
    let metadata = std::fs::metadata(directory).ok().filter(std::fs::Metadata::is_dir)?;
    let room = rustix::fs::statvfs(directory).ok()?;
    Some(Folder {
        mode: metadata.mode() & 0o7777,
        writable: rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok(),
        read_only: room.f_flag.contains(StatVfsMountFlags::RDONLY),
        bytes: room.f_blocks.saturating_mul(room.f_frsize),
        free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
        inodes: room.f_files,
        free_inodes: room.f_favail,
    })
}

/// The last mount over the longest part of `path`.
fn mount_of(mountinfo: &str, path: &Path) -> Option<Mount> {
    let mounts = mountinfo.lines().filter_map(mount_line);
    let over = mounts.filter(|mount| path.starts_with(&mount.point));
    over.enumerate()
        .max_by_key(|(line, mount)| (Path::new(&mount.point).components().count(), *line))
        .map(|(_, mount)| mount)
}

/// `36 35 98:0 /root /point rw,noatime shared:1 - kind source rw,size=1k`.
fn mount_line(line: &str) -> Option<Mount> {
    let (about, file_system) = line.split_once(" - ")?;
    let (about, file_system): (Vec<&str>, Vec<&str>) =
        (about.split(' ').collect(), file_system.split(' ').collect());
    let options = [about.get(5)?, file_system.get(2).unwrap_or(&"")];
    Some(Mount {
        point: unescaped(about.get(4)?),
        kind: (*file_system.first()?).to_owned(),
        options: options.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect(),
    })
}

/// The kernel writes blanks and their like as `\040`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()) {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn container(roots: &Roots) -> Option<Container> {
    if roots.exists("/var/run/secrets/kubernetes.io") || roots.exists("/run/secrets/kubernetes.io") {
        return Some(Container::Kubernetes);
    }
    if roots.exists("/.dockerenv") {
        return Some(Container::Docker);
    }
    if roots.exists("/run/.containerenv") {
        return Some(Container::Podman);
    }
    let of_init = roots.read("/proc/1/cgroup").unwrap_or_default();
    match of_init {
        text if text.contains("kubepods") => Some(Container::Kubernetes),
        text if text.contains("docker") => Some(Container::Docker),
        text if text.contains("libpod") => Some(Container::Podman),
        text if text.contains("/lxc/") => Some(Container::Other),
        _ if roots.exists("/run/systemd/container") => Some(Container::Other),
        _ => None,
    }
}

/// The limit with the least room left, from this process's group up to the root.
fn cgroup(roots: &Roots) -> Option<Cgroup> {
    let groups = roots.read("/proc/self/cgroup")?;
    let mut tightest: Option<Cgroup> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(group)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (version, base, limit, used) = match controllers {
            "" => (2, "/sys/fs/cgroup", "memory.max", "memory.current"),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                (1, "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        let names: Vec<_> = Path::new(group)
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => name.to_str(),
                _ => None,
            })
            .collect();
        for depth in (0..=names.len()).rev() {
            let path = names[..depth].iter().fold(base.to_owned(), |path, name| path + "/" + name);
            let Some(limit) = roots.number(&format!("{path}/{limit}")) else { continue };
            // Version 1 says "unlimited" with a number next to 2^63.
            if limit >= 1 << 62 {
                continue;
            }
            let used = roots.number(&format!("{path}/{used}")).unwrap_or(0);
            let room = |cgroup: &Cgroup| cgroup.limit.saturating_sub(cgroup.used);
            let found = Cgroup { version, path, limit, used };
            if tightest.as_ref().is_none_or(|so_far| room(&found) < room(so_far)) {
                tightest = Some(found);
            }
        }
    }
    tightest
}

/// The effective user.
fn status_user(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// A soft limit of `/proc/self/limits`.
fn soft_limit(limits: &str, name: &str) -> Option<Option<u64>> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

fn available_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// The word in brackets: `always within_size [never]`.
fn chosen(text: &str) -> Option<String> {
    text.split_ascii_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
        .map(str::to_owned)
}

/// What logind was told last; files of one name in `/etc` stand for those in `/run` and `/usr/lib`, and go by name.
fn remove_ipc(roots: &Roots) -> Option<bool> {
    let main = ["/etc", "/run", "/usr/local/lib", "/usr/lib"]
        .iter()
        .find_map(|folder| roots.read(&format!("{folder}/systemd/logind.conf")));
    let mut drop_ins = std::collections::BTreeMap::new();
    for folder in ["/usr/lib", "/usr/local/lib", "/run", "/etc"] {
        let folder = format!("{folder}/systemd/logind.conf.d");
        let Ok(entries) = std::fs::read_dir(roots.path(&folder)) else { continue };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        for name in names.filter(|name| name.ends_with(".conf")) {
            let text = roots.read(&format!("{folder}/{name}")).unwrap_or_default();
            drop_ins.insert(name, text);
        }
    }
    let mut latest_first = drop_ins.into_values().rev().chain(main);
    latest_first.find_map(|text| remove_ipc_in(&text))
}

fn remove_ipc_in(text: &str) -> Option<bool> {
    let mut latest_first = text.lines().rev().filter_map(|line| line.trim().split_once('='));
    let value = latest_first.find(|(key, _)| key.trim() == "RemoveIPC")?.1.trim();
    Some(matches!(value, "yes" | "true" | "on" | "1"))
}

fn rings(roots: &Roots, directory: &Path) -> Vec<Ring> {
    let pid_namespace = roots.namespace("self", "pid").and_then(|name| inode(&name));
    let listed = inspect::list(directory).unwrap_or_default();
    let participant = |pid: u32, namespace: u64, alive: bool, lag: u64| {
        let elsewhere = namespace != 0 && pid_namespace.is_some_and(|here| here != namespace);
        let apart = if alive && !elsewhere { apart(roots, pid) } else { Vec::new() };
        Participant { pid, alive, lag, elsewhere, apart }
    };
    let seen = |info: RingInfo| Seen {
        state: Some(info.state),
        region_bytes: info.region_bytes,
        resident_bytes: info.resident_bytes,
        standing: info.standing.len(),
        waiting_ns: info.waiting.map(|waiting| u64::try_from(waiting.as_nanos()).unwrap_or(u64::MAX)),
        writer: participant(
            info.writer_pid,
            info.writer_pid_namespace,
            info.state == inspect::RingState::Live,
            0,
        ),
        readers: info
            .readers
            .iter()
            .map(|reader| participant(reader.pid, reader.pid_namespace, reader.alive, reader.lag))
            .collect(),
    };
    let listed = listed.into_iter();
    listed
        .map(|(name, info)| Ring { name, seen: info.map(seen).map_err(|error| error.to_string()) })
        .collect()
}

/// Kinds of namespaces in which a process lives elsewhere than this one; what cannot be read counts as the same.
fn apart(roots: &Roots, pid: u32) -> Vec<&'static str> {
    let differs = |kind: &&'static str| {
        let (here, there) = (roots.namespace("self", kind), roots.namespace(&pid.to_string(), kind));
        here.zip(there).is_some_and(|(here, there)| here != there)
    };
    KINDS.iter().copied().filter(|kind| differs(kind)).collect()
}

/// The number in `time:[4026531834]`.
fn inode(namespace: &str) -> Option<u64> {
    namespace.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}

/// Files `.qads_NAME.PID`.
fn staged(roots: &Roots, directory: &Path) -> Vec<Staged> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut staged: Vec<_> = names
        .filter(|file| file.starts_with(".qads_"))
        .filter_map(|file| {
            let pid = file.rsplit_once('.')?.1.parse().ok()?;
            Some(Staged { runs: roots.exists(&format!("/proc/{pid}")), file, pid })
        })
        .collect();
    staged.sort_by(|a, b| a.file.cmp(&b.file));
    staged
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A tree of files to take for a machine's; removed when dropped.
    pub(crate) struct Tree {
        root: PathBuf,
    }

    impl Tree {
        pub(crate) fn new() -> Tree {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("qads-doctor-{}-{number}", std::process::id()));
            std::fs::create_dir_all(&root).expect("a new folder");
            Tree { root }
        }

        pub(crate) fn with(self, path: &str, text: &str) -> Tree {
            let path = self.root.join(path);
            std::fs::create_dir_all(path.parent().expect("it lies in the tree")).expect("a new folder");
            std::fs::write(path, text).expect("a new file");
            self
        }

        pub(crate) fn with_link(self, path: &str, to: &str) -> Tree {
            let path = self.root.join(path);
            std::fs::create_dir_all(path.parent().expect("it lies in the tree")).expect("a new folder");
            std::os::unix::fs::symlink(to, path).expect("a new link");
            self
        }

        /// What is gathered from this tree, on its folder `shm`.
        pub(crate) fn facts(&self) -> Facts {
            Facts::gather(&Roots::below(&self.root), &self.root.join("shm"))
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.root);
        }
    }

    #[test]
    fn an_empty_machine_says_nothing_of_itself() {
        let facts = Tree::new().facts();
        assert!(facts.folder.is_none() && facts.mount.is_none() && facts.cgroup.is_none());
        assert!(facts.kernel.is_none() && facts.open_files.is_none() && facts.remove_ipc.is_none());
        assert_eq!((facts.container, facts.systemd, facts.rings.len()), (None, false, 0));
    }

    #[test]
    fn numbers_of_proc_are_read() {
        let limits = "Limit            Soft Limit   Hard Limit   Units\n\
                      Max file size    unlimited    unlimited    bytes\n\
                      Max open files   256          4096         files\n\
                      Max locked memory 8388608     8388608      bytes";
        let facts = Tree::new()
            .with("proc/self/limits", limits)
            .with("proc/self/status", "Name:\tx\nUid:\t1000\t1001\t1000\t1000\n")
            .with("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    2048 kB\n")
            .with("proc/sys/kernel/osrelease", "6.1.0-13-amd64\n")
            .with("proc/sys/vm/overcommit_memory", "2\n")
            .with("sys/kernel/mm/transparent_hugepage/shmem_enabled", "always [advise] never\n")
            .facts();
        assert_eq!((facts.file_size, facts.open_files), (Some(None), Some(Some(256))));
        assert_eq!((facts.locked_memory, facts.user), (Some(Some(8 << 20)), Some(1001)));
        assert_eq!((facts.available_memory, facts.overcommit), (Some(2 << 20), Some(2)));
        assert_eq!(facts.kernel.as_deref(), Some("6.1.0-13-amd64"));
        assert_eq!(facts.shmem_huge.as_deref(), Some("advise"));
    }

    #[test]
    fn the_nearest_and_last_mount_counts() {
        let text = "1 0 8:1 / / rw - ext4 /dev/sda rw\n\
                    2 1 0:5 / /dev rw,nosuid - devtmpfs udev rw\n\
                    3 2 0:6 / /dev/shm rw - tmpfs shm rw,size=65536k\n\
                    4 2 0:7 / /dev/shm rw,noexec shared:4 master:1 - tmpfs tmpfs rw,huge=advise\n\
                    5 1 0:8 / /mnt/my\\040rings rw - tmpfs t rw\n";
        let mount = mount_of(text, Path::new("/dev/shm/sub")).expect("it is mounted");
        assert_eq!((mount.point.as_str(), mount.kind.as_str()), ("/dev/shm", "tmpfs"));
        assert!(
            mount.options.contains(&"huge=advise".to_owned()) && mount.options.contains(&"noexec".to_owned())
        );
        assert_eq!(mount_of(text, Path::new("/dev/shmem")).expect("on /dev").kind, "devtmpfs");
        assert_eq!(mount_of(text, Path::new("/mnt/my rings")).expect("with a blank").kind, "tmpfs");
        assert_eq!(mount_of("nonsense\n1 - \n", Path::new("/")), None);
    }

    #[test]
    fn the_tightest_memory_limit_counts() {
        let two = Tree::new()
            .with("proc/self/cgroup", "0::/app/worker\n")
            .with("sys/fs/cgroup/app/worker/memory.max", "max\n")
            .with("sys/fs/cgroup/app/memory.max", "1000000\n")
            .with("sys/fs/cgroup/app/memory.current", "400000\n")
            .with("sys/fs/cgroup/memory.max", "9000000\n")
            .facts();
        let expected =
            Cgroup { version: 2, path: "/sys/fs/cgroup/app".to_owned(), limit: 1_000_000, used: 400_000 };
        assert_eq!(two.cgroup, Some(expected));
        let one = Tree::new()
            .with("proc/self/cgroup", "5:cpu:/x\n4:memory,hugetlb:/x\n")
            .with("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "5000\n")
            .with("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
            .facts();
        assert_eq!(one.cgroup.map(|cgroup| (cgroup.version, cgroup.limit)), Some((1, 5000)));
    }

    #[test]
    fn containers_are_known_by_what_they_leave() {
        assert_eq!(Tree::new().with(".dockerenv", "").facts().container, Some(Container::Docker));
        assert_eq!(Tree::new().with("run/.containerenv", "").facts().container, Some(Container::Podman));
        let pod = Tree::new().with("proc/1/cgroup", "0::/kubepods/besteffort/pod1\n");
        assert_eq!(pod.facts().container, Some(Container::Kubernetes));
        assert_eq!(Tree::new().with("proc/1/cgroup", "0::/init.scope\n").facts().container, None);
    }

    #[test]
    fn logind_is_believed_its_last_word() {
        let main = "[Login]\n#RemoveIPC=no\nRemoveIPC=yes\n";
        assert_eq!(Tree::new().with("etc/systemd/logind.conf", main).facts().remove_ipc, Some(true));
        let overridden = Tree::new()
            .with("etc/systemd/logind.conf", main)
            .with("etc/systemd/logind.conf.d/50-rings.conf", "[Login]\nRemoveIPC = no\n");
        assert_eq!(overridden.facts().remove_ipc, Some(false));
        assert_eq!(Tree::new().with("etc/systemd/logind.conf", "[Login]\n").facts().remove_ipc, None);
    }

    #[test]
    fn whoever_lives_in_another_namespace_is_told_apart() {
        let tree = Tree::new()
            .with_link("proc/self/ns/time", "time:[4026531834]")
            .with_link("proc/self/ns/ipc", "ipc:[5]")
            .with_link("proc/12/ns/time", "time:[4026531835]")
            .with_link("proc/12/ns/ipc", "ipc:[5]");
        let roots = Roots::below(&tree.root);
        assert_eq!(apart(&roots, 12), ["time"]);
        assert!(apart(&roots, 13).is_empty(), "nothing is known of it");
        assert_eq!(inode("time:[4026531834]"), Some(4_026_531_834));
    }

    #[test]
    fn staged_files_are_found_with_their_makers() {
        let facts = Tree::new()
            .with("proc/12/stat", "")
            .with("shm/.qads_r.12", "")
            .with("shm/.qads_r.13", "")
            .with("shm/.qads_nothing", "")
            .facts();
        let staged = |file: &str, pid, runs| Staged { file: file.to_owned(), pid, runs };
        assert_eq!(facts.staged, [staged(".qads_r.12", 12, true), staged(".qads_r.13", 13, false)]);
    }
}
