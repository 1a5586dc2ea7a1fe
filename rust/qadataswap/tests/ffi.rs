//! The C data interface as other languages use it: frames that leave as structs, and structs that are not what they
//! should be.

#![allow(unsafe_code)]

use arrow::array::AsArray;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::types::{Float64Type, Int8Type};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, DictionaryArray, FixedSizeListArray, Float64Array, Int64Array,
    RecordBatch, StringArray, StringViewArray, StructArray,
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
    let config =
        SharedMemoryConfig::new("ffi").with_size_mb(1).with_when_full(WhenFull::Fail).with_memfd(true);
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

    /// Writes what is given once `spoil` has changed the batch, and puts that and its first column back as they were.
    fn written(&mut self, spoil: impl FnOnce(&mut ArrowArray)) -> Result<u64> {
        let root = self.root();
        // SAFETY: plain data, which is read where it lies and put back there, with all its parts; the batch has one
        // column at least.
        unsafe {
            let column = *root.children;
            let (whole, whole_column) = (std::ptr::read(root), std::ptr::read(column));
            spoil(root);
            let written = self.write();
            let root = self.root();
            *root = whole;
            *root.children = column;
            *column = whole_column;
            written
        }
    }

    /// As [`written`](Given::written), once `spoil` has changed the first column.
    fn written_with(&mut self, spoil: impl FnOnce(&mut ArrowArray)) -> Result<u64> {
        // SAFETY: a batch of one column at least.
        self.written(|root| spoil(unsafe { &mut **root.children }))
    }

    fn write(&mut self) -> Result<u64> {
        let (writer, _reader) = ends();
        let schema = self.schema.clone();
        let batches = [Batch::new(self.root())];
        // SAFETY: made by arrow-rs, of that schema; what tests change is found before any memory is looked at.
        let table = unsafe { Table::new(&schema, &batches) };
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
    assert!(reader.read_ffi(1).unwrap().is_none(), "there is no other");
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

#[test]
fn columns_of_other_names_are_not_asked_of_a_frame() {
    let frame = passed(&[texts()]);
    let other = Schema::new(vec![Field::new("text", DataType::Utf8, true)]);
    assert_eq!(frame.schema_for(&other), *frame.schema(), "as many columns, or nothing is changed");
    assert_eq!(imported(frame.export_as(0, frame.schema()).unwrap(), frame.schema()), texts());
}

#[test]
fn a_schema_that_the_frame_did_not_offer_is_refused() {
    let frame = passed(&[texts()]);
    let mut fields = texts().schema().fields().to_vec();
    fields[2] = Arc::new(Field::new("price", DataType::Utf8, false));
    refused(frame.export_as(0, &Schema::new(fields)).map(|_| 0), "column 2 is not one of views");
}

#[test]
fn only_a_sole_column_without_nulls_and_of_one_width_is_handed_out_as_values() {
    let sole = |columns: Vec<(&str, ArrayRef)>| {
        let batch = table(columns);
        passed(&[batch]).sole_values().map(<[u8]>::to_vec)
    };
    let numbers = || Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef;
    assert_eq!(sole(vec![("a", numbers())]), Some([1_i64, 2].map(i64::to_le_bytes).concat()));
    assert_eq!(sole(vec![("a", numbers()), ("b", numbers())]), None);
    assert_eq!(sole(vec![("a", Arc::new(Int64Array::from(vec![Some(1), None])))]), None);
    assert_eq!(sole(vec![("a", Arc::new(StringArray::from(vec!["x"])))]), None);
    let twice = [table(vec![("a", numbers())]), table(vec![("a", numbers())])];
    assert_eq!(passed(&twice).sole_values(), None);
    let frame = passed(&twice[..1]);
    assert!(frame.bytes().as_ptr_range().contains(&frame.sole_values().unwrap().as_ptr()), "not copied");
}

#[test]
fn a_schema_that_is_released_or_of_no_table_is_refused() {
    let made = FFI_ArrowSchema::try_from(&DataType::Float64).unwrap();
    // SAFETY: the format's struct by another name, borrowed.
    let column = unsafe { &*from_ref(&made).cast::<ArrowSchema>() };
    // SAFETY: just made.
    let error = unsafe { ffi::import_schema(column) }.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ArrowError);
    assert!(
        error
            .to_string()
            .contains("expected a table (a struct of columns, '+s'), got a column of format 'g'")
    );
    let empty = FFI_ArrowSchema::empty();
    // SAFETY: as above.
    let error = unsafe { ffi::import_schema(&*from_ref(&empty).cast::<ArrowSchema>()) }.unwrap_err();
    assert!(error.to_string().contains("released"), "{error}");
}

#[test]
fn a_batch_that_was_released_is_refused() {
    let (writer, _reader) = ends();
    let (schema, array) = (texts().schema(), ArrowArray::released());
    let batches = [Batch::new(&array)];
    // SAFETY: not valid, which is found before anything else of it is looked at.
    let table = unsafe { Table::new(&schema, &batches) };
    refused(writer.write_ffi(&table), "a batch that has been released");
    refused(writer.try_write_ffi(&table).map(|_| 0), "a batch that has been released");
}

#[test]
fn a_batch_with_a_bitmap_is_taken_if_no_row_is_null_as_a_whole() {
    let (fields, arrays) = (texts().schema().fields().clone(), texts().columns().to_vec());
    for (valid, taken) in [(vec![true, true, true], true), (vec![true, false, true], false)] {
        let whole = StructArray::new(fields.clone(), arrays.clone(), Some(valid.into()));
        let mut given =
            Given { schema: texts().schema(), array: FFI_ArrowArray::new(&ArrayData::from(whole)) };
        // Not told how many, so they are counted.
        let written = given.written(|root| root.null_count = -1);
        match taken {
            true => assert_eq!(written.unwrap(), 0),
            false => refused(written, "some of whose rows are null as a whole"),
        }
    }
}

#[test]
fn arrays_without_the_parts_of_their_type_are_refused() {
    let mut given = Given::column(Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0])));
    refused(given.written(|root| root.length = -1), "rows: -1 is not a length");
    refused(given.written(|root| root.n_children = 2), "a batch of 2 columns for a schema of 1");
    // SAFETY: a batch of one column.
    refused(given.written(|root| unsafe { *root.children = null_mut() }), "without one of its children");
    refused(
        given.written_with(|column| column.length = 2),
        "array of 2 rows where rows 0 to 3 are referred to",
    );
    refused(given.written_with(|column| column.n_buffers = 1), "Float64 array of 1 buffers, which has 2");
    refused(given.written_with(|column| column.n_children = 1), "Float64 array of 1 children, which has 0");
    let mut other = ArrowArray::released();
    let other = &raw mut other;
    refused(given.written_with(|column| column.dictionary = other), "of 1 dictionaries, which has 0");
    assert_eq!(given.write().unwrap(), 0, "as it was");
}

#[test]
fn arrays_that_reach_beyond_memory_are_refused() {
    let mut given = Given::column(Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0])));
    for offset in [i64::MAX, i64::MAX / 2] {
        let written = given.written_with(|column| column.offset = offset);
        refused(written, "an array longer than memory has addresses");
    }
    let values = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    let mut lists = Given::column(Arc::new(FixedSizeListArray::new(item, 4, values, None)));
    let written = lists.written_with(|column| column.offset = i64::MAX - 2);
    refused(written, "refers to values it does not have");
}

#[test]
fn buffers_that_are_missing_or_not_aligned_are_refused() {
    let mut given = Given::column(Arc::new(StringArray::from(vec!["a", "b", "c"])));
    let offsets: [i32; 6] = [0, 1, 2, 3, 4, 5];
    let at = offsets.as_ptr().cast::<u8>();
    let mut missing = [std::ptr::null(), std::ptr::null(), at.cast()];
    let missing = missing.as_mut_ptr();
    refused(
        given.written_with(|column| column.buffers = missing),
        "Utf8 array of 4 rows without its buffer 1",
    );
    let mut odd = [std::ptr::null(), at.wrapping_add(1).cast(), at.cast()];
    let odd = odd.as_mut_ptr();
    refused(given.written_with(|column| column.buffers = odd), "whose offsets are not aligned");
    let descending: [i32; 4] = [3, 2, 1, 0];
    let mut falling = [std::ptr::null(), descending.as_ptr().cast(), at.cast()];
    let falling = falling.as_mut_ptr();
    refused(given.written_with(|column| column.buffers = falling), "refers to values it does not have");
}

#[test]
fn nulls_that_are_told_of_without_a_bitmap_are_none() {
    let (writer, reader) = ends();
    let mut given = Given::column(Arc::new(Float64Array::from(vec![1.0, 2.0])));
    // SAFETY: a batch of one column.
    let column = unsafe { &mut **given.root().children };
    column.null_count = -1;
    let schema = given.schema.clone();
    let batches = [Batch::new(given.root())];
    // SAFETY: made by arrow-rs, of that schema; a count of nulls may be left untold.
    let table = unsafe { Table::new(&schema, &batches) };
    assert_eq!(writer.try_write_ffi(&table).unwrap(), Some(0));
    let read = reader.try_read_arrow().unwrap().unwrap();
    assert_eq!(read.column(0).as_primitive::<Float64Type>().values().as_ref(), &[1.0, 2.0]);
    assert_eq!(read.column(0).null_count(), 0);
}

#[test]
fn a_full_ring_is_told_to_whoever_tries_without_an_error() {
    let (writer, reader) = ends();
    let given = Given::of(&texts());
    // SAFETY: the format's struct by another name.
    let batches = [Batch::new(unsafe { &*from_ref(&given.array).cast::<ArrowArray>() })];
    // SAFETY: made by arrow-rs, of that schema.
    let table = unsafe { Table::new(&given.schema, &batches) };
    let held: Vec<Frame> = std::iter::from_fn(|| {
        writer.try_write_ffi(&table).unwrap()?;
        reader.try_read_ffi().unwrap()
    })
    .collect();
    assert_eq!(held.len(), 3, "one in each slot");
}

/// A dictionary whose values have a child of their own.
fn keyed(values: &ArrayRef, keys: Vec<i8>) -> RecordBatch {
    let keys = arrow_array::PrimitiveArray::<Int8Type>::from(keys);
    table(vec![("key", Arc::new(DictionaryArray::new(keys, values.clone())))])
}

#[test]
fn batches_whose_dictionary_is_of_the_same_memory_send_it_once() {
    let pair = |first: i64| -> ArrayRef {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + 100));
        let words: ArrayRef = Arc::new(StringArray::from(vec!["a word"; 100]));
        let words = keyed(&words, (0..100).collect()).column(0).clone();
        let fields = [("n", &numbers), ("w", &words)]
            .map(|(name, array)| Arc::new(Field::new(name, array.data_type().clone(), false)));
        Arc::new(StructArray::new(fields.to_vec().into(), vec![numbers, words], None))
    };
    let length = |one: &ArrayRef, other: &ArrayRef| {
        let (writer, reader) = ends();
        let (one, other) = (keyed(one, vec![0, 1]), keyed(other, vec![1, 0]));
        let given = [Given::of(&one), Given::of(&other)];
        // SAFETY: the format's struct by another name.
        let batch = |given: &FFI_ArrowArray| Batch::new(unsafe { &*from_ref(given).cast::<ArrowArray>() });
        let batches = [batch(&given[0].array), batch(&given[1].array)];
        // SAFETY: made by arrow-rs, of that schema.
        writer.write_ffi(&unsafe { Table::new(&given[0].schema, &batches) }).unwrap();
        let frame = reader.try_read_frame().unwrap().unwrap();
        assert_eq!(frame.batches(), [one, other]);
        frame.bytes().len()
    };
    let (values, others) = (pair(0), pair(500));
    let (once, twice) = (length(&values, &values), length(&values, &others));
    assert!(once + 1000 < twice, "{once} bytes with the values once, {twice} with two");
    assert!(once < length(&values, &values.slice(0, 50)), "values of another length are others");
}
