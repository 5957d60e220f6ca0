//! A worker's load, window by window: is it saturated, and who is over the share that it has to give?
//!
//! A worker serves its ENIs in turn, a burst a queue. So an ENI whose every queue it has emptied at least once in a window
//! got all that it asked for: it is within its share, however much others send. One of which a queue gave a full burst
//! each time has a backlog behind the burst: it asks for more than its share. Only copies of packets that such ENIs sent
//! are given up, of each the same part, and so of each in proportion to its own use. Of packets that came over a ring,
//! the senders over their share are those that have much of their credit under way.

use crate::mirror::overload::{GivenUp, Overload};

/// Length of a window in nanoseconds.
pub const WINDOW: u64 = 1_000_000;
/// Turns that a window has at least: a queue's burst that waited while the CPU was taken away is no backlog.
const TURNS: u32 = 8;
/// Windows for which an ENI stays over its share after the last one in which it had a backlog: longer than the share
/// given up takes to fall from everything to nothing.
const STAYS: u8 = 80;
/// Part of its credit that a sender over its share has under way.
const CREDIT_PART: u64 = 4;

/// What the queues of an ENI, or the rings, did in a window: a bit each.
#[derive(Clone, Copy, Debug, Default)]
struct Backlog {
    polled: u64,
    emptied: u64,
}

impl Backlog {
    #[inline]
    fn saw(&mut self, bit: u64, full: bool) {
        self.polled |= bit;
        self.emptied |= bit * u64::from(!full);
    }

    /// Those in which there was never nothing left.
    fn stood(self) -> u64 {
        self.polled & !self.emptied
    }
}

/// The bit of a queue or ring. There are at most 32 queues and 63 rings.
#[inline]
const fn bit(number: usize) -> u64 {
    1 << (number % 64)
}

/// An ENI's queues, by slot.
#[derive(Clone, Copy, Debug, Default)]
struct Sender {
    backlog: Backlog,
    /// Windows for which it is still over its share.
    over: u8,
}

/// One worker's load.
#[derive(Debug, Default)]
pub struct Load {
    mode: Overload,
    given: GivenUp,
    began: u64,
    turns: u32,
    busy: u64,
    idle: u64,
    saturated: u64,
    senders: Vec<Sender>,
    rings: Backlog,
    /// The ring that was asked last.
    ring: u64,
    /// Rings on which a sender over its share was seen in this window.
    found_on_ring: u64,
    /// Rings that have a backlog, and no sender with much under way: all of them together are too many.
    all_on_ring: u64,
}

impl Load {
    /// Nothing so far.
    #[must_use]
    pub fn new(mode: Overload) -> Self {
        Load { mode, ..Load::default() }
    }

    /// Makes room for ENIs.
    pub fn fit(&mut self, slots: usize) {
        if self.senders.len() < slots {
            self.senders.resize(slots, Sender::default());
        }
    }

    /// A queue of an ENI was asked for a burst and gave a full one, or less.
    #[inline]
    pub fn polled(&mut self, slot: u32, queue: u16, full: bool) {
        if let Some(sender) = self.senders.get_mut(slot as usize) {
            sender.backlog.saw(bit(queue.into()), full);
        }
    }

    /// A ring from another worker was asked; what came is looked at before the next one is asked.
    #[inline]
    pub fn ring_polled(&mut self, ring: usize, full: bool) {
        self.ring = bit(ring);
        self.rings.saw(self.ring, full);
    }

    /// A turn is over at `now` (nanoseconds); it took `cycles`, and moved packets or none. True when a window ended.
    #[inline]
    pub fn turn(&mut self, now: u64, cycles: u64, moved: bool) -> bool {
        *(if moved { &mut self.busy } else { &mut self.idle }) += cycles;
        self.turns += 1;
        let over = now.saturating_sub(self.began) >= WINDOW && self.turns >= TURNS;
        if over {
            self.window();
            (self.began, self.turns, self.busy, self.idle) = (now, 0, 0, 0);
        }
        over
    }

    fn window(&mut self) {
        let stood = self.rings.stood() != 0 || self.senders.iter().any(|s| s.backlog.stood() != 0);
        // Saturation: over 95 % busy, and a backlog behind the burst.
        let saturated = stood && self.idle * 19 < self.busy;
        self.saturated += u64::from(saturated);
        if self.mode == Overload::Share {
            self.senders.iter_mut().for_each(|s| *s = Sender::default());
        } else {
            self.judge(saturated);
        }
        (self.rings, self.found_on_ring) = (Backlog::default(), 0);
    }

    fn judge(&mut self, saturated: bool) {
        if saturated {
            if self.gives() {
                let stood = self.rings.stood();
                self.all_on_ring = self.all_on_ring & !stood | stood & !self.found_on_ring;
            }
            self.given.saturated();
        } else {
            self.given.relaxed();
        }
        let gives = self.gives();
        self.all_on_ring *= u64::from(gives);
        for sender in &mut self.senders {
            let stood = saturated && sender.backlog.stood() != 0;
            sender.over = if stood { STAYS } else { sender.over.saturating_sub(1) * u8::from(gives) };
            sender.backlog = Backlog::default();
        }
    }

    /// Are copies given up now?
    #[inline]
    #[must_use]
    pub const fn gives(&self) -> bool {
        self.given.steps() > 0
    }

    /// The share of the copies that is given up, of senders over their share: 0 to 64.
    #[must_use]
    pub const fn steps(&self) -> u8 {
        self.given.steps()
    }

    /// Windows of saturation so far.
    #[must_use]
    pub const fn saturated(&self) -> u64 {
        self.saturated
    }

    /// Does this ENI of the worker send more than its share?
    #[inline]
    #[must_use]
    pub fn is_over(&self, slot: u32) -> bool {
        self.gives() && self.senders.get(slot as usize).is_some_and(|s| s.over > 0)
    }

    /// Does an ENI of another worker, with so much of its credit under way, whose packet came over the ring asked last?
    #[inline]
    pub fn is_over_on_ring(&mut self, under_way: impl FnOnce() -> u64, credit: u64) -> bool {
        if !self.gives() {
            return false;
        }
        let over = under_way() * CREDIT_PART >= credit;
        self.found_on_ring |= self.ring * u64::from(over);
        over || self.all_on_ring & self.ring != 0
    }

    /// Is the next copy of one that is over its share given up?
    #[inline]
    pub fn gives_up(&mut self) -> bool {
        self.given.draw()
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
