//! Rings between containers, and in such that have less than a machine: namespaces, users, limits, read-only folders.
//!
//! `cargo test -p qadataswap-machine --test containers -- user` plays only the cases with `user` in their names. What the
//! kernel does not let this user do is told as skipped.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use qadataswap::{ErrorKind, Reader, ReaderPolicy, WhenFull, Writer};
use qadataswap_machine::container::{Forked, Outcome, Why, demand, leave, may, mount_tmpfs, refused};
use qadataswap_machine::stage::{PATIENCE, Stage, table};
use qadataswap_scorecard::Effort;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::Duration;

/// Not root, and nobody whom the tests run as.
const OTHER: u32 = 54_321;
/// As whom users that a namespace does not know are seen.
const NOBODY: u32 = 65_534;

type Case = (&'static str, fn(&Stage) -> Outcome);

const CASES: &[Case] = &[
    ("a writer in another PID namespace, and its death", writer_in_pid_namespace),
    ("a reader in another PID namespace, and its death", reader_in_pid_namespace),
    ("another mount namespace with the same folder", same_folder),
    ("another mount namespace with a folder of its own", own_folder),
    ("another IPC namespace", ipc_namespace),
    ("a folder mounted read-only", read_only),
    ("another user, let in and not", other_user),
    ("a user namespace in which the owner is nobody", user_namespace),
    ("a full folder, and room again", full_folder),
    ("a limit on the size of files", limit_of_file_size),
    ("a limit on the address space", limit_of_address_space),
    ("a limit on descriptors", limit_of_descriptors),
    ("no /proc", no_proc),
    ("a /proc that hides others", hidden_proc),
];

#[allow(clippy::print_stderr, reason = "a test without a harness")]
fn say(text: &str) {
    eprintln!("{text}");
}

fn said(to: &mut dyn std::io::Write) -> Outcome {
    to.write_all(b"\n").map_err(|error| Why::Wrong(error.to_string()))
}

fn sleep_until_killed() -> ! {
    loop {
        std::thread::park();
    }
}

/// Reads frames by number and checks them.
fn read(reader: &Reader, numbers: std::ops::Range<i64>) -> Outcome {
    for number in numbers {
        let batch = reader.read_arrow(PATIENCE)?;
        demand(batch == Some(table(number, 3)), format!("frame {number} is another"))?;
    }
    Ok(())
}

fn write(writer: &Writer, numbers: std::ops::Range<i64>) -> Outcome {
    for number in numbers {
        writer.write_arrow(&table(number, 3))?;
    }
    Ok(())
}

fn writer_in_pid_namespace(stage: &Stage) -> Outcome {
    leave(CloneFlags::CLONE_NEWPID)?;
    let ring = stage.ring("feed");
    let mut there = Forked::play(|says| {
        let writer = Writer::new(&ring)?;
        write(&writer, 0..2)?;
        said(says)?;
        sleep_until_killed()
    })?;
    if !there.has_said_a_line() {
        return there.end();
    }
    let reader = Reader::new(&ring)?;
    refused(Writer::new(&ring), ErrorKind::WriterExists, "already has a writer")?;
    read(&reader, 0..2)?;
    demand(reader.has_writer()?, "a living writer is taken for dead")?;
    there.kill();
    refused(reader.read_arrow(PATIENCE), ErrorKind::WriterDied, "died without closing")?;
    let heir = Writer::new(&ring)?;
    write(&heir, 2..3)?;
    read(&reader, 2..3)
}

fn reader_in_pid_namespace(stage: &Stage) -> Outcome {
    leave(CloneFlags::CLONE_NEWPID)?;
    let ring = stage.ring("feed");
    let writer = Writer::new(&ring)?;
    let mut there = Forked::play(|says| {
        let reader = Reader::new(&ring)?;
        said(says)?;
        let frame = reader.read_frame(PATIENCE)?;
        said(says)?;
        let _held = frame;
        sleep_until_killed()
    })?;
    if !there.has_said_a_line() {
        return there.end();
    }
    write(&writer, 0..1)?;
    demand(there.has_said_a_line(), "it has not read")?;
    write(&writer, 1..4)?;
    demand(writer.try_write_arrow(&table(4, 3))?.is_none(), "what a living reader is owed was overwritten")?;
    there.kill();
    // Waits for as long as a death takes to show.
    write(&writer, 4..12)
}

fn same_folder(stage: &Stage) -> Outcome {
    let ring = stage.ring("feed");
    let writer = Writer::new(&ring)?;
    write(&writer, 0..2)?;
    let there = Forked::play(|_| {
        leave(CloneFlags::CLONE_NEWNS)?;
        let reader = Reader::new(&ring)?;
        demand(reader.has_writer()?, "its writer is taken for dead")?;
        read(&reader, 0..2)
    })?;
    there.end()
}

fn own_folder(stage: &Stage) -> Outcome {
    let ring = stage.ring("feed");
    let writer = Writer::new(&ring)?;
    let reader = Reader::new(&ring)?;
    write(&writer, 0..1)?;
    let there = Forked::play(|_| {
        leave(CloneFlags::CLONE_NEWNS)?;
        mount_tmpfs(stage.folder(), 8 << 20)?;
        refused(Reader::new(&ring), ErrorKind::NotFound, "does not exist")?;
        // Of the same name, and another's affair.
        let (writer, reader) = (Writer::new(&ring)?, Reader::new(&ring)?);
        write(&writer, 7..9)?;
        read(&reader, 7..9)?;
        writer.close()?;
        refused(reader.read_arrow(PATIENCE), ErrorKind::EndOfStream, "has ended")
    })?;
    there.end()?;
    write(&writer, 1..2)?;
    read(&reader, 0..2)
}

fn ipc_namespace(stage: &Stage) -> Outcome {
    let ring = stage.ring("feed");
    let writer = Writer::new(&ring)?;
    write(&writer, 0..2)?;
    let there = Forked::play(|_| {
        leave(CloneFlags::CLONE_NEWIPC)?;
        read(&Reader::new(&ring)?, 0..2)
    })?;
    there.end()
}

fn read_only(stage: &Stage) -> Outcome {
    let ring = stage.ring("feed");
    let writer = Writer::new(&ring)?;
    write(&writer, 0..2)?;
    let there = Forked::play(|_| {
        leave(CloneFlags::CLONE_NEWNS)?;
        let folder = stage.folder();
        may("binding", mount(Some(folder), folder, None::<&str>, MsFlags::MS_BIND, None::<&str>))?;
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        may("remounting", mount(None::<&str>, folder, None::<&str>, flags, None::<&str>))?;
        refused(Reader::new(&ring), ErrorKind::PermissionDenied, "mounted read-only")?;
        refused(Writer::new(&ring), ErrorKind::PermissionDenied, "mounted read-only")?;
        refused(Writer::new(stage.ring("another")), ErrorKind::PermissionDenied, "mounted read-only")?;
        read(&Reader::new(ring.clone().with_policy(ReaderPolicy::Observer))?, 0..2)?;
        let rings = qadataswap::inspect::list(folder)?;
        demand(rings.len() == 1, "a ring can be looked at")?;
        let info = qadataswap::inspect::info("feed", folder)?;
        demand(info.state == qadataswap::inspect::RingState::Live, "it lives")
    })?;
    there.end()?;
    write(&writer, 2..4)
}

/// Is another user from now on.
fn become_user(user: u32) -> Outcome {
    may("giving up groups", setgroups(&[]))?;
    may("becoming another group", setgid(Gid::from_raw(user)))?;
    may("becoming another user", setuid(Uid::from_raw(user)))
}

fn other_user(stage: &Stage) -> Outcome {
    for (mode, is_let_in) in [(0o600, false), (0o640, false), (0o666, true)] {
        let ring = stage.ring(&format!("mode-{mode:o}")).with_mode(mode);
        let writer = Writer::new(&ring)?;
        write(&writer, 0..2)?;
        let there = Forked::play(|_| {
            become_user(OTHER)?;
            match is_let_in {
                true => read(&Reader::new(&ring)?, 0..2),
                false => refused(Reader::new(&ring), ErrorKind::PermissionDenied, "widen the ring's mode"),
            }
        })?;
        there.end()?;
    }
    // A folder for everybody, a ring for a group.
    let ring = stage.ring("group").with_mode(0o660).with_group(OTHER);
    let writer = match Writer::new(&ring) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(Why::Cannot(format!("giving a ring to a group: {error}")));
        }
        writer => writer?,
    };
    write(&writer, 0..2)?;
    let there = Forked::play(|_| {
        become_user(OTHER)?;
        read(&Reader::new(&ring)?, 0..2)
    })?;
    there.end()
}

fn user_namespace(stage: &Stage) -> Outcome {
    let ring = stage.ring("feed").with_mode(0o666);
    let writer = Writer::new(&ring)?;
    write(&writer, 0..2)?;
    let there = Forked::play(|_| {
        become_user(OTHER)?;
        // Or its own /proc files would be root's.
        may("being looked at", nix::sys::prctl::set_dumpable(true))?;
        leave(CloneFlags::CLONE_NEWUSER)?;
        let map = |file: &str, text: &str| {
            std::fs::write(file, text).map_err(|error| Why::Cannot(format!("{file}: {error}")))
        };
        map("/proc/self/setgroups", "deny")?;
        map("/proc/self/uid_map", &format!("0 {OTHER} 1"))?;
        refused(Reader::new(&ring), ErrorKind::PermissionDenied, &format!("belongs to user {NOBODY}"))?;
        let trusting = ring.clone().with_trusted_owner(NOBODY);
        let reader = Reader::new(&trusting)?;
        demand(reader.has_writer()?, "a writer of a user that is not known here is taken for dead")?;
        read(&reader, 0..2)
    })?;
    there.end()
}

fn full_folder(stage: &Stage) -> Outcome {
    leave(CloneFlags::CLONE_NEWNS)?;
    mount_tmpfs(stage.folder(), 512 << 10)?;
    let ring = stage.ring("feed").with_when_full(WhenFull::Fail).with_max_readers(1);
    refused(Writer::new(ring.clone().with_prefault(true)), ErrorKind::NoSpace, "has no room")?;
    let (writer, reader) = (Writer::new(&ring)?, Reader::new(&ring)?);
    write(&writer, 0..1)?;
    read(&reader, 0..1)?;
    // What is left of the folder.
    let ballast = stage.folder().join("ballast");
    let filled = std::fs::write(&ballast, vec![1; 512 << 10]);
    demand(filled.is_err(), "the folder is not full")?;
    let large = table(1, 2000);
    refused(writer.write_arrow(&large), ErrorKind::NoSpace, "has no room")?;
    std::fs::remove_file(&ballast).map_err(|error| Why::Wrong(error.to_string()))?;
    writer.write_arrow(&large)?;
    demand(reader.read_arrow(PATIENCE)? == Some(large), "the frame for which there was room is another")
}

fn limit(which: Resource, to: u64) -> Outcome {
    let (_, most) = may("asking for a limit", getrlimit(which))?;
    may("setting a limit", setrlimit(which, to.min(most), most))
}

fn limit_of_file_size(stage: &Stage) -> Outcome {
    limit(Resource::RLIMIT_FSIZE, 64 << 10)?;
    refused(Writer::new(stage.ring("feed")), ErrorKind::NoSpace, "File too large")?;
    demand(stage.files().is_empty(), "a file is left")?;
    write(&Writer::new(stage.ring("feed").with_slot_bytes(4096).with_max_readers(1))?, 0..2)
}

fn limit_of_address_space(stage: &Stage) -> Outcome {
    let (before, _) = may("asking for a limit", getrlimit(Resource::RLIMIT_AS))?;
    let large = stage.ring("large").with_slot_bytes(4 << 30);
    limit(Resource::RLIMIT_AS, 8 << 30)?;
    refused(Writer::new(&large), ErrorKind::MemoryMapFailed, "Cannot allocate memory")?;
    demand(stage.files().is_empty(), "a file is left")?;
    limit(Resource::RLIMIT_AS, before)?;
    write(&Writer::new(&large)?, 0..2)
}

fn limit_of_descriptors(stage: &Stage) -> Outcome {
    let ring = stage.ring("feed");
    let (writer, reader) = (Writer::new(&ring)?, Reader::new(&ring)?);
    let (before, _) = may("asking for a limit", getrlimit(Resource::RLIMIT_NOFILE))?;
    limit(Resource::RLIMIT_NOFILE, 3)?;
    // A file of settings is looked for first.
    let refusal = Reader::new(&ring).err().map(|error| (error.kind(), error.to_string()));
    let is_told = refusal.as_ref().is_some_and(|(kind, message)| {
        matches!(kind, ErrorKind::Io | ErrorKind::InvalidConfig) && message.contains("Too many open files")
    });
    demand(is_told, format!("{refusal:?} instead of too many open files"))?;
    write(&writer, 0..3)?;
    read(&reader, 0..3)?;
    limit(Resource::RLIMIT_NOFILE, before)?;
    drop(Reader::new(&ring)?);
    Ok(())
}

fn no_proc(stage: &Stage) -> Outcome {
    let ring = stage.ring("feed");
    let writer = Writer::new(&ring)?;
    let reader = Reader::new(&ring)?;
    leave(CloneFlags::CLONE_NEWNS)?;
    may("unmounting /proc", umount2("/proc", MntFlags::MNT_DETACH))?;
    // What is open goes on; what would be opened says what it needs.
    write(&writer, 0..2)?;
    read(&reader, 0..2)?;
    refused(Reader::new(&ring), ErrorKind::Io, "/proc")?;
    refused(Writer::new(stage.ring("another")), ErrorKind::Io, "/proc")?;
    writer.close()?;
    refused(reader.read_arrow(PATIENCE), ErrorKind::EndOfStream, "has ended")
}

fn hidden_proc(stage: &Stage) -> Outcome {
    let ring = stage.ring("feed").with_mode(0o666);
    let writer = Writer::new(&ring)?;
    write(&writer, 0..2)?;
    let there = Forked::play(|_| {
        leave(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID)?;
        let inside = Forked::play(|_| {
            may(
                "mounting /proc",
                mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), Some("hidepid=2")),
            )?;
            become_user(OTHER)?;
            let reader = Reader::new(&ring)?;
            demand(reader.has_writer()?, "a writer that is hidden is taken for dead")?;
            read(&reader, 0..2)?;
            demand(reader.read_arrow(Duration::from_millis(250))?.is_none(), "there is nothing more yet")
        })?;
        inside.end()
    })?;
    there.end()?;
    write(&writer, 2..6)
}

fn main() -> ExitCode {
    let chosen: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|part| name.contains(part.as_str()));
    let mut effort = Effort::of("containers", CASES.len() as u64);
    let (mut passed, mut skipped, mut failed) = (0, 0, 0);
    for (number, (name, case)) in CASES.iter().enumerate().filter(|(_, (name, _))| is_chosen(name)) {
        if !effort.goes_on() {
            break;
        }
        let stage = Stage::new(&format!("container-{number}"));
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(stage.folder(), everybody).expect("ours");
        let outcome = Forked::play(|_| case(&stage)).and_then(Forked::end);
        let outcome = outcome.and_then(|()| stage.tidy(false, false).map(|_| ()).map_err(Why::Wrong));
        match outcome {
            Ok(()) => passed += 1,
            Err(Why::Cannot(why)) => {
                skipped += 1;
                say(&format!("SKIPPED: {name}: {why}"));
            }
            Err(Why::Wrong(what)) => {
                failed += 1;
                say(&format!("{name}: {what}"));
            }
        }
    }
    say(&format!("{passed} cases passed, {skipped} skipped, {failed} failed"));
    if failed > 0 {
        return ExitCode::FAILURE;
    }
    if effort.done() > 0 {
        effort.tell(&[("passed", passed), ("skipped", skipped)]);
    }
    ExitCode::SUCCESS
}
