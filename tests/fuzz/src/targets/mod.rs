//! What is fuzzed: one module a target, each with what it does with an input and inputs to begin with.

mod directory;
mod name;
mod recording;
mod region;
mod settings;
mod slot;

/// A target: something that takes bytes from outside.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// The most bytes that an input has.
    pub most_bytes: usize,
    /// Does what is to be done with an input.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: [Target; 6] = [
    Target { name: "region", most_bytes: 12 << 10, run: region::run, seeds: region::seeds },
    Target { name: "directory", most_bytes: 512, run: directory::run, seeds: directory::seeds },
    Target { name: "slot", most_bytes: 16 << 10, run: slot::run, seeds: slot::seeds },
    Target { name: "recording", most_bytes: 16 << 10, run: recording::run, seeds: recording::seeds },
    Target { name: "settings", most_bytes: 2 << 10, run: settings::run, seeds: settings::seeds },
    Target { name: "name", most_bytes: 300, run: name::run, seeds: name::seeds },
];

/// The target of this name.
#[must_use]
pub fn of(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// What an input says, read from its start; where it is at its end, zeros.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn rest(self) -> &'a [u8] {
        self.0
    }
}
