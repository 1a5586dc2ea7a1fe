//! What a ring takes between processes, each on a core of its own.

use crate::pair::{self, Partner};
use crate::shared::Shared;
use crate::{Samples, numbers, quotes};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use qadataswap::{ErrorKind, Loan, Reader, ReaderPolicy, SharedMemoryConfig, WaitStrategy, Writer};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant};

/// What goes wrong while measuring.
pub type Failure = Box<dyn std::error::Error>;

/// How long anybody waits for anybody.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// From this many rows on, tables are of numbers only, and rings have no slot more than they need.
const LARGE: usize = 10_000_000;

/// How frames go from one process to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Rows of a frame, × 5 columns.
    pub rows: usize,
    /// Whether readers sleep until a frame has come.
    pub sleeps: bool,
    /// What readers ask for.
    pub policy: ReaderPolicy,
    /// Whether frames are built in their slots; then the time is counted from `commit`.
    pub lent: bool,
}

const POLICIES: [(&str, ReaderPolicy); 3] =
    [("lossless", ReaderPolicy::Lossless), ("lossy", ReaderPolicy::Lossy), ("latest", ReaderPolicy::Latest)];

impl Trip {
    /// A lossless reader that spins, of frames that are copied.
    #[must_use]
    pub fn of(rows: usize) -> Trip {
        Trip { rows, sleeps: false, policy: ReaderPolicy::Lossless, lent: false }
    }

    fn words(self) -> [String; 4] {
        let policy = POLICIES.iter().find(|(_, policy)| *policy == self.policy).map_or("", |(word, _)| word);
        [self.rows.to_string(), self.sleeps.to_string(), policy.to_owned(), self.lent.to_string()]
    }

    fn read(words: &[String]) -> Result<Trip, Failure> {
        let [rows, sleeps, policy, lent] = words else { return Err("four words of a trip".into()) };
        let policy = POLICIES.iter().find(|(word, _)| word == policy).ok_or("no such policy")?.1;
        Ok(Trip { rows: rows.parse()?, sleeps: sleeps.parse()?, policy, lent: lent.parse()? })
    }

    fn table(self) -> RecordBatch {
        if self.rows >= LARGE { numbers(self.rows) } else { quotes(self.rows) }
    }

    fn config(self, name: &str) -> SharedMemoryConfig {
        let slots = match self.rows {
            LARGE.. => 2,
            100_000.. => 4,
            // Small frames have the slots that they would have in use.
            _ => 64,
        };
        config(name, self.rows, slots).with_policy(self.policy).with_wait(strategy(self.sleeps))
    }
}

pub(crate) fn strategy(sleeps: bool) -> WaitStrategy {
    if sleeps { WaitStrategy::SLEEP } else { WaitStrategy::SPIN }
}

fn config(name: &str, rows: usize, slots: usize) -> SharedMemoryConfig {
    SharedMemoryConfig::new(name)
        .with_slot_bytes((rows as u64 * 57).max(8 << 10))
        .with_buffer_count(slots)
        .with_prefault(true)
}

/// A name that no ring has had.
pub(crate) fn name(what: &str) -> String {
    static RINGS: AtomicU64 = AtomicU64::new(0);
    format!("bench-{what}-{}-{}", std::process::id(), RINGS.fetch_add(1, Relaxed))
}

/// Removes a ring that nobody has read to its end, as those do not who take the latest frame only.
pub(crate) fn clear_away(name: &str) -> io::Result<()> {
    match std::fs::remove_file(format!("/dev/shm/qads_{name}")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Builds the table in the slot of the next frame, if it is to be built there.
fn prepare<'a>(
    writer: &'a Writer,
    table: &RecordBatch,
    lent: bool,
) -> Result<Option<Loan<&'a Writer>>, Failure> {
    if !lent {
        return Ok(None);
    }
    let mut loan = writer.loan(table.schema_ref(), table.num_rows())?;
    let mut columns = loan.columns()?;
    for (at, column) in table.columns().iter().enumerate() {
        if let Some(values) = column.as_primitive_opt::<Int64Type>() {
            columns.column::<i64>(at)?.copy_from_slice(values.values());
        } else if let Some(values) = column.as_primitive_opt::<Float64Type>() {
            columns.column::<f64>(at)?.copy_from_slice(values.values());
        } else {
            let mut texts = columns.texts(at)?;
            for (row, text) in column.as_string_view().iter().enumerate() {
                texts.set(row, text.unwrap_or_default())?;
            }
        }
    }
    Ok(Some(loan))
}

/// Publishes the table: by a copy, or as it was built in its slot.
fn publish(writer: &Writer, table: &RecordBatch, loan: Option<Loan<&Writer>>) -> Result<(), Failure> {
    match loan {
        Some(loan) => loan.commit(table.num_rows())?,
        None => writer.write_arrow(table)?,
    };
    Ok(())
}

/// Frames one way between two processes, from before they are published until the batch is there: half a round trip over two
/// rings.
///
/// # Errors
/// If either ring fails.
pub fn one_way(trip: Trip, turns: usize) -> Result<Samples, Failure> {
    let (there, back) = (name("there"), name("back"));
    let table = trip.table();
    let writer = Writer::new(trip.config(&there))?;
    let turns = turns + warm_up(trip);
    let [rows, sleeps, policy, lent] = trip.words();
    let words = [there.as_str(), &back, &turns.to_string(), &rows, &sleeps, &policy, &lent];
    let partner = Partner::start("echo", &words)?;
    let reader = Reader::new(trip.config(&back))?;
    let mut samples = Samples::new("a frame, one way");
    for turn in 0..turns {
        let loan = prepare(&writer, &table, trip.lent)?;
        // The other one is ready by then, too.
        pause(trip);
        let began = Instant::now();
        publish(&writer, &table, loan)?;
        let batch =
            reader.read_arrow(PATIENCE)?.ok_or_else(|| format!("no answer to turn {turn} of {trip:?}"))?;
        let took = began.elapsed() / 2;
        if turn == 0 {
            assert!(
                batch.num_rows() == trip.rows && (trip.lent || batch == table),
                "it works, before it counts"
            );
        }
        if turn >= warm_up(trip) {
            samples.add(took);
        }
    }
    // The partner stays until nobody reads it any more.
    drop(reader);
    partner.end()?;
    drop(writer);
    [there, back].iter().try_for_each(|name| clear_away(name))?;
    Ok(samples)
}

/// Waits for as long as the other end takes to build its table.
fn pause(trip: Trip) {
    if trip.lent && trip.rows >= 10_000 {
        std::thread::sleep(Duration::from_nanos(20 * trip.rows as u64));
    }
}

/// The first rounds warm every slot, and what either side keeps between frames.
fn warm_up(trip: Trip) -> usize {
    if trip.rows >= LARGE { 4 } else { 128 }
}

/// The partner's part of [`one_way`].
///
/// # Errors
/// If the words are others, or either ring fails.
pub fn echo(words: &[String]) -> Result<(), Failure> {
    let [there, back, turns, trip @ ..] = words else { return Err("seven words".into()) };
    let trip = Trip::read(trip)?;
    let table = trip.table();
    let reader = Reader::new(trip.config(there))?;
    let writer = Writer::new(trip.config(back))?;
    pair::say("ready")?;
    for _ in 0..turns.parse()? {
        let loan = prepare(&writer, &table, trip.lent)?;
        drop(reader.read_arrow(PATIENCE)?.ok_or("nothing came")?);
        publish(&writer, &table, loan)?;
    }
    // What it wrote is read before it leaves.
    while writer.reader_count() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Frames of so many rows, one after the other, to one lossless reader in another process that takes each: the mean of each of
/// so many stretches, as the time of one frame.
///
/// # Errors
/// If the ring fails.
pub fn sustained(rows: usize, slots: usize, frames: u64) -> Result<Samples, Failure> {
    const STRETCHES: u64 = 50;
    let ring = name("stream");
    let table = quotes(rows);
    let writer = Writer::new(config(&ring, rows, slots).with_wait(WaitStrategy::SPIN))?;
    let mut partner = Partner::start("count", &[&ring])?;
    let mut samples = Samples::new("a frame of many");
    for _ in 0..STRETCHES {
        let began = Instant::now();
        for _ in 0..frames / STRETCHES {
            writer.write_arrow(&table)?;
        }
        samples.add(began.elapsed() / (frames / STRETCHES) as u32);
    }
    writer.close()?;
    let counted = partner.line()?;
    assert_eq!(counted, (frames / STRETCHES * STRETCHES).to_string(), "none is lost");
    partner.end()?;
    Ok(samples)
}

/// The partner's part of [`sustained`].
///
/// # Errors
/// If the words are others, or the ring fails.
pub fn count(words: &[String]) -> Result<(), Failure> {
    let [ring] = words else { return Err("one word".into()) };
    let reader = Reader::new(SharedMemoryConfig::new(ring).with_wait(WaitStrategy::SPIN))?;
    pair::say("ready")?;
    let mut frames = 0_u64;
    loop {
        match reader.read_frame(PATIENCE) {
            Ok(Some(frame)) => frames += u64::from(frame.sequence() == frames),
            Ok(None) => return Err("nothing came".into()),
            Err(error) if error.kind() == ErrorKind::EndOfStream => break,
            Err(error) => return Err(error.into()),
        }
    }
    pair::say(&frames.to_string())?;
    Ok(())
}

/// What publishing a frame of one row takes the writer while so many readers are attached that let everything go by.
///
/// # Errors
/// If the ring fails.
pub fn publish_beside(readers: usize, turns: usize) -> Result<Samples, Failure> {
    // Without a name, for nobody reads what would have to be removed.
    let ring = config(&name("beside"), 1, 16).with_memfd(true);
    let table = quotes(1);
    let writer = Writer::new(ring)?;
    let region = writer.share()?;
    let lossy = SharedMemoryConfig::new("").with_policy(ReaderPolicy::Lossy);
    let attached: Result<Vec<Reader>, _> =
        (0..readers).map(|_| Reader::from_fd(&region, lossy.clone())).collect();
    let attached = attached?;
    let mut samples = Samples::new("write_arrow");
    for turn in 0..turns + 64 {
        let began = Instant::now();
        writer.write_arrow(&table)?;
        if turn >= 64 {
            samples.add(began.elapsed());
        }
    }
    assert_eq!(writer.reader_count(), readers, "they are still there");
    drop(attached);
    Ok(samples)
}

/// A frame of one row to so many readers, asleep each in a process of its own: what publishing it takes, and how long it is
/// from before that until the last of them has it.
///
/// # Errors
/// If the ring fails.
pub fn to_sleepers(readers: usize, turns: usize) -> Result<[Samples; 2], Failure> {
    let (ring, words) = (name("many"), crate::scratch("many"));
    let table = quotes(1);
    let shared = Shared::create(&words, 4096 * readers.div_ceil(8))?;
    let writer = Writer::new(config(&ring, 1, 64))?;
    let path = words.to_string_lossy();
    let partners: io::Result<Vec<Partner>> =
        (0..readers).map(|at| Partner::start("sleep", &[&ring, &path, &at.to_string()])).collect();
    std::fs::remove_file(&words)?;
    let partners = partners?;
    let (mut publish, mut last) = (Samples::new("write_arrow"), Samples::new("until the last has it"));
    for turn in 1..=turns as u64 {
        // All are asleep by then.
        std::thread::sleep(Duration::from_micros(300 + 50 * readers as u64));
        let began = Instant::now();
        writer.write_arrow(&table)?;
        publish.add(began.elapsed());
        for at in 0..readers {
            while shared.word(at).load(Acquire) < turn {
                // With one core to go round they would not get to it.
                std::thread::yield_now();
            }
        }
        last.add(began.elapsed());
    }
    writer.close()?;
    partners.into_iter().try_for_each(Partner::end)?;
    Ok([publish, last])
}

/// A partner's part of [`to_sleepers`].
///
/// # Errors
/// If the words are others, or the ring fails.
pub fn sleep(words: &[String]) -> Result<(), Failure> {
    let [ring, words, at] = words else { return Err("three words".into()) };
    let at: usize = at.parse()?;
    let shared = Shared::open(Path::new(words))?;
    let reader = Reader::new(SharedMemoryConfig::new(ring).with_wait(WaitStrategy::SLEEP))?;
    pair::say("ready")?;
    let mut frames = 0;
    loop {
        match reader.read_arrow(PATIENCE) {
            Ok(Some(batch)) => {
                frames += batch.num_rows() as u64;
                shared.word(at).store(frames, Release);
            }
            Ok(None) => return Err("nothing came".into()),
            Err(error) if error.kind() == ErrorKind::EndOfStream => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A full ring: what a write takes that finds no room and does not wait; and how long it is from letting go of a frame until the
/// writer in another process, which waited for that room, has published the next.
///
/// # Errors
/// If the ring fails.
pub fn full(sleeps: bool, turns: usize) -> Result<[Samples; 2], Failure> {
    const SLOTS: u64 = 4;
    let ring = name("full");
    let table = quotes(1);
    let refusing = Writer::new(config(&name("refuses"), 1, SLOTS as usize))?;
    let unread = Reader::new(refusing.name().as_str())?;
    while refusing.try_write_arrow(&table)?.is_some() {}
    let mut refused = Samples::new("a refused write");
    for _ in 0..turns {
        assert_eq!(refused.time(|| refusing.try_write_arrow(&table))?, None, "it is full");
    }
    drop(unread);
    let mut partner = Partner::start("fill", &[&ring, &sleeps.to_string(), &turns.to_string()])?;
    let reader = Reader::new(config(&ring, 1, SLOTS as usize))?;
    let mut freed = Samples::new("until the waiting writer has published");
    for turn in 0..turns as u64 {
        let frame = reader.read_frame(PATIENCE)?.ok_or("nothing came")?;
        assert_eq!(frame.sequence(), turn);
        while reader.stats().frames_published < turn + SLOTS {
            std::hint::spin_loop();
        }
        if sleeps {
            std::thread::sleep(Duration::from_micros(100));
        }
        let began = Instant::now();
        drop(frame);
        while reader.stats().frames_published == turn + SLOTS {
            std::hint::spin_loop();
        }
        freed.add(began.elapsed());
    }
    reader.close();
    assert_eq!(partner.line()?, "done");
    partner.end()?;
    let refusing_ring = refusing.name();
    drop(refusing);
    clear_away(&refusing_ring)?;
    clear_away(&ring)?;
    Ok([refused, freed])
}

/// The partner's part of [`full`].
///
/// # Errors
/// If the words are others, or the ring fails.
pub fn fill(words: &[String]) -> Result<(), Failure> {
    let [ring, sleeps, turns] = words else { return Err("three words".into()) };
    let turns: u64 = turns.parse()?;
    let table = quotes(1);
    let writer = Writer::new(config(ring, 1, 4).with_wait(strategy(sleeps.parse()?)))?;
    pair::say("ready")?;
    while writer.reader_count() == 0 {
        std::hint::spin_loop();
    }
    for _ in 0..turns + 4 {
        writer.write_arrow(&table)?;
    }
    pair::say("done")?;
    Ok(())
}

/// Plays a part in somebody else's measurement.
///
/// # Errors
/// If there is no such part, or it fails.
pub fn play(part: &str, words: &[String]) -> Result<(), Failure> {
    pair::settle(1)?;
    match part {
        "words" => Ok(crate::floors::answer(words)?),
        "sum" => Ok(crate::copies::sum(words)?),
        "echo" => echo(words),
        "count" => count(words),
        "sleep" => sleep(words),
        "fill" => fill(words),
        "hold" => crate::memory::hold(words),
        "keep" => crate::views::keep(words),
        other => Err(io::Error::other(format!("{other}: no such part")).into()),
    }
}
