//! Sharing rows out among workers.
//!
//! ```text
//!   worker 0: Δ ─▶ [ by key ] ─▶ its keys of all         [ gather(0) ] ─▶ everything
//!                     ╳
//!   worker 1: Δ ─▶ [ by key ] ─▶ its keys of all         [ gather(0) ] ─▶ nothing
//! ```
//!
//! **Law.** The sum over all workers stays what it is; after `shard` all rows of a key are with one worker, which the top
//! bits of the key's hash choose, so that operators by key need not know that there are others. With one worker it is the
//! identity, and no operator at all.

use crate::circuit::{Circuit, Ends, Incoming, Stream, Worker};
use crate::column::{Column, Data};
use crate::error::Error;
use crate::operator::UnaryOperator;
use crate::trace::Batch;

/// Sends each row to one worker.
struct Exchange<K: Data, V: Data> {
    worker: Worker,
    ends: Ends<Batch<K, V>>,
    /// The worker that gets everything; each key's own if there is none.
    receiver: Option<usize>,
    hashes: Vec<u64>,
    rows: Vec<Vec<u32>>,
    /// Empty batches whose memory the next step's shares take: as many come as go.
    spare: Vec<Batch<K, V>>,
}

impl<K: Data, V: Data> UnaryOperator<Batch<K, V>, Batch<K, V>> for Exchange<K, V> {
    fn eval(&mut self, input: &Incoming<Batch<K, V>>, output: &mut Batch<K, V>) -> Result<(), Error> {
        self.spare.resize_with(self.worker.workers(), Batch::new);
        let mut shares = std::mem::take(&mut self.spare);
        if let Some(receiver) = self.receiver {
            shares[receiver] = input.take();
        } else {
            self.share_out(&input.get(), &mut shares, output);
        }
        self.ends.meet(shares, |_, mut share| {
            if output.is_empty() {
                std::mem::swap(output, &mut share);
            } else {
                output.extend(&share);
            }
            share.clear();
            self.spare.push(share);
        })
    }
}

impl<K: Data, V: Data> Exchange<K, V> {
    /// Puts the rows of its own keys into `output`, and those of each other worker into that worker's share.
    fn share_out(&mut self, input: &Batch<K, V>, shares: &mut [Batch<K, V>], output: &mut Batch<K, V>) {
        self.hashes.clear();
        input.keys().hashes(0..input.len(), &mut self.hashes);
        self.rows.iter_mut().for_each(Vec::clear);
        for (row, &hash) in (0u32..).zip(&self.hashes) {
            self.rows[self.worker.of_hash(hash)].push(row);
        }
        for (to, (share, rows)) in shares.iter_mut().zip(&self.rows).enumerate() {
            let share = if to == self.worker.index() { &mut *output } else { share };
            share.extend_rows(input, rows);
        }
    }
}

impl<C: Circuit, K: Data, V: Data> Stream<C, Batch<K, V>> {
    /// Brings all rows of a key to one worker. Operators by key do so themselves; made once, however often it is asked for.
    #[must_use]
    pub fn shard(&self) -> Self {
        struct Shard;
        if self.graph().worker().workers() == 1 {
            return self.clone();
        }
        self.graph().once::<Shard, _>(self.id(), || {
            let sharded = self.exchange("shard", None);
            // Sharding what is sharded is the identity.
            sharded.graph().once::<Shard, _>(sharded.id(), || sharded.clone())
        })
    }

    /// Brings all rows to one worker.
    ///
    /// # Panics
    ///
    /// If there is no such worker.
    #[must_use]
    pub fn gather(&self, worker: usize) -> Self {
        let workers = self.graph().worker().workers();
        assert!(worker < workers, "worker {worker} of {workers}");
        if workers == 1 { self.clone() } else { self.exchange("gather", Some(worker)) }
    }

    fn exchange(&self, name: &'static str, receiver: Option<usize>) -> Self {
        let worker = self.graph().worker().clone();
        let rows = vec![Vec::new(); worker.workers()];
        let ends = worker.ends();
        self.restless_unary(
            name,
            Exchange { worker, ends, receiver, hashes: Vec::new(), rows, spare: Vec::new() },
        )
    }
}
