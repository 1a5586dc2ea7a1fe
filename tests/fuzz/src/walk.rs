//! Reads every value of what a reader hands out, the way a program does that trusts it.
//!
//! Law: each byte that belongs to a value is looked at, through the accessors that skip checks where arrow-rs has promised
//! itself validity; so what was let through wrongly is a step outside, which the sanitizer sees. Rows that cost no memory
//! are looked at up to [`MOST`], because a frame may have 2^63 of them.

use arrow_array::cast::AsArray;
use arrow_array::ffi::{FFI_ArrowArray, from_ffi_and_data_type};
use arrow_array::types::{
    ArrowDictionaryKeyType, BinaryViewType, ByteArrayType, ByteViewType, Int16Type, Int32Type, Int64Type,
    RunEndIndexType, StringViewType,
};
use arrow_array::{
    Array, ArrayRef, GenericByteArray, GenericByteViewArray, OffsetSizeTrait, RecordBatch, StructArray,
    UnionArray, downcast_dictionary_array, make_array,
};
use arrow_data::ArrayData;
use arrow_schema::{DataType, UnionMode};
use qadataswap::ffi::Exported;
use std::mem::ManuallyDrop;
use std::ops::Range;

/// Rows without memory of their own that are looked at.
pub const MOST: usize = 10_000;

/// Reads every value of a batch whose contents have been checked.
///
/// # Panics
/// If the batch is not valid after all.
pub fn batch(batch: &RecordBatch) {
    for column in batch.columns() {
        assert_eq!(column.len(), batch.num_rows(), "a column of another length");
        if column.len() <= MOST {
            let data = column.to_data();
            data.validate_full().unwrap_or_else(|error| panic!("checked, yet {error}"));
        }
        array(column);
    }
}

/// Takes an exported batch as arrow-rs takes any, and reads every value of it.
///
/// # Panics
/// If it is not taken.
pub fn exported(exported: Exported, schema: &arrow_schema::Schema) {
    // SAFETY: the same struct of the C data interface, whose ownership moves: the original is not used any more.
    let array = unsafe {
        std::mem::transmute_copy::<qadataswap::ffi::ArrowArray, FFI_ArrowArray>(&ManuallyDrop::new(
            exported.array,
        ))
    };
    let data_type = DataType::Struct(schema.fields().clone());
    // SAFETY: the array is of the schema that it comes with; that it is valid is what is tried here.
    let data = unsafe { from_ffi_and_data_type(array, data_type) };
    let table = StructArray::from(data.unwrap_or_else(|error| panic!("exported, yet {error}")));
    table.columns().iter().for_each(self::array);
}

/// Reads every byte of the buffers of a batch of which nothing but the form was checked. Those that lie in the frame lie
/// in it whole; those in memory of their own are watched by the sanitizer.
///
/// # Panics
/// If a buffer begins in the frame and ends outside.
pub fn buffers(batch: &RecordBatch, frame: &[u8]) {
    let frame = frame.as_ptr_range();
    let frame = frame.start as usize..frame.end as usize;
    batch.columns().iter().for_each(|column| extents(&column.to_data(), &frame));
}

fn extents(data: &ArrayData, frame: &Range<usize>) {
    let validity = data.nulls().map(arrow_buffer::NullBuffer::buffer);
    for buffer in data.buffers().iter().chain(validity) {
        let start = buffer.as_ptr() as usize;
        let end = start + buffer.len();
        assert!(
            end <= frame.start || start >= frame.end || (frame.start <= start && end <= frame.end),
            "outside"
        );
        bytes(buffer.as_slice());
    }
    if let Some(nulls) = data.nulls() {
        assert!(nulls.buffer().len() * 8 >= nulls.offset() + nulls.len(), "too few bits of nulls");
    }
    data.child_data().iter().for_each(|child| extents(child, frame));
}

fn bytes(bytes: &[u8]) {
    std::hint::black_box(bytes.iter().fold(0_u64, |sum, byte| sum.rotate_left(1) ^ u64::from(*byte)));
}

fn array(array: &ArrayRef) {
    if let Some(nulls) = array.nulls() {
        assert_eq!(nulls.len(), array.len());
        std::hint::black_box(nulls.iter().take(array.len()).filter(|valid| *valid).count());
    }
    match array.data_type() {
        DataType::Null => {}
        DataType::Boolean => {
            std::hint::black_box(array.as_boolean().values().iter().filter(|set| *set).count());
        }
        DataType::Utf8 => texts(array.as_string::<i32>()),
        DataType::LargeUtf8 => texts(array.as_string::<i64>()),
        DataType::Binary => blobs(array.as_binary::<i32>()),
        DataType::LargeBinary => blobs(array.as_binary::<i64>()),
        DataType::Utf8View => views::<StringViewType>(array.as_string_view()),
        DataType::BinaryView => views::<BinaryViewType>(array.as_binary_view()),
        DataType::FixedSizeBinary(_) => {
            let values = array.as_fixed_size_binary();
            (0..array.len().min(MOST)).for_each(|row| bytes(values.value(row)));
        }
        DataType::List(_) => {
            rows(array.len(), |row| array.as_list::<i32>().value(row), array.as_list::<i32>().values());
        }
        DataType::LargeList(_) => {
            rows(array.len(), |row| array.as_list::<i64>().value(row), array.as_list::<i64>().values());
        }
        DataType::ListView(_) => list_views::<i32>(array),
        DataType::LargeListView(_) => list_views::<i64>(array),
        DataType::FixedSizeList(..) => {
            let lists = array.as_fixed_size_list();
            rows(array.len(), |row| lists.value(row), lists.values());
        }
        DataType::Map(..) => {
            let maps = array.as_map();
            rows(
                array.len(),
                |row| make_array(maps.value(row).to_data()),
                &(make_array(maps.entries().to_data())),
            );
        }
        DataType::Struct(_) => array.as_struct().columns().iter().for_each(self::array),
        DataType::Union(_, mode) => union(array.as_union(), *mode),
        DataType::Dictionary(..) => downcast_dictionary_array!(
            array => {
                dictionary_keys(array.keys(), array.values().len());
                self::array(array.values());
            },
            other => unreachable!("{other} is a dictionary"),
        ),
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs::<Int16Type>(array),
            DataType::Int32 => runs::<Int32Type>(array),
            _ => runs::<Int64Type>(array),
        },
        numbers => {
            // Values of a fixed width: as many bytes as rows need are there.
            let data = array.to_data();
            let width = numbers.primitive_width().unwrap_or_else(|| panic!("{numbers} has a width"));
            let start = data.offset() * width;
            bytes(&data.buffers()[0].as_slice()[start..start + array.len() * width]);
        }
    }
}

fn texts<O: OffsetSizeTrait>(texts: &arrow_array::GenericStringArray<O>) {
    // Decodes, which relies on UTF-8 being right.
    in_order(texts, |text: &str| {
        std::hint::black_box(text.chars().map(u64::from).sum::<u64>());
    });
}

fn blobs<O: OffsetSizeTrait>(blobs: &arrow_array::GenericBinaryArray<O>) {
    in_order(blobs, |blob: &[u8]| bytes(blob));
}

fn in_order<T: ByteArrayType>(values: &GenericByteArray<T>, see: impl Fn(&T::Native)) {
    (0..values.len()).filter(|row| values.is_valid(*row)).for_each(|row| see(values.value(row)));
}

fn views<T: ByteViewType>(values: &GenericByteViewArray<T>) {
    for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
        let native: &T::Native = values.value(row);
        bytes(native.as_ref());
    }
}

/// Values that are parts of one child: all of it, and the ends of each part.
fn rows(count: usize, value: impl Fn(usize) -> ArrayRef, child: &ArrayRef) {
    array(child);
    for row in 0..count.min(MOST) {
        let part = value(row);
        if let Some(last) = part.len().checked_sub(1) {
            array(&part.slice(0, 1));
            array(&part.slice(last, 1));
        }
    }
}

fn list_views<O: OffsetSizeTrait>(array: &ArrayRef) {
    let lists = array.as_list_view::<O>();
    rows(array.len(), |row| lists.value(row), lists.values());
}

fn union(union: &UnionArray, mode: UnionMode) {
    for row in 0..union.len().min(MOST) {
        let child = union.child(union.type_id(row));
        let at = union.value_offset(row);
        assert!(at < child.len(), "{mode:?} union leads to {at} of {}", child.len());
        array(&child.slice(at, 1));
    }
    if let DataType::Union(fields, _) = union.data_type() {
        fields.iter().for_each(|(id, _)| array(union.child(id)));
    }
}

fn dictionary_keys<K: ArrowDictionaryKeyType>(keys: &arrow_array::PrimitiveArray<K>, values: usize) {
    use arrow_buffer::ArrowNativeType;
    let lost = keys.iter().flatten().find(|key| key.to_usize().is_none_or(|key| key >= values));
    assert!(lost.is_none(), "a key leads outside {values} values");
}

fn runs<R: RunEndIndexType>(array: &ArrayRef) {
    let runs = array.as_run::<R>();
    self::array(runs.values());
    for row in 0..array.len().min(MOST) {
        let at = runs.get_physical_index(row);
        assert!(at < runs.values().len(), "row {row} leads to run {at} of {}", runs.values().len());
    }
}

/// Reads every byte of an exported batch of which nothing but the form was checked, by the lengths that come with it, and
/// releases it.
///
/// # Panics
/// As [`buffers`].
pub fn lengths(exported: Exported, frame: &[u8]) {
    let frame = frame.as_ptr_range();
    let frame = frame.start as usize..frame.end as usize;
    let Exported { mut array, lengths } = exported;
    let mut at = 0;
    // SAFETY: exported by the library and not released; `lengths` has a number for each buffer, depth first.
    unsafe {
        if !lengths.is_null() {
            stretches(&array, lengths, &mut at, &frame);
        }
        if let Some(release) = array.release {
            release(&raw mut array);
        }
    }
}

/// # Safety
/// `array` is valid by the format's rules, and `lengths` has the length of each of its buffers, depth first from `at` on.
unsafe fn stretches(
    array: &qadataswap::ffi::ArrowArray,
    lengths: *const i64,
    at: &mut usize,
    frame: &Range<usize>,
) {
    for number in 0..array.n_buffers as usize {
        // SAFETY: there are as many buffers and lengths as the array says, by the caller's word; a buffer that is there is
        // as long as its length says, which is what the sanitizer holds it to.
        unsafe {
            let (buffer, length) =
                (*array.buffers.add(number), usize::try_from(*lengths.add(*at)).expect("a length"));
            if !buffer.is_null() {
                let (start, end) = (buffer as usize, buffer as usize + length);
                assert!(
                    end <= frame.start || start >= frame.end || (frame.start <= start && end <= frame.end),
                    "outside"
                );
                bytes(std::slice::from_raw_parts(buffer.cast::<u8>(), length));
            }
        }
        *at += 1;
    }
    for number in 0..array.n_children as usize {
        // SAFETY: there are as many children as the array says.
        unsafe { stretches(&**array.children.add(number), lengths, at, frame) }
    }
    if !array.dictionary.is_null() {
        // SAFETY: a dictionary that is there is an array.
        unsafe { stretches(&*array.dictionary, lengths, at, frame) }
    }
}
