//! Frames that can be checked: table `n` of a stream is a function of the stream's seed and `n` alone.
//!
//! Law: no two tables of a stream are equal, and every value depends on the sequence; so a frame that is torn,
//! stale, or another's never passes for the one expected.

use arrow::buffer::NullBuffer;
use arrow_array::builder::{
    BooleanBuilder, FixedSizeBinaryBuilder, Int32Builder, ListBuilder, StringDictionaryBuilder,
    StringViewBuilder,
};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch, TimestampNanosecondArray,
    UInt64Array,
};
use arrow_schema::SchemaRef;
use qadataswap::Frame;
use std::sync::{Arc, OnceLock};

/// A cheap stream of random words (splitmix64; Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Words(u64);

impl Words {
    /// The words of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Words {
        Words(seed)
    }

    /// The next word.
    pub fn next_word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_word() % bound
    }
}

/// Rows of table `sequence`: 1 to 40.
#[must_use]
pub fn rows(seed: u64, sequence: u64) -> usize {
    1 + Words::new(seed ^ sequence.rotate_left(32)).below(40) as usize
}

/// Table `sequence` of the stream `seed`.
#[must_use]
pub fn table(seed: u64, sequence: u64) -> RecordBatch {
    table_of(seed, sequence, rows(seed, sequence))
}

/// Table `sequence` of the stream `seed`, with this many rows.
///
/// # Panics
/// Never: the columns are of one length.
#[must_use]
pub fn table_of(seed: u64, sequence: u64, rows: usize) -> RecordBatch {
    static SCHEMA: OnceLock<SchemaRef> = OnceLock::new();
    let mut words = Words::new(seed.rotate_left(17) ^ sequence);
    let mut key = Vec::with_capacity(rows);
    let mut price = Vec::with_capacity(rows);
    let mut at = Vec::with_capacity(rows);
    let mut note: Vec<Option<String>> = Vec::with_capacity(rows);
    let mut flag = BooleanBuilder::with_capacity(rows);
    let mut symbol = StringViewBuilder::with_capacity(rows);
    let mut venue = StringDictionaryBuilder::<Int32Type>::new();
    let mut levels = ListBuilder::new(Int32Builder::new());
    let mut digest = FixedSizeBinaryBuilder::with_capacity(rows, 5);
    for _ in 0..rows {
        let word = words.next_word();
        key.push((!word.is_multiple_of(7)).then_some(word as i64));
        price.push((word >> 11) as f64 / 1024.0);
        at.push(Some((word >> 2) as i64));
        flag.append_option((!word.is_multiple_of(5)).then_some(word & 64 != 0));
        match word % 4 {
            0 => symbol.append_null(),
            1 => symbol.append_value("ES"),
            2 => symbol.append_value(format!("{:012}", word % 1_000_000_000_000)),
            _ => symbol.append_value(format!("a string that is longer than twelve bytes: {word:x}")),
        }
        note.push((!word.is_multiple_of(3)).then(|| "ß€".repeat((word % 6) as usize)));
        venue
            .append_option((!word.is_multiple_of(11)).then(|| ["XCME", "XNAS", "XLON"][(word % 3) as usize]));
        for level in 0..word % 4 {
            levels.values().append_option((level != 1).then_some((word >> level) as i32));
        }
        levels.append(!word.is_multiple_of(9));
        digest.append_value(&word.to_le_bytes()[..5]).expect("five bytes");
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("sequence", Arc::new(UInt64Array::from(vec![sequence; rows]))),
        ("key", Arc::new(Int64Array::from(key))),
        ("price", Arc::new(Float64Array::from(price))),
        ("at", Arc::new(TimestampNanosecondArray::from(at).with_timezone("UTC"))),
        ("flag", Arc::new(flag.finish())),
        ("symbol", Arc::new(symbol.finish())),
        ("note", Arc::new(LargeStringArray::from(note))),
        ("venue", Arc::new(venue.finish())),
        ("levels", Arc::new(levels.finish())),
        ("digest", Arc::new(digest.finish())),
    ];
    let schema = SCHEMA.get_or_init(|| {
        let fields = columns.iter().map(|(name, column)| {
            arrow_schema::Field::new(*name, column.data_type().clone(), *name != "sequence")
        });
        Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()))
    });
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).expect("columns of one length")
}

/// Frame `sequence` of the even stream of `rows` rows: each value is the sequence. Large ones are quickly made, and checked.
///
/// # Panics
/// Never: there is one column.
#[must_use]
pub fn even(rows: usize, sequence: u64) -> RecordBatch {
    let column: ArrayRef = Arc::new(UInt64Array::from(vec![sequence; rows]));
    RecordBatch::try_from_iter([("sequence", column)]).expect("one column")
}

/// Whether `frame` is, value by value, the one of the even stream that its sequence number says.
///
/// # Errors
/// A sentence on the difference.
pub fn check_even(rows: usize, frame: &Frame) -> Result<(), String> {
    let sequence = frame.sequence();
    let got = frame.to_batch().map_err(|error| error.to_string())?;
    let values = got.column(0).as_primitive_opt::<UInt64Type>().ok_or("another type")?.values();
    if values.len() != rows {
        return Err(format!("frame {sequence}: {} rows instead of {rows}", values.len()));
    }
    match values.iter().find(|&&value| value != sequence) {
        Some(value) => Err(format!("frame {sequence}: there is a value {value}")),
        None => Ok(()),
    }
}

/// Whether every buffer of a frame's columns, and of what is below them, lies in the frame's own bytes.
///
/// # Errors
/// A sentence on what was copied.
pub fn in_place(frame: &Frame) -> Result<(), String> {
    let slot = frame.bytes().as_ptr_range();
    let slot = slot.start as usize..slot.end as usize;
    let lies = |buffer: &[u8]| {
        let at = buffer.as_ptr() as usize;
        buffer.is_empty() || (slot.contains(&at) && at + buffer.len() <= slot.end)
    };
    for column in frame.batches().iter().flat_map(RecordBatch::columns) {
        let mut pieces = vec![column.to_data()];
        while let Some(piece) = pieces.pop() {
            let nulls = piece.nulls().map(NullBuffer::buffer);
            if !piece.buffers().iter().chain(nulls).all(|buffer| lies(buffer)) {
                return Err(format!("a buffer of {} lies outside the slot", piece.data_type()));
            }
            pieces.extend(piece.child_data().iter().cloned());
        }
    }
    match frame.bytes_copied() {
        0 => Ok(()),
        bytes => Err(format!("{bytes} bytes were copied")),
    }
}

/// Whether `frame` is, value by value, the table that its sequence number says.
///
/// # Errors
/// A sentence on the difference.
pub fn check(seed: u64, frame: &Frame) -> Result<(), String> {
    let sequence = frame.sequence();
    let got = frame.to_batch().map_err(|error| error.to_string())?;
    let expected = table_of(seed, sequence, rows(seed, sequence));
    if got == expected {
        return Ok(());
    }
    if got.schema() != expected.schema() {
        return Err(format!("frame {sequence}: schema {} instead of {}", got.schema(), expected.schema()));
    }
    if got.num_rows() != expected.num_rows() {
        return Err(format!("frame {sequence}: {} rows instead of {}", got.num_rows(), expected.num_rows()));
    }
    let column = (0..got.num_columns()).find(|&i| got.column(i) != expected.column(i));
    let name = column.map_or("?", |i| expected.schema_ref().field(i).name().as_str());
    Err(format!("frame {sequence}: column '{name}' differs"))
}
