//! Roles about what a process may have: many readers, another user's ring, memory, descriptors.

use crate::{Outcome, fault, hold, refused, say, wait_for_end};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid};
use qadataswap::{ErrorKind, Frame};
use qadataswap_tests::frames::table_of;
use qadataswap_tests::scene::{Full, Owed};
use qadataswap_tests::{Line, Ring, check, table};
use std::os::unix::fs::MetadataExt;

pub(crate) fn crowd(ring: &Ring, seed: u64, count: usize) -> Outcome {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(fault)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(fault)?;
    say(&Line::Fact("descriptors".to_owned(), most));
    let mut readers = Vec::with_capacity(count);
    for _ in 0..count {
        readers.push(ring.reader().map_err(fault)?);
    }
    say(&Line::Open { next: 0, millis: 0 });
    match ring.reader() {
        Err(error) => say(&refused(&error)),
        Ok(_) => return Err("one reader too many was let in".to_owned()),
    }
    for (number, reader) in readers.iter().enumerate() {
        let frame = reader.read_frame(10_000).map_err(|e| format!("reader {number}: {e}"))?;
        check(seed, &frame.ok_or_else(|| format!("reader {number} got nothing"))?)?;
    }
    Ok(())
}

pub(crate) fn visit(ring: &Ring, seed: u64) -> Outcome {
    let reader = match ring.reader() {
        Ok(reader) => reader,
        Err(error) => {
            say(&refused(&error));
            return Ok(());
        }
    };
    say(&Line::Open { next: 0, millis: 0 });
    let frame = reader.read_frame(10_000).map_err(fault)?.ok_or("no frame")?;
    check(seed, &frame)
}

pub(crate) fn umask(ring: &Ring, umask: u32) -> Outcome {
    nix::sys::stat::umask(Mode::from_bits_truncate(umask));
    let _writer = ring.writer().map_err(fault)?;
    let mode = std::fs::metadata(ring.path()).map_err(fault)?.mode() & 0o7777;
    say(&Line::Fact("mode".to_owned(), u64::from(mode)));
    Ok(())
}

pub(crate) fn demote(ring: &Ring, uid: u32) -> Outcome {
    nix::unistd::setgroups(&[]).map_err(fault)?;
    nix::unistd::setgid(Gid::from_raw(uid)).map_err(fault)?;
    nix::unistd::setuid(Uid::from_raw(uid)).map_err(fault)?;
    let writer = ring.writer().map_err(|e| format!("as user {uid}, writer: {e}"))?;
    let reader = ring.reader().map_err(|e| format!("as user {uid}, reader: {e}"))?;
    writer.write_arrow(&table(1, 0)).map_err(fault)?;
    check(1, &reader.read_frame(1000).map_err(fault)?.ok_or("no frame")?)?;
    let owner = std::fs::metadata(ring.path()).map_err(fault)?.uid();
    say(&Line::Fact("owner".to_owned(), u64::from(owner)));
    wait_for_end();
    Ok(())
}

/// The folder holds one mebibyte.
pub(crate) fn cramp(ring: &Ring) -> Outcome {
    let ring = ring.clone().slots(8).slot_bytes(1 << 20).full(Full::Fail);
    let no_space = |what: &str, kind: Option<ErrorKind>| match kind {
        Some(ErrorKind::NoSpace) => Ok(()),
        other => Err(format!("{what}: {other:?} instead of NoSpace")),
    };
    say(&Line::Open { next: 0, millis: 0 });
    no_space("prefaulted ring", ring.clone().prefault().writer().err().map(|e| e.kind()))?;
    let wide = ring.clone().slots(60_000).slot_bytes(4096).max_readers(1024);
    no_space("control part", wide.writer().err().map(|e| e.kind()))?;
    hold!(std::fs::read_dir(&ring.directory).map_err(fault)?.count() == 0, "a failed creation left a file");

    let writer = ring.writer().map_err(fault)?;
    let reader = ring.reader().map_err(fault)?;
    // About 250 KiB each.
    let (large, mut written) = (2_500, 0);
    let refusal = loop {
        match writer.write_arrow(&table_of(1, written, large)) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        hold!(written < 8, "eight frames fit into a mebibyte");
    };
    no_space("large frame", Some(refusal.kind()))?;
    hold!(written > 0, "not even one frame fitted");
    // What was written is whole.
    for sequence in 0..written {
        let frame = reader.read_frame(1000).map_err(fault)?.ok_or("no frame after NoSpace")?;
        hold!(frame.sequence() == sequence, "frame {} instead of {sequence}", frame.sequence());
        let batch = frame.to_batch().map_err(fault)?;
        hold!(batch == table_of(1, sequence, large), "frame {sequence} changed");
    }
    // Smaller frames go on where there is room.
    let mut next = written;
    for _ in 0..8 {
        match writer.write_arrow(&table(1, next)) {
            Ok(sequence) => hold!(sequence == next, "wrote {sequence} instead of {next}"),
            Err(error) => {
                no_space("small frame", Some(error.kind()))?;
                break;
            }
        }
        let frame = reader.read_frame(1000).map_err(fault)?.ok_or("no frame")?;
        hold!(frame.sequence() == next, "frame {} instead of {next}", frame.sequence());
        check(1, &frame)?;
        next += 1;
    }
    hold!(next > written, "no small frame went through");
    Ok(())
}

/// Leaves a file that takes what room is left in the folder.
fn fill(path: &std::path::Path) -> Outcome {
    let mut ballast = std::fs::File::create(path).map_err(fault)?;
    let mut piece = 64 << 10;
    while piece > 0 {
        match std::io::Write::write(&mut ballast, &vec![1; piece]) {
            Ok(written) if written > 0 => {}
            _ => piece /= 2,
        }
    }
    Ok(())
}

/// The folder is full but for what three of the ring's four slots have.
pub(crate) fn starve(ring: &Ring, relief: bool) -> Outcome {
    let ring = ring.clone().slots(4).full(Full::Fail);
    say(&Line::Open { next: 0, millis: 0 });
    let writer = ring.writer().map_err(fault)?;
    let reader = ring.reader().map_err(fault)?;
    // Three large frames, so that the small ones after them find room in their slots.
    let frame = |sequence: u64| table_of(1, sequence, if sequence < 3 { 60 } else { 3 });
    let is_whole = |got: &Frame| -> Outcome {
        let batch = got.to_batch().map_err(fault)?;
        hold!(batch == frame(got.sequence()), "frame {} changed", got.sequence());
        Ok(())
    };
    for sequence in 0..3 {
        writer.write_arrow(&frame(sequence)).map_err(fault)?;
    }
    let ballast = ring.directory.join("ballast");
    fill(&ballast)?;
    let mut held = Vec::new();
    for sequence in 0..3 {
        held.push(reader.read_frame(1000).map_err(fault)?.ok_or_else(|| format!("no frame {sequence}"))?);
    }
    held.iter().try_for_each(is_whole)?;
    if relief {
        // Only the slot without memory is free.
        match writer.write_arrow(&frame(3)).err().map(|e| e.kind()) {
            Some(ErrorKind::NoSpace) => {}
            other => return Err(format!("{other:?} instead of NoSpace")),
        }
        std::fs::remove_file(&ballast).map_err(fault)?;
    } else {
        held.clear();
    }
    for sequence in 3..23 {
        writer.write_arrow(&frame(sequence)).map_err(|error| format!("frame {sequence}: {error}"))?;
        is_whole(&reader.read_frame(1000).map_err(fault)?.ok_or("no frame")?)?;
    }
    held.iter().try_for_each(is_whole)
}

/// Descriptors and ring mappings of this process.
fn holdings(ring: &Ring) -> Result<(usize, usize), String> {
    let descriptors = std::fs::read_dir("/proc/self/fd").map_err(fault)?.count();
    let maps = std::fs::read_to_string("/proc/self/maps").map_err(fault)?;
    let folder = ring.directory.display().to_string();
    Ok((descriptors, maps.lines().filter(|line| line.contains(&folder) || line.contains("qads")).count()))
}

pub(crate) fn tidy(ring: &Ring) -> Outcome {
    // The first use registers what a process registers once.
    drop(ring.writer().map_err(fault)?);
    let actor = std::env::current_exe().map_err(fault)?.display().to_string();
    hold!(!actor.contains("qads"), "the program's own mappings would be counted");
    let before = holdings(ring)?;
    hold!(before.1 == 0, "{} mappings before the start", before.1);
    for round in 0..20 {
        let writer = ring.writer().map_err(fault)?;
        let mut readers = Vec::new();
        for policy in [Owed::Lossless, Owed::Lossy, Owed::Latest] {
            readers.push(ring.clone().policy(policy).reader().map_err(fault)?);
        }
        for sequence in 0..3 {
            writer.write_arrow(&table(round, sequence)).map_err(fault)?;
        }
        let mut frames = Vec::new();
        for reader in &readers {
            frames.push(reader.read_frame(1000).map_err(fault)?.ok_or("no frame")?);
        }
        // Errors on the way must not cost anything either.
        hold!(ring.writer().is_err(), "two writers");
        hold!(ring.clone().policy(Owed::Lossy).max_readers(3).reader().is_ok(), "no third place");
        let mut missing = ring.clone();
        missing.name = "missing".to_owned();
        hold!(missing.reader().is_err(), "a ring out of nowhere");
        let during = holdings(ring)?;
        hold!(during.0 >= before.0 + 4 && during.1 >= 4, "{during:?} are not the holdings of four handles");
        if round % 2 == 0 {
            drop(readers);
            drop(writer);
            drop(frames);
        } else {
            drop(frames);
            drop(writer);
            for reader in &readers {
                while reader.read_frame(100).is_ok() {}
            }
            drop(readers);
        }
        // Unread frames keep the ring's name: a reader that reads them lets it go.
        if ring.path().exists() {
            let last = ring.reader().map_err(fault)?;
            while last.read_frame(100).is_ok() {}
        }
        let after = holdings(ring)?;
        hold!(after == before, "round {round}: {after:?} instead of {before:?}");
        hold!(!ring.path().exists(), "round {round}: the ring is still there");
    }
    Ok(())
}
