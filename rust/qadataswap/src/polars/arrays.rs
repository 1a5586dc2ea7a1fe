//! A frame as Polars' arrays, laid over its buffers.
//!
//! One owner keeps the frame for all of its columns. The law is that of the frame's other products: nothing here
//! looks at data, and no number can lead outside, because the view has checked them; what must be made anew is made
//! in [`made`] and [`categories`](super::categories), which do look, and check what they look at.

use super::plan::{How, Native, Plan, Target};
use super::{categories, made};
use crate::frame::{Batch, FrameError, Node, Parsed, Shape, Span, Step};
use arrow_buffer::Buffer as Bytes;
use polars_arrow::array::{
    ArrayRef, BinaryViewArrayGeneric, BooleanArray, FixedSizeListArray, ListArray, NullArray, PrimitiveArray,
    StructArray, View, ViewType,
};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::ArrowDataType;
use polars_arrow::offset::OffsetsBuffer;
use polars_arrow::types::NativeType;
use polars_buffer::{Buffer, SharedStorage};
use polars_core::prelude::{
    Column, DataFrame, DataType as PlType, Float16Type, PolarsError, PolarsNumericType, Series,
};
use std::cell::Cell;
use std::sync::Arc;

/// A half-precision number as Polars has it.
pub(super) type F16 = <Float16Type as PolarsNumericType>::Native;

/// Polars reinterprets a storage only as numbers of which it holds whole ones: so many bytes is the widest.
const WIDEST: usize = size_of::<u128>();

/// The frame, and how many bytes had to be copied or made.
pub(super) fn data_frame(parsed: &Parsed) -> Result<(DataFrame, u64), FrameError> {
    let plan = match parsed.described.polars.get() {
        Some(plan) => Arc::clone(plan),
        None => {
            let plan = Arc::new(Plan::of(parsed.schema())?);
            if !plan.grows {
                // Another thread's is the same.
                drop(parsed.described.polars.set(Arc::clone(&plan)));
            }
            plan
        }
    };
    let frame = Owner::storage(parsed.frame.slice_with_length(0, parsed.frame.len() / WIDEST * WIDEST));
    let copied = Cell::new(0);
    let shape = &parsed.described.plan.columns;
    let mut columns = Vec::with_capacity(plan.columns.len());
    let mut at = 0;
    for column in &plan.columns {
        let target = &column.target;
        let mut chunks = Vec::with_capacity(parsed.batches.len().max(1));
        for batch in &parsed.batches {
            let source = Source { parsed, frame: &frame, copied: &copied, batch, shape, checks: false };
            chunks.push(source.array(target, at)?);
        }
        if chunks.is_empty() {
            chunks.push(polars_arrow::array::new_empty_array(target.physical.clone()));
        }
        columns.push(Column::from(series(column.name.clone(), chunks, &target.dtype)));
        at = shape.steps[at].end;
    }
    let frame = DataFrame::new(parsed.rows(), columns).map_err(refused)?;
    Ok((frame, copied.get()))
}

/// A series of arrays that [`Source::array`] has made.
pub(super) fn series(
    name: polars_core::prelude::PlSmallStr,
    chunks: Vec<ArrayRef>,
    dtype: &PlType,
) -> Series {
    debug_assert!(chunks.iter().all(|chunk| {
        *chunk.dtype() == dtype.to_physical().to_arrow(polars_core::prelude::CompatLevel::newest())
    }));
    // SAFETY: every chunk is of the type's physical type: `Source::array` makes them of `Target::physical`, which is
    // that, by constructors that compare the two.
    unsafe { Series::from_chunks_and_dtype_unchecked(name, chunks, dtype) }
}

/// Memory of the frame, or a private copy of some; keeps the slot.
struct Owner(Bytes);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Owner {
    fn storage(bytes: Bytes) -> SharedStorage<u8> {
        SharedStorage::from_owner(Owner(bytes))
    }
}

/// What the arrays of a batch, or of a dictionary's values, are made of.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    parsed: &'a Parsed,
    /// All of the frame but a few bytes at its end.
    frame: &'a SharedStorage<u8>,
    /// Bytes copied or made.
    copied: &'a Cell<u64>,
    batch: &'a Batch,
    shape: &'a Shape,
    /// Whether what the buffers say is checked, because it is about to be followed.
    checks: bool,
}

impl<'a> Source<'a> {
    /// The array of step `at`.
    pub(super) fn array(&self, target: &Target, at: usize) -> Result<ArrayRef, FrameError> {
        let node = self.node(at);
        let dtype = || target.physical.clone();
        Ok(match &target.how {
            How::Null => NullArray::new(dtype(), node.rows).boxed(),
            How::Values(native) => self.values(*native, target, node)?,
            How::Bits => {
                let bits = self.bits(node, 1);
                BooleanArray::try_new(dtype(), bits, self.validity(node)).map_err(refused)?.boxed()
            }
            How::Views { text: true } => self.views::<str>(dtype(), node)?.boxed(),
            How::Views { text: false } => self.views::<[u8]>(dtype(), node)?.boxed(),
            How::Scaled { wide, by } => made::scaled(self, target, node, *wide, *by)?,
            How::Widened { wide } => made::widened(self, target, node, *wide)?,
            How::Bytes { wide, text: true } => made::views::<str>(self, dtype(), node, *wide)?.boxed(),
            How::Bytes { wide, text: false } => made::views::<[u8]>(self, dtype(), node, *wide)?.boxed(),
            How::Fixed { width } => made::fixed(self, dtype(), node, *width)?,
            How::List { wide, item } => {
                let values = self.array(item, at + 1)?;
                let offsets = match wide {
                    true => self.offsets(node, values.len())?,
                    false => made::offsets(self, node, values.len())?,
                };
                ListArray::try_new(dtype(), offsets, values, self.validity(node)).map_err(refused)?.boxed()
            }
            How::FixedList { size, item } => {
                let values = self.first(self.array(item, at + 1)?, node.rows * size);
                let array = FixedSizeListArray::try_new(dtype(), node.rows, values, self.validity(node));
                array.map_err(refused)?.boxed()
            }
            How::Struct(targets) => {
                let mut child = at + 1;
                let values = targets.iter().map(|target| {
                    let values = self.first(self.array(target, child)?, node.rows);
                    child = self.shape.steps[child].end;
                    Ok(values)
                });
                let values = values.collect::<Result<_, FrameError>>()?;
                let array = StructArray::try_new(dtype(), node.rows, values, self.validity(node));
                array.map_err(refused)?.boxed()
            }
            How::Categories { keys, values } => categories::keys(self, target, at, *keys, values)?,
            How::Gather { keys, values } => categories::gather(self, at, *keys, values)?,
        })
    }

    /// The same, with all that its buffers say checked: what is made anew follows it.
    pub(super) fn checked(self) -> Source<'a> {
        Source { checks: true, ..self }
    }

    pub(super) fn node(&self, at: usize) -> Node {
        self.batch.view.nodes[at]
    }

    pub(super) fn step(&self, at: usize) -> &'a Step {
        &self.shape.steps[at]
    }

    /// The values of dictionary `number` as they stood when the batch came; none if nothing refers to them.
    pub(super) fn dictionary(&self, number: usize) -> Option<Source<'a>> {
        let batch = self.batch.values(number)?;
        Some(Source { batch, shape: &self.parsed.described.plan.dictionaries[number].values, ..*self })
    }

    /// Accounts for bytes that were copied or made.
    pub(super) fn copied(&self, bytes: usize) {
        self.copied.set(self.copied.get() + bytes as u64);
    }

    /// The storage in which buffer `which` lies, and where.
    fn place(&self, node: Node, which: usize) -> (SharedStorage<u8>, Span) {
        let span = self.batch.view.spans[node.first + which];
        match span.copy {
            None if span.at + span.len <= self.frame.len() => (self.frame.clone(), span),
            _ => {
                let bytes = self.batch.view.buffer(&self.parsed.frame, node, which);
                (Owner::storage(bytes), Span { at: 0, ..span })
            }
        }
    }

    /// Buffer `which` as it lies.
    pub(super) fn raw(&self, node: Node, which: usize) -> Buffer<u8> {
        let (storage, Span { at, len, .. }) = self.place(node, which);
        Buffer::from_storage(storage).sliced(at..at + len)
    }

    /// Buffer `which` as numbers; the view has seen to it that it is aligned for its type.
    pub(super) fn numbers<T: bytemuck::Pod>(
        &self,
        node: Node,
        which: usize,
    ) -> Result<Buffer<T>, FrameError> {
        let bytes = self.raw(node, which);
        if bytes.is_empty() {
            return Ok(Buffer::new());
        }
        // Polars asks only the storage, not the place in it.
        if !bytes.as_ptr().cast::<T>().is_aligned() {
            return Err(FrameError::Corrupt("a buffer that is not aligned for its type".into()));
        }
        bytes.try_transmute().map_err(|_| FrameError::Corrupt("a buffer of broken numbers".into()))
    }

    pub(super) fn validity(&self, node: Node) -> Option<Bitmap> {
        (node.nulls > 0).then(|| self.bitmap(node, 0, Some(node.nulls).filter(|_| !self.checks)))
    }

    fn bits(&self, node: Node, which: usize) -> Bitmap {
        self.bitmap(node, which, None)
    }

    fn bitmap(&self, node: Node, which: usize, zeros: Option<usize>) -> Bitmap {
        let (storage, span) = self.place(node, which);
        // SAFETY: the view has seen to it that the buffer has a bit for each row. That `zeros` of them are zero is the
        // writer's word, as contents are.
        unsafe { Bitmap::from_inner_unchecked(storage, span.at * 8, node.rows, zeros) }
    }

    fn values(&self, native: Native, target: &Target, node: Node) -> Result<ArrayRef, FrameError> {
        let dtype = target.physical.clone();
        Ok(match native {
            Native::I8 => self.primitive::<i8>(dtype, node)?.boxed(),
            Native::I16 => self.primitive::<i16>(dtype, node)?.boxed(),
            Native::I32 => self.primitive::<i32>(dtype, node)?.boxed(),
            Native::I64 => self.primitive::<i64>(dtype, node)?.boxed(),
            Native::I128 => self.primitive::<i128>(dtype, node)?.boxed(),
            Native::U8 => self.primitive::<u8>(dtype, node)?.boxed(),
            Native::U16 => self.primitive::<u16>(dtype, node)?.boxed(),
            Native::U32 => self.primitive::<u32>(dtype, node)?.boxed(),
            Native::U64 => self.primitive::<u64>(dtype, node)?.boxed(),
            Native::F16 => self.primitive::<F16>(dtype, node)?.boxed(),
            Native::F32 => self.primitive::<f32>(dtype, node)?.boxed(),
            Native::F64 => self.primitive::<f64>(dtype, node)?.boxed(),
        })
    }

    pub(super) fn primitive<T: NativeType>(
        &self,
        dtype: ArrowDataType,
        node: Node,
    ) -> Result<PrimitiveArray<T>, FrameError> {
        PrimitiveArray::try_new(dtype, self.numbers(node, 1)?, self.validity(node)).map_err(refused)
    }

    /// Views over their data as they lie.
    fn views<T: ViewType + ?Sized>(
        &self,
        dtype: ArrowDataType,
        node: Node,
    ) -> Result<BinaryViewArrayGeneric<T>, FrameError> {
        let views = self.numbers::<View>(node, 1)?;
        let data: Buffer<Buffer<u8>> = (2..node.count).map(|which| self.raw(node, which)).collect();
        if self.checks {
            return BinaryViewArrayGeneric::try_new(dtype, views, data, self.validity(node)).map_err(refused);
        }
        let total = data.iter().map(Buffer::len).sum();
        // SAFETY: the view has seen to it that there are as many views and bits as rows. That views lie inside their
        // data, and that they are UTF-8, is the writer's word, as contents are.
        Ok(unsafe {
            BinaryViewArrayGeneric::new_unchecked(dtype, views, data, self.validity(node), None, total)
        })
    }

    /// The views and the data of a column of strings or binaries as they lie, with the validity.
    pub(super) fn view_parts(&self, node: Node) -> Result<(Buffer<View>, Buffer<Buffer<u8>>), FrameError> {
        let data = (2..node.count).map(|which| self.raw(node, which)).collect();
        Ok((self.numbers::<View>(node, 1)?, data))
    }

    /// 64-bit offsets as they lie, the last of which leads to one of `values`.
    fn offsets(&self, node: Node, values: usize) -> Result<OffsetsBuffer<i64>, FrameError> {
        let offsets = self.numbers::<i64>(node, 1)?;
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
            return Ok(OffsetsBuffer::new());
        };
        if *first < 0 || first > last || usize::try_from(*last).is_ok_and(|last| last > values) {
            return Err(made::outside("list"));
        }
        if self.checks {
            return OffsetsBuffer::try_from(offsets).map_err(refused);
        }
        // SAFETY: there is one at least. That they ascend is the writer's word, as contents are.
        Ok(unsafe { OffsetsBuffer::new_unchecked(offsets) })
    }

    /// The first `rows` of `array`, which has as many at least.
    fn first(&self, mut array: ArrayRef, rows: usize) -> ArrayRef {
        if array.len() > rows {
            array.slice(0, rows);
        }
        array
    }
}

/// What Polars found fault with.
#[expect(clippy::needless_pass_by_value, reason = "it maps errors, which come by value")]
pub(super) fn refused(error: PolarsError) -> FrameError {
    FrameError::Corrupt(format!("Polars refuses it: {error}"))
}
