//! Small messages one after the other, none lost: what one of many takes.

use crate::report::{Beside, Report};
use crate::scratch::{Label, Scratch};
use crate::way::PATIENCE;
use crate::ways::iceoryx::{node, service_name};
use crate::ways::message::Numbers;
use iceoryx2::prelude::BackpressureStrategy;
use qadataswap_benches::pair::{self, Partner};
use qadataswap_benches::rings::{self, Failure};
use std::hint::spin_loop;
use std::io::Write;
use std::time::Instant;

/// The receiver's part.
pub(crate) const PART: &str = "drain";

/// Stretches of a measurement, each of which is a sample: the mean of its messages.
const STRETCHES: u64 = 50;

/// Measures all that can: frames of a ring, and messages of iceoryx2, in rings of some lengths.
///
/// # Errors
/// If one of them fails.
pub(crate) fn measure(
    scratch: &Scratch,
    rounds: usize,
    share: f64,
    report: &mut Report,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let messages = (500_000.0 * share).max(5_000.0) as u64;
    for round in 0..rounds {
        for slots in [4, 64, 1024] {
            let column = format!("of many, {slots} slots");
            let taken = rings::sustained(1, slots, messages)?;
            report.add_samples("QADataSwap: frames of 1 × 5", &column, &taken);
            let label = scratch.label(&format!("sustained-{slots}-{round}"));
            report.add("iceoryx2: messages of 56 bytes", &column, &iceoryx(slots, messages, &label)?);
        }
    }
    report.finish("peers-sustained", "a message of many in a row, none lost", Beside::Rate, out)
}

fn iceoryx(slots: usize, messages: u64, label: &Label) -> Result<Vec<u64>, Failure> {
    let node = node(label)?;
    let service = node
        .service_builder(&service_name(label)?)
        .publish_subscribe::<Numbers>()
        .max_publishers(1)
        .max_subscribers(1)
        .history_size(0)
        .subscriber_max_buffer_size(slots)
        .subscriber_max_borrowed_samples(1)
        .enable_safe_overflow(false)
        .create()?;
    let publisher = service
        .publisher_builder()
        .max_loaned_samples(1)
        .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
        .create()?;
    let stretch = messages / STRETCHES;
    let [stem, what] = label.words();
    let partner = Partner::start(PART, &[&(stretch * STRETCHES).to_string(), stem, what])?;
    let mut taken = Vec::new();
    for first in (0..STRETCHES).map(|at| at * stretch) {
        let began = Instant::now();
        for number in first..first + stretch {
            publisher.loan_uninit()?.write_payload([number; 7]).send()?;
        }
        taken.push(began.elapsed().as_nanos() as u64 / stretch);
    }
    partner.end()?;
    Ok(taken)
}

/// The receiver's part.
///
/// # Errors
/// If the words are others, a message is missing, or none comes any more.
pub(crate) fn play(words: &[String]) -> Result<(), Failure> {
    let [messages, stem, what] = words else { return Err("three words".into()) };
    let messages: u64 = messages.parse()?;
    let label = Label::of(stem, what);
    pair::settle(1)?;
    let node = node(&label)?;
    let service = node.service_builder(&service_name(&label)?).publish_subscribe::<Numbers>().open()?;
    let subscriber = service.subscriber_builder().create()?;
    pair::say("ready")?;
    let (mut expected, mut looks, mut began) = (0, 0_u32, Instant::now());
    while expected < messages {
        match subscriber.receive()? {
            Some(sample) if sample.payload()[6] == expected => (expected, looks) = (expected + 1, 0),
            Some(sample) => {
                return Err(format!("message {} instead of {expected}", sample.payload()[6]).into());
            }
            None => {
                spin_loop();
                looks = looks.wrapping_add(1);
                if looks == 1 {
                    began = Instant::now();
                } else if looks % 4096 == 0 && began.elapsed() > PATIENCE {
                    return Err(format!("message {expected} has not come").into());
                }
            }
        }
    }
    Ok(())
}
