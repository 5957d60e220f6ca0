//! What only a test of the switch does: a VMM that asks for odd things, lies, or stops in the middle of a word.

use std::io::{self, Write};
use std::os::fd::RawFd;

use vmm_sys_util::sock_ctrl_msg::ScmSocket;

use super::conversation::message;
use super::port::GuestPort;

const SET_VRING_CALL: u32 = 13;
const GET_FEATURES: u32 = 1;
const SET_VRING_BASE: u32 = 10;
const SEND_RARP: u32 = 19;

impl GuestPort {
    /// Uses all its queues from now on, however few the switch offers.
    pub fn ignore_queue_limit(&mut self) {
        self.ignore_queue_limit = true;
    }

    /// Features that the switch offered last.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.offered
    }

    fn say(&mut self, words: &[u32]) -> io::Result<()> {
        match &mut self.conversation {
            Some(conversation) => conversation.control.write_all(&message(words)),
            None => Ok(()),
        }
    }

    /// Has the switch make up a RARP for a MAC, as after a migration.
    ///
    /// # Errors
    /// The kernel's.
    pub fn send_rarp(&mut self, mac: [u8; 6]) -> io::Result<()> {
        let [a, b, c, d, e, f] = mac;
        self.say(&[SEND_RARP, 1, 8, u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, 0, 0])])
    }

    /// Gives a queue another call descriptor, of whatever kind.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_call(&mut self, queue: u32, fd: RawFd) -> io::Result<()> {
        if let Some(conversation) = &mut self.conversation {
            let words = message(&[SET_VRING_CALL, 1, 8, queue, 0]);
            conversation.control.send_with_fd(&words[..], fd).map_err(|e| io::Error::from_raw_os_error(e.errno()))?;
        }
        // An answered question behind it: the switch has handled it when this returns.
        let _ = self.ask();
        Ok(())
    }

    fn ask(&mut self) -> io::Result<()> {
        use std::io::Read;
        self.say(&[GET_FEATURES, 1, 0])?;
        let mut answer = [0u8; 20];
        self.conversation.as_mut().map_or(Ok(()), |c| c.control.read_exact(&mut answer))
    }

    /// A message's head without the rest that it announces.
    ///
    /// # Errors
    /// The kernel's.
    pub fn send_half_a_message(&mut self) -> io::Result<()> {
        self.say(&[SET_VRING_BASE, 1, 8])
    }

    /// Offers a frame that lies outside guest memory, in the first transmit queue.
    pub fn send_broken(&mut self) -> bool {
        let memory = &self.memory;
        self.queues.get_mut(1).is_some_and(|q| q.send_broken(memory))
    }
}
