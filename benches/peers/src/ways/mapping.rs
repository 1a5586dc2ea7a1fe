//! Arrow IPC in one mapping that is used again, and a word or a futex that tells of it.

use crate::ipc::{Decoder, Encoder};
use crate::place::Place;
use crate::way::{Arrival, Receiver, Sender, Terms, Waiting};
use arrow_array::RecordBatch;
use qadataswap_benches::floors::{meet, pass};
use qadataswap_benches::rings::Failure;
use qadataswap_benches::shared::Shared;

/// The end that writes.
pub(crate) struct Sending {
    place: Place,
    word: Shared,
    waiting: Waiting,
    turn: u64,
    encoder: Encoder,
}

impl Sending {
    /// Makes the mapping, as long as a message.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Sending, Failure> {
        let mut encoder = Encoder::new(terms.batch.schema_ref())?;
        let place = Place::create(&terms.label.memory("bytes"), encoder.length(terms.batch)?)?;
        let word = Shared::create(&terms.label.memory("word"), 4096)?;
        Ok(Sending { place, word, waiting: terms.waiting, turn: 0, encoder })
    }
}

impl Sender for Sending {
    fn send(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        self.turn += 1;
        self.place.encode(&mut self.encoder, batch)?;
        pass(&self.word, 0, self.turn, self.waiting.into());
        Ok(())
    }
}

/// The end that reads.
#[derive(Debug)]
pub(crate) struct Receiving {
    place: Place,
    word: Shared,
    waiting: Waiting,
    turn: u64,
    decoder: Decoder,
}

impl Receiving {
    /// Finds the mapping.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Receiving, Failure> {
        let (bytes, word) = (terms.label.memory("bytes"), terms.label.memory("word"));
        let end = Receiving {
            place: Place::open(&bytes)?,
            word: Shared::open(&word)?,
            waiting: terms.waiting,
            turn: 0,
            decoder: Decoder::new(terms.batch.schema()),
        };
        std::fs::remove_file(bytes)?;
        std::fs::remove_file(word)?;
        Ok(end)
    }
}

impl Receiver for Receiving {
    fn receive(&mut self) -> Result<Arrival, Failure> {
        self.turn += 1;
        meet(&self.word, 0, self.turn, self.waiting.into());
        Ok(Arrival::Whole(self.decoder.decode(&self.place.buffer())?))
    }
}
