//! iceoryx2 with a small message of numbers and no table: what its publish-subscribe takes by itself.
//!
//! As in its own benchmark, the loan is there beforehand.

use super::iceoryx::{Bell, Ear, node, service_name};
use crate::way::{Arrival, Receiver, Sender, Terms};
use arrow_array::RecordBatch;
use iceoryx2::node::Node;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::ipc;
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use qadataswap_benches::rings::Failure;
use std::mem::MaybeUninit;

/// 56 bytes.
pub(crate) type Numbers = [u64; 7];

/// The end that publishes.
pub(crate) struct Sending {
    publisher: Publisher<ipc::Service, Numbers, ()>,
    loan: Option<SampleMutUninit<ipc::Service, MaybeUninit<Numbers>, ()>>,
    bell: Bell,
    turn: u64,
    _node: Node<ipc::Service>,
}

impl Sending {
    /// A publisher.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Sending, Failure> {
        let node = node(terms.label)?;
        let service = node
            .service_builder(&service_name(terms.label)?)
            .publish_subscribe::<Numbers>()
            .max_publishers(1)
            .max_subscribers(1)
            .history_size(0)
            .subscriber_max_buffer_size(1)
            .subscriber_max_borrowed_samples(1)
            .enable_safe_overflow(true)
            .create()?;
        let publisher = service.publisher_builder().max_loaned_samples(1).create()?;
        Ok(Sending { publisher, loan: None, bell: Bell::new(&node, terms)?, turn: 0, _node: node })
    }
}

impl Sender for Sending {
    fn prepare(&mut self, _batch: &RecordBatch) -> Result<(), Failure> {
        self.loan = Some(self.publisher.loan_uninit()?);
        Ok(())
    }

    fn send(&mut self, _batch: &RecordBatch) -> Result<(), Failure> {
        self.turn += 1;
        self.loan.take().ok_or("no loan was prepared")?.write_payload([self.turn; 7]).send()?;
        self.bell.ring()
    }
}

/// The end that subscribes.
pub(crate) struct Receiving {
    subscriber: Subscriber<ipc::Service, Numbers, ()>,
    ear: Ear,
    turn: u64,
    _node: Node<ipc::Service>,
}

impl Receiving {
    /// A subscriber of the service that is there.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Receiving, Failure> {
        let node = node(terms.label)?;
        let service =
            node.service_builder(&service_name(terms.label)?).publish_subscribe::<Numbers>().open()?;
        let subscriber = service.subscriber_builder().create()?;
        Ok(Receiving { subscriber, ear: Ear::new(&node, terms)?, turn: 0, _node: node })
    }
}

impl Receiver for Receiving {
    fn receive(&mut self) -> Result<Arrival, Failure> {
        self.turn += 1;
        let sample = self.ear.wait(|| Ok(self.subscriber.receive()?))?;
        match *sample.payload() {
            [.., last] if last == self.turn => Ok(Arrival::Bytes(last as u8)),
            [.., last] => Err(format!("message {last} instead of {}", self.turn).into()),
        }
    }
}
