//! Copying into shared memory: the floor of every frame that is not built in place.

#![allow(unsafe_code)]

use crate::Samples;
use crate::floors::{Waiting, meet, pass};
use crate::pair::{self, Partner};
use crate::shared::Shared;
use memmap2::MmapMut;
use std::fs::File;
use std::hint::black_box;
use std::io;
use std::path::Path;
use std::time::Instant;

// What the product copies large frames with, so that it is measured and no likeness of it.
#[path = "../../rust/qadataswap/src/frame/nontemporal.rs"]
#[allow(dead_code, reason = "from which size on is the product's affair")]
mod nontemporal;

/// Places that are written in turns, as a ring has slots.
const PLACES: usize = 3;

/// How to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// As the C library does it.
    Memcpy,
    /// By streaming stores, around the caches.
    Streaming,
}

impl How {
    /// All there are.
    pub const ALL: [How; 2] = [How::Memcpy, How::Streaming];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            How::Memcpy => "memcpy",
            How::Streaming => "streaming stores",
        }
    }

    fn copy(self, place: &mut [u8], source: &[u8]) {
        match self {
            How::Memcpy => place.copy_from_slice(source),
            How::Streaming => nontemporal::copy(place, source),
        }
    }
}

fn map(file: &File) -> io::Result<MmapMut> {
    // SAFETY: a file of this bench's own. Whoever else maps it looks at its bytes only between the words by which the two
    // take turns.
    unsafe { MmapMut::map_mut(file) }
}

fn file(path: &Path, bytes: usize) -> io::Result<File> {
    let file = File::options().read(true).write(true).create_new(true).open(path)?;
    file.set_len(bytes as u64)?;
    Ok(file)
}

/// Bytes that are no repetition.
#[must_use]
pub fn source(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|byte| (byte * 7 + byte / 251) as u8).collect()
}

/// Copying so many bytes into shared memory of which every page has been touched: of each way, in turns.
///
/// # Errors
/// If there is no room.
pub fn warm(bytes: usize, turns: usize) -> io::Result<[Samples; 2]> {
    let path = crate::scratch("warm");
    let file = file(&path, PLACES * bytes)?;
    std::fs::remove_file(&path)?;
    let mut shared = map(&file)?;
    let source = source(bytes);
    let mut samples = How::ALL.map(|how| Samples::new(how.name()));
    for turn in 0..turns + PLACES {
        for (how, samples) in How::ALL.into_iter().zip(&mut samples) {
            let place = &mut shared[turn % PLACES * bytes..][..bytes];
            let began = Instant::now();
            how.copy(place, black_box(&source));
            let took = began.elapsed();
            if turn >= PLACES {
                samples.add(took);
            }
        }
        assert_eq!(shared[turn % PLACES * bytes + bytes - 1], source[bytes - 1], "it is there");
    }
    Ok(samples)
}

/// Copying so many bytes into shared memory that nobody has touched yet, and touching one byte of each page of as much:
/// the latter as the time of a page.
///
/// # Errors
/// If there is no room.
pub fn cold(bytes: usize, turns: usize) -> io::Result<[Samples; 3]> {
    const PAGE: usize = 4096;
    let source = source(bytes);
    let mut copies = How::ALL.map(|how| Samples::new(how.name()));
    let mut fault = Samples::new("page fault");
    for _ in 0..turns {
        for (how, samples) in How::ALL.into_iter().zip(&mut copies) {
            let path = crate::scratch("cold");
            let file = file(&path, bytes)?;
            std::fs::remove_file(&path)?;
            let mut shared = map(&file)?;
            samples.time(|| how.copy(&mut shared, black_box(&source)));
        }
        let path = crate::scratch("faults");
        let file = file(&path, bytes)?;
        std::fs::remove_file(&path)?;
        let mut shared = map(&file)?;
        let began = Instant::now();
        for page in 0..bytes / PAGE {
            shared[page * PAGE] = 1;
        }
        fault.add(began.elapsed() / (bytes / PAGE) as u32);
        black_box(&shared);
    }
    let [memcpy, streaming] = copies;
    Ok([memcpy, streaming, fault])
}

/// So many bytes written here and read at the other core, from before the copy until that one has added them up.
///
/// # Errors
/// If there can be no partner.
pub fn touched(bytes: usize, turns: usize) -> io::Result<[Samples; 2]> {
    let (words, data) = (crate::scratch("turns"), crate::scratch("touched"));
    let shared = Shared::create(&words, 4096)?;
    let made = file(&data, PLACES * bytes);
    let rounds = (turns + PLACES) * How::ALL.len();
    let partner = made.and_then(|file| {
        let map = map(&file)?;
        let (words, data) = (words.to_string_lossy(), data.to_string_lossy());
        Ok((map, Partner::start("sum", &[&words, &data, &bytes.to_string(), &rounds.to_string()])?))
    });
    let removed = std::fs::remove_file(&words).and(std::fs::remove_file(&data));
    let (mut map, partner) = partner?;
    removed?;
    let source = source(bytes);
    let sum = add_up(&source);
    let mut samples = How::ALL.map(|how| Samples::new(how.name()));
    let mut turn = 0;
    for round in 0..turns + PLACES {
        for (how, samples) in How::ALL.into_iter().zip(&mut samples) {
            let place = &mut map[turn as usize % PLACES * bytes..][..bytes];
            turn += 1;
            let began = Instant::now();
            how.copy(place, black_box(&source));
            pass(&shared, 0, turn, Waiting::Pausing);
            meet(&shared, 1, turn, Waiting::Pausing);
            let took = began.elapsed();
            assert_eq!(shared.word(2).load(std::sync::atomic::Ordering::Relaxed), sum, "all has come");
            if round >= PLACES {
                samples.add(took);
            }
        }
    }
    partner.end()?;
    Ok(samples)
}

fn add_up(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0, |sum: u64, word| sum.wrapping_add(u64::from_ne_bytes(*word)))
}

/// The partner's part of [`touched`]: its words are the two files, the bytes, and how often.
///
/// # Errors
/// If the words are others.
pub fn sum(words: &[String]) -> io::Result<()> {
    let [turns, data, bytes, rounds] = words else { return Err(io::ErrorKind::InvalidInput.into()) };
    let (bytes, rounds): (usize, u64) =
        (bytes.parse().map_err(io::Error::other)?, rounds.parse().map_err(io::Error::other)?);
    let shared = Shared::open(Path::new(turns))?;
    let map = map(&File::options().read(true).write(true).open(data)?)?;
    pair::say("ready")?;
    for turn in 1..=rounds {
        meet(&shared, 0, turn, Waiting::Pausing);
        let sum = add_up(black_box(&map[(turn - 1) as usize % PLACES * bytes..][..bytes]));
        shared.word(2).store(sum, std::sync::atomic::Ordering::Relaxed);
        pass(&shared, 1, turn, Waiting::Pausing);
    }
    Ok(())
}
