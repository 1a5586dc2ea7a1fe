//! Roles that write or read a stream.

use crate::{Outcome, fault, hold, refused, say, wait_for_end};
use qadataswap::{ErrorKind, Frame, Selector, Timeout};
use qadataswap_tests::frames::check_even;
use qadataswap_tests::{Line, Ring, Tally, check, table};
use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) fn write(ring: &Ring, seed: u64, until: Option<u64>, stay: bool, wait: bool) -> Outcome {
    let started = Instant::now();
    let writer = match ring.writer() {
        Ok(writer) => writer,
        Err(error) => {
            say(&refused(&error));
            return Ok(());
        }
    };
    let mut next = writer.stats().frames_published;
    say(&Line::Open { next, millis: started.elapsed().as_millis() as u64 });
    if wait {
        std::io::stdin().lock().read_line(&mut String::new()).map_err(fault)?;
    }
    let told = Arc::new(AtomicBool::new(false));
    let hears = Arc::clone(&told);
    std::thread::spawn(move || {
        wait_for_end();
        hears.store(true, Ordering::Relaxed);
    });
    while until.is_none_or(|until| next < until) && !told.load(Ordering::Relaxed) {
        let sequence = writer.write_arrow(&table(seed, next)).map_err(fault)?;
        hold!(sequence == next, "wrote frame {sequence} instead of {next}");
        next += 1;
    }
    say(&Line::Wrote { next });
    if stay {
        loop {
            std::thread::park();
        }
    }
    writer.close().map_err(fault)
}

pub(crate) fn observe(ring: &Ring, rows: usize, frames: u64) -> Outcome {
    let reader = ring.reader().map_err(fault)?;
    say(&Line::Open { next: 0, millis: 0 });
    let mut tally = Tally::default();
    while tally.read < frames {
        let frame = reader.read_frame(Duration::from_secs(10)).map_err(fault)?.ok_or("no frame")?;
        check_even(rows, &frame)?;
        let (sequence, missed) = (frame.sequence(), frame.missed());
        let expected = tally.last.map_or(sequence, |last| last + 1 + missed);
        hold!(sequence == expected, "frame {sequence} after {:?}, {missed} missed", tally.last);
        tally.missed += tally.last.map_or(0, |_| missed);
        tally.first.get_or_insert(sequence);
        tally.last = Some(sequence);
        tally.read += 1;
    }
    say(&Line::Ended(tally));
    Ok(())
}

pub(crate) fn select(rings: &[Ring], seed: u64) -> Outcome {
    let readers = rings.iter().map(Ring::reader).collect::<Result<Vec<_>, _>>().map_err(fault)?;
    let selector = Selector::new();
    for (key, reader) in (0..).zip(&readers) {
        selector.add(key, reader).map_err(fault)?;
    }
    say(&Line::Open { next: 0, millis: 0 });
    let mut tally = Tally::default();
    while !selector.is_empty() {
        for key in selector.wait(Timeout::FOREVER) {
            match readers[key as usize].try_read_frame() {
                Ok(Some(frame)) => {
                    check(seed, &frame)?;
                    tally.read += 1;
                }
                Ok(None) => {}
                Err(error) if matches!(error.kind(), ErrorKind::EndOfStream | ErrorKind::WriterDied) => {
                    selector.remove(key);
                }
                Err(error) => return Err(fault(error)),
            }
        }
    }
    say(&Line::Ended(tally));
    Ok(())
}

pub(crate) fn follow(ring: &Ring, seed: u64, keep: usize, survive: bool) -> Outcome {
    let started = Instant::now();
    let reader = match ring.reader() {
        Ok(reader) => reader,
        Err(error) => {
            say(&refused(&error));
            return Ok(());
        }
    };
    let lossless = ring.policy == qadataswap_tests::scene::Owed::Lossless;
    say(&Line::Open { next: 0, millis: started.elapsed().as_millis() as u64 });
    let mut tally = Tally::default();
    let mut held: VecDeque<Frame> = VecDeque::new();
    let mut orphaned = false;
    loop {
        match reader.read_frame(Duration::from_millis(200)) {
            Ok(None) => {}
            Ok(Some(frame)) => {
                orphaned = false;
                check(seed, &frame)?;
                let sequence = frame.sequence();
                let expected = tally.last.map(|last| last + 1 + frame.missed());
                hold!(
                    expected.is_none_or(|expected| expected == sequence),
                    "frame {sequence} after {:?}, {} missed",
                    tally.last,
                    frame.missed()
                );
                hold!(!lossless || frame.missed() == 0, "frame {sequence}: a lossless reader missed some");
                tally.first.get_or_insert(sequence);
                tally.last = Some(sequence);
                tally.read += 1;
                // What came before the first frame this reader saw is nobody's loss.
                tally.missed += if tally.read > 1 { frame.missed() } else { 0 };
                held.push_back(frame);
                while held.len() > keep {
                    if let Some(old) = held.pop_front() {
                        check(seed, &old).map_err(|what| format!("after being held: {what}"))?;
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::EndOfStream => break,
            Err(error) if error.kind() == ErrorKind::WriterDied && survive => {
                if !orphaned {
                    orphaned = true;
                    say(&Line::Orphaned { next: tally.last.map_or(0, |last| last + 1) });
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(error) if error.kind() == ErrorKind::WriterDied => {
                say(&Line::Orphaned { next: tally.last.map_or(0, |last| last + 1) });
                return Ok(());
            }
            Err(error) => return Err(format!("after frame {:?}: {error}", tally.last)),
        }
    }
    for frame in held {
        check(seed, &frame).map_err(|what| format!("after the end: {what}"))?;
    }
    say(&Line::Ended(tally));
    Ok(())
}

pub(crate) fn hover(ring: &Ring) -> Outcome {
    let mut told = String::new();
    loop {
        let reader = ring.reader().map_err(fault)?;
        say(&Line::Open { next: 0, millis: 0 });
        let error = loop {
            if let Err(error) = reader.read_frame(Duration::ZERO) {
                break error;
            }
        };
        say(&refused(&error));
        drop(reader);
        told.clear();
        if std::io::stdin().lock().read_line(&mut told).map_err(fault)? == 0 {
            return Ok(());
        }
    }
}

pub(crate) fn echo(from: &Ring, to: &Ring) -> Outcome {
    let reader = from.reader().map_err(fault)?;
    let writer = to.writer().map_err(fault)?;
    say(&Line::Open { next: 0, millis: 0 });
    for frame in &reader {
        let frame = frame.map_err(fault)?;
        writer.write_batches(frame.schema(), frame.batches()).map_err(fault)?;
    }
    writer.close().map_err(fault)
}
