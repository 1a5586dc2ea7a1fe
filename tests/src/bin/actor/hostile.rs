//! Roles that meet bytes which no writer wrote.

use crate::{Outcome, fault, hold, say};
use arrow_array::Array;
use qadataswap::{ErrorKind, Frame, inspect};
use qadataswap_tests::frames::{Words, rows, table_of};
use qadataswap_tests::scene::{Check, Full, Owed};
use qadataswap_tests::{Line, Ring, table};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

/// Reads every byte of a frame whose contents are checked.
fn touch(frame: &Frame) -> Outcome {
    for batch in frame.batches() {
        for column in batch.columns() {
            let data = column.to_data();
            data.validate_full().map_err(|error| format!("validated, yet {error}"))?;
            hold!(column == &arrow_array::make_array(data), "a column differs from itself");
        }
    }
    Ok(())
}

/// Every call returns; what it returns is told.
pub(crate) fn probe(ring: &Ring) -> Outcome {
    let tell = |what: &str, kind: Option<ErrorKind>| {
        say(&Line::Fact(format!("{what}: {}", kind.map_or("Ok", ErrorKind::name)), 0));
    };
    tell("info", inspect::info(&ring.name, &ring.directory).err().map(|e| e.kind()));
    tell("list", inspect::list(&ring.directory).err().map(|e| e.kind()));
    tell("gc", inspect::gc(&ring.directory, true).err().map(|e| e.kind()));
    // Whoever is in stays until the writer is: the last one out would remove a drained ring.
    let mut readers = Vec::new();
    for validation in [Check::Form, Check::FullOnCopy] {
        for policy in [Owed::Lossless, Owed::Lossy, Owed::Latest] {
            let what = format!("{policy:?}, {validation:?}");
            let reader = match ring.clone().policy(policy).validation(validation).reader() {
                Ok(reader) => reader,
                Err(error) => {
                    tell(&what, Some(error.kind()));
                    continue;
                }
            };
            let mut frames = 0;
            for _ in 0..12 {
                match reader.read_frame(1) {
                    Ok(Some(frame)) => {
                        frames += 1;
                        hold!(frame.bytes().len() as u64 <= ring.slot_bytes, "a frame larger than its slot");
                        if matches!(validation, Check::FullOnCopy) {
                            touch(&frame)?;
                        }
                    }
                    Ok(None) => break,
                    Err(error) => tell(&what, Some(error.kind())),
                }
            }
            say(&Line::Fact(format!("{what}: {frames} frames"), 0));
            let _ = reader.stats();
            readers.push(reader);
        }
    }
    tell("info", inspect::info(&ring.name, &ring.directory).err().map(|e| e.kind()));
    let writer = match ring.clone().full(Full::Block(Some(5))).writer() {
        Ok(writer) => writer,
        Err(error) => {
            tell("writer", Some(error.kind()));
            return Ok(());
        }
    };
    drop(readers);
    tell("writer", None);
    for sequence in 0..10 {
        tell("write", writer.write_arrow(&table(3, sequence)).err().map(|e| e.kind()));
    }
    let _ = writer.stats();
    Ok(())
}

/// One way to spoil a frame of `length` bytes at `offset` of the file.
fn spoil(file: &File, offset: u64, length: u64, words: &mut Words) -> std::io::Result<()> {
    let odd = [0u64, 1, 7, 63, 0x7f, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, u64::MAX, i64::MIN as u64];
    for _ in 0..1 + words.below(4) {
        let at = offset + words.below(length);
        match words.below(6) {
            0 => file.write_all_at(&[words.next_word() as u8], at)?,
            1 => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, at)?;
                file.write_all_at(&[byte[0] ^ (1 << words.below(8))], at)?;
            }
            2 => {
                let odd = odd[words.below(odd.len() as u64) as usize];
                file.write_all_at(&odd.to_le_bytes()[..4], at & !3)?;
            }
            3 => {
                let odd = odd[words.below(odd.len() as u64) as usize];
                file.write_all_at(&odd.to_le_bytes(), at & !7)?;
            }
            4 => {
                let mut piece = vec![0; words.below(64) as usize];
                file.read_exact_at(&mut piece, offset + words.below(length))?;
                file.write_all_at(&piece, at)?;
            }
            // The metadata is the smaller part and the more delicate one.
            _ => {
                let at = offset + words.below(length.min(2048));
                file.write_all_at(&words.next_word().to_le_bytes()[..1 + words.below(4) as usize], at)?;
            }
        }
    }
    Ok(())
}

pub(crate) fn mutate(ring: &Ring, seed: u64, rounds: u64) -> Outcome {
    let writer = ring.writer().map_err(fault)?;
    let (mut refused, mut passed, mut first_seen) = (0u64, 0u64, 0u64);
    let mut reader = ring.reader().map_err(fault)?;
    let file = OpenOptions::new().read(true).write(true).open(ring.path()).map_err(fault)?;
    let control = std::fs::metadata(ring.path()).map_err(fault)?.len() - ring.slot_bytes * ring.slots as u64;
    for round in 0..rounds {
        let mut words = Words::new(seed ^ round.rotate_left(40));
        // So that a crash can be told by its round.
        say(&Line::Fact("round".to_owned(), round));
        if words.below(8) == 0 {
            // A reader that has not met the schema yet parses the frame's own.
            drop(reader);
            reader = ring.clone().newest().reader().map_err(fault)?;
            while reader.try_read_frame().map_err(fault).is_ok_and(|frame| frame.is_some()) {}
            first_seen += 1;
        }
        let sequence = writer.write_arrow(&table_of(seed, round, rows(seed, round))).map_err(fault)?;
        let info = inspect::info(&ring.name, &ring.directory).map_err(fault)?;
        let frame = info.standing.iter().find(|f| f.sequence == sequence).ok_or("not published")?;
        let (slot, length) = (u64::from(frame.slot), frame.bytes);
        let at = control + slot * ring.slot_bytes;
        let mut before = vec![0; length as usize];
        file.read_exact_at(&mut before, at).map_err(fault)?;
        spoil(&file, at, length, &mut words).map_err(fault)?;
        match reader.read_frame(1000) {
            Ok(Some(frame)) => {
                passed += 1;
                hold!(frame.sequence() == sequence, "frame {} instead of {sequence}", frame.sequence());
                hold!(frame.bytes().len() as u64 == length, "another length");
                match ring.validation {
                    // The contents are the writer's word: only the form may be relied on.
                    Check::Form => hold!(frame.num_rows() < usize::MAX, "rows without end"),
                    Check::Full | Check::FullOnCopy => touch(&frame)?,
                }
            }
            Ok(None) => return Err(format!("frame {sequence} is not there")),
            Err(error) => {
                refused += 1;
                let typed = matches!(
                    error.kind(),
                    ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::ArrowError
                );
                hold!(typed, "round {round}: {error}");
            }
        }
        // The writer knows its slots' schema prefix: what was spoiled there must not stay.
        file.write_all_at(&before, at).map_err(fault)?;
    }
    say(&Line::Fact("refused".to_owned(), refused));
    say(&Line::Fact("passed".to_owned(), passed));
    say(&Line::Fact("first seen".to_owned(), first_seen));
    Ok(())
}
