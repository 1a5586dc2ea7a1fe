//! The demo's processes, from the first start to the last report.

use super::cast::Cast;
use super::live;
use super::live::report::{Kept, Viewed};
use super::program::Program;
use super::relay::{self, Relayed};
use super::report::{Published, Received, Role};
use super::tables::Plan;
use crate::cli::Global;
use crate::exit::{Exit, Failed};
use crate::stop::Stop;
use qadataswap::inspect;
use std::time::{Duration, Instant};

/// Readers that are there before the first frame.
const EARLY: [Role; 2] = [Role::Consumer, Role::Dashboard];
/// The names of processes.
const PUBLISHER: &str = "publisher";
const ORDER_PUBLISHER: &str = "order publisher";
const KEEPER: &str = "views";
const VIEWER: &str = "viewer";
const LATE_VIEWER: &str = "late viewer";

/// What is to be played, and by whom.
pub(super) struct Stage<'a> {
    pub(super) plan: &'a Plan,
    pub(super) orders: &'a Plan,
    pub(super) ring: &'a str,
    pub(super) relays: &'a [Program],
    pub(super) viewers: &'a [Program],
    pub(super) global: &'a Global,
}

/// What every process told.
pub(super) struct Played {
    pub(super) publisher: Published,
    pub(super) readers: Vec<Received>,
    pub(super) relays: Vec<Relayed>,
    pub(super) order_publisher: Published,
    pub(super) kept: Kept,
    pub(super) viewers: Vec<Viewed>,
}

impl Stage<'_> {
    /// Starts the processes, those that come late when half is published, and waits for their reports.
    pub(super) fn play(&self, stop: &Stop) -> anyhow::Result<Played> {
        let mut cast = Cast::default();
        self.start_feed(&mut cast)?;
        self.start_views(&mut cast)?;
        let mut is_late = false;
        while !cast.have_ended()? || !is_late {
            if !is_late && self.is_half_published() {
                let late = Role::LateJoiner;
                cast.start(late.name(), &self.reader(late, self.ring))?;
                cast.start(LATE_VIEWER, &self.member("demo-viewer", self.ring))?;
                is_late = true;
            }
            if !stop.sleep_until(Instant::now() + Duration::from_millis(5)) {
                return Err(
                    Failed::new(Exit::Failure, "the demo was interrupted; its processes were ended").into()
                );
            }
        }
        self.reports(&mut cast)
    }

    /// The feed's publisher, its readers and relays.
    fn start_feed(&self, cast: &mut Cast) -> anyhow::Result<()> {
        // The views are made of it too.
        let early = EARLY.len() + self.relays.len() + 1;
        cast.start(PUBLISHER, &self.publisher(self.plan, self.ring, early, early + 1))?;
        for role in EARLY {
            cast.start(role.name(), &self.reader(role, self.ring))?;
        }
        for relay in self.relays {
            let own_ring = relay::ring(relay, self.ring);
            let mut args = relay.arguments.clone();
            args.extend([self.ring.to_owned(), own_ring.clone(), self.folder()]);
            cast.start_program(&relay::name(relay), &relay.path, &args)?;
            cast.start(&auditor(relay), &self.reader(Role::Auditor, &own_ring))?;
        }
        Ok(())
    }

    /// The publisher of order events, the process that keeps the views, and those that follow them.
    fn start_views(&self, cast: &mut Cast) -> anyhow::Result<()> {
        cast.start(ORDER_PUBLISHER, &self.publisher(self.orders, &live::orders_ring(self.ring), 1, 1))?;
        let early = 1 + self.viewers.len();
        let mut args = self.member("demo-views", self.ring);
        args.push(format!("--viewers-first={early}"));
        args.push(format!("--viewers-last={}", early + 1));
        cast.start(KEEPER, &args)?;
        cast.start(VIEWER, &self.member("demo-viewer", self.ring))?;
        for viewer in self.viewers {
            let mut args = viewer.arguments.clone();
            args.push(self.folder());
            args.extend(live::view_rings(self.ring));
            cast.start_program(&viewer.name(VIEWER), &viewer.path, &args)?;
        }
        Ok(())
    }

    fn reports(&self, cast: &mut Cast) -> anyhow::Result<Played> {
        let mut readers = Vec::new();
        for role in [EARLY[0], EARLY[1], Role::LateJoiner] {
            readers.push(cast.report(role.name())?);
        }
        let mut relays = Vec::new();
        for relay in self.relays {
            let told: Relayed = cast.report(&relay::name(relay))?;
            relays.push(Relayed { language: relay.language.clone(), ..told });
            let audited: Received = cast.report(&auditor(relay))?;
            readers.push(Received { language: Some(relay.language.clone()), ..audited });
        }
        let others = self.viewers.iter().map(|viewer| viewer.name(VIEWER));
        let mut viewers = Vec::new();
        for name in [VIEWER.to_owned(), LATE_VIEWER.to_owned()].into_iter().chain(others) {
            let told: Viewed = cast.report(&name)?;
            viewers.push(Viewed { name, ..told });
        }
        Ok(Played {
            publisher: cast.report(PUBLISHER)?,
            readers,
            relays,
            order_publisher: cast.report(ORDER_PUBLISHER)?,
            kept: cast.report(KEEPER)?,
            viewers,
        })
    }

    fn is_half_published(&self) -> bool {
        inspect::info(self.ring, &self.global.directory).is_ok_and(|info| info.frames >= self.plan.frames / 2)
    }

    /// A process of this program.
    fn member(&self, command: &str, ring: &str) -> Vec<String> {
        let directory = format!("--directory={}", self.folder());
        let parent = format!("--parent={}", std::process::id());
        vec![command.to_owned(), format!("--ring={ring}"), parent, directory]
    }

    fn publisher(&self, plan: &Plan, ring: &str, first: usize, last: usize) -> Vec<String> {
        let mut args = self.member("demo-publisher", ring);
        args.push(format!("--readers-first={first}"));
        args.push(format!("--readers-last={last}"));
        args.extend(plan.options());
        args
    }

    fn reader(&self, role: Role, ring: &str) -> Vec<String> {
        let mut args = self.member("demo-reader", ring);
        args.push(format!("--role={}", role.name()));
        args
    }

    fn folder(&self) -> String {
        self.global.directory.display().to_string()
    }
}

/// The name of the process that reads what a relay writes.
fn auditor(relay: &Program) -> String {
    format!("{} of {}", Role::Auditor.name(), relay::name(relay))
}
