//! iceoryx2: Arrow IPC written into a loan of its publish-subscribe, and read where it lies.
//!
//! Who spins asks the subscriber again and again; who sleeps waits for an event of the same name, which the sender notifies.

#![allow(unsafe_code)]

use crate::ipc::{Decoder, Encoder};
use crate::scratch::Label;
use crate::way::{Arrival, PATIENCE, Receiver, Sender, Terms, Waiting};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use iceoryx2::node::{Node, NodeBuilder};
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{
    Alignment, Config, FileName, LogLevel, Path, SemanticString, ServiceName, SignalHandlingMode, ipc,
    set_log_level,
};
use iceoryx2::sample::Sample;
use iceoryx2::service::port_factory::event;
use qadataswap_benches::rings::Failure;
use std::hint::spin_loop;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Instant;

/// What a message is aligned to, and with it what lies in it.
fn alignment() -> Alignment {
    Alignment::new(64).expect("a power of two")
}

/// Who takes part, with names and a folder of this run, which it removes at its end.
pub(crate) fn node(label: &Label) -> Result<Node<ipc::Service>, Failure> {
    set_log_level(LogLevel::Error);
    let mut config = Config::default();
    config.global.prefix = FileName::new(label.prefix().as_bytes())?;
    config.global.set_root_path(&Path::new(label.folder().as_os_str().as_encoded_bytes())?);
    Ok(NodeBuilder::new()
        .config(&config)
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create::<ipc::Service>()?)
}

/// The name of its services.
pub(crate) fn service_name(label: &Label) -> Result<ServiceName, Failure> {
    Ok(ServiceName::new(&label.name())?)
}

/// The event that wakes a sleeper, if it sleeps.
fn event(
    node: &Node<ipc::Service>,
    terms: &Terms<'_>,
) -> Result<Option<event::PortFactory<ipc::Service>>, Failure> {
    match terms.waiting {
        Waiting::Spinning => Ok(None),
        Waiting::Sleeping => {
            Ok(Some(node.service_builder(&service_name(terms.label)?).event().open_or_create()?))
        }
    }
}

/// What tells a sleeper.
pub(crate) struct Bell(Option<Notifier<ipc::Service>>);

impl Bell {
    /// One for the sender.
    pub(crate) fn new(node: &Node<ipc::Service>, terms: &Terms<'_>) -> Result<Bell, Failure> {
        Ok(Bell(event(node, terms)?.map(|event| event.notifier_builder().create()).transpose()?))
    }

    /// Wakes the receiver, if it sleeps.
    pub(crate) fn ring(&self) -> Result<(), Failure> {
        if let Some(notifier) = &self.0 {
            notifier.notify()?;
        }
        Ok(())
    }
}

/// How the receiver waits.
pub(crate) struct Ear(Option<Listener<ipc::Service>>);

impl Ear {
    /// One for the receiver.
    pub(crate) fn new(node: &Node<ipc::Service>, terms: &Terms<'_>) -> Result<Ear, Failure> {
        Ok(Ear(event(node, terms)?.map(|event| event.listener_builder().create()).transpose()?))
    }

    /// Looks until something is there, asleep in between or not.
    pub(crate) fn wait<T>(&self, mut look: impl FnMut() -> Result<Option<T>, Failure>) -> Result<T, Failure> {
        let began = Instant::now();
        loop {
            for _ in 0..1_000 {
                if let Some(found) = look()? {
                    return Ok(found);
                }
                match &self.0 {
                    None => spin_loop(),
                    Some(listener) => {
                        listener.timed_wait(|_| {}, PATIENCE)?;
                    }
                }
            }
            if began.elapsed() > PATIENCE {
                return Err("nothing came".into());
            }
        }
    }
}

/// The end that publishes.
pub(crate) struct Sending {
    publisher: Publisher<ipc::Service, [u8], ()>,
    bell: Bell,
    encoder: Encoder,
    length: usize,
    _node: Node<ipc::Service>,
}

impl Sending {
    /// A publisher whose loans are as long as a message.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Sending, Failure> {
        let mut encoder = Encoder::new(terms.batch.schema_ref())?;
        let length = encoder.length(terms.batch)?;
        let node = node(terms.label)?;
        let service = node
            .service_builder(&service_name(terms.label)?)
            .publish_subscribe::<[u8]>()
            .payload_alignment(alignment())
            .max_publishers(1)
            .max_subscribers(1)
            .history_size(0)
            .subscriber_max_buffer_size(1)
            .subscriber_max_borrowed_samples(1)
            .enable_safe_overflow(true)
            .create()?;
        let publisher =
            service.publisher_builder().max_loaned_samples(1).initial_max_slice_len(length).create()?;
        Ok(Sending { publisher, bell: Bell::new(&node, terms)?, encoder, length, _node: node })
    }
}

impl Sender for Sending {
    fn send(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let mut sample = self.publisher.loan_slice_uninit(self.length)?;
        let place = NonNull::from(sample.payload_mut()).cast::<u8>();
        // SAFETY: the loan's own bytes; then they have been written, all of them, since the message of every table is as long.
        let sample = unsafe {
            self.encoder.encode(batch, place, self.length)?;
            sample.assume_init()
        };
        sample.send()?;
        self.bell.ring()
    }
}

/// The end that subscribes.
pub(crate) struct Receiving {
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    ear: Ear,
    decoder: Decoder,
    _node: Node<ipc::Service>,
}

impl Receiving {
    /// A subscriber of the service that is there.
    pub(crate) fn new(terms: &Terms<'_>) -> Result<Receiving, Failure> {
        let node = node(terms.label)?;
        let service = node
            .service_builder(&service_name(terms.label)?)
            .publish_subscribe::<[u8]>()
            .payload_alignment(alignment())
            .open()?;
        let subscriber = service.subscriber_builder().create()?;
        let (ear, decoder) = (Ear::new(&node, terms)?, Decoder::new(terms.batch.schema()));
        Ok(Receiving { subscriber, ear, decoder, _node: node })
    }
}

/// A sample that a table lies in.
struct Held {
    _sample: Sample<ipc::Service, [u8], ()>,
}

// SAFETY: a table never leaves the thread that received it: `Receiver` is used by one, which drops each arrival.
unsafe impl Send for Held {}
// SAFETY: as above.
unsafe impl Sync for Held {}
impl std::panic::RefUnwindSafe for Held {}

impl Receiver for Receiving {
    fn receive(&mut self) -> Result<Arrival, Failure> {
        let sample = self.ear.wait(|| Ok(self.subscriber.receive()?))?;
        let (place, length) = (NonNull::from(sample.payload()).cast(), sample.payload().len());
        // SAFETY: the sample's bytes, which the buffer keeps; nobody writes them while it has them.
        let bytes =
            unsafe { Buffer::from_custom_allocation(place, length, Arc::new(Held { _sample: sample })) };
        Ok(Arrival::Whole(self.decoder.decode(&bytes)?))
    }
}
