//! Rings as inputs and outputs of circuits: the door between the engine and the bus.
//!
//! ```text
//!   ring "trades" ──▶ RingInput ──▶ circuit ──▶ RingView ──▶ ring "bars.changes": what changes, with a weight
//!                                                       └──▶ ring "bars":         all of it, now and then
//! ```
//!
//! A frame's columns enter a circuit as they lie in the ring, without a copy, as far as linear operators go; whatever keeps
//! rows copies those that it keeps, so that no state holds a slot of the ring. A view leaves as two rings. Each frame of the one is a
//! change, a table with a column `weight`, +1 of a row that has come and −1 of one that has gone; a frame of the other is the
//! whole view, which says in its schema's metadata, under [`CHANGES_UNTIL`], up to which frame of the first ring it is. So
//! who comes late reads the last of these and goes on with the changes that follow; in Python and C++ these are
//! ordinary frames.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::{Int64Array, RecordBatch, StringArray};
//! use qadataswap::SharedDataFrame;
//! use qadataswap_dbsp::RootCircuit;
//! use qadataswap_dbsp::arrow::Layout;
//! use qadataswap_dbsp::ring::{RingInput, RingView};
//!
//! # let (trades_name, view_name) = (format!("doc-trades-{}", std::process::id()), format!("doc-view-{}", std::process::id()));
//! let trades_writer = SharedDataFrame::create_writer((trades_name.as_str(), 1 << 20))?;
//! let (mut circuit, (trades, volumes)) = RootCircuit::build(|circuit| {
//!     let (trades, handle) = circuit.add_input_zset::<(String, i64)>();
//!     Ok((handle, trades.index().aggregate_linear(|&size| size).output()))
//! })?;
//! let mut input = RingInput::new(
//!     SharedDataFrame::create_reader(trades_name.as_str())?,
//!     Layout::new().keys(["symbol", "size"])?,
//!     trades.into(),
//! );
//! let layout = Layout::new().keys(["symbol"])?.vals(["volume"])?;
//! let mut view = RingView::create(view_name.as_str(), 1 << 20, layout, volumes)?;
//! let changes = SharedDataFrame::create_reader(format!("{view_name}.changes"))?;
//!
//! trades_writer.write_arrow(&RecordBatch::try_from_iter([
//!     ("symbol", Arc::new(StringArray::from(vec!["ESZ6", "ESZ6"])) as _),
//!     ("size", Arc::new(Int64Array::from(vec![2, 3])) as _),
//! ])?)?;
//! input.read(1000)?;
//! circuit.step()?;
//! view.publish()?;
//! let change = changes.read_arrow(1000)?.expect("a change");
//! assert_eq!(change.num_rows(), 1); // ESZ6, 5, weight 1
//! # trades_writer.close()?;
//! # assert!(input.read(1000)?.ended);
//! # view.close()?;
//! # assert!(changes.read_arrow(1000).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use qadataswap::{ErrorKind, Frame, QADataSwapError, SharedDataFrame, Timeout};

use crate::arrow::{ArrowColumn, Layout};
use crate::column::Data;
use crate::error::Error;
use crate::operator::{IndexedZSetHandle, KeyedHandle, OutputHandle};
use crate::trace::{Batch, Sorter};

/// The key, in the metadata of a whole view's schema, of the sequence number of the last change that it includes.
pub const CHANGES_UNTIL: &str = "qadataswap.changes_until";

/// Why a frame did not get through the door.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The ring could not be read or written.
    #[error(transparent)]
    Ring(#[from] QADataSwapError),
    /// The table in the frame is not what the circuit takes.
    #[error("frame {sequence} of ring {ring:?}: {error}")]
    Table {
        /// The ring.
        ring: String,
        /// The frame.
        sequence: u64,
        /// What is wrong with the table.
        error: Error,
    },
    /// The table in the frame could not be [prepared](RingInput::prepared_by).
    #[error("frame {sequence} of ring {ring:?} cannot be prepared: {error}")]
    Prepare {
        /// The ring.
        ring: String,
        /// The frame.
        sequence: u64,
        /// What the preparation says.
        error: ArrowError,
    },
    /// The view cannot be a table.
    #[error(transparent)]
    View(Error),
}

/// What came through the door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// The frames.
    pub frames: u64,
    /// The rows in them.
    pub rows: usize,
    /// The frames that a reader which does not get all of them has missed before.
    pub missed: u64,
    /// Whether the stream has ended: its writer closed it, and nothing will follow.
    pub ended: bool,
}

/// What makes the table that enters of the one that a frame holds.
type Prepare = Box<dyn Fn(&RecordBatch) -> Result<RecordBatch, ArrowError> + Send>;

/// Frames of a ring, as an input of a circuit.
pub struct RingInput<K: Data, V: Data = ()> {
    ring: SharedDataFrame,
    layout: Layout<K, V>,
    input: Entrance<K, V>,
    prepare: Option<Prepare>,
}

/// Where rows enter.
#[derive(Debug)]
enum Entrance<K: Data, V: Data> {
    Rows(IndexedZSetHandle<K, V>),
    Changes(KeyedHandle<K, V>),
}

impl<K: Data, V: Data> fmt::Debug for RingInput<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ring, layout, input, prepare } = self;
        let mut all = f.debug_struct("RingInput");
        all.field("ring", ring).field("layout", layout).field("input", input);
        all.field("is_prepared", &prepare.is_some()).finish()
    }
}

impl<K: Data, V: Data> RingInput<K, V>
where
    K::Column: ArrowColumn,
    V::Column: ArrowColumn,
{
    /// Makes an input of a ring's reading end. Frames are changes: each row comes once, or as often as the column of weights
    /// that `layout` names says.
    pub fn new(ring: SharedDataFrame, layout: Layout<K, V>, input: IndexedZSetHandle<K, V>) -> Self {
        Self { ring, layout, input: Entrance::Rows(input), prepare: None }
    }

    /// Makes a [keyed input](crate::RootCircuit::add_input_keyed) of a ring's reading end: each row is a change of what is
    /// under its key, such as an order event is of its order, and they are made in the order in which they stand in the
    /// ring. A column of weights is not looked at.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use arrow_array::{Int64Array, RecordBatch, UInt64Array};
    /// use qadataswap::SharedDataFrame;
    /// use qadataswap_dbsp::arrow::Layout;
    /// use qadataswap_dbsp::ring::RingInput;
    /// use qadataswap_dbsp::{RootCircuit, indexed_zset};
    ///
    /// # let name = format!("doc-orders-{}", std::process::id());
    /// let (mut circuit, (changes, orders)) = RootCircuit::build(|circuit| {
    ///     let (orders, changes) = circuit.add_input_keyed(|size: Option<&i64>, change: i64| {
    ///         Some(size.unwrap_or(&0) + change).filter(|&size| size > 0)
    ///     });
    ///     Ok((changes, orders.output()))
    /// })?;
    /// let writer = SharedDataFrame::create_writer((name.as_str(), 1 << 20))?;
    /// let layout = Layout::new().keys(["order_id"])?.vals(["size"])?;
    /// let reader = SharedDataFrame::create_reader(name.as_str())?;
    /// let mut input: RingInput<u64, i64> = RingInput::keyed(reader, layout, changes);
    ///
    /// writer.write_arrow(&RecordBatch::try_from_iter([
    ///     ("order_id", Arc::new(UInt64Array::from(vec![7, 8, 7, 8])) as _),
    ///     ("size", Arc::new(Int64Array::from(vec![10, 5, -4, -5])) as _),
    /// ])?)?;
    /// input.read(1000)?;
    /// circuit.step()?;
    /// assert_eq!(orders.take(), indexed_zset! { 7 => { 6 => 1 } });
    /// # writer.close()?;
    /// # assert!(input.read(1000)?.ended);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keyed(ring: SharedDataFrame, layout: Layout<K, V>, input: KeyedHandle<K, V>) -> Self {
        Self { ring, layout, input: Entrance::Changes(input), prepare: None }
    }

    /// Lets `prepare` make the table that enters of each table in the ring: for columns that have to be cast, or rows that
    /// are left out before they become state.
    #[must_use]
    pub fn prepared_by(
        mut self,
        prepare: impl Fn(&RecordBatch) -> Result<RecordBatch, ArrowError> + Send + 'static,
    ) -> Self {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Waits for a frame, and pushes it and all others that are there to the circuit's input; step the circuit then.
    ///
    /// # Errors
    ///
    /// [`RingError::Ring`] if the ring cannot be read, which includes that its writer has died; [`RingError::Table`] if a
    /// frame is not what the circuit takes, and [`RingError::Prepare`] if it cannot be made so: it is left out.
    pub fn read(&mut self, timeout: impl Into<Timeout>) -> Result<Read, RingError> {
        let mut read = Read::default();
        let mut next = self.ring.read_frame(timeout);
        loop {
            match next {
                Ok(Some(frame)) => self.push(&frame, &mut read)?,
                Ok(None) => return Ok(read),
                Err(error) if error.kind() == ErrorKind::EndOfStream => {
                    read.ended = true;
                    return Ok(read);
                }
                // What was read before is in the circuit already: the next call tells.
                Err(_) if read.frames > 0 => return Ok(read),
                Err(error) => return Err(error.into()),
            }
            next = self.ring.try_read_frame();
        }
    }

    fn push(&self, frame: &Frame, read: &mut Read) -> Result<(), RingError> {
        read.frames += 1;
        read.missed += frame.missed();
        let (ring, sequence) = (|| self.ring.name(), frame.sequence());
        for table in frame.batches() {
            let table = match &self.prepare {
                None => Cow::Borrowed(table),
                Some(prepare) => Cow::Owned(prepare(table).map_err(|error| RingError::Prepare {
                    ring: ring(),
                    sequence,
                    error,
                })?),
            };
            let batch = self.layout.read(&table).map_err(|error| RingError::Table {
                ring: ring(),
                sequence,
                error,
            })?;
            read.rows += batch.len();
            match &self.input {
                Entrance::Rows(input) => input.append(batch),
                Entrance::Changes(input) => {
                    for (key, change, _) in batch.iter() {
                        input.push(K::owned(key), V::owned(change));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the ring.
    #[must_use]
    pub fn ring(&self) -> &SharedDataFrame {
        &self.ring
    }
}

/// A view of a circuit, as two rings: of what changes, and of all of it.
#[derive(Debug)]
pub struct RingView<K: Data, V: Data = ()> {
    output: OutputHandle<K, V>,
    layout: Layout<K, V>,
    changes: SharedDataFrame,
    whole: SharedDataFrame,
    sum: Batch<K, V>,
    sorter: Sorter,
    until: Option<u64>,
}

impl<K: Data, V: Data> RingView<K, V>
where
    K::Column: ArrowColumn,
    V::Column: ArrowColumn,
{
    /// Creates the rings of a view: `name` of all of it, and `name.changes`, of `bytes` each.
    ///
    /// # Errors
    ///
    /// If a ring cannot be created, as [`SharedDataFrame::create_writer`] says.
    pub fn create(
        name: &str,
        bytes: u64,
        layout: Layout<K, V>,
        output: OutputHandle<K, V>,
    ) -> Result<Self, RingError> {
        let changes = SharedDataFrame::create_writer((format!("{name}.changes").as_str(), bytes))?;
        let whole = SharedDataFrame::create_writer((name, bytes))?;
        Ok(Self::new(changes, whole, layout, output))
    }

    /// Makes a view of the writing ends of two rings.
    pub fn new(
        changes: SharedDataFrame,
        whole: SharedDataFrame,
        layout: Layout<K, V>,
        output: OutputHandle<K, V>,
    ) -> Self {
        let layout = layout.always_weights();
        Self { output, layout, changes, whole, sum: Batch::new(), sorter: Sorter::default(), until: None }
    }

    /// Publishes what has changed since the last time; returns the frame's sequence number, or nothing if nothing has.
    ///
    /// # Errors
    ///
    /// [`RingError::Ring`] if the frame cannot be written. The change is kept, and goes with the next.
    pub fn publish(&mut self) -> Result<Option<u64>, RingError> {
        let change = self.output.take();
        if change.is_empty() {
            return Ok(None);
        }
        let table = self.layout.write(change.clone()).map_err(RingError::View)?;
        match self.changes.write_arrow(&table) {
            Ok(sequence) => {
                self.sum.extend(&change);
                self.sorter.consolidate(&mut self.sum);
                self.until = Some(sequence);
                Ok(Some(sequence))
            }
            Err(error) => {
                self.output.give_back(change);
                Err(error.into())
            }
        }
    }

    /// Publishes the whole view, as it is after the change that was published last; returns the frame's sequence number.
    ///
    /// # Errors
    ///
    /// [`RingError::Ring`] if the frame cannot be written.
    pub fn publish_whole(&mut self) -> Result<u64, RingError> {
        let table = self.layout.write(self.sum.clone()).map_err(RingError::View)?;
        let mut metadata: HashMap<String, String> = table.schema().metadata().clone();
        if let Some(until) = self.until {
            metadata.insert(CHANGES_UNTIL.to_owned(), until.to_string());
        }
        let schema = Arc::new(table.schema().as_ref().clone().with_metadata(metadata));
        let table = RecordBatch::try_new(schema, table.columns().to_vec());
        let table = table.map_err(|error| RingError::View(Error::Circuit(error.to_string())))?;
        Ok(self.whole.write_arrow(&table)?)
    }

    /// Ends both streams.
    ///
    /// # Errors
    ///
    /// [`RingError::Ring`] if a ring cannot be closed.
    pub fn close(&self) -> Result<(), RingError> {
        self.changes.close()?;
        Ok(self.whole.close()?)
    }
}
