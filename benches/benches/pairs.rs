//! `cargo bench -p qadataswap-benches --bench pairs`: what frames take between two processes, each on a core of its own, beside
//! the floors: a word's way from one to the other, and a futex's wake. All take turns in one run; ratios are what to
//! compare, and which two cores these are changes from run to run on machines that are shared. `-- 0.1` takes a tenth of the
//! samples; names of tables behind it choose.

use qadataswap::ReaderPolicy;
use qadataswap_benches::book::{Book, Key};
use qadataswap_benches::copies::{self, How};
use qadataswap_benches::floors::{self, Waiting};
use qadataswap_benches::rings::{self, Failure, Trip};
use qadataswap_benches::{Asked, memory, pair, provenance};
use std::io::{self, Write};

/// Rounds, in each of which everything is measured once.
const ROUNDS: usize = 3;

/// How frames of so many rows may go, and the column of it.
fn ways(rows: usize) -> [(&'static str, Trip); 4] {
    let trip = Trip::of(rows);
    [
        ("spinning", trip),
        ("sleeping", Trip { sleeps: true, ..trip }),
        ("latest, spinning", Trip { policy: ReaderPolicy::Latest, ..trip }),
        ("lent, from commit, spinning", Trip { lent: true, ..trip }),
    ]
}

const WORD: Key<'static> = ("floors", "a word, one way", "looking again at once");
const WAKE: Key<'static> = ("floors", "a futex's wake, one way", "asleep");

fn main() -> Result<(), Failure> {
    if let Some((part, words)) = pair::part() {
        return rings::play(&part, &words);
    }
    writeln!(io::stdout(), "{}", provenance())?;
    if !pair::are_two() {
        writeln!(io::stdout(), "one core: nothing that waits for another process can be measured")?;
        return Ok(());
    }
    pair::settle(0)?;
    let Asked { share, tables } = Asked::read();
    let of = |turns: usize| ((turns as f64 * share) as usize).max(8);
    let wants = |table: &str| tables.is_empty() || tables.iter().any(|asked| asked == table);
    let mut book = Book::new("pairs");
    for round in 0..ROUNDS {
        book.take(WORD, None, floors::one_way(Waiting::Hot, of(200) as u64)?);
        let pausing = floors::one_way(Waiting::Pausing, of(200) as u64)?;
        book.take(("floors", "a word, one way", "with pauses"), None, pausing);
        book.take(WAKE, None, floors::one_way(Waiting::Asleep, of(200) as u64)?);
        if wants("one way") {
            for (rows, turns) in [(1, 20_000), (1_000, 10_000), (1_000_000, 60), (20_000_000, 4)] {
                let copy = format!("memcpy of {} rows × 5", grouped(rows));
                let copy: Key<'_> = ("floors", &copy, "one process");
                if rows >= 1_000_000 {
                    let bytes = if rows >= 20_000_000 { 40 } else { 48 } * rows;
                    let [samples, _] = copies::warm(bytes, of(turns).min(20))?;
                    book.take(copy, None, samples);
                }
                for (column, trip) in ways(rows) {
                    if rows >= 20_000_000 && (round > 0 || trip.sleeps || trip.policy == ReaderPolicy::Latest)
                    {
                        continue;
                    }
                    // What moves no data has the same floor, whatever the size.
                    let floor = match (rows, trip.lent, trip.sleeps) {
                        (1_000_000.., false, _) => copy,
                        (_, _, true) => WAKE,
                        _ => WORD,
                    };
                    let row = format!("{} rows × 5", grouped(rows));
                    book.take(("one way", &row, column), Some(floor), rings::one_way(trip, of(turns))?);
                }
            }
        }
        if wants("one after the other") {
            for slots in [4, 64, 1024] {
                let samples = rings::sustained(1, slots, of(500_000) as u64)?;
                book.take(("one after the other", &format!("{slots} slots"), "a frame"), Some(WORD), samples);
            }
        }
        if wants("readers") {
            for readers in [1, 2, 8, 64] {
                let row = format!("{readers} attached");
                let one: Key<'_> = ("readers", "1 attached", "write_arrow");
                book.take(
                    ("readers", &row, "write_arrow"),
                    Some(one),
                    rings::publish_beside(readers, of(50_000))?,
                );
            }
            for readers in [1, 2, 8, 64] {
                let row = format!("{readers} asleep");
                let [publish, last] = rings::to_sleepers(readers, of(400))?;
                book.take(
                    ("readers", &row, "write_arrow"),
                    Some(("readers", "1 asleep", "write_arrow")),
                    publish,
                );
                book.take(("readers", &row, "until the last has it"), Some(WAKE), last);
            }
        }
        if wants("full ring") {
            for (sleeps, column) in [(false, "spinning"), (true, "sleeping")] {
                let [refused, freed] = rings::full(sleeps, of(2_000))?;
                let floor = if sleeps { WAKE } else { WORD };
                book.take(("full ring", "until a waiting writer has published", column), Some(floor), freed);
                book.take(("full ring", "a write that is refused", "no waiting"), None, refused);
            }
        }
        if wants("touched") {
            for (bytes, turns) in
                [(64 << 10, 400), (1 << 20, 60), (4 << 20, 20), (16 << 20, 8), (64 << 20, 4)]
            {
                let row = format!("{} KiB", grouped(bytes >> 10));
                let samples = copies::touched(bytes, of(turns))?;
                for (how, samples) in How::ALL.into_iter().zip(samples) {
                    let floor: Key<'_> = ("touched", &row, How::Memcpy.name());
                    book.take(("touched", &row, how.name()), Some(floor), samples);
                }
            }
        }
    }
    for rows in [1, 1_000, 1_000_000, 20_000_000].into_iter().filter(|_| wants("memory")) {
        let memory::Taken { frame, shared, writer, reader } = memory::taken(rows, 4)?;
        let row = format!("{} rows × 5", grouped(rows));
        for (column, bytes) in [
            ("the frame", frame),
            ("shared, in all", shared),
            ("writer's own", writer),
            ("each reader's own", reader),
        ] {
            book.value(("memory", &row, column), "B", bytes as f64);
        }
    }
    book.close()?;
    Ok(())
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}
