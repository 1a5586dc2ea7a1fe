//! As many reader processes as `QADATASWAP_READERS` says, for `QADATASWAP_SECONDS`, of which 100 a minute are killed and
//! replaced, beside a ring with one reader that is written to in turn.
//!
//! What it costs to publish is told as the one ring's 99.9th percentile over the other's, in per mille. Nothing depends
//! on it: machines that do other things beside would fail.

use qadataswap::inspect::{self, RingState};
use qadataswap::{ErrorKind, Reader, ReaderPolicy, Writer};
use qadataswap_machine::crowd::{Cores, Had, Member};
use qadataswap_machine::stage::{PATIENCE, Stage, table};
use qadataswap_scorecard::{Effort, SECONDS};
use std::time::{Duration, Instant};

/// The short form's readers and time.
const FEW: u64 = 64;
const SHORTLY: u64 = 8;

/// One reader is killed so often.
const KILL_EVERY: Duration = Duration::from_millis(600);

/// So many readers are woken in a second, at most: what two cores can do beside other things.
const WAKES: u64 = 10_000;

#[allow(clippy::print_stderr, reason = "a test without a harness")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Half of them are owed everything.
fn policy(number: usize) -> ReaderPolicy {
    [ReaderPolicy::Lossless, ReaderPolicy::Lossy, ReaderPolicy::Lossless, ReaderPolicy::Latest][number % 4]
}

/// The median and the 99.9th percentile.
fn quantiles(times: &mut [Duration]) -> [Duration; 2] {
    times.sort_unstable();
    [times.len() / 2, (times.len() * 999 / 1000).min(times.len() - 1)].map(|place| times[place])
}

fn main() {
    let mut effort = Effort::of("readers", FEW);
    let readers = effort.asked() as usize;
    let seconds = std::env::var(SECONDS).ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(SHORTLY);
    let stage = Stage::new("crowd");
    let ring = stage.ring("crowd").with_max_readers(readers).with_slot_bytes(4096).with_buffer_count(64);
    let alone = stage.ring("alone").with_max_readers(1).with_slot_bytes(4096).with_buffer_count(64);
    let told = stage.folder().join("told");
    let tells = std::fs::OpenOptions::new().append(true).create(true).open(&told).expect("a file can be had");
    let (crowded, lonely) = (Writer::new(&ring).expect("created"), Writer::new(&alone).expect("created"));
    let began = Instant::now();
    let cores = Cores::part();
    let mut members = Vec::with_capacity(readers);
    while effort.goes_on() {
        members.push(Member::fork(&ring, policy(members.len()), &cores, &tells));
    }
    let single = Member::fork(&alone, ReaderPolicy::Lossless, &cores, &tells);
    let attached = |name: &str| {
        let info = inspect::info(name, stage.folder()).expect("the ring is there");
        assert_eq!(info.state, RingState::Live);
        info.readers.iter().filter(|reader| reader.alive).count()
    };
    // A crowd that comes all at once is let in one by one.
    let deadline = Instant::now() + 5 * PATIENCE;
    while attached("crowd") < members.len() || attached("alone") < 1 {
        assert!(Instant::now() < deadline, "{} readers of {}", attached("crowd"), members.len());
        std::thread::sleep(Duration::from_millis(20));
    }
    let together = began.elapsed();

    // The place after the last one.
    let refused = Reader::new(&ring).expect_err("every place is taken");
    assert_eq!(refused.kind(), ErrorKind::TooManyReaders);
    let message = refused.to_string();
    assert!(message.contains("'crowd'") && message.contains(&readers.to_string()), "{message}");

    let pause = Duration::from_secs(1) / (WAKES / readers as u64).clamp(10, 100) as u32;
    let mut times = [Vec::new(), Vec::new()];
    let (mut killed, mut published) = (0, 0);
    let started = Instant::now();
    let (mut next, mut next_kill) = (started, started + KILL_EVERY);
    while started.elapsed() < Duration::from_secs(seconds) {
        // In turn, and each of them first as often as the other.
        for which in [published % 2, 1 - published % 2] {
            let writer = if which == 0 { &crowded } else { &lonely };
            let batch = table(published as i64, 3);
            let before = Instant::now();
            assert_eq!(writer.write_arrow(&batch).expect("written"), published);
            times[which as usize].push(before.elapsed());
        }
        published += 1;
        if Instant::now() >= next_kill {
            // Not always the same policy's, nor always the oldest.
            let victim = (killed as usize * 37) % members.len();
            members.swap_remove(victim).kill();
            members.push(Member::fork(&ring, policy(victim + killed as usize), &cores, &tells));
            (killed, next_kill) = (killed + 1, next_kill + KILL_EVERY);
        }
        next += pause;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let [crowd_median, crowd] = quantiles(&mut times[0]);
    let [one_median, one] = quantiles(&mut times[1]);
    let evicted = crowded.stats().readers_evicted;
    drop((crowded, lonely));
    let ends = members.into_iter().chain([single]).map(Member::end);
    let wrong: Vec<String> = ends.filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let lines = std::fs::read_to_string(&told).expect("readers write text");
    std::fs::remove_file(&told).expect("ours");
    let had: Result<Vec<Had>, String> = lines.lines().map(Had::parse).collect();
    let had = had.unwrap_or_else(|line| panic!("a reader says: {line}"));
    assert_eq!(had.len(), readers + 1, "each reader that was not killed has told");
    for had in &had {
        assert_eq!(had.last, published - 1, "{had:?}: the last frame stays until it has been read");
        assert_eq!(had.read + had.missed, had.last - had.first + 1, "{had:?}");
        assert!(!had.lossless || had.missed == 0, "{had:?}");
    }
    let left = stage.files().len();
    stage.tidy(false, false).expect("what is left can be removed");
    let ratio = (crowd.as_nanos() * 1000 / one.as_nanos().max(1)) as u64;
    let lossless = had.iter().filter(|had| had.lossless).count() as u64;
    say(&format!(
        "{readers} readers (together after {together:.1?}), {published} frames each, {killed} killed \
         ({evicted} freed by the writer); publishing takes {crowd_median:.1?} with all, {one_median:.1?} with one, \
         99.9 % within {crowd:.1?} and {one:.1?}; {left} files left"
    ));
    effort.tell(&[
        ("frames", published),
        ("killed and replaced", killed),
        ("lossless to the end", lossless),
        ("µs of the median with all", crowd_median.as_micros() as u64),
        ("µs with one", one_median.as_micros() as u64),
        ("µs of the 99.9th percentile with all", crowd.as_micros() as u64),
        ("µs with one", one.as_micros() as u64),
        ("per mille of it", ratio),
        ("cores of the writer's own", u64::from(cores.are_apart())),
        ("names left", left as u64),
    ]);
}
