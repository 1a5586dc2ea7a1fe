//! A keeper: has descriptors of rings without a name, and hands them to whoever asks, as a supervisor would.
//!
//! ```text
//! Ring::writer ── GIVE name, region ──▶ Keeper        a socket in the abstract namespace: no file anywhere
//! Ring::reader ── TAKE name ──────────▶   │
//!       ◀──────────── region, or the end ─┘
//! ```
//!
//! Law: a keeper takes no part in a ring; what it keeps goes with it.

use qadataswap::{Result, receive_region, send_region};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

const GIVE: u8 = b'+';
const TAKE: u8 = b'?';
const END: u8 = b'!';

type Regions = Arc<Mutex<BTreeMap<String, OwnedFd>>>;

/// A thread that keeps regions.
#[derive(Debug)]
pub struct Keeper {
    address: String,
    regions: Regions,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// A keeper at this address of the abstract namespace.
    ///
    /// # Panics
    /// If the address is taken.
    #[must_use]
    pub fn at(address: String) -> Keeper {
        let listener = UnixListener::bind_addr(&abstract_address(&address)).expect("an address of our own");
        let regions = Regions::default();
        let kept = Arc::clone(&regions);
        let thread = std::thread::spawn(move || {
            for caller in listener.incoming() {
                let Ok(caller) = caller else { break };
                // Callers are killed at any moment.
                if let Ok(true) = serve(&caller, &kept) {
                    break;
                }
            }
        });
        Keeper { address, regions, thread: Some(thread) }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Lets go of all that it keeps.
    pub fn let_go(&self) {
        self.regions.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let ended = call(&self.address, END, "").map(drop);
        let thread = self.thread.take().expect("there until the end");
        if ended.is_ok() && thread.join().is_err() && !std::thread::panicking() {
            panic!("the keeper at {} panicked", self.address);
        }
    }
}

fn abstract_address(address: &str) -> SocketAddr {
    SocketAddr::from_abstract_name(address).expect("short enough")
}

/// Answers one caller; returns whether the keeper is to end.
#[allow(clippy::unbuffered_bytes, reason = "what follows the name belongs to a descriptor")]
fn serve(caller: &UnixStream, regions: &Regions) -> Result<bool, Box<dyn std::error::Error>> {
    let (mut verb, mut name) = ([0], Vec::new());
    let mut read = caller;
    read.read_exact(&mut verb)?;
    for byte in caller.bytes() {
        match byte? {
            b'\n' => break,
            byte => name.push(byte),
        }
    }
    let name = String::from_utf8(name)?;
    match verb[0] {
        GIVE => {
            let region = receive_region(caller)?;
            regions.lock().unwrap_or_else(PoisonError::into_inner).insert(name, region);
            read.write_all(&[GIVE])?;
        }
        TAKE => {
            if let Some(region) = regions.lock().unwrap_or_else(PoisonError::into_inner).get(&name) {
                send_region(caller, region)?;
            }
        }
        _ => return Ok(true),
    }
    Ok(false)
}

fn call(address: &str, verb: u8, name: &str) -> std::io::Result<UnixStream> {
    let mut socket = UnixStream::connect_addr(&abstract_address(address))?;
    socket.write_all(&[&[verb], name.as_bytes(), b"\n"].concat())?;
    Ok(socket)
}

/// The region that the keeper has of this ring; `None` if it has none.
///
/// # Panics
/// If there is no keeper.
#[must_use]
pub fn take(address: &str, name: &str) -> Option<OwnedFd> {
    let socket = call(address, TAKE, name).expect("the keeper is there");
    receive_region(&socket).ok()
}

/// Gives a ring's region to the keeper, which has it then.
///
/// # Panics
/// If there is no keeper.
pub fn give(address: &str, name: &str, region: impl AsFd) {
    let socket = call(address, GIVE, name).expect("the keeper is there");
    send_region(&socket, region).expect("a region");
    let had = BufReader::new(&socket).fill_buf().map(<[u8]>::to_vec);
    assert_eq!(had.expect("the keeper answers"), [GIVE]);
}
