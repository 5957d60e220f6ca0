//! Joins a port to a TAP device or to pcap files: waits for events, moves frames, comes back when the switch does.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use vmm_sys_util::eventfd::EventFd;

use super::pcap::{self, PcapWriter};
use super::port::{GuestError, GuestPort};
use crate::sys::poll;
use crate::sys::tap::Tap;

/// Frames moved in one direction before the other has its turn.
const BATCH: usize = 64;
/// Longest wait for room in a full transmit queue.
const ROOM: Duration = Duration::from_millis(100);
/// Longest frame.
const LONGEST: usize = 65_535;

/// What is behind a port.
pub enum End {
    /// A Linux network stack.
    Tap(Tap),
    /// Frames to send once, and a place for what comes.
    Pcap {
        /// Frames to send.
        frames: Vec<Vec<u8>>,
        /// Where received frames go.
        out: Option<PcapWriter>,
    },
}

impl End {
    /// Files: one to send from, one to write to.
    ///
    /// # Errors
    /// The kernel's, or a file that is no pcap.
    pub fn pcap(input: Option<PathBuf>, output: Option<PathBuf>) -> io::Result<Self> {
        let frames = input.map(|path| pcap::read(&path)).transpose()?.unwrap_or_default();
        let out = output.map(|path| PcapWriter::create(&path)).transpose()?;
        Ok(End::Pcap { frames, out })
    }
}

/// What a bridge did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames given to the switch.
    pub sent: u64,
    /// Frames that the transmit queue had no room for.
    pub send_dropped: u64,
    /// Frames that the switch delivered.
    pub received: u64,
    /// Of these, frames that the TAP did not take.
    pub receive_dropped: u64,
    /// How often the switch came.
    pub connections: u64,
}

impl Stats {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "sent": self.sent, "send_dropped": self.send_dropped, "received": self.received,
            "receive_dropped": self.receive_dropped, "connections": self.connections,
        })
    }
}

/// Runs until `stop` can be read.
///
/// # Errors
/// What ends a port for good; a switch that goes away does not.
pub fn run(mut port: GuestPort, mut end: End, stop: &EventFd) -> Result<Stats, GuestError> {
    let mut stats = Stats::default();
    let mut next = 0;
    while !is_stopped(stop) {
        if !port.is_connected() {
            if await_switch(&mut port, stop)? {
                stats.connections += 1;
            }
            continue;
        }
        let more = match &mut end {
            End::Tap(tap) => from_tap(&mut port, tap, &mut stats)?,
            End::Pcap { frames, .. } => from_frames(&mut port, frames, &mut next, &mut stats),
        };
        let came = to_end(&mut port, &mut end, &mut stats);
        if !more && !came {
            let mut others: Vec<RawFd> = vec![stop.as_raw_fd()];
            if let End::Tap(tap) = &end {
                others.push(tap.fd());
            }
            port.wait(&others, None);
        }
    }
    Ok(stats)
}

fn is_stopped(stop: &EventFd) -> bool {
    poll::wait(&[stop.as_raw_fd()], Some(Duration::ZERO)).is_ok_and(|r| r.first() == Some(&true))
}

/// Waits for the switch or the end; `true` when the switch is there.
fn await_switch(port: &mut GuestPort, stop: &EventFd) -> Result<bool, GuestError> {
    let mut fds = vec![stop.as_raw_fd()];
    fds.extend(port.listener_fd());
    let patience = if port.listener_fd().is_some() { None } else { Some(Duration::from_millis(20)) };
    let ready = poll::wait(&fds, patience)?;
    if ready.first() == Some(&true) {
        return Ok(false);
    }
    match port.connect(Duration::from_millis(200)) {
        Ok(()) => Ok(true),
        // It went away again, or refused us: it may come back.
        Err(GuestError::Timeout(_) | GuestError::Vhost(_) | GuestError::Protocol(_) | GuestError::Missing(_)) => {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

/// Moves what the kernel has; `true` when there may be more.
fn from_tap(port: &mut GuestPort, tap: &mut Tap, stats: &mut Stats) -> Result<bool, GuestError> {
    let mut frame = [0u8; LONGEST];
    for _ in 0..BATCH {
        let Some(len) = tap.read(&mut frame)? else {
            port.kick();
            return Ok(false);
        };
        if send(port, &frame[..len]) {
            stats.sent += 1;
        } else {
            stats.send_dropped += 1;
        }
    }
    port.kick();
    Ok(true)
}

fn from_frames(port: &mut GuestPort, frames: &[Vec<u8>], next: &mut usize, stats: &mut Stats) -> bool {
    for _ in 0..BATCH {
        let Some(frame) = frames.get(*next) else {
            break;
        };
        if !send(port, frame) {
            break;
        }
        *next += 1;
        stats.sent += 1;
    }
    port.kick();
    *next < frames.len()
}

/// Sends, waiting a little for room.
fn send(port: &mut GuestPort, frame: &[u8]) -> bool {
    if port.send(frame) {
        return true;
    }
    port.kick();
    port.wait_for_room(ROOM);
    port.send(frame)
}

fn to_end(port: &mut GuestPort, end: &mut End, stats: &mut Stats) -> bool {
    for n in 0..BATCH {
        let Some(frame) = port.try_receive() else {
            return n > 0;
        };
        stats.received += 1;
        let taken = match end {
            End::Tap(tap) => tap.write(&frame),
            End::Pcap { out, .. } => out.as_mut().is_none_or(|out| out.write(&frame).is_ok()),
        };
        stats.receive_dropped += u64::from(!taken);
    }
    true
}
