//! The floor: one `memcpy` of a table's bytes into warm shared memory, and a word or a futex that tells of it.

use crate::ipc::Encoder;
use crate::place::Place;
use crate::table::Table;
use crate::way::{Arrival, Receiver, Sender, Terms, Waiting};
use arrow_array::RecordBatch;
use qadataswap_benches::floors::{meet, pass};
use qadataswap_benches::rings::Failure;
use qadataswap_benches::shared::Shared;

/// Either end.
#[derive(Debug)]
pub(crate) struct Floor {
    place: Place,
    word: Shared,
    waiting: Waiting,
    turn: u64,
    source: Vec<u8>,
}

/// As many bytes as the columns have; of a message, just its own.
fn bytes(terms: &Terms<'_>) -> Result<usize, Failure> {
    match terms.table {
        Table::Message => Ok(56),
        _ => Encoder::new(terms.batch.schema_ref())?.length(terms.batch),
    }
}

impl Floor {
    /// The end that copies.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Floor, Failure> {
        let source: Vec<u8> = (0..bytes(terms)?).map(|byte| byte as u8).collect();
        let place = Place::create(&terms.label.memory("bytes"), source.len())?;
        let word = Shared::create(&terms.label.memory("word"), 4096)?;
        Ok(Floor { place, word, waiting: terms.waiting, turn: 0, source })
    }

    /// The end that looks.
    pub(crate) fn attach(terms: &Terms<'_>) -> Result<Floor, Failure> {
        let (bytes_path, word_path) = (terms.label.memory("bytes"), terms.label.memory("word"));
        let (place, word) = (Place::open(&bytes_path)?, Shared::open(&word_path)?);
        std::fs::remove_file(bytes_path)?;
        std::fs::remove_file(word_path)?;
        Ok(Floor { place, word, waiting: terms.waiting, turn: 0, source: vec![0; bytes(terms)?] })
    }
}

impl Sender for Floor {
    fn send(&mut self, _batch: &RecordBatch) -> Result<(), Failure> {
        self.turn += 1;
        self.place.copy(&self.source);
        pass(&self.word, 0, self.turn, self.waiting.into());
        Ok(())
    }
}

impl Receiver for Floor {
    fn receive(&mut self) -> Result<Arrival, Failure> {
        self.turn += 1;
        meet(&self.word, 0, self.turn, self.waiting.into());
        Ok(Arrival::Bytes(self.place.byte(self.source.len() - 1)))
    }
}
