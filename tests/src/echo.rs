//! Tables through a second process and back.

use crate::kills::Cast;
use crate::{PATIENCE, Role, Scene};
use arrow_array::RecordBatch;
use qadataswap::Frame;

/// Sends every table, by its batches, to an echoing process, demands that what comes back equals it, and shows it
/// to `each`.
///
/// # Panics
/// If it does not.
pub fn tables(
    cast: &mut Cast<'_>,
    scene: &Scene,
    slot_bytes: u64,
    tables: &[Vec<RecordBatch>],
    each: impl Fn(usize, &Frame),
) {
    let there = scene.ring("there").slot_bytes(slot_bytes);
    let back = scene.ring("back").slot_bytes(slot_bytes).attach_within(PATIENCE);
    let writer = there.writer().expect("created");
    let actor = cast(&Role::Echo { from: there.clone(), to: back.clone() });
    actor.opens();
    let reader = back.reader().expect("attached");
    for (number, table) in tables.iter().enumerate() {
        writer.write_batches(table[0].schema_ref(), table).expect("written");
        let frame = match reader.read_frame(PATIENCE) {
            Ok(Some(frame)) => frame,
            other => panic!("table {number}: {other:?}, {:?}", actor.line()),
        };
        assert_eq!(frame.schema(), table[0].schema_ref(), "table {number}");
        assert_eq!(frame.batches(), table.as_slice(), "table {number}");
        each(number, &frame);
    }
    drop(writer);
    assert!(reader.iter().next().is_none());
    actor.finish();
}
