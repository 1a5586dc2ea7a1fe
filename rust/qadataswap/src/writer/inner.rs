//! What a writer consists of, and how a frame comes into a slot.

use crate::config::{SharedMemoryConfig, WhenFull};
use crate::create;
use crate::error::{QADataSwapError, Result};
use crate::frame::{Chunk, Compression, Encoder, Measured};
use crate::peers::{Byte, monotonic_ns};
use crate::pool::Pool;
use crate::publisher::{FreeSlot, Full, Publisher};
use crate::region::Region;
use crate::ring::FrameMeta;
use crate::stats::Stats;
use crate::sync::Ordering;
use crate::tally::Waiting;
use crate::wait::{self, Pulse, wait_until};
use arrow_schema::SchemaRef;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct Inner {
    pub(super) config: SharedMemoryConfig,
    /// `None` once closed.
    pub(super) open: Option<Open>,
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

pub(super) struct Open {
    /// Shared with loans.
    pub(super) region: Arc<Region>,
    pub(super) publisher: Publisher,
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
    /// What a region that was just made, or taken over, is written with.
    pub(super) fn new(config: SharedMemoryConfig, (region, mut publisher): (Region, Publisher)) -> Inner {
        if config.keep_unread && config.when_full != WhenFull::Overwrite {
            publisher.keep_unread();
        }
        let reserved = if config.prefault { region.segment.geometry().slot_bytes } else { 0 };
        if config.prefault {
            region.segment.populate();
        }
        let slots = vec![SlotState { reserved, schema: 0 }; region.segment.geometry().buffer_count as usize];
        let schema_base = region.segment.ring().status.next_schema.load(Ordering::Relaxed);
        let encoder = Encoder::new(config.compression);
        let open = Some(Open { region: Arc::new(region), publisher, slots, schema_base, building: None });
        Inner {
            config,
            open,
            encoder,
            stats: Stats::default(),
            lent: 0,
            pulse: Pulse::default(),
            #[cfg(feature = "polars")]
            polars: Default::default(),
        }
    }

    pub(crate) fn ring_name(&self) -> &str {
        &self.config.name
    }

    pub(super) fn open(&mut self) -> Result<&mut Open> {
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

    pub(super) fn pool(&mut self) -> Result<Arc<Pool>> {
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
    pub(super) fn closable(&self) -> Result<()> {
        match self.lent {
            0 => Ok(()),
            _ => Err(QADataSwapError::LoanOut { ring: self.config.name.clone() }),
        }
    }

    /// If a stream has announced its rows and has others: what there is to say.
    pub(super) fn missing_rows(&self) -> Option<String> {
        let (total, written) = (self.config.stream.flatten()?, self.stats.rows_written);
        (self.open.is_some() && total != written).then(|| format!("ended after {written} of {total} rows"))
    }

    pub(super) fn break_off(&mut self, reason: &str) {
        if let Some(open) = self.open.as_ref().filter(|open| open.region.is_ours()) {
            open.region.segment.stream().break_off(reason);
        }
    }

    pub(super) fn close(&mut self) -> Result<()> {
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
