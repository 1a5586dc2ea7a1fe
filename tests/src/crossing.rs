//! Tables from one language to another: each side judges what the other has written.
//!
//! Tables reach the other language a second time as Arrow IPC streams, written by arrow-rs and read by Arrow itself, so
//! that Arrow's own reading is what a frame is held against.

use crate::samples::{Table, filed};
use crate::scene::{Full, Squeeze};
use crate::{Actor, PATIENCE, Ring, Role, Scene, Tally, echo, in_place};
use arrow_array::{Array, RecordBatch};

/// Slots that every table of the samples fits.
pub const SLOT_BYTES: u64 = 1 << 20;

/// It is about what arrives, not about when.
const PATIENT: Full = Full::Block(Some(PATIENCE.as_millis() as u64));

/// What can start actors in another language.
pub trait Language {
    /// Starts an actor.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    fn start(&self, role: &Role) -> Actor;
}

/// What can start actors in Rust, for those who compare.
#[derive(Clone, Copy, Debug)]
pub struct Rust;

impl Language for Rust {
    fn start(&self, role: &Role) -> Actor {
        Actor::start(role)
    }
}

/// Writes tables in Rust and has them read, compared and kept in another language.
///
/// # Panics
/// If they do not arrive as they were.
pub fn reach(language: &impl Language, ring: impl Fn(&Scene) -> Ring, tables: &[Table]) {
    let scene = Scene::new();
    let ring = ring(&scene).slot_bytes(SLOT_BYTES).full(PATIENT);
    let file = filed(&scene, tables);
    let writer = ring.writer().expect("created");
    let actor = language.start(&Role::Compare { ring: ring.clone(), file: file.clone() });
    actor.opens();
    for table in tables {
        writer.write_batches(&table.schema, &table.batches).expect("written");
    }
    drop(writer);
    let last = tables.len() as u64 - 1;
    assert_eq!(actor.ends(), Tally { read: last + 1, missed: 0, first: Some(0), last: Some(last) });
    std::fs::remove_file(file).expect("ours");
    actor.finish();
}

/// Has tables written in another language, and reads and compares them in Rust.
///
/// # Panics
/// If they do not arrive as they were.
pub fn come_from(language: &impl Language, ring: impl Fn(&Scene) -> Ring, tables: &[Table]) {
    let scene = Scene::new();
    let ring = ring(&scene).slot_bytes(SLOT_BYTES).full(PATIENT);
    let file = filed(&scene, tables);
    let mut actor = language.start(&Role::Emit { ring: ring.clone(), file: file.clone() });
    actor.opens();
    let reader = ring.reader().expect("attached");
    actor.tell("go");
    for (number, table) in tables.iter().map(Table::as_in_cpp).enumerate() {
        let frame = match reader.read_frame(PATIENCE) {
            Ok(Some(frame)) => frame,
            other => panic!("table {number}: {other:?}, {:?}", actor.line()),
        };
        assert_eq!(frame.schema(), &table.schema, "table {number}");
        for (got, expected) in frame.batches().iter().zip(&table.batches) {
            for (got, expected) in got.columns().iter().zip(expected.columns()) {
                assert_eq!(got, expected, "table {number}");
            }
        }
        assert_eq!(frame.batches(), table.batches, "table {number}");
        for column in frame.batches().iter().flat_map(RecordBatch::columns) {
            column.to_data().validate_full().unwrap_or_else(|error| panic!("table {number}: {error}"));
        }
        if matches!(ring.squeeze, Squeeze::None) {
            in_place(&frame).unwrap_or_else(|what| panic!("table {number}: {what}"));
        }
    }
    assert!(reader.iter().next().is_none(), "more tables came than were given");
    std::fs::remove_file(file).expect("ours");
    actor.finish();
}

/// Has tables sent back by another language.
///
/// # Panics
/// If they do not come back as they were.
pub fn come_back(language: &impl Language, tables: &[Table]) {
    let tables: Vec<_> = tables.iter().map(|table| table.as_in_cpp().batches).collect();
    echo::tables(&mut |role| language.start(role), &Scene::new(), SLOT_BYTES, &tables, |number, frame| {
        in_place(frame).unwrap_or_else(|what| panic!("table {number}: {what}"));
    });
}

/// Has tables written in one language and read, compared and kept in another one.
///
/// # Panics
/// If they do not arrive as they were.
pub fn pass(from: &impl Language, to: &impl Language, tables: &[Table]) {
    let scene = Scene::new();
    let ring = scene.ring("feed").slot_bytes(SLOT_BYTES).full(PATIENT).attach_within(PATIENCE);
    let file = filed(&scene, tables);
    let mut writer = from.start(&Role::Emit { ring: ring.clone(), file: file.clone() });
    writer.opens();
    let reader = to.start(&Role::Compare { ring, file: file.clone() });
    reader.opens();
    writer.tell("go");
    let last = tables.len() as u64 - 1;
    assert_eq!(reader.ends(), Tally { read: last + 1, missed: 0, first: Some(0), last: Some(last) });
    std::fs::remove_file(file).expect("ours");
    reader.finish();
    writer.finish();
}
