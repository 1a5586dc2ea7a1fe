//! What recorders do when they die.

use crate::act::{Act, Deed};
use crate::judge;
use crate::readers::live;
use crate::stage::{Cast, SLOTS, Stage, Verdict, demand, stuck, torn, whole};
use qadataswap::recording::{Mended, Recorder, RecorderConfig, Recording, Since};
use qadataswap_mortal::recording as mortal;
use std::mem::forget;
use std::path::PathBuf;

/// Bytes of a file: some two frames.
const ROTATE: u64 = 12_000;

fn folder(stage: &Stage) -> PathBuf {
    stage.scene.folder().join("recording")
}

fn opened(stage: &Stage) -> mortal::Recorder {
    let config = mortal::RecorderConfig::new(stage.mortal(), folder(stage)).with_rotate_bytes(ROTATE);
    mortal::Recorder::open(config).expect("nobody else records")
}

/// Opens the recording, and records what is there.
fn record(stage: &Stage, arm: &dyn Fn()) {
    arm();
    let mut recorder = opened(stage);
    while recorder.record(0).expect("recorded").is_some() {}
    forget(recorder);
}

/// A recording whose recorder died somewhere.
fn recorded_in_part(stage: &Stage) -> Cast {
    let cast = live(stage, SLOTS + 2);
    let deadly = 1 + stage.below(60);
    stage.dies(deadly, &|arm| {
        let mut recorder = opened(stage);
        arm();
        while recorder.record(0).expect("recorded").is_some() {}
        forget(recorder);
    });
    cast
}

pub(crate) fn acts() -> Vec<Act> {
    let next: &[Deed] = &[record, repair];
    let act = |name, play: Deed| Act::new(name, |stage| live(stage, SLOTS + 2), play, judged).then(next);
    vec![
        act("open a recording", record),
        act("record, and begin new files", |stage, arm| {
            let mut recorder = opened(stage);
            arm();
            while recorder.record(0).expect("recorded").is_some() {}
            recorder.close().expect("finished");
        }),
        Act::new("go on with a recording", recorded_in_part, record, judged).then(next),
        Act::new("mend a recording", recorded_in_part, repair, judged).then(next),
    ]
}

fn repair(stage: &Stage, arm: &dyn Fn()) {
    arm();
    // There may be none.
    let _ = mortal::Recording::open(folder(stage)).and_then(|recording| recording.repair());
}

/// Frames of the recording, and those that are said to be missing; every one is whole, and none goes untold.
fn audit(stage: &Stage) -> Verdict<(u64, u64, Option<u64>)> {
    let (mut there, mut missing, mut due) = (0, 0, None);
    let recording = Recording::open(folder(stage)).map_err(stuck)?;
    for frame in recording.frames(Since::Start).map_err(torn_by)? {
        let frame = frame.map_err(torn_by)?;
        whole(&frame)?;
        let sequence = frame.sequence();
        let expected = due.map_or(sequence, |due: u64| due + frame.missed());
        demand!(sequence == expected, Torn, "recorded frame {sequence}, {expected} was due");
        due = Some(sequence + 1);
        there += 1;
        missing += frame.missed();
    }
    Ok((there, missing, due))
}

fn torn_by(error: impl std::fmt::Display) -> crate::stage::Fault {
    torn(error.to_string())
}

/// A recorder has died: what it has recorded is whole, the next goes on, and every Arrow library reads what there is.
fn judged(stage: &Stage, mut cast: Cast) -> Verdict {
    if folder(stage).exists() {
        audit(stage)?;
    }
    cast.write()?;
    let config = RecorderConfig::new(stage.ring.config(), folder(stage)).with_rotate_bytes(ROTATE);
    let mut recorder = Recorder::open(config).map_err(stuck)?;
    while recorder.record(0).map_err(stuck)?.is_some() {}
    recorder.close().map_err(stuck)?;
    let (there, missing, due) = audit(stage)?;
    demand!(due == Some(cast.written), Torn, "recorded up to {due:?} of {}", cast.written);
    demand!(there + missing <= cast.written, Torn, "{there} frames recorded, {missing} missing");
    let recording = Recording::open(folder(stage)).map_err(stuck)?;
    let mut batches = 0;
    for file in recording.files().map_err(torn_by)? {
        demand!(file.damaged == 0, Torn, "{} damaged records", file.damaged);
        let stream = std::fs::File::open(file.data).map_err(stuck)?;
        let stream = arrow::ipc::reader::StreamReader::try_new(stream, None).map_err(torn_by)?;
        batches += stream.collect::<Result<Vec<_>, _>>().map_err(torn_by)?.len() as u64;
    }
    demand!(batches == there, Torn, "{batches} batches in the files, {there} frames");
    let mended = recording.repair().map_err(stuck)?;
    demand!(mended == Mended::default(), Left, "something is left to mend: {mended:?}");
    std::fs::remove_dir_all(folder(stage)).map_err(stuck)?;
    judge::reader(stage, cast)
}
