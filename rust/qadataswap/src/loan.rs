//! Loans: a frame that is built where it will be read.
//!
//! Law: what is lent lies in a slot that nobody else can reach until [`Loan::commit`]; a loan that is dropped
//! publishes nothing, though the oldest frame may have gone for it.

use crate::error::{QADataSwapError, Result};
use crate::ffi;
use crate::frame::{BoolColumn, ColumnIndex, Columns, FrameError, LoanPlan, Native, Validity, ViewColumn};
use crate::region::Region;
use crate::writer::{Draft, Writer};
use arrow_schema::SchemaRef;
use std::ops::Deref;
use std::sync::Arc;

/// A frame on loan: its columns lie in the slot, to be filled in place and published without a copy.
///
/// Columns of numbers hold whatever the slot held before until they are filled; bits and views start as false
/// and empty, and no row is null.
///
/// ```
/// use qadataswap::{SharedMemoryConfig, Writer};
/// use arrow_schema::{DataType, Field, Schema};
/// use std::sync::Arc;
///
/// # let name = format!("doc-loan-{}", std::process::id());
/// let writer = Writer::new(SharedMemoryConfig::new(&name).with_size_mb(1))?;
/// let schema = Arc::new(Schema::new(vec![
///     Field::new("symbol", DataType::Utf8View, false),
///     Field::new("price", DataType::Float64, false),
/// ]));
/// let mut loan = writer.loan(&schema, 1000)?;
/// let mut columns = loan.columns()?;
/// let mut symbols = columns.texts("symbol")?;
/// let prices = columns.column::<f64>("price")?;
/// symbols.set(0, "ESZ6")?;
/// prices[0] = 5000.25;
/// loan.commit(1)?;
/// # assert_eq!(qadataswap::Reader::new(name)?.read_arrow(0)?.map(|batch| batch.num_rows()), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// `W` is what leads to the writer: a reference for [`Writer::loan`], an `Rc` for [`Loan::of`].
#[must_use = "a loan that is dropped publishes nothing"]
pub struct Loan<W: Deref<Target = Writer>> {
    writer: W,
    region: Arc<Region>,
    /// Both are always there until the loan ends.
    plan: Option<LoanPlan>,
    draft: Option<Draft>,
}

impl<W: Deref<Target = Writer>> Loan<W> {
    /// A loan that keeps its writer alive, for whoever cannot borrow it; otherwise as [`Writer::loan_with`].
    ///
    /// # Errors
    /// As there.
    pub fn of(writer: W, schema: &SchemaRef, rows: usize, var_bytes: usize) -> Result<Loan<W>> {
        let mut inner = writer.inner();
        let plan = inner
            .encoder
            .plan_loan(schema, rows, var_bytes)
            .map_err(|error| QADataSwapError::frame(inner.ring_name(), error))?;
        let draft = inner.draft(plan.schema_key, plan.total, true, true)?;
        let region = inner.region()?;
        inner.lent += 1;
        drop(inner);
        Ok(Loan { writer, region, plan: Some(plan), draft: Some(draft) })
    }

    fn plan(&self) -> &LoanPlan {
        self.plan.as_ref().expect("there until the loan ends")
    }

    /// The frame's schema.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.plan().schema()
    }

    /// Number of rows there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.plan().rows()
    }

    /// The columns, any number of which can be held at a time; each can be had once.
    ///
    /// # Errors
    /// [`Forked`](QADataSwapError::Forked) in a child of the process that took the loan.
    pub fn columns(&mut self) -> Result<LoanColumns<'_>> {
        let Loan { region, plan, draft, .. } = self;
        let ring = region.name.as_str();
        if !region.is_ours() {
            return Err(QADataSwapError::Forked { ring: ring.to_owned() });
        }
        let (Some(plan), Some(draft)) = (plan, draft) else { unreachable!("there until the loan ends") };
        let bytes = region.segment.slot_mut(&mut draft.slot);
        let columns = plan.columns(bytes).map_err(|error| QADataSwapError::frame(ring, error))?;
        Ok(LoanColumns { columns, ring })
    }

    /// One column by its addresses, for other languages; bits and views are zeroed first. What it points to may be
    /// written until the loan ends, by whoever keeps the law of [`LoanColumn`](ffi::LoanColumn).
    ///
    /// # Errors
    /// As [`columns`](Loan::columns); [`InvalidConfig`](QADataSwapError::InvalidConfig) if there is no such column.
    pub fn raw_column(&mut self, column: usize) -> Result<ffi::LoanColumn> {
        let LoanColumns { columns, ring } = self.columns()?;
        let parts = columns.into_parts(column, true);
        let (parts, rows) = parts.map_err(|error| QADataSwapError::frame(ring, error))?;
        Ok(ffi::LoanColumn::of(parts, rows))
    }

    /// As [`raw_column`](Loan::raw_column), without a bitmap and a data area: for whoever asks for these
    /// ([`raw_validity`](Loan::raw_validity), [`raw_data`](Loan::raw_data)) when a row is null, or a value long. What
    /// nobody asks for has no place in the frame, and costs nothing when that is committed.
    ///
    /// # Errors
    /// As there.
    pub fn raw_values(&mut self, column: usize) -> Result<ffi::LoanColumn> {
        let LoanColumns { columns, ring } = self.columns()?;
        let parts = columns.into_parts(column, false);
        let (parts, rows) = parts.map_err(|error| QADataSwapError::frame(ring, error))?;
        Ok(ffi::LoanColumn::of(parts, rows))
    }

    /// Gives `lent`, got by [`raw_values`](Loan::raw_values) for `column`, its bitmap; none if the column is not nullable.
    ///
    /// # Errors
    /// As [`raw_column`](Loan::raw_column).
    pub fn raw_validity(&mut self, column: usize, lent: &mut ffi::LoanColumn) -> Result<()> {
        let LoanColumns { columns, ring } = self.columns()?;
        let validity = columns.into_validity(column).map_err(|error| QADataSwapError::frame(ring, error))?;
        lent.set_validity(validity);
        Ok(())
    }

    /// Gives `lent`, got by [`raw_values`](Loan::raw_values) for `column`, its data area; none if the column is not of
    /// views.
    ///
    /// # Errors
    /// As [`raw_column`](Loan::raw_column).
    pub fn raw_data(&mut self, column: usize, lent: &mut ffi::LoanColumn) -> Result<()> {
        let LoanColumns { columns, ring } = self.columns()?;
        let data = columns.into_data(column).map_err(|error| QADataSwapError::frame(ring, error))?;
        lent.set_data(data);
        Ok(())
    }

    /// Keeps what [`raw_column`](Loan::raw_column) points to mapped, also when the loan and its writer are gone.
    #[must_use]
    pub fn mapping(&self) -> ffi::Mapping {
        ffi::Mapping(self.region.clone())
    }

    /// Says what was done to a column got by [`raw_column`](Loan::raw_column): whether its bitmap is in use, and how
    /// many bytes of its data area.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if there is no such column, or it has no bitmap or not as
    /// much data.
    pub fn declare(&mut self, column: usize, has_nulls: bool, data_used: usize) -> Result<()> {
        let plan = self.plan.as_mut().expect("there until the loan ends");
        plan.declare(column, has_nulls, data_used)
            .map_err(|error| QADataSwapError::frame(&self.region.name, error))
    }

    /// The values of one column of numbers; see [`LoanColumns::column`] for several at a time.
    ///
    /// # Errors
    /// As there.
    pub fn column<T: Native>(&mut self, which: impl ColumnIndex) -> Result<&mut [T]> {
        self.columns()?.column(which)
    }

    /// Publishes the first `rows` rows and returns the frame's sequence number. Costs nothing that grows with
    /// the data if every row was used; otherwise it zeroes the gaps or closes them, whichever touches less.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if there are not as many rows;
    /// [`Forked`](QADataSwapError::Forked).
    pub fn commit(mut self, rows: usize) -> Result<u64> {
        let plan = self.plan.take().expect("there until the loan ends");
        let schema_key = plan.schema_key;
        let mut inner = self.writer.inner();
        // Also tells a forked child off before it touches the slot.
        let region = inner.region()?;
        let draft = self.draft.as_mut().expect("there until the loan ends");
        let prefix_stands = draft.prefix_stands;
        let length = inner
            .encoder
            .finish_loan(plan, region.segment.slot_mut(&mut draft.slot), rows, prefix_stands)
            .map_err(|error| QADataSwapError::frame(&region.name, error))?;
        // Nothing fails from here on; before, dropping the loan gives its slot back.
        let draft = self.draft.take().expect("there until the loan ends");
        inner.lent -= 1;
        Ok(inner.publish(draft, schema_key, length, rows as u64))
    }
}

impl<W: Deref<Target = Writer>> Drop for Loan<W> {
    fn drop(&mut self) {
        if let Some(draft) = self.draft.take() {
            let mut inner = self.writer.inner();
            inner.lent -= 1;
            inner.abandon(draft);
        }
    }
}

impl<W: Deref<Target = Writer>> std::fmt::Debug for Loan<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loan").field("ring", &self.region.name).field("capacity", &self.capacity()).finish()
    }
}

/// The columns of a loan, lying in the slot.
pub struct LoanColumns<'a> {
    columns: Columns<'a>,
    ring: &'a str,
}

impl<'a> LoanColumns<'a> {
    /// The values of a column of numbers, one per row of the loan's capacity.
    ///
    /// # Errors
    /// [`InvalidConfig`](QADataSwapError::InvalidConfig) if there is no such column, it holds another type
    /// (see [`Native`]), or it is already handed out.
    pub fn column<T: Native>(&mut self, which: impl ColumnIndex) -> Result<&'a mut [T]> {
        self.columns.column(which).map_err(|error| self.error(error))
    }

    /// The values of a column of booleans.
    ///
    /// # Errors
    /// As [`column`](LoanColumns::column).
    pub fn bools(&mut self, which: impl ColumnIndex) -> Result<BoolColumn<'a>> {
        self.columns.bools(which).map_err(|error| self.error(error))
    }

    /// The values of a column of string views.
    ///
    /// # Errors
    /// As [`column`](LoanColumns::column).
    pub fn texts(&mut self, which: impl ColumnIndex) -> Result<ViewColumn<'a, str>> {
        self.columns.texts(which).map_err(|error| self.error(error))
    }

    /// The values of a column of binary views.
    ///
    /// # Errors
    /// As [`column`](LoanColumns::column).
    pub fn blobs(&mut self, which: impl ColumnIndex) -> Result<ViewColumn<'a, [u8]>> {
        self.columns.blobs(which).map_err(|error| self.error(error))
    }

    /// Which rows of a nullable column are null.
    ///
    /// # Errors
    /// As [`column`](LoanColumns::column); also if the column is not nullable.
    pub fn validity(&mut self, which: impl ColumnIndex) -> Result<Validity<'a>> {
        self.columns.validity(which).map_err(|error| self.error(error))
    }

    fn error(&self, error: FrameError) -> QADataSwapError {
        QADataSwapError::frame(self.ring, error)
    }
}

impl std::fmt::Debug for LoanColumns<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoanColumns").field("ring", &self.ring).finish_non_exhaustive()
    }
}
