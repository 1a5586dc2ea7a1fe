//! Roles that record a ring, or read on from a recording.

use crate::{Outcome, fault, hold, refused, say};
use qadataswap::ErrorKind;
use qadataswap::recording::{MissingFrames, Recorder, RecorderConfig, Recording, Since, SyncPolicy};
use qadataswap_tests::frames::table_of;
use qadataswap_tests::{Line, Ring, Tally, check, table};
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) fn record(ring: &Ring, folder: &Path, rotate: u64) -> Outcome {
    let started = Instant::now();
    let config =
        RecorderConfig::new(ring.config(), folder).with_rotate_bytes(rotate).with_sync(SyncPolicy::Never);
    let mut recorder = match Recorder::open(config) {
        Ok(recorder) => recorder,
        Err(error) => {
            say(&refused(&error));
            return Ok(());
        }
    };
    say(&Line::Open { next: 0, millis: started.elapsed().as_millis() as u64 });
    loop {
        match recorder.record(200) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::EndOfStream => break,
            Err(error) if error.kind() == ErrorKind::WriterDied => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(fault(error)),
        }
    }
    let stats = recorder.close().map_err(fault)?;
    say(&Line::Fact("frames".to_owned(), stats.frames));
    say(&Line::Fact("missed".to_owned(), stats.missed));
    Ok(())
}

pub(crate) fn rejoin(ring: &Ring, folder: &Path, seed: u64, from: u64, live: u64) -> Outcome {
    let follow =
        Recording::open(folder).and_then(|recording| recording.follow(ring.config(), Since::Sequence(from)));
    let follow = follow.map_err(fault)?;
    say(&Line::Open { next: from, millis: 0 });
    let (mut tally, mut in_the_ring, mut breaks) = (Tally::default(), 0, 0);
    let mut due = from;
    while in_the_ring < live {
        match follow.read_frame(200) {
            Ok(None) => {}
            Ok(Some(frame)) => {
                check(seed, &frame)?;
                let sequence = frame.sequence();
                hold!(
                    due + frame.missed() == sequence,
                    "frame {sequence} where {due} was due, {} missed, live: {}",
                    frame.missed(),
                    follow.is_live()
                );
                hold!(in_the_ring == 0 || frame.missed() == 0, "frame {sequence}: missed some in the ring");
                due = sequence + 1;
                in_the_ring += u64::from(follow.is_live());
                tally.first.get_or_insert(sequence);
                tally.last = Some(sequence);
                tally.read += 1;
                tally.missed += frame.missed();
            }
            Err(error) if error.kind() == ErrorKind::EndOfStream => break,
            Err(error) if error.kind() == ErrorKind::WriterDied => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) => match MissingFrames::of(&error) {
                Some(missing) => {
                    hold!(missing.first == due, "{error}: {due} was due");
                    breaks += 1;
                }
                None => return Err(format!("after frame {:?}: {error}", tally.last)),
            },
        }
    }
    // The ring waits for this reader, and its test for other things.
    drop(follow);
    say(&Line::Fact("breaks".to_owned(), breaks));
    say(&Line::Ended(tally));
    Ok(())
}

/// The folder holds 256 KiB.
pub(crate) fn in_little_room(ring: &Ring, folder: &Path) -> Outcome {
    say(&Line::Open { next: 0, millis: 0 });
    let rows = 400;
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 100 << 10]).map_err(fault)?;
    let writer = ring.writer().map_err(fault)?;
    let folder = folder.join("recording");
    let config = || RecorderConfig::new(ring.config(), &folder).with_sync(SyncPolicy::Every(1));
    let mut recorder = Recorder::open(config()).map_err(fault)?;
    let recording = Recording::open(&folder).map_err(fault)?;
    let readable = |count: u64| -> Outcome {
        let mut due = 0;
        for frame in recording.frames(Since::Start).map_err(fault)? {
            let frame = frame.map_err(fault)?;
            hold!(frame.sequence() == due, "frame {} instead of {due}", frame.sequence());
            hold!(frame.to_batch().map_err(fault)? == table_of(1, due, rows), "frame {due} changed");
            due += 1;
        }
        hold!(due == count, "{due} frames are readable instead of {count}");
        Ok(())
    };
    let mut written = 0;
    loop {
        hold!(written < 100, "a hundred frames fit into 256 KiB");
        writer.write_arrow(&table_of(1, written, rows)).map_err(fault)?;
        match recorder.record(0) {
            Ok(_) => written += 1,
            Err(error) if error.kind() == ErrorKind::NoSpace => break,
            Err(error) => return Err(fault(error)),
        }
    }
    hold!(written > 0, "not even one frame was recorded");
    readable(written)?;
    let refusal = recorder.record(0).map_err(|error| error.kind());
    hold!(refusal == Err(ErrorKind::NoSpace), "{refusal:?} instead of NoSpace");
    readable(written)?;
    for file in recording.files().map_err(fault)? {
        let file = std::fs::File::open(file.data).map_err(fault)?;
        let stream = arrow::ipc::reader::StreamReader::try_new(file, None).map_err(fault)?;
        let batches: Result<Vec<_>, _> = stream.collect();
        hold!(batches.map_err(fault)?.len() as u64 == written, "other Arrow libraries read something else");
    }
    std::fs::remove_file(&ballast).map_err(fault)?;
    let recorded = recorder.record(0).map_err(fault)?.ok_or("the frame at hand is lost")?;
    hold!((recorded.sequence, recorded.missed) == (written, 0), "{recorded:?} after {written}");
    readable(written + 1)?;
    recorder.close().map_err(fault)?;
    // A file-size limit is the same kind of error and no signal.
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    writer.write_arrow(&table(1, written + 1)).map_err(fault)?;
    let (_, most) = getrlimit(Resource::RLIMIT_FSIZE).map_err(fault)?;
    setrlimit(Resource::RLIMIT_FSIZE, 600, most).map_err(fault)?;
    let mut recorder = Recorder::open(config()).map_err(fault)?;
    let refusal = recorder.record(0).map_err(|error| error.kind());
    setrlimit(Resource::RLIMIT_FSIZE, most, most).map_err(fault)?;
    hold!(refusal == Err(ErrorKind::NoSpace), "{refusal:?} instead of NoSpace under a limit");
    hold!(recorder.record(0).map_err(fault)?.is_some(), "the frame at hand is lost under a limit");
    drop(recorder);
    writer.close().map_err(fault)
}
