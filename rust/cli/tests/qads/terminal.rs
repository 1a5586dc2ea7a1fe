//! A terminal in memory: what a program draws on it can be read, and keys can be pressed.

use crate::folder::{Folder, Running, until};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

pub(crate) struct Terminal {
    master: File,
    /// Keeps the terminal when the program on it has ended.
    slave: File,
    drawn: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    pub(crate) fn new(columns: u16, rows: u16) -> Terminal {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("ASCII");
        let slave = File::options().read(true).write(true).open(name).expect("its other end");
        let terminal = Terminal { master: master.into(), slave, drawn: Arc::default() };
        terminal.resize(columns, rows);
        let mut from = terminal.master.try_clone().expect("another descriptor");
        let drawn = terminal.drawn.clone();
        // Ends when the terminal is gone.
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut piece) {
                drawn.lock().expect("nobody panics with it").extend_from_slice(&piece[..length]);
            }
        });
        terminal
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).expect("it has a size");
    }

    /// Starts `qads` on it.
    pub(crate) fn start(&self, folder: &Folder, args: &[&str]) -> Running {
        let end = || self.slave.try_clone().expect("another descriptor");
        folder.start_on(args, end(), end())
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("typed");
    }

    /// All that was ever drawn, with the sequences that steer the terminal.
    pub(crate) fn drawn(&self) -> String {
        String::from_utf8_lossy(&self.drawn.lock().expect("nobody panics with it")).into_owned()
    }

    /// Waits until `text` has been drawn.
    pub(crate) fn until_drawn(&self, text: &str) {
        until(&format!("'{text}' is drawn"), || self.drawn().contains(text));
    }

    /// Whether it is as a shell wants it: lines, echoed, on the first screen, with a cursor.
    pub(crate) fn is_as_it_was(&self) -> bool {
        let modes = tcgetattr(&self.slave).expect("it has modes").local_modes;
        let drawn = self.drawn();
        let last = |on: &str, off: &str| drawn.rfind(on) < drawn.rfind(off);
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
            && last("\x1b[?1049h", "\x1b[?1049l")
            && last("\x1b[?25l", "\x1b[?25h")
    }
}
