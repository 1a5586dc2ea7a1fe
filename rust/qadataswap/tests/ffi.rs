//! The C data interface as other languages use it: frames that leave as structs, and structs that are not what they
//! should be.

#![allow(unsafe_code)]

use arrow::array::AsArray;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::types::{Float64Type, Int8Type};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, DictionaryArray, FixedSizeListArray, Float64Array, Int64Array,
    LargeBinaryArray, RecordBatch, StringArray, StringViewArray, StructArray,
};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use qadataswap::ffi::{self, ArrowArray, ArrowSchema, Batch, Exported, Frame, Table};
use qadataswap::{ErrorKind, Reader, Result, SharedMemoryConfig, WhenFull, Writer};
use std::mem::ManuallyDrop;
use std::ptr::{from_ref, null_mut};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A writer and a reader of a ring without a name, which goes with them.
fn ends() -> (Writer, Reader) {
    let config = SharedMemoryConfig::new("ffi").with_size_mb(1).with_when_full(WhenFull::Fail).with_memfd(true);
    let writer = Writer::new(config).expect("created");
    let reader = Reader::from_fd(writer.share().expect("it has no name"), "").expect("attached");
    (writer, reader)
}

fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn texts() -> RecordBatch {
    let text = StringViewArray::from(vec![Some("short"), None, Some("longer than a view holds")]);
    let blob = BinaryViewArray::from(vec![b"\x00".as_slice(), b"bytes, more than twelve", b""]);
    table(vec![
        ("text", Arc::new(text)),
        ("blob", Arc::new(blob)),
        ("price", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))),
    ])
}

/// The frame of what `batches` are, written and read.
fn passed(batches: &[RecordBatch]) -> Frame {
    let (writer, reader) = ends();
    writer.write_batches(&batches[0].schema(), batches).expect("written");
    reader.try_read_ffi().expect("no error").expect("it was written")
}

/// Takes an exported batch as any Arrow library does.
fn imported(exported: Exported, schema: &Schema) -> RecordBatch {
    let array = ManuallyDrop::new(exported.array);
    // SAFETY: the format's struct by another name, moved.
    let array = unsafe { std::mem::transmute_copy::<ArrowArray, FFI_ArrowArray>(&array) };
    let of = FFI_ArrowSchema::try_from(schema).expect("a schema that C can say");
    // SAFETY: a batch of that schema, as the export promises.
    let data = unsafe { from_ffi(array, &of) }.expect("arrow-rs takes it");
    data.validate_full().expect("it is valid");
    RecordBatch::from(StructArray::from(data)).with_schema(Arc::new(schema.clone())).expect("of that schema")
}

/// A batch as C structs, whose numbers a test may spoil; the whole is still released as arrow-rs made it.
struct Given {
    schema: SchemaRef,
    array: FFI_ArrowArray,
}

impl Given {
    fn of(batch: &RecordBatch) -> Given {
        let data = ArrayData::from(StructArray::from(batch.clone()));
        Given { schema: batch.schema(), array: FFI_ArrowArray::new(&data) }
    }

    fn column(array: ArrayRef) -> Given {
        Given::of(&table(vec![("column", array)]))
    }

    fn root(&mut self) -> &mut ArrowArray {
        // SAFETY: the format's struct by another name.
        unsafe { &mut *std::ptr::from_mut(&mut self.array).cast::<ArrowArray>() }
    }

    /// Writes what is given once `spoil` has changed the first column, and puts that back as it was.
    fn written(&mut self, spoil: impl FnOnce(&mut ArrowArray)) -> Result<u64> {
        // SAFETY: a batch of one column at least.
        let column = unsafe { &mut **self.root().children };
        // SAFETY: plain data; only one of the two is ever released.
        let whole = ManuallyDrop::new(unsafe { std::ptr::read(column) });
        spoil(column);
        let written = self.write();
        // SAFETY: what was read from there, whose parts are all still there.
        unsafe { std::ptr::write(&raw mut **self.root().children, ManuallyDrop::into_inner(whole)) };
        written
    }

    fn write(&mut self) -> Result<u64> {
        let (writer, _reader) = ends();
        let batches = [Batch::new(self.root())];
        // SAFETY: made by arrow-rs, of that schema; what tests change is looked at before any memory is.
        let table = unsafe { Table::new(&self.schema, &batches) };
        // The schema is borrowed for no longer than this.
        writer.write_ffi(&table)
    }
}

fn refused(written: Result<u64>, needle: &str) {
    let error = written.expect_err(needle);
    assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
    assert!(error.to_string().contains(needle), "{error}");
}

#[test]
fn a_frame_leaves_as_structs_that_lie_in_its_slot() {
    let (writer, reader) = ends();
    let before = SystemTime::now() - Duration::from_secs(1);
    writer.write_batches(&texts().schema(), &[texts(), texts().slice(1, 2)]).unwrap();
    let frame = reader.try_read_ffi().unwrap().expect("it was written");
    assert_eq!((frame.num_batches(), frame.num_rows(), frame.sequence(), frame.missed()), (2, 5, 0, 0));
    assert_eq!((frame.schema(), frame.bytes_copied()), (&texts().schema(), 0));
    assert!(frame.published_ns() > 0 && frame.age() < Duration::from_secs(3600));
    assert!(frame.published_at() > before);
    let first = imported(frame.export(0), frame.schema());
    let values = first.column(2).as_primitive::<Float64Type>().values();
    assert!(frame.bytes().as_ptr_range().contains(&values.as_ptr().cast()));
    let second = imported(frame.export(1), frame.schema());
    drop((frame, reader, writer));
    assert_eq!((first, second), (texts(), texts().slice(1, 2)), "they keep their slot by themselves");
}

#[test]
fn an_exported_batch_holds_its_slot_until_it_is_released() {
    let (writer, reader) = ends();
    let held: Vec<RecordBatch> = (0..3)
        .map(|_| {
            writer.write_arrow(&texts()).unwrap();
            let frame = reader.try_read_ffi().unwrap().unwrap();
            imported(frame.export(0), frame.schema())
        })
        .collect();
    assert_eq!(writer.try_write_arrow(&texts()).unwrap(), None, "every slot is held");
    drop(held);
    assert_eq!(writer.try_write_arrow(&texts()).unwrap(), Some(3));
}

#[test]
fn views_leave_behind_offsets_for_whoever_asks_for_them() {
    let wanted = |text, blob| {
        Schema::new(vec![
            Field::new("text", text, true),
            Field::new("blob", blob, false),
            Field::new("price", DataType::Float64, false),
        ])
    };
    for (text, blob) in [(DataType::Utf8, DataType::LargeBinary), (DataType::LargeUtf8, DataType::Binary)] {
        let frame = passed(&[texts()]);
        let schema = frame.schema_for(&wanted(text.clone(), blob.clone()));
        assert_eq!((schema.field(0).data_type(), schema.field(1).data_type()), (&text, &blob));
        let exported = frame.export_as(0, &schema).unwrap();
        assert!(exported.lengths.is_null(), "they would be of the columns that were there");
        let batch = imported(exported, &schema);
        let same = |column: usize| {
            arrow::compute::cast(batch.column(column), texts().column(column).data_type()).expect("back")
        };
        assert_eq!((&same(0), &same(1)), (texts().column(0), texts().column(1)));
        let prices = batch.column(2).as_primitive::<Float64Type>().values();
        assert!(frame.bytes().as_ptr_range().contains(&prices.as_ptr().cast()), "all else lies in the slot");
    }
}
