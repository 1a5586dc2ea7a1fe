//! A slot whose bytes are the input, read in every form: arrays and C structs; form only, in full, in full on a copy.
//!
//! ```text
//! how: 1 byte | a change of the frame: where 2 bytes, what 8 bytes | the frame
//! ```
//!
//! `how` names the validation (2 bits), the product, whether the frame is then changed and read again under the schema that
//! is known by then, and whether another reader reads it.

use super::Input;
use crate::{Claim, Folder, Forge, catalogue, walk};
use qadataswap::{ErrorKind, QADataSwapError, Reader, Validation};
use std::cell::RefCell;

struct Bench {
    forge: Forge,
    readers: [Reader; 3],
    _folder: Folder,
}

thread_local! {
    static BENCH: RefCell<Option<Bench>> = const { RefCell::new(None) };
}

const VALIDATIONS: [Validation; 3] = [Validation::Form, Validation::Full, Validation::FullOnCopy];

fn bench() -> Bench {
    let folder = Folder::new();
    let forge = Forge::new(folder.path(), "slot");
    let readers = VALIDATIONS.map(|validation| forge.reader(validation).expect("a place"));
    Bench { forge, readers, _folder: folder }
}

/// What may be wrong with a frame.
fn refused(error: &QADataSwapError) {
    let fine = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::ArrowError);
    assert!(fine, "a spoilt frame is no reason for {error:?}");
}

fn read(reader: &Reader, checked: bool, as_arrays: bool) {
    if as_arrays {
        match reader.try_read_frame() {
            Ok(frame) => {
                let frame = frame.expect("just published");
                for batch in frame.batches() {
                    if checked { walk::batch(batch) } else { walk::buffers(batch, frame.bytes()) }
                }
            }
            Err(error) => refused(&error),
        }
    } else {
        match reader.try_read_ffi() {
            Ok(frame) => {
                let frame = frame.expect("just published");
                for number in 0..frame.num_batches() {
                    let exported = frame.export(number);
                    if checked {
                        walk::exported(exported, frame.schema());
                    } else {
                        walk::lengths(exported, frame.bytes());
                    }
                }
            }
            Err(error) => refused(&error),
        }
    }
}

pub(super) fn run(input: &[u8]) {
    let mut input = Input(input);
    let how = input.byte();
    let (place, change) = (usize::from(input.short()), input.word());
    let frame = input.rest();
    BENCH.with_borrow_mut(|bench| {
        let Bench { forge, readers, .. } = bench.get_or_insert_with(self::bench);
        let frame = &frame[..frame.len().min(forge.slot_bytes())];
        let which = usize::from(how & 3) % VALIDATIONS.len();
        let (reader, checked) = (&readers[which], which > 0);
        let schema = forge.new_schema();
        let mut publish_and_read = |change: Option<(usize, u64)>| {
            let (_, slot) = forge.next();
            forge.fill(slot, 0, frame);
            if let Some((at, word)) = change {
                forge.fill(slot, at, &word.to_le_bytes());
            }
            forge.publish(Claim { slot, bytes: frame.len() as u64, schema, rows: 1 });
            read(reader, checked, how & 4 != 0);
        };
        publish_and_read(None);
        if how & 8 != 0 && frame.len() >= 8 {
            publish_and_read(Some((place % (frame.len() - 7), change)));
        }
    });
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let with = |how: u8, frame: Vec<u8>| [&[how][..], &[0; 10], &frame].concat();
    let frames = catalogue();
    frames.into_iter().enumerate().map(|(number, frame)| with(number as u8 % 16, frame)).collect()
}
