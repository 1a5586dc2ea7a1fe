//! Arrow IPC in messages of ZeroMQ: libzmq by the crate `zmq`, PUSH to PULL over `ipc://`.
//!
//! A message's bytes are given away to libzmq, and the table lies in the message that arrives, as far as that is aligned.

#![allow(unsafe_code)]

use crate::ipc::{Decoder, Encoder};
use crate::way::{Arrival, PATIENCE, Receiver, Sender, Terms};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use qadataswap_benches::rings::Failure;
use std::ptr::NonNull;
use std::sync::Arc;
use zmq::{Context, Message, Socket, SocketType};

/// What the metadata of a message must be aligned to.
const ALIGNMENT: usize = 8;

fn endpoint(terms: &Terms<'_>) -> String {
    format!("ipc://{}/{}.zmq", terms.label.folder().display(), terms.label.name())
}

fn socket(kind: SocketType) -> Result<Socket, Failure> {
    let socket = Context::new().socket(kind)?;
    socket.set_linger(0)?;
    socket.set_sndtimeo(PATIENCE.as_millis() as i32)?;
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32)?;
    Ok(socket)
}

/// The end that pushes.
pub(crate) struct Sending {
    socket: Socket,
    encoder: Encoder,
    length: usize,
}

impl Sending {
    /// Binds the socket.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Sending, Failure> {
        let socket = socket(SocketType::PUSH)?;
        socket.bind(&endpoint(terms))?;
        let mut encoder = Encoder::new(terms.batch.schema_ref())?;
        let length = encoder.length(terms.batch)?;
        Ok(Sending { socket, encoder, length })
    }
}

impl Sender for Sending {
    fn send(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let mut bytes = Vec::with_capacity(self.length);
        // SAFETY: that many bytes are allocated, and nobody else has them; then they have been written, all of them, since the
        // message of every table is as long.
        unsafe {
            let place = NonNull::new_unchecked(bytes.as_mut_ptr());
            self.encoder.encode(batch, place, self.length)?;
            bytes.set_len(self.length);
        }
        Ok(self.socket.send(Message::from(bytes), 0)?)
    }
}

/// The end that pulls.
pub(crate) struct Receiving {
    socket: Socket,
    decoder: Decoder,
}

impl Receiving {
    /// Connects the socket.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Receiving, Failure> {
        let socket = socket(SocketType::PULL)?;
        socket.connect(&endpoint(terms))?;
        Ok(Receiving { socket, decoder: Decoder::new(terms.batch.schema()) })
    }
}

impl Receiver for Receiving {
    fn receive(&mut self) -> Result<Arrival, Failure> {
        let message = Arc::new(self.socket.recv_msg(0)?);
        let place = NonNull::from(&**message).cast::<u8>();
        let bytes = if place.addr().get() % ALIGNMENT == 0 {
            // SAFETY: the message's own bytes, which stay where they are until the last one drops it, and are never written.
            unsafe { Buffer::from_custom_allocation(place, message.len(), message.clone()) }
        } else {
            Buffer::from(&**message)
        };
        Ok(Arrival::Whole(self.decoder.decode(&bytes)?))
    }
}
