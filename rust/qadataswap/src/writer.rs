//! The writing end of a ring.

use crate::config::{SharedMemoryConfig, WhenFull};
use crate::create;
use crate::error::{QADataSwapError, Result};
use crate::ffi;
use crate::frame::{Chunk, Compression, Encoder, Measured};
use crate::layout::row;
use crate::loan::Loan;
use crate::peers::{Byte, monotonic_ns};
use crate::pool::Pool;
use crate::publisher::{FreeSlot, Full, Publisher};
use crate::region::Region;
use crate::ring::FrameMeta;
use crate::stats::Stats;
use crate::stream::Progress;
use crate::sync::Ordering;
use crate::tally::Waiting;
use crate::wait::{self, Pulse, wait_until};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The writing end of a ring: there is one at a time.
///
/// A writer may be sent to another thread but not shared. Dropping it closes it: readers read what is there
/// and then see the end of the stream. (One that was begun as a whole,
/// [`with_stream`](SharedMemoryConfig::with_stream), is broken off.)
pub struct Writer {
    inner: RefCell<Inner>,
}

pub(crate) struct Inner {
    config: SharedMemoryConfig,
    /// `None` once closed.
    open: Option<Open>,
    pub(crate) encoder: Encoder,
    pub(crate) stats: Stats,
    /// Number of slots lent out.
    pub(crate) lent: usize,
    /// When the readers were last asked after.
    pulse: Pulse,
    #[cfg(feature = "polars")]
    pub(crate) polars: crate::polars::Known,
}

/// A pool, and the slot that is built in.
struct Building {
    pool: Arc<Pool>,
    slot: Option<FreeSlot>,
}

struct Open {
    /// Shared with loans.
    region: Arc<Region>,
    publisher: Publisher,
    /// By slot: what stands in it.
    slots: Vec<SlotState>,
    /// Id of the encoder's schema 0 in this region.
    schema_base: u64,
    /// Once somebody has asked for a pool.
    building: Option<Building>,
}

impl Open {
    /// Makes sure that the first `needed` bytes of a slot have memory behind them.
    fn reserve(&mut self, slot: &FreeSlot, needed: u64) -> std::io::Result<()> {
        let state = &mut self.slots[slot.index() as usize];
        if needed <= state.reserved {
            return Ok(());
        }
        // A little ahead, so that frames that grow slowly do not each make a system call.
        let ahead = needed.next_multiple_of(RESERVE_AHEAD).min(self.region.segment.geometry().slot_bytes);
        let reserve = |to| self.region.segment.reserve_slot(slot.index(), state.reserved, to).map(|()| to);
        state.reserved = reserve(ahead).or_else(|_| reserve(needed))?;
        Ok(())
    }

    /// Whether some slot but `barren` has, or can get, memory for `needed` bytes. Reserving changes no content, so
    /// it may be tried on slots that are in use.
    fn another_has_memory(&self, barren: u32, needed: u64) -> bool {
        let has = |slot: u32| {
            let reserved = self.slots[slot as usize].reserved;
            reserved >= needed || self.region.segment.reserve_slot(slot, reserved, needed).is_ok()
        };
        (0..self.region.segment.geometry().buffer_count).any(|slot| slot != barren && has(slot))
    }
}

/// Memory is reserved in steps of this many bytes.
const RESERVE_AHEAD: u64 = 64 << 10;

/// What this writer knows of a slot.
#[derive(Clone, Copy, Default)]
struct SlotState {
    /// Bytes from its start that have memory behind them.
    reserved: u64,
    /// Key, plus one, of the schema whose message stands at its start.
    schema: u64,
}

impl Writer {
    /// Creates a ring, or takes over one whose writer is gone: with the same geometry its frames and its
    /// sequence go on, with another its region is replaced.
    ///
    /// # Errors
    /// [`InvalidName`](QADataSwapError::InvalidName), [`InvalidConfig`](QADataSwapError::InvalidConfig),
    /// [`WriterExists`](QADataSwapError::WriterExists), [`NoSpace`](QADataSwapError::NoSpace),
    /// [`PermissionDenied`](QADataSwapError::PermissionDenied), and
    /// [`Incompatible`](QADataSwapError::Incompatible) or [`Corrupt`](QADataSwapError::Corrupt) for what
    /// stands under that name.
    pub fn new(config: impl Into<SharedMemoryConfig>) -> Result<Writer> {
        let config = config.into().resolved()?;
        let made = create::create(&config)?;
        Ok(Writer::of(config, made))
    }

    pub(crate) fn of(config: SharedMemoryConfig, (region, mut publisher): (Region, Publisher)) -> Writer {
        if config.keep_unread && config.when_full != WhenFull::Overwrite {
            publisher.keep_unread();
        }
        let reserved = if config.prefault { region.segment.geometry().slot_bytes } else { 0 };
        let slots = vec![SlotState { reserved, schema: 0 }; region.segment.geometry().buffer_count as usize];
        let schema_base = region.segment.ring().status.next_schema.load(Ordering::Relaxed);
        let encoder = Encoder::new(config.compression);
        let open = Some(Open { region: Arc::new(region), publisher, slots, schema_base, building: None });
        let inner = Inner {
            config,
            open,
            encoder,
            stats: Stats::default(),
            lent: 0,
            pulse: Pulse::default(),
            #[cfg(feature = "polars")]
            polars: Default::default(),
        };
        Writer { inner: RefCell::new(inner) }
    }

    /// Writes a table of one chunk and returns the frame's sequence number.
    ///
    /// # Errors
    /// [`FrameTooLarge`](QADataSwapError::FrameTooLarge), [`NoSpace`](QADataSwapError::NoSpace),
    /// [`LoanOut`](QADataSwapError::LoanOut) if every slot is lent, [`Closed`](QADataSwapError::Closed),
    /// [`Forked`](QADataSwapError::Forked); when the ring is full, by the writer's [`WhenFull`]: [`WriteTimeout`](QADataSwapError::WriteTimeout) or
    /// [`RingFull`](QADataSwapError::RingFull). Nothing is published then, and a full ring is as it was
    /// (after another error the oldest frame may have gone).
    pub fn write_arrow(&self, batch: &RecordBatch) -> Result<u64> {
        self.write_batches(batch.schema_ref(), std::slice::from_ref(batch))
    }

    /// Writes a table of any number of chunks as one frame and returns its sequence number.
    ///
    /// # Errors
    /// As [`write_arrow`](Writer::write_arrow), and [`InvalidConfig`](QADataSwapError::InvalidConfig) if a chunk
    /// is not of `schema`.
    pub fn write_batches(&self, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<u64> {
        self.inner.borrow_mut().write(schema, batches, true)
    }

    /// Writes a table if there is room for it; `None` if the ring is full. Never waits.
    ///
    /// # Errors
    /// As [`write_arrow`](Writer::write_arrow), but a full ring is none.
    pub fn try_write_arrow(&self, batch: &RecordBatch) -> Result<Option<u64>> {
        let batches = std::slice::from_ref(batch);
        unless_full(self.inner.borrow_mut().write(batch.schema_ref(), batches, false))
    }

    /// Writes a table that comes by the C data interface as one frame and returns its sequence number. Every buffer
    /// is copied once, from where it lies into the slot.
    ///
    /// # Errors
    /// As [`write_batches`](Writer::write_batches), and [`InvalidConfig`](QADataSwapError::InvalidConfig) for arrays
    /// that are not of the form that their schema promises.
    pub fn write_ffi(&self, table: &ffi::Table<'_>) -> Result<u64> {
        self.inner.borrow_mut().write(table.schema(), table.batches(), true)
    }

    /// As [`write_ffi`](Writer::write_ffi) if there is room; `None` if the ring is full. Never waits.
    ///
    /// # Errors
    /// As there, but a full ring is none.
    pub fn try_write_ffi(&self, table: &ffi::Table<'_>) -> Result<Option<u64>> {
        unless_full(self.inner.borrow_mut().write(table.schema(), table.batches(), false))
    }

    /// Lends a frame of `rows` rows whose columns lie in the slot; it is filled in place and published by
    /// [`Loan::commit`], without a copy, with as many of its rows as were filled. Strings and binaries must be
    /// of the view types; their values of up to 12 bytes need nothing else, longer ones need
    /// [`loan_with`](Writer::loan_with).
    ///
    /// # Errors
    /// As [`write_arrow`](Writer::write_arrow); [`Unsupported`](QADataSwapError::Unsupported) for a type that
    /// cannot be lent; [`LoanOut`](QADataSwapError::LoanOut) if every slot is lent already.
    pub fn loan(&self, schema: &SchemaRef, rows: usize) -> Result<Loan<&Writer>> {
        self.loan_with(schema, rows, 0)
    }

    /// As [`loan`](Writer::loan), with room for `var_bytes` bytes of longer strings or binaries in each column of
    /// a view type.
    ///
    /// # Errors
    /// As [`loan`](Writer::loan).
    pub fn loan_with(&self, schema: &SchemaRef, rows: usize, var_bytes: usize) -> Result<Loan<&Writer>> {
        Loan::of(self, schema, rows, var_bytes)
    }

    /// Memory in the slot of the next frame; see [`Pool`]. Takes a slot for it if it has none and there is a free
    /// one; never waits: a pool without a slot has no room. The same pool for all of a writer's life, which takes a
    /// new slot when it is asked for again.
    ///
    /// # Errors
    /// [`Closed`](QADataSwapError::Closed), [`Forked`](QADataSwapError::Forked).
    pub fn pool(&self) -> Result<Arc<Pool>> {
        self.inner.borrow_mut().pool()
    }

    /// What this writer has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = self.inner.borrow();
        let mut stats = inner.stats;
        if let Some(open) = &inner.open {
            stats.frames_published = open.publisher.next();
        }
        stats
    }

    /// The ring's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.inner.borrow().config.name.clone()
    }

    /// Number of readers that are attached, those that have died and not yet been noticed among them; 0 once closed.
    #[must_use]
    pub fn reader_count(&self) -> usize {
        let inner = self.inner.borrow();
        let Some(open) = inner.open.as_ref().filter(|open| open.region.is_ours()) else { return 0 };
        let ring = open.region.segment.ring();
        (0..ring.rows_used()).filter(|&row| ring.reader(row).0.phase == row::ACTIVE).count()
    }

    /// Most bytes a frame may take.
    #[must_use]
    pub fn slot_bytes(&self) -> u64 {
        self.inner.borrow().open.as_ref().map_or(0, |open| open.region.segment.geometry().slot_bytes)
    }

    /// Ends the stream: readers read what is there and then see its end. Closing twice is no error.
    ///
    /// # Errors
    /// [`LoanOut`](QADataSwapError::LoanOut) while a loan is out; [`InvalidConfig`](QADataSwapError::InvalidConfig) if a
    /// stream has not as many rows as were announced, which breaks it off;
    /// [`MemoryMapFailed`](QADataSwapError::MemoryMapFailed) if there is no memory for the tables that were built in the
    /// ring's slots and are still held: drop some and close again.
    pub fn close(&self) -> Result<()> {
        let mut inner = self.inner.borrow_mut();
        inner.closable()?;
        let missing = inner.missing_rows();
        if let Some(what) = &missing {
            inner.break_off(what);
        }
        inner.close()?;
        match missing {
            Some(reason) => Err(QADataSwapError::InvalidConfig {
                ring: inner.config.name.clone(),
                reason: format!("the stream {reason}: announce as many rows as will be written, or none"),
            }),
            None => Ok(()),
        }
    }

    /// Breaks a stream off: readers read what is there and then get [`Aborted`](QADataSwapError::Aborted) with `reason`,
    /// of which at most 160 bytes are kept. What has been closed stays as it is.
    ///
    /// # Errors
    /// As [`close`](Writer::close).
    pub fn abort(&self, reason: &str) -> Result<()> {
        let mut inner = self.inner.borrow_mut();
        inner.closable()?;
        inner.break_off(reason);
        inner.close()
    }

    /// How far the stream has come that is written; without one, all that this writer has written.
    ///
    /// # Errors
    /// [`Closed`](QADataSwapError::Closed), [`Forked`](QADataSwapError::Forked).
    pub fn progress(&self) -> Result<Progress> {
        let mut inner = self.inner.borrow_mut();
        let (rows, total_rows) = (inner.stats.rows_written, inner.config.stream.flatten());
        inner.open()?;
        Ok(Progress { rows, rows_written: rows, total_rows, ..Progress::default() })
    }

    pub(crate) fn inner(&self) -> std::cell::RefMut<'_, Inner> {
        self.inner.borrow_mut()
    }
}

/// A slot on its way to be published, and how much of it is known to stand.
pub(crate) struct Draft {
    pub(crate) slot: FreeSlot,
    /// The schema's message stands at the slot's start already.
    pub(crate) prefix_stands: bool,
}

/// Gives a slot back when it is dropped with it: on an error, and when the encoder panics.
struct Returned<'a> {
    publisher: &'a mut Publisher,
    slot: Option<FreeSlot>,
}

impl Drop for Returned<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.publisher.abandon(slot);
        }
    }
}

impl Inner {
    pub(crate) fn ring_name(&self) -> &str {
        &self.config.name
    }

    fn open(&mut self) -> Result<&mut Open> {
        let name = &self.config.name;
        let open = self.open.as_mut().ok_or_else(|| QADataSwapError::Closed { ring: name.clone() })?;
        if !open.region.is_ours() {
            return Err(QADataSwapError::Forked { ring: name.clone() });
        }
        Ok(open)
    }

    pub(crate) fn write<C: Chunk>(&mut self, schema: &SchemaRef, batches: &[C], wait: bool) -> Result<u64> {
        self.open()?;
        let measured = self
            .encoder
            .measure(schema, batches)
            .map_err(|error| QADataSwapError::frame(&self.config.name, error))?;
        if let Some(sequence) = self.write_in_place(&measured, schema, batches)? {
            return Ok(sequence);
        }
        let exact = self.config.compression == Compression::None;
        let Draft { slot, prefix_stands } = self.draft(measured.schema_key, measured.total, exact, wait)?;
        let Inner { open, encoder, config, .. } = self;
        let Open { region, publisher, .. } = open.as_mut().expect("a draft comes from an open writer");
        let mut lent = Returned { publisher, slot: Some(slot) };
        let slot = lent.slot.as_mut().expect("just put there");
        let bytes = region.segment.slot_mut(slot);
        let length = encoder
            .write(&measured, schema, batches, bytes, prefix_stands)
            .map_err(|error| QADataSwapError::frame(&config.name, error))?;
        let slot = lent.slot.take().expect("just put there");
        drop(lent);
        Ok(self.publish(Draft { slot, prefix_stands }, measured.schema_key, length, measured.rows))
    }

    fn pool(&mut self) -> Result<Arc<Pool>> {
        let Open { region, publisher, building, slots, .. } = self.open()?;
        let region = &*region;
        let ring = region.segment.ring();
        let Building { pool, slot } = building.get_or_insert_with(|| {
            let pool = Arc::new(Pool::new(region.clone()));
            publisher.respect(pool.kept());
            Building { pool, slot: None }
        });
        if slot.is_none() {
            *slot = publisher.acquire(&ring).ok();
            if let Some(slot) = slot {
                let state = &mut slots[slot.index() as usize];
                // Allocations may come to lie where the schema stands.
                state.schema = 0;
                pool.open(slot, state.reserved);
            }
        }
        Ok(pool.clone())
    }

    /// Publishes a table of which buffers lie in the pool's slot, around them; `None` if there are none, or it cannot
    /// be done: then the table is copied like any other.
    fn write_in_place<C: Chunk>(
        &mut self,
        measured: &Measured,
        schema: &SchemaRef,
        batches: &[C],
    ) -> Result<Option<u64>> {
        let Inner { open, encoder, config, .. } = self;
        let Some(Building { pool, slot }) = open.as_mut().and_then(|open| open.building.as_mut()) else {
            return Ok(None);
        };
        let written = match (&slot, batches, pool.building()) {
            (Some(slot), [batch], Some(memory)) if config.compression == Compression::None => {
                let around = |encoder: &mut Encoder| {
                    let claims = encoder.claims(schema, batch, memory)?;
                    if claims.claimed == 0 {
                        return Ok(None);
                    }
                    let around = pool.write_around(slot, claims.rest, |body| {
                        encoder.write_around(measured, schema, batch, body)
                    })?;
                    pool.leave_head(measured.ahead);
                    Ok(around.map(|(around, reserved)| (around.length, reserved, claims.claimed)))
                };
                around(encoder).map_err(|error| QADataSwapError::frame(&config.name, error))?
            }
            _ => None,
        };
        let Some((length, reserved, claimed)) = written else { return Ok(None) };
        let open = self.open.as_mut().expect("a pool comes from an open writer");
        let building = open.building.as_mut().expect("it was just written to");
        let slot = building.slot.take().expect("it was just written to");
        let state = &mut open.slots[slot.index() as usize];
        state.reserved = state.reserved.max(reserved);
        self.stats.bytes_in_place += claimed as u64;
        let draft = Draft { slot, prefix_stands: true };
        Ok(Some(self.publish(draft, measured.schema_key, length, measured.rows)))
    }

    /// The pool builds in no slot any more until it is asked for again.
    fn give_back_pool_slot(&mut self) {
        let Some(open) = &mut self.open else { return };
        let Some(Building { pool, slot }) = &mut open.building else { return };
        let Some(slot) = slot.take() else { return };
        let reserved = pool.close_slot();
        let state = &mut open.slots[slot.index() as usize];
        state.reserved = state.reserved.max(reserved);
        open.publisher.abandon(slot);
    }

    /// A slot for a frame of `total` bytes (`exact`) or at most as many, with memory behind it.
    pub(crate) fn draft(&mut self, schema_key: u64, total: u64, exact: bool, wait: bool) -> Result<Draft> {
        let capacity = self.open()?.region.segment.geometry().slot_bytes;
        // What is compressed may fit though its bound does not.
        if total > capacity && exact {
            return Err(QADataSwapError::FrameTooLarge {
                ring: self.config.name.clone(),
                needed: total,
                available: capacity,
            });
        }
        // A pool's slot in which nothing is built is of more use now.
        if self.open()?.building.as_ref().is_some_and(|building| building.pool.is_idle()) {
            self.give_back_pool_slot();
        }
        let needed = total.min(capacity);
        let slot = self.acquire_with_memory(needed, wait)?;
        let open = self.open.as_mut().expect("checked above");
        let state = &mut open.slots[slot.index() as usize];
        let prefix_stands = state.schema == schema_key + 1;
        // Until the frame is whole, nothing is known of the slot.
        state.schema = 0;
        Ok(Draft { slot, prefix_stands })
    }

    /// A slot with memory for `needed` bytes. If the folder is full, one that has the memory already.
    fn acquire_with_memory(&mut self, needed: u64, wait: bool) -> Result<FreeSlot> {
        let slot = self.acquire(wait)?;
        let open = self.open.as_mut().expect("a slot was just had from it");
        let Err(error) = open.reserve(&slot, needed) else { return Ok(slot) };
        let mut found = None;
        let promising = open.another_has_memory(slot.index(), needed);
        // Those without memory stay out until one with memory has come.
        let mut without = vec![slot];
        while promising && found.is_none() {
            let Ok(slot) = self.acquire(wait) else { break };
            let open = self.open.as_mut().expect("a slot was just had from it");
            match open.reserve(&slot, needed) {
                Ok(()) => found = Some(slot),
                Err(_) => without.push(slot),
            }
        }
        let open = self.open.as_mut().expect("a slot was just had from it");
        without.into_iter().for_each(|slot| open.publisher.put_last(slot));
        found.ok_or_else(|| create::reserve_error(&self.config, needed, error))
    }

    /// The region, for a loan.
    pub(crate) fn region(&mut self) -> Result<Arc<Region>> {
        Ok(self.open()?.region.clone())
    }

    pub(crate) fn abandon(&mut self, draft: Draft) {
        if let Some(open) = &mut self.open {
            open.publisher.abandon(draft.slot);
        }
    }

    pub(crate) fn publish(&mut self, draft: Draft, schema_key: u64, length: u64, rows: u64) -> u64 {
        let open = self.open.as_mut().expect("a draft comes from an open writer");
        let ring = open.region.segment.ring();
        open.slots[draft.slot.index() as usize].schema = schema_key + 1;
        let schema = open.schema_base + schema_key;
        // Ids are never used twice, by this writer or one that takes over.
        if ring.status.next_schema.load(Ordering::Relaxed) <= schema {
            ring.status.next_schema.store(schema + 1, Ordering::Relaxed);
        }
        let meta =
            FrameMeta { bytes: length, schema, published_ns: monotonic_ns(), rows, ..FrameMeta::default() };
        let sequence = open.publisher.publish(&ring, draft.slot, &meta);
        wait::ring(ring.frames);
        self.stats.writes_count += 1;
        self.stats.bytes_written += length;
        self.stats.rows_written += rows;
        sequence
    }

    fn acquire(&mut self, wait: bool) -> Result<FreeSlot> {
        let open = self.open.as_mut().expect("checked by the caller");
        let ring = open.region.segment.ring();
        if let Ok(slot) = open.publisher.acquire(&ring) {
            return Ok(slot);
        }
        self.acquire_when_full(wait)
    }

    /// The ring is full: removes dead readers, then does what the configuration says.
    #[cold]
    fn acquire_when_full(&mut self, wait: bool) -> Result<FreeSlot> {
        let Inner { config, open, stats, pulse, .. } = self;
        let open = open.as_mut().expect("checked by the caller");
        let (region, publisher) = (&*open.region, RefCell::new(&mut open.publisher));
        let ring = region.segment.ring();
        let started = Instant::now();
        let patience = match config.when_full {
            WhenFull::Block(patience) if wait => patience,
            _ => Some(Duration::ZERO),
        };
        let (full, evicted) = (Cell::new(Full::Pinned), Cell::new(0));
        let mut look = || match publisher.borrow_mut().acquire(&ring) {
            Ok(slot) => Ok(Some(slot)),
            Err(Full::Lent) => Err(QADataSwapError::LoanOut { ring: config.name.clone() }),
            Err(Full::Exhausted) => Err(QADataSwapError::Unsupported {
                ring: config.name.clone(),
                what: "its sequence numbers are used up; create it anew under another name".to_owned(),
            }),
            Err(why) => {
                full.set(why);
                Ok(None)
            }
        };
        let mut idle = || {
            if !region.is_ours() {
                return Err(QADataSwapError::Forked { ring: config.name.clone() });
            }
            let blockers = publisher.borrow().blockers(&ring);
            evicted.set(evicted.get() + region.evict_dead(blockers) as u64);
            Ok(())
        };
        let found = if patience == Some(Duration::ZERO) {
            if pulse.is_due(started) {
                idle()?;
            }
            look()?
        } else {
            stats.full_waits += 1;
            let waiting = Waiting::begin(region);
            let mut prepare = || {
                publisher.borrow().want_kept();
                Publisher::ask_for_wake(&ring)
            };
            let mut tries_left = config.retry_count;
            loop {
                let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
                let found =
                    wait_until(ring.space, config.wait, deadline, pulse, &mut look, &mut prepare, &mut idle)?;
                if found.is_some() || tries_left == 0 {
                    if found.is_none() {
                        waiting.in_vain();
                    }
                    break found;
                }
                tracing::warn!(ring = config.name, waited = ?started.elapsed(), tries_left, "the ring is still full");
                tries_left -= 1;
            }
        };
        stats.readers_evicted += evicted.get();
        found.ok_or_else(|| {
            let publisher = publisher.borrow();
            let reason = describe(region, full.get(), &publisher.blockers(&ring), publisher.kept());
            let ring = config.name.clone();
            if patience == Some(Duration::ZERO) {
                return QADataSwapError::RingFull { ring, reason };
            }
            stats.wait_timeouts += 1;
            QADataSwapError::WriteTimeout { ring, waited: started.elapsed(), reason }
        })
    }

    /// That nothing stands against closing.
    fn closable(&self) -> Result<()> {
        match self.lent {
            0 => Ok(()),
            _ => Err(QADataSwapError::LoanOut { ring: self.config.name.clone() }),
        }
    }

    /// If a stream has announced its rows and has others: what there is to say.
    fn missing_rows(&self) -> Option<String> {
        let (total, written) = (self.config.stream.flatten()?, self.stats.rows_written);
        (self.open.is_some() && total != written).then(|| format!("ended after {written} of {total} rows"))
    }

    fn break_off(&mut self, reason: &str) {
        if let Some(open) = self.open.as_ref().filter(|open| open.region.is_ours()) {
            open.region.segment.stream().break_off(reason);
        }
    }

    fn close(&mut self) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| open.region.is_ours()) {
            self.give_back_pool_slot();
            if let Some(Building { pool, .. }) = self.open.as_ref().and_then(|open| open.building.as_ref()) {
                pool.make_private().map_err(|source| QADataSwapError::MemoryMapFailed {
                    ring: self.config.name.clone(),
                    bytes: pool.allocated_bytes(),
                    source,
                })?;
            }
        }
        let Some(open) = self.open.take() else { return Ok(()) };
        if !open.region.is_ours() {
            return Ok(());
        }
        open.region.segment.ring().close();
        open.region.leave(Byte::Writer, |_| ());
        tracing::info!(ring = self.config.name, frames = open.publisher.next(), "closed");
        Ok(())
    }
}

/// That a ring is full is no error for whoever does not want to wait.
pub(crate) fn unless_full(result: Result<u64>) -> Result<Option<u64>> {
    match result {
        Err(QADataSwapError::RingFull { .. }) => Ok(None),
        result => result.map(Some),
    }
}

/// Who keeps the ring full.
fn describe(region: &Region, full: Full, blockers: &[usize], kept: u32) -> String {
    let ring = region.segment.ring();
    let mut who: Vec<String> = blockers
        .iter()
        .take(4)
        .map(|&row| {
            let pid = region.segment.reader_identities()[row].pid.load(Ordering::Relaxed);
            let lag = ring.published().saturating_sub(ring.reader(row).1);
            format!("process {pid} is {lag} frames behind and holds {} slots", ring.pins(row))
        })
        .collect();
    if kept > 0 {
        who.push(format!("tables that were built in {kept} slots are still held by this process"));
    }
    let (what, remedy) = match full {
        Full::Unread if who.is_empty() => {
            ("no reader has read the oldest frame", "attach a lossless reader, or give the ring more buffers")
        }
        Full::Unread => (
            "a lossless reader has not read the oldest frame",
            "read faster, read as lossy or latest, or raise buffer_count or the write timeout",
        ),
        Full::Pinned | Full::Lent | Full::Exhausted => (
            "readers hold every slot",
            "drop frames that are done with, copy what is kept, or raise buffer_count",
        ),
    };
    match who.is_empty() {
        true => format!("{what}; {remedy}"),
        false => format!("{what} ({}); {remedy}", who.join("; ")),
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.config.stream.is_some() {
            self.break_off(match std::thread::panicking() {
                true => "its writer panicked",
                false => "its writer was dropped before it was closed",
            });
        }
        let Err(error) = self.close() else { return };
        // Tables of this program lie in the ring still. As long as this process lives, no other writer gets it.
        tracing::error!(%error, "closing a ring failed: it ends, and stays this process's");
        if let Some(open) = self.open.take() {
            open.region.segment.ring().close();
            std::mem::forget(open);
        }
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.inner.borrow();
        f.debug_struct("Writer").field("ring", &inner.config.name).field("stats", &inner.stats).finish()
    }
}
