//! The ways by which a table goes from one process to another, and what each must do.
//!
//! Law: a sender sends the next table when the receiver has dropped the last one.

use crate::scratch::Label;
use crate::table::Table;
use crate::ways::{flight, floor, iceoryx, mapping, message, ring, socket, zeromq};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use clap::ValueEnum;
use qadataswap_benches::floors;
use qadataswap_benches::rings::Failure;
use std::hint::black_box;
use std::time::Duration;

/// How long anybody waits for anybody.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How the receiver waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Waiting {
    /// Looking again at once, on a core of its own.
    Spinning,
    /// In the kernel.
    Sleeping,
}

impl Waiting {
    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Waiting::Spinning => "spinning",
            Waiting::Sleeping => "sleeping",
        }
    }

    /// The column of its figures.
    pub(crate) fn column(self) -> &'static str {
        match self {
            Waiting::Spinning => "one way, spinning",
            Waiting::Sleeping => "one way, sleeping",
        }
    }
}

impl From<Waiting> for floors::Waiting {
    fn from(waiting: Waiting) -> Self {
        match waiting {
            Waiting::Spinning => floors::Waiting::Hot,
            Waiting::Sleeping => floors::Waiting::Asleep,
        }
    }
}

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// One `memcpy` into warm shared memory, and a word that tells of it; no table arrives.
    Floor,
    /// `write_arrow`, `read_arrow`.
    Ring,
    /// A frame that was built in its slot, from `commit` on.
    Lent,
    /// iceoryx2, with the bytes of the numbers and no table around them.
    IceoryxBytes,
    /// iceoryx2, with Arrow IPC written into its loan.
    Iceoryx,
    /// Arrow IPC in one mapping that is used again, and a word that tells of it; nobody guards it.
    Mapping,
    /// An Arrow IPC stream over a Unix-domain socket.
    Socket,
    /// Arrow IPC in a message of ZeroMQ over `ipc://`: libzmq, as the crate `zmq` builds it.
    #[value(name = "zeromq")]
    ZeroMq,
    /// Arrow Flight (`arrow-flight` on tonic) over the loopback device: one `DoPut` for all tables.
    Flight,
}

impl Way {
    /// Its word among the options.
    pub(crate) fn word(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What its figures are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Floor => "floor: memcpy, and a word or futex",
            Way::Ring => "QADataSwap: write_arrow, read_arrow",
            Way::Lent => "QADataSwap: built in place, from commit",
            Way::IceoryxBytes => "iceoryx2: the bytes, no table",
            Way::Iceoryx => "iceoryx2, Arrow IPC in its loan",
            Way::Mapping => "Arrow IPC in a reused mapping",
            Way::Socket => "Arrow IPC over a Unix socket",
            Way::ZeroMq => "ZeroMQ (libzmq, ipc://), Arrow IPC",
            Way::Flight => "Arrow Flight (tonic)",
        }
    }

    /// How its receiver can wait. What comes by a socket comes through the kernel, which wakes whoever sleeps.
    pub(crate) fn waits(self) -> &'static [Waiting] {
        match self {
            Way::Floor | Way::Ring | Way::Lent | Way::IceoryxBytes | Way::Iceoryx | Way::Mapping => {
                &[Waiting::Spinning, Waiting::Sleeping]
            }
            Way::Socket | Way::ZeroMq | Way::Flight => &[Waiting::Sleeping],
        }
    }

    /// The sending end, in the process that measures, made before the other.
    pub(crate) fn sender(self, terms: &Terms<'_>) -> Result<Box<dyn Sender>, Failure> {
        Ok(match self {
            Way::Floor => Box::new(floor::Floor::new(terms)?),
            Way::Ring => Box::new(ring::Written::new(terms)?),
            Way::Lent => Box::new(ring::Lent::new(terms)?),
            Way::IceoryxBytes => Box::new(message::Sending::new(terms)?),
            Way::Iceoryx => Box::new(iceoryx::Sending::new(terms)?),
            Way::Mapping => Box::new(mapping::Sending::new(terms)?),
            Way::Socket => Box::new(socket::Sending::new(terms)?),
            Way::ZeroMq => Box::new(zeromq::Sending::new(terms)?),
            Way::Flight => Box::new(flight::Sending::new(terms)?),
        })
    }

    /// The receiving end, in the other.
    pub(crate) fn receiver(self, terms: &Terms<'_>) -> Result<Box<dyn Receiver>, Failure> {
        Ok(match self {
            Way::Floor => Box::new(floor::Floor::attach(terms)?),
            Way::Ring | Way::Lent => Box::new(ring::Reading::new(terms)?),
            Way::IceoryxBytes => Box::new(message::Receiving::new(terms)?),
            Way::Iceoryx => Box::new(iceoryx::Receiving::new(terms)?),
            Way::Mapping => Box::new(mapping::Receiving::new(terms)?),
            Way::Socket => Box::new(socket::Receiving::new(terms)?),
            Way::ZeroMq => Box::new(zeromq::Receiving::new(terms)?),
            Way::Flight => Box::new(flight::Receiving::new(terms)?),
        })
    }
}

/// What both ends agree on beforehand.
#[derive(Debug)]
pub(crate) struct Terms<'a> {
    /// Which table it is.
    pub(crate) table: Table,
    /// The table: every one that is sent is like it.
    pub(crate) batch: &'a RecordBatch,
    /// How the receiver waits.
    pub(crate) waiting: Waiting,
    /// What the two share is named by it.
    pub(crate) label: &'a Label,
}

/// The sending end of a way.
pub(crate) trait Sender {
    /// The receiver is there, and has said where.
    fn meet(&mut self, _told: &str) -> Result<(), Failure> {
        Ok(())
    }

    /// Does what need not be done between having a table and sending it.
    fn prepare(&mut self, _batch: &RecordBatch) -> Result<(), Failure> {
        Ok(())
    }

    /// Sends a table.
    fn send(&mut self, batch: &RecordBatch) -> Result<(), Failure>;
}

/// The receiving end of a way.
pub(crate) trait Receiver {
    /// Where it is, for the sender.
    fn told(&self) -> String {
        String::new()
    }

    /// Waits for the next table.
    fn receive(&mut self) -> Result<Arrival, Failure>;

    /// Does what the sender still waits for when nothing more will come.
    fn leave(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// What has arrived.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A table.
    Whole(RecordBatch),
    /// One in pieces, as it came.
    Pieces(Vec<RecordBatch>),
    /// No table: the last of its bytes.
    Bytes(u8),
}

impl Arrival {
    /// Looks at the last value.
    pub(crate) fn look(&self) {
        match self {
            Arrival::Whole(batch) => look(batch),
            Arrival::Pieces(batches) => batches.iter().for_each(look),
            Arrival::Bytes(last) => {
                black_box(last);
            }
        }
    }

    /// Whether it is this table; what is no table cannot be another.
    pub(crate) fn is(&self, expected: &RecordBatch) -> bool {
        match self {
            Arrival::Whole(batch) => batch == expected,
            Arrival::Pieces(batches) => {
                let mut row = 0;
                batches.iter().all(|batch| {
                    let from = row;
                    row += batch.num_rows();
                    row <= expected.num_rows() && *batch == expected.slice(from, batch.num_rows())
                }) && row == expected.num_rows()
            }
            Arrival::Bytes(_) => true,
        }
    }
}

fn look(batch: &RecordBatch) {
    let (Some(column), Some(row)) = (batch.columns().last(), batch.num_rows().checked_sub(1)) else { return };
    match column.data_type() {
        DataType::Utf8View => {
            black_box(column.as_string_view().value(row));
        }
        DataType::Float64 => {
            black_box(column.as_primitive::<Float64Type>().value(row));
        }
        DataType::Int64 => {
            black_box(column.as_primitive::<Int64Type>().value(row));
        }
        other => unreachable!("no table here has {other} at its end"),
    }
}
