//! The plan of a schema: its types flattened in the order in which IPC lists their nodes.
//!
//! Computed once per schema by writer and reader alike, and the one place that decides which types a frame
//! can carry: a type that arrow-rs would panic on (negative width, a map whose entries are not pairs, union
//! ids out of range, …) is refused here, so nothing behind it has to ask again.
//!
//! The law: step *i* of a shape describes node *i* of a record-batch message, children follow their parent,
//! and a dictionary's values are not below its keys but a shape of their own, inner dictionaries first.

use arrow_schema::{DataType, Field, IntervalUnit, Schema, TimeUnit, UnionMode};

use super::FrameError;

/// Types nested deeper than this are refused: the flatbuffers verifier of every Arrow library stops at 64
/// tables, and recursion over types stays bounded.
const MAX_DEPTH: usize = 48;

/// One schema, ready for walking record batches and their dictionaries.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The columns of a record batch.
    pub(crate) columns: Shape,
    /// Dictionaries, inner before outer.
    pub(crate) dictionaries: Vec<Dictionary>,
}

/// The values of one dictionary.
#[derive(Debug)]
pub(crate) struct Dictionary {
    pub(super) id: i64,
    /// A shape with exactly one root.
    pub(crate) values: Shape,
}

/// Types in node order.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) steps: Vec<Step>,
    /// How many steps need a variadic buffer count.
    pub(super) variadics: usize,
}

impl Shape {
    /// How many children step `at` has.
    #[inline]
    pub(crate) fn children(&self, at: usize) -> usize {
        let (mut children, mut child) = (0, at + 1);
        while child < self.steps[at].end {
            children += 1;
            child = self.steps[child].end;
        }
        children
    }
}

/// One node's type.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) data_type: DataType,
    pub(crate) kind: Kind,
    /// The index just behind this step's last descendant.
    pub(crate) end: usize,
}

/// What buffers a node has, and how its children hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    /// Validity, bits.
    Bits,
    /// Validity, values of `width` bytes.
    Fixed {
        width: usize,
        align: usize,
    },
    /// Validity, offsets of `width` bytes, data.
    Bytes {
        width: usize,
    },
    /// Validity, views, any number of data buffers.
    Views,
    /// Validity, offsets of `width` bytes; one child.
    List {
        width: usize,
    },
    /// Validity, offsets and sizes of `width` bytes; one child.
    ListView {
        width: usize,
    },
    /// Validity; one child of `size` values a row.
    FixedSizeList {
        size: usize,
    },
    /// Validity; children as long as the parent.
    Struct,
    /// Type ids; children as long as the parent.
    SparseUnion,
    /// Type ids, offsets; children of any length.
    DenseUnion,
    /// Validity, keys of `width` bytes; the values are `Plan::dictionaries[values]`.
    Dictionary {
        width: usize,
        values: usize,
    },
    /// No buffers; run ends and values.
    Runs,
}

impl Kind {
    /// Whether the first buffer is a validity bitmap.
    pub(crate) fn has_validity(self) -> bool {
        !matches!(self, Kind::Null | Kind::SparseUnion | Kind::DenseUnion | Kind::Runs)
    }

    /// Number of buffers, without the data buffers of views.
    pub(crate) fn least_buffers(self) -> usize {
        match self {
            Kind::Null | Kind::Runs => 0,
            Kind::Struct | Kind::FixedSizeList { .. } | Kind::SparseUnion => 1,
            Kind::Bits | Kind::Fixed { .. } | Kind::Dictionary { .. } => 2,
            Kind::Views | Kind::List { .. } | Kind::DenseUnion => 2,
            Kind::Bytes { .. } | Kind::ListView { .. } => 3,
        }
    }
}

impl Plan {
    /// Plans `schema`. `ids` are the dictionary ids in the order in which fields end (a dictionary behind
    /// those of its values); without them dictionaries are numbered 0, 1, 2, … in that order, which is how
    /// our schema messages number them.
    pub(super) fn of(schema: &Schema, ids: Option<&[i64]>) -> Result<Self, FrameError> {
        let mut planner = Planner { ids, seen: 0, dictionaries: Vec::new() };
        let mut columns = Shape::default();
        for field in schema.fields() {
            planner.add(&mut columns, field, 0)?;
        }
        Ok(Self { columns, dictionaries: planner.dictionaries })
    }
}

struct Planner<'a> {
    ids: Option<&'a [i64]>,
    seen: usize,
    dictionaries: Vec<Dictionary>,
}

impl Planner<'_> {
    fn add(&mut self, shape: &mut Shape, field: &Field, depth: usize) -> Result<(), FrameError> {
        self.add_type(shape, field.data_type(), depth).map_err(|error| match error {
            FrameError::Unsupported(what) if !what.starts_with("field") => {
                FrameError::Unsupported(format!("field '{}': {what}", field.name()))
            }
            other => other,
        })
    }

    fn add_type(&mut self, shape: &mut Shape, data_type: &DataType, depth: usize) -> Result<(), FrameError> {
        if depth > MAX_DEPTH {
            return Err(unsupported(format!("types nested deeper than {MAX_DEPTH}")));
        }
        let at = shape.steps.len();
        shape.steps.push(Step { data_type: data_type.clone(), kind: Kind::Null, end: 0 });
        let kind = self.kind(shape, data_type, depth + 1)?;
        if kind == Kind::Views {
            shape.variadics += 1;
        }
        shape.steps[at].kind = kind;
        shape.steps[at].end = shape.steps.len();
        Ok(())
    }

    /// Adds the children of `data_type` to `shape` and says what its node is.
    fn kind(&mut self, shape: &mut Shape, data_type: &DataType, depth: usize) -> Result<Kind, FrameError> {
        if let Some((width, align)) = fixed_width(data_type)? {
            return Ok(Kind::Fixed { width, align });
        }
        Ok(match data_type {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Bits,
            DataType::Utf8 | DataType::Binary => Kind::Bytes { width: 4 },
            DataType::LargeUtf8 | DataType::LargeBinary => Kind::Bytes { width: 8 },
            DataType::Utf8View | DataType::BinaryView => Kind::Views,
            DataType::List(item) => self.parent(shape, &[item], depth, Kind::List { width: 4 })?,
            DataType::LargeList(item) => self.parent(shape, &[item], depth, Kind::List { width: 8 })?,
            DataType::ListView(item) => self.parent(shape, &[item], depth, Kind::ListView { width: 4 })?,
            DataType::LargeListView(item) => {
                self.parent(shape, &[item], depth, Kind::ListView { width: 8 })?
            }
            DataType::FixedSizeList(item, size) => {
                let size = usize::try_from(*size)
                    .map_err(|_| unsupported(format!("fixed-size list of negative size {size}")))?;
                self.parent(shape, &[item], depth, Kind::FixedSizeList { size })?
            }
            DataType::Struct(fields) => {
                for field in fields {
                    self.add(shape, field, depth)?;
                }
                Kind::Struct
            }
            DataType::Map(entries, _) => {
                let pair = matches!(entries.data_type(), DataType::Struct(fields) if fields.len() == 2);
                if !pair {
                    return Err(unsupported("map whose entries are not a struct of key and value"));
                }
                self.parent(shape, &[entries], depth, Kind::List { width: 4 })?
            }
            DataType::Union(fields, mode) => {
                let mut seen = 0u128;
                for (id, field) in fields.iter() {
                    let bit = u32::try_from(id).ok().and_then(|id| 1u128.checked_shl(id)).unwrap_or(0);
                    if bit == 0 || seen & bit != 0 {
                        return Err(unsupported(format!("union type id {id} out of range or repeated")));
                    }
                    seen |= bit;
                    self.add(shape, field, depth)?;
                }
                match mode {
                    UnionMode::Sparse => Kind::SparseUnion,
                    UnionMode::Dense => Kind::DenseUnion,
                }
            }
            DataType::RunEndEncoded(ends, values) => {
                if !matches!(ends.data_type(), DataType::Int16 | DataType::Int32 | DataType::Int64) {
                    return Err(unsupported(format!("run ends of type {}", ends.data_type())));
                }
                self.parent(shape, &[ends, values], depth, Kind::Runs)?
            }
            DataType::Dictionary(keys, values) => {
                let width = match keys.as_ref() {
                    DataType::Int8 | DataType::UInt8 => 1,
                    DataType::Int16 | DataType::UInt16 => 2,
                    DataType::Int32 | DataType::UInt32 => 4,
                    DataType::Int64 | DataType::UInt64 => 8,
                    other => return Err(unsupported(format!("dictionary keys of type {other}"))),
                };
                Kind::Dictionary { width, values: self.dictionary(values, depth)? }
            }
            other => return Err(unsupported(format!("type {other} has no place in a frame"))),
        })
    }

    fn parent(
        &mut self,
        shape: &mut Shape,
        children: &[&Field],
        depth: usize,
        kind: Kind,
    ) -> Result<Kind, FrameError> {
        for child in children {
            self.add(shape, child, depth)?;
        }
        Ok(kind)
    }

    /// Plans the values of a dictionary and says where they are; two fields may share one dictionary.
    fn dictionary(&mut self, values: &DataType, depth: usize) -> Result<usize, FrameError> {
        if matches!(values, DataType::Dictionary(..)) {
            return Err(unsupported(
                "a dictionary whose values are themselves a dictionary: Arrow IPC has no words for it",
            ));
        }
        let mut shape = Shape::default();
        self.add_type(&mut shape, values, depth)?;
        let id = match self.ids {
            None => self.seen as i64,
            Some(ids) => {
                *ids.get(self.seen).ok_or_else(|| FrameError::corrupt("dictionary without an id"))?
            }
        };
        self.seen += 1;
        if let Some(at) = self.dictionaries.iter().position(|known| known.id == id) {
            if self.dictionaries[at].values.steps.first().map(|step| &step.data_type) != Some(values) {
                return Err(FrameError::corrupt(format!("dictionary {id} has two types")));
            }
            return Ok(at);
        }
        self.dictionaries.push(Dictionary { id, values: shape });
        Ok(self.dictionaries.len() - 1)
    }
}

/// Width and alignment in bytes of a type whose values lie side by side.
pub(super) fn fixed_width(data_type: &DataType) -> Result<Option<(usize, usize)>, FrameError> {
    use arrow_buffer::{IntervalDayTime, IntervalMonthDayNano, i256};
    fn of<T>() -> (usize, usize) {
        (size_of::<T>(), align_of::<T>())
    }
    Ok(Some(match data_type {
        DataType::Int8 | DataType::UInt8 => of::<u8>(),
        DataType::Int16 | DataType::UInt16 | DataType::Float16 => of::<u16>(),
        DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date32 => of::<u32>(),
        DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::Date64 => of::<u64>(),
        DataType::Time32(TimeUnit::Second | TimeUnit::Millisecond) => of::<i32>(),
        DataType::Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond) => of::<i64>(),
        DataType::Time32(unit) | DataType::Time64(unit) => {
            return Err(unsupported(format!("{data_type} cannot count in {unit:?}s")));
        }
        DataType::Timestamp(..) | DataType::Duration(_) => of::<i64>(),
        DataType::Interval(IntervalUnit::YearMonth) => of::<i32>(),
        DataType::Interval(IntervalUnit::DayTime) => of::<IntervalDayTime>(),
        DataType::Interval(IntervalUnit::MonthDayNano) => of::<IntervalMonthDayNano>(),
        DataType::Decimal32(precision, scale) => decimal(*precision, *scale, 9, of::<i32>())?,
        DataType::Decimal64(precision, scale) => decimal(*precision, *scale, 18, of::<i64>())?,
        DataType::Decimal128(precision, scale) => decimal(*precision, *scale, 38, of::<i128>())?,
        DataType::Decimal256(precision, scale) => decimal(*precision, *scale, 76, of::<i256>())?,
        DataType::FixedSizeBinary(width) => {
            let width = usize::try_from(*width)
                .map_err(|_| unsupported(format!("fixed-size binary of negative width {width}")))?;
            (width, 1)
        }
        _ => return Ok(None),
    }))
}

fn decimal(precision: u8, scale: i8, most: u8, form: (usize, usize)) -> Result<(usize, usize), FrameError> {
    if precision == 0 || precision > most || i16::from(scale) > i16::from(precision) {
        return Err(unsupported(format!(
            "decimal of precision {precision} and scale {scale}: precision is 1 to {most}, scale at most that"
        )));
    }
    Ok(form)
}

fn unsupported(what: impl Into<String>) -> FrameError {
    FrameError::Unsupported(what.into())
}
