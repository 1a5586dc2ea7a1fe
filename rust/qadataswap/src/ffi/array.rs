//! Arrays that come as C structs: their buffers as slices of what their type says.
//!
//! The law: the one promise that a foreign pointer needs, that an array is of its type, is asked for once, of
//! whoever makes a [`Table`]; from there on an [`Array`] carries its type with it, and hands out no byte that an
//! array of that type does not have.

use super::ArrowArray;
use crate::frame::{FrameError, Kind, Nulls, Position, Shape, VIEW, bytes_of_bits};
use arrow_buffer::bit_chunk_iterator::UnalignedBitChunk;
use arrow_schema::SchemaRef;

/// A table that comes as C structs: batches of one schema, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    schema: &'a SchemaRef,
    batches: &'a [Batch<'a>],
}

/// A batch that comes as a C struct, borrowed.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Batch<'a>(&'a ArrowArray);

impl<'a> Batch<'a> {
    /// Borrows a struct array.
    #[must_use]
    pub fn new(array: &'a ArrowArray) -> Batch<'a> {
        Batch(array)
    }
}

impl<'a> Table<'a> {
    /// A table of `batches`, each a struct array of `schema`.
    ///
    /// # Safety
    /// Every batch is a valid array of `schema` by the format's rules, not released, and nobody writes to its
    /// buffers for `'a`. That its contents (offsets, type ids, run ends) ascend and end where they should is part of
    /// that only as far as they say how long a buffer is.
    #[must_use]
    pub unsafe fn new(schema: &'a SchemaRef, batches: &'a [Batch<'a>]) -> Table<'a> {
        Table { schema, batches }
    }

    pub(crate) fn schema(&self) -> &'a SchemaRef {
        self.schema
    }

    pub(crate) fn batches(&self) -> &'a [Batch<'a>] {
        self.batches
    }
}

impl<'a> Batch<'a> {
    /// Number of rows.
    pub(crate) fn rows(self) -> Result<usize, FrameError> {
        length(self.0.length, "rows")
    }

    /// The columns, of which `shape` is the plan; only for a batch of a [`Table`].
    ///
    /// # Errors
    /// If it is no struct of as many columns as `fields`.
    pub(crate) fn columns(self, shape: &'a Shape, fields: usize) -> Result<Children<'a>, FrameError> {
        if self.0.release.is_none() {
            return Err(FrameError::Invalid("a batch that has been released".into()));
        }
        if length(self.0.n_children, "columns")? != fields {
            return Err(FrameError::Invalid(format!(
                "a batch of {} columns for a schema of {fields}",
                self.0.n_children
            )));
        }
        let rows = self.rows()?;
        let from = length(self.0.offset, "offset")?;
        // SAFETY: a struct array has one buffer at least, its bitmap, unless `n_buffers` says that it has none.
        let bitmap = self.0.n_buffers > 0 && unsafe { !(*self.0.buffers).is_null() };
        if bitmap && self.0.null_count != 0 {
            // SAFETY: the bitmap of a struct array covers its rows.
            let bits = unsafe { bytes((*self.0.buffers).cast(), 0, bytes_of_bits(from + rows)) };
            if zeros(bits, from, rows) > 0 {
                return Err(FrameError::Invalid("a batch some of whose rows are null as a whole".into()));
            }
        }
        Ok(Children { array: self.0, shape, at: 0, end: shape.steps.len(), position: 0, from, rows })
    }
}

/// An array of a known type, and a window of its rows.
#[derive(Clone, Copy)]
pub(crate) struct Array<'a> {
    array: &'a ArrowArray,
    shape: &'a Shape,
    /// Its step.
    at: usize,
    /// The first row of the window, counted from the start of the buffers.
    from: usize,
    rows: usize,
}

impl<'a> Array<'a> {
    /// Rows `from..from + rows` of an array of step `at` of `shape`; it must be one by the promise that made a
    /// [`Table`]. If it has not the parts of one, that is found here, before any buffer of it is looked at.
    #[inline]
    fn of(
        array: *const ArrowArray,
        shape: &'a Shape,
        at: usize,
        (from, rows): (usize, usize),
    ) -> Result<Array<'a>, FrameError> {
        // SAFETY: a child or a dictionary of a valid array is one itself, and lives as long.
        let Some(array) = (unsafe { array.as_ref() }) else {
            return Err(FrameError::Invalid("an array without one of its children".into()));
        };
        if array.release.is_none() {
            return Err(FrameError::Invalid(
                "an array one of whose children has been moved away or released".into(),
            ));
        }
        let whole = length(array.length, "rows")?;
        if from.checked_add(rows).is_none_or(|end| end > whole) {
            return Err(too_short(shape, at, whole, from, rows));
        }
        let kind = shape.steps[at].kind;
        let needed = kind.least_buffers() + usize::from(kind == Kind::Views);
        let there = length(array.n_buffers, "buffers")?;
        // Some say that an array of nulls has a bitmap, and give none.
        if there < needed || (there > needed && !matches!(kind, Kind::Views | Kind::Null)) {
            return Err(other_parts(shape, at, "buffers", there, needed));
        }
        let (there, needed) = (length(array.n_children, "children")?, shape.children(at));
        if there != needed {
            return Err(other_parts(shape, at, "children", there, needed));
        }
        let (there, needed) = (!array.dictionary.is_null(), matches!(kind, Kind::Dictionary { .. }));
        if there != needed {
            return Err(other_parts(shape, at, "dictionaries", there.into(), needed.into()));
        }
        let from = length(array.offset, "offset")?
            .checked_add(from)
            .filter(|from| from.checked_add(rows).is_some_and(|end| i64::try_from(end).is_ok()))
            .ok_or_else(|| FrameError::Invalid("an array longer than memory has addresses".into()))?;
        Ok(Array { array, shape, at, from, rows })
    }

    /// All rows of a dictionary's values.
    fn whole(array: *const ArrowArray, shape: &'a Shape) -> Result<Array<'a>, FrameError> {
        // SAFETY: as in `of`, which sees to null.
        let rows = unsafe { array.as_ref() }.map_or(Ok(0), |array| length(array.length, "rows"))?;
        Array::of(array, shape, 0, (0, rows))
    }

    #[inline]
    pub(crate) fn kind(self) -> Kind {
        self.shape.steps[self.at].kind
    }

    #[inline]
    pub(crate) fn data_type(self) -> &'a arrow_schema::DataType {
        &self.shape.steps[self.at].data_type
    }

    /// Rows of the window.
    #[inline]
    pub(crate) fn rows(self) -> usize {
        self.rows
    }

    /// Where the window begins, counted from the start of the buffers.
    #[inline]
    pub(crate) fn offset(self) -> usize {
        self.from
    }

    /// The nulls in the window, if there are any.
    #[inline]
    pub(crate) fn nulls(self) -> Result<Option<Nulls<'a>>, FrameError> {
        if self.array.null_count == 0 || self.rows == 0 || !self.kind().has_validity() {
            return Ok(None);
        }
        self.nulls_by_bitmap()
    }

    fn nulls_by_bitmap(self) -> Result<Option<Nulls<'a>>, FrameError> {
        let address = self.address(0);
        if address.is_null() {
            return Ok(None);
        }
        // SAFETY: the bitmap of a valid array covers its rows, and it is there.
        let bits = unsafe { bytes(address, self.from / 8, bytes_of_bits(self.from % 8 + self.rows)) };
        let offset = self.from % 8;
        let whole = i64::try_from(self.rows) == Ok(self.array.length);
        let count = match usize::try_from(self.array.null_count) {
            Ok(count) if whole && count <= self.rows => count,
            // Not told, or told of more rows than these.
            _ => zeros(bits, offset, self.rows),
        };
        Ok((count > 0).then_some(Nulls { bits, offset, count }))
    }

    /// The bits of an array of booleans, and where the window begins in them.
    #[inline]
    pub(crate) fn bits(self) -> Result<(&'a [u8], usize), FrameError> {
        debug_assert!(self.kind() == Kind::Bits);
        let bits = self.bytes_of(1, self.from / 8, bytes_of_bits(self.from % 8 + self.rows))?;
        Ok((bits, self.from % 8))
    }

    /// The values (numbers, keys, ids) of an array whose buffer `which` holds `width` bytes a row.
    #[inline]
    pub(crate) fn values(self, which: usize, width: usize) -> Result<&'a [u8], FrameError> {
        let (from, length) = (self.from.checked_mul(width), self.rows.checked_mul(width));
        match (from, length) {
            (Some(from), Some(length)) => self.bytes_of(which, from, length),
            _ => Err(FrameError::Invalid("an array longer than memory has addresses".into())),
        }
    }

    /// As [`values`](Array::values), as numbers.
    pub(crate) fn numbers<T: Position>(self, which: usize) -> Result<&'a [T], FrameError> {
        self.aligned(self.values(which, size_of::<T>())?)
    }

    /// The offsets of the window, one more than its rows; none at all if it has no rows.
    pub(crate) fn offsets<T: Position>(self) -> Result<&'a [T], FrameError> {
        debug_assert!(matches!(self.kind(), Kind::Bytes { .. } | Kind::List { .. }));
        if self.rows == 0 {
            return Ok(&[]);
        }
        self.aligned(Array { rows: self.rows + 1, ..self }.values(1, size_of::<T>())?)
    }

    /// Bytes `from..to` of the data of an array of strings or binaries, as two of its offsets say.
    pub(crate) fn data(self, from: usize, to: usize) -> Result<&'a [u8], FrameError> {
        debug_assert!(matches!(self.kind(), Kind::Bytes { .. }) && from <= to);
        self.bytes_of(2, from, to - from)
    }

    /// The views of the window.
    #[inline]
    pub(crate) fn views(self) -> Result<&'a [[u8; VIEW]], FrameError> {
        Ok(self.values(1, VIEW)?.as_chunks().0)
    }

    /// Number of data buffers of an array of views.
    #[inline]
    pub(crate) fn data_buffers(self) -> usize {
        debug_assert!(self.kind() == Kind::Views);
        self.array.n_buffers as usize - 3
    }

    /// A data buffer of an array of views, of which it has more than `which`.
    pub(crate) fn data_buffer(self, which: usize) -> Result<&'a [u8], FrameError> {
        let count = self.data_buffers();
        assert!(which < count);
        // The last buffer tells how long they are.
        let lengths = self.bytes_of(count + 2, which * size_of::<i64>(), size_of::<i64>())?;
        let told = bytemuck::pod_read_unaligned::<i64>(lengths);
        self.bytes_of(which + 2, 0, length(told, "length of a data buffer")?)
    }

    /// The children, of which rows `from..from + rows` are referred to.
    pub(crate) fn children(self, from: usize, rows: usize) -> Children<'a> {
        let end = self.shape.steps[self.at].end;
        Children { array: self.array, shape: self.shape, at: self.at + 1, end, position: 0, from, rows }
    }

    /// The first child, whole.
    pub(crate) fn whole_first_child(self) -> Result<Array<'a>, FrameError> {
        let mut children = self.children(0, 0);
        children.next_window(0, children.length()?)
    }

    /// The values of a dictionary, of which `shape` is the plan.
    pub(crate) fn dictionary(self, shape: &'a Shape) -> Result<Array<'a>, FrameError> {
        debug_assert!(matches!(self.kind(), Kind::Dictionary { .. }));
        Array::whole(self.array.dictionary, shape)
    }

    /// Whether both are the same rows of the same memory.
    pub(crate) fn is(self, other: Array<'_>) -> bool {
        std::ptr::eq(self.array, other.array)
            || ((self.at, self.from, self.rows) == (other.at, other.from, other.rows)
                && std::ptr::eq(self.shape, other.shape)
                && same_memory(self.array, other.array))
    }

    /// Address of a buffer; null if there is none.
    #[inline]
    fn address(self, which: usize) -> *const u8 {
        if which as i64 >= self.array.n_buffers {
            return std::ptr::null();
        }
        // SAFETY: a valid array has as many addresses of buffers as it says.
        unsafe { (*self.array.buffers.add(which)).cast() }
    }

    /// Bytes of a buffer; only asked for those that an array of this kind has.
    #[inline]
    fn bytes_of(self, which: usize, from: usize, length: usize) -> Result<&'a [u8], FrameError> {
        if length == 0 {
            return Ok(&[]);
        }
        let address = self.address(which);
        if address.is_null() {
            return Err(self.bufferless(which));
        }
        // SAFETY: a valid array's buffers are as long as its type, offset and length say, which is what the callers
        // ask for; the memory lives and rests for `'a`.
        Ok(unsafe { bytes(address, from, length) })
    }

    #[cold]
    fn bufferless(self, which: usize) -> FrameError {
        let (data_type, rows) = (self.data_type(), self.rows);
        FrameError::Invalid(format!("{data_type} array of {rows} rows without its buffer {which}"))
    }

    fn aligned<T: Position>(self, bytes: &'a [u8]) -> Result<&'a [T], FrameError> {
        if bytes.is_empty() {
            return Ok(&[]);
        }
        bytemuck::try_cast_slice(bytes).map_err(|error| {
            FrameError::Invalid(format!("{} array whose offsets are not aligned: {error}", self.data_type()))
        })
    }
}

/// The children of an array, each with the window of rows that is referred to.
#[derive(Clone, Copy)]
pub(crate) struct Children<'a> {
    array: &'a ArrowArray,
    shape: &'a Shape,
    at: usize,
    end: usize,
    position: usize,
    from: usize,
    rows: usize,
}

impl<'a> Children<'a> {
    #[inline]
    fn pass_over(&mut self) {
        self.at = self.shape.steps[self.at].end;
        self.position += 1;
    }

    #[inline]
    fn address(&self) -> *const ArrowArray {
        if self.position as i64 >= self.array.n_children {
            return std::ptr::null();
        }
        // SAFETY: a valid array has as many addresses of children as it says.
        unsafe { *self.array.children.add(self.position) }
    }

    /// Rows of the next child.
    pub(crate) fn length(&self) -> Result<usize, FrameError> {
        // SAFETY: a valid array's children are valid.
        let child = unsafe { self.address().as_ref() };
        length(child.ok_or_else(childless)?.length, "rows")
    }

    /// The next child, by another window.
    pub(crate) fn next_window(&mut self, from: usize, rows: usize) -> Result<Array<'a>, FrameError> {
        (self.from, self.rows) = (from, rows);
        self.next().unwrap_or_else(|| Err(childless()))
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Array<'a>, FrameError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let child = Array::of(self.address(), self.shape, self.at, (self.from, self.rows));
        self.pass_over();
        Some(child)
    }
}

#[cold]
fn too_short(shape: &Shape, at: usize, whole: usize, from: usize, rows: usize) -> FrameError {
    FrameError::Invalid(format!(
        "{} array of {whole} rows where rows {from} to {} are referred to",
        shape.steps[at].data_type,
        from.saturating_add(rows)
    ))
}

#[cold]
fn other_parts(shape: &Shape, at: usize, parts: &str, there: usize, needed: usize) -> FrameError {
    let data_type = &shape.steps[at].data_type;
    FrameError::Invalid(format!("{data_type} array of {there} {parts}, which has {needed}"))
}

#[cold]
fn childless() -> FrameError {
    FrameError::Invalid("an array without one of its children".into())
}

#[inline]
fn length(value: i64, what: &str) -> Result<usize, FrameError> {
    usize::try_from(value).map_err(|_| FrameError::Invalid(format!("{what}: {value} is not a length")))
}

/// # Safety
/// `length` bytes from `from` bytes behind `address` can be read, and are not written, for `'a`.
#[inline]
unsafe fn bytes<'a>(address: *const u8, from: usize, length: usize) -> &'a [u8] {
    // SAFETY: the caller's word.
    unsafe { std::slice::from_raw_parts(address.add(from), length) }
}

/// How many of `len` bits from bit `offset` are zero.
fn zeros(bits: &[u8], offset: usize, len: usize) -> usize {
    len - UnalignedBitChunk::new(bits, offset, len).count_ones()
}

/// Whether two arrays show the same rows of the same buffers.
fn same_memory(one: &ArrowArray, other: &ArrowArray) -> bool {
    let same = |a: i64, b: i64| a == b;
    if !(same(one.length, other.length)
        && same(one.offset, other.offset)
        && same(one.n_buffers, other.n_buffers)
        && same(one.n_children, other.n_children))
    {
        return false;
    }
    let all = |count: i64, equal: &dyn Fn(usize) -> bool| (0..count.max(0) as usize).all(equal);
    // SAFETY: valid arrays have as many buffers and children as they say, and those are valid.
    unsafe {
        all(one.n_buffers, &|at| {
            // The lengths of data buffers may be written down anew for each export.
            *one.buffers.add(at) == *other.buffers.add(at) || (at > 2 && at as i64 + 1 == one.n_buffers)
        }) && all(one.n_children, &|at| {
            let (one, other) = (*one.children.add(at), *other.children.add(at));
            !one.is_null() && !other.is_null() && same_memory(&*one, &*other)
        }) && match (one.dictionary.as_ref(), other.dictionary.as_ref()) {
            (None, None) => true,
            (Some(one), Some(other)) => same_memory(one, other),
            _ => false,
        }
    }
}
