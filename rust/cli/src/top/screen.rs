//! The terminal: the picture drawn at every interval and after every key, until somebody wants out.
//!
//! Law: the terminal is left as it was found, on quitting, on an error, on SIGINT, SIGTERM and SIGHUP, and on a panic.

use super::Args;
use super::picture::Watch;
use super::view::{Asked, View};
use crate::stop::{SLICE, Stop};
use anyhow::Context;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use signal_hook::consts::SIGHUP;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The terminal in our hands; given back when dropped. On a panic, `ratatui` gives it back before the message.
struct Screen {
    terminal: ratatui::DefaultTerminal,
}

impl Screen {
    fn take() -> anyhow::Result<Screen> {
        let terminal = ratatui::try_init().context("taking the terminal; 'qads top --once' needs none")?;
        Ok(Screen { terminal })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Err(error) = ratatui::try_restore() {
            tracing::warn!(%error, "the terminal could not be restored: 'reset' does it");
        }
    }
}

pub(crate) fn run(mut watch: Watch, args: &Args, stop: &Stop) -> anyhow::Result<()> {
    let hung_up = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGHUP, hung_up.clone())?;
    let mut screen = Screen::take()?;
    let mut view = View::new(watch.look()?, args.interval, args.sort);
    // The first figures come soon, even if the interval is long.
    let mut due = Instant::now() + args.interval.min(Duration::from_millis(500));
    loop {
        screen.terminal.draw(|frame| view.draw(frame))?;
        loop {
            if stop.is_asked() || hung_up.load(Ordering::Relaxed) {
                return Ok(());
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                view.show(watch.look()?);
                due = Instant::now() + args.interval;
                break;
            }
            if !event::poll(left.min(SLICE))? {
                continue;
            }
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => match view.press(key) {
                    Asked::Quit => return Ok(()),
                    Asked::Redraw => break,
                    Asked::Nothing => {}
                },
                // Drawing asks for the new size.
                Event::Resize(..) => break,
                _ => {}
            }
        }
    }
}
