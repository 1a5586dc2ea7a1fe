//! One Arrow IPC stream over a Unix-domain socket: its schema goes once, and every table is flushed.

#![allow(unsafe_code)]

use crate::way::{Arrival, PATIENCE, Receiver, Sender, Terms};
use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::SchemaRef;
use qadataswap_benches::rings::Failure;
use std::io::{BufReader, BufWriter};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

fn path(terms: &Terms<'_>) -> PathBuf {
    terms.label.folder().join(format!("{}.socket", terms.label.name()))
}

/// The end that writes.
pub(crate) struct Sending {
    listener: UnixListener,
    schema: SchemaRef,
    writer: Option<StreamWriter<BufWriter<UnixStream>>>,
}

impl Sending {
    /// Listens for the other.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Sending, Failure> {
        let listener = UnixListener::bind(path(terms))?;
        Ok(Sending { listener, schema: terms.batch.schema(), writer: None })
    }
}

impl Sender for Sending {
    fn meet(&mut self, _told: &str) -> Result<(), Failure> {
        let (stream, _) = self.listener.accept()?;
        stream.set_write_timeout(Some(PATIENCE))?;
        self.writer = Some(StreamWriter::try_new_buffered(stream, &self.schema)?);
        Ok(())
    }

    fn send(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let writer = self.writer.as_mut().ok_or("nobody listens")?;
        writer.write(batch)?;
        Ok(writer.flush()?)
    }
}

/// The end that reads.
pub(crate) struct Receiving {
    stream: Option<UnixStream>,
    reader: Option<StreamReader<BufReader<UnixStream>>>,
}

impl Receiving {
    /// Connects to the other.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Receiving, Failure> {
        let path = path(terms);
        let stream = UnixStream::connect(&path)?;
        std::fs::remove_file(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Receiving { stream: Some(stream), reader: None })
    }
}

impl Receiver for Receiving {
    fn receive(&mut self) -> Result<Arrival, Failure> {
        // The stream begins with its schema, which comes when the sender knows that we are there.
        if let Some(stream) = self.stream.take() {
            let reader = StreamReader::try_new_buffered(stream, None)?;
            // SAFETY: the other process is a copy of this program, and writes by a `StreamWriter`.
            self.reader = Some(unsafe { reader.with_skip_validation(true) });
        }
        let reader = self.reader.as_mut().ok_or("no stream has begun")?;
        Ok(Arrival::Whole(reader.next().ok_or("the stream has ended")??))
    }
}
