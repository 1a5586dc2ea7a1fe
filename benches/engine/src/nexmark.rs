//! The events of Nexmark (Tucker, Tufte, Papadimos, Maier: "NEXMark, a benchmark for queries over data streams", 2004): an
//! auction house, where of fifty events one is a person who comes, three are auctions that open, and the rest are bids.
//!
//! As in the generators in use, half of the bids go to one auction of a hundred, and three quarters of the auctions are of one
//! seller of a hundred; the others are spread over the latest. 10,000 events are a second.

use std::ops::Range;

use crate::job::spread;

/// A number, a name, a mail address, a city, a state, and when they came, in milliseconds.
pub(crate) type Person = (u64, String, String, String, String, u64);
/// A number, an item, the seller, a category, the least price, when it opens, and when it closes.
pub(crate) type Auction = (u64, String, u64, u64, u64, u64, u64);
/// The auction, the bidder, the price, a channel, an address, and when it came.
pub(crate) type Bid = (u64, u64, u64, String, String, u64);

/// What happens.
#[derive(Default)]
pub(crate) struct Events {
    pub(crate) persons: Vec<Person>,
    pub(crate) auctions: Vec<Auction>,
    pub(crate) bids: Vec<Bid>,
}

/// A table of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Persons,
    Auctions,
    Bids,
}

/// A window of time, in milliseconds.
pub(crate) const WINDOW: u64 = 10_000;
/// How far a sliding window slides.
pub(crate) const SLIDE: u64 = 2_000;

const OF_ALL: u64 = 50;
const AUCTIONS: u64 = 3;
const FIRST: [&str; 8] = ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie"];
const LAST: [&str; 8] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones"];
const CITIES: [&str; 8] =
    ["Phoenix", "Palo Alto", "San Mateo", "Boise", "Portland", "Bend", "Redmond", "Seattle"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

impl Table {
    /// Returns the table of the event at this place of fifty.
    fn at(place: u64) -> Self {
        match place {
            0 => Self::Persons,
            1..=AUCTIONS => Self::Auctions,
            _ => Self::Bids,
        }
    }
}

/// The events of these numbers, but only those of some tables: a query is not given what it does not read.
pub(crate) fn events(numbers: Range<u64>, tables: &[Table]) -> Events {
    let mut events = Events::default();
    for number in numbers {
        let (epoch, place) = (number / OF_ALL, number % OF_ALL);
        let table = Table::at(place);
        if !tables.contains(&table) {
            continue;
        }
        let (random, time) = (spread(number + 1), number / 10);
        let pick = |names: &[&str], shift: u32| names[(random >> shift) as usize % names.len()].to_owned();
        match table {
            Table::Persons => {
                let (first, last) = (pick(&FIRST, 0), pick(&LAST, 8));
                let mail = format!("{first}.{last}{epoch}@example.com");
                events.persons.push((
                    epoch,
                    format!("{first} {last}"),
                    mail,
                    pick(&CITIES, 16),
                    pick(&STATES, 24),
                    time,
                ));
            }
            Table::Auctions => {
                let seller = if random % 4 > 0 {
                    epoch / 100 * 100
                } else {
                    epoch - (random >> 8) % epoch.clamp(1, 100)
                };
                let (id, closes) = (epoch * AUCTIONS + place - 1, time + 50 + (random >> 16) % 1_000);
                let item = format!("item {:x}", random >> 40);
                events.auctions.push((
                    id,
                    item,
                    seller,
                    10 + (random >> 32) % 5,
                    100 + (random >> 48) % 1_000,
                    time,
                    closes,
                ));
            }
            Table::Bids => {
                let latest = epoch * AUCTIONS + AUCTIONS - 1;
                let auction = if random % 2 > 0 {
                    latest / 100 * 100
                } else {
                    latest - (random >> 8) % latest.min(100)
                };
                let bidder = epoch - (random >> 16) % epoch.clamp(1, 1_000);
                let price = 100 + ((random >> 44) >> (random % 20));
                let address = format!("https://www.example.com/item.htm?query={:x}", random >> 40);
                events.bids.push((auction, bidder, price, pick(&CHANNELS, 24), address, time));
            }
        }
    }
    events
}
