//! Every so many turns a worker looks at its queues' health: what the library swallowed, and queues that are stuck.

use super::run::Published;
use crate::dpdk::vhost;
use crate::port::EniPort;

/// Turns between two looks.
pub const PERIOD: u32 = 1024;
/// Polls in a row with waiting entries and nothing taken after which a queue counts as stuck.
const STUCK_AFTER: u32 = 1000;
/// Queue pairs of a port at most.
const PAIRS: usize = 8;

/// What a worker remembers of a transmit queue of a guest.
#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    /// Which guest the other fields are about.
    guest: u64,
    /// Entries handed over since the last look, modulo 2¹⁶.
    taken: u16,
    /// The library's position in the available ring at the last look.
    position: Option<u16>,
    /// Polls in a row that took nothing.
    empty: u32,
    /// Entries waited at the last look.
    waited: bool,
    stuck: bool,
}

/// A worker's memory of its queues, by ENI slot and queue pair.
#[derive(Debug, Default)]
pub struct Watch {
    queues: Vec<[Queue; PAIRS]>,
}

impl Watch {
    /// A poll of a transmit queue took so many entries.
    #[inline]
    pub fn polled(&mut self, slot: u32, queue: u16, taken: usize) {
        let pairs = self.queues.get_mut(slot as usize);
        if let Some(q) = pairs.and_then(|p| p.get_mut(usize::from(queue / 2))) {
            q.taken = q.taken.wrapping_add(taken as u16);
            q.empty = if taken == 0 { q.empty.saturating_add(1) } else { 0 };
        }
    }

    /// Looks at the queues of worker `index`, and makes room for ENIs that are new.
    pub fn look(&mut self, index: usize, published: &Published) {
        if self.queues.len() < published.ports.len() {
            self.queues.resize(published.ports.len(), [Queue::default(); PAIRS]);
        }
        for slot in published.owned.get(index).into_iter().flatten() {
            let port = published.ports.get(*slot as usize).and_then(Option::as_ref);
            let (Some(eni), Some(port)) = (published.snapshot.eni(*slot), port) else {
                continue;
            };
            let Some(pairs) = self.queues.get_mut(*slot as usize) else {
                continue;
            };
            let (rejected, stuck) = look_at(pairs, port);
            let block = eni.counters.of(index);
            block.ring_rejected.add(rejected);
            block.ring_stuck.add(stuck);
        }
    }
}

/// Entries of a port that the library swallowed, and queues that became stuck, since the last look.
fn look_at(pairs: &mut [Queue; PAIRS], port: &EniPort) -> (u64, u64) {
    let (mut rejected, mut became_stuck, mut stuck) = (0, 0, 0u32);
    let Some((vid, enabled)) = port.device() else {
        port.set_stuck(0);
        return (0, 0);
    };
    let guest = port.guest();
    for (pair, q) in pairs.iter_mut().enumerate() {
        let queue = 2 * pair as u16 + 1;
        if enabled >> queue & 1 == 0 {
            *q = Queue::default();
            continue;
        }
        if q.guest != guest {
            *q = Queue { guest, ..Queue::default() };
        }
        // A packed ring's position counts descriptors, not packets: what it swallows cannot be told from it.
        let position = if port.is_packed() { None } else { vhost::vring_position(vid, queue) };
        if let (Some(before), Some(now)) = (q.position, position) {
            rejected += swallowed(before, now, q.taken);
        }
        // The library counts waiting entries of split rings only. One look may fall between an entry's coming and the
        // next poll: what waited at the look before too, with nothing taken since, is stuck.
        let waits = !port.is_packed() && vhost::waiting(vid, queue) > 0;
        let is_stuck = waits && q.waited && q.taken == 0 && q.empty >= STUCK_AFTER;
        (q.taken, q.position, q.waited) = (0, position, waits);
        became_stuck += u64::from(is_stuck && !q.stuck);
        q.stuck = is_stuck;
        stuck |= u32::from(is_stuck) << queue;
    }
    port.set_stuck(stuck);
    (rejected, became_stuck)
}

/// Entries that the library took and did not hand over, between two positions. A RARP that the library makes up itself
/// (VHOST_USER_SEND_RARP) is handed over without an entry; so the sum may be less than nothing, which is nothing.
fn swallowed(before: u16, now: u16, taken: u16) -> u64 {
    let gap = now.wrapping_sub(before).wrapping_sub(taken).cast_signed();
    u64::from(gap.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_library_swallowed_is_the_rest_and_never_less_than_nothing() {
        assert_eq!(swallowed(10, 15, 5), 0);
        assert_eq!(swallowed(10, 15, 3), 2);
        assert_eq!(swallowed(65_530, 4, 8), 2);
        assert_eq!(swallowed(65_530, 4, 10), 0);
        assert_eq!(swallowed(10, 10, 1), 0, "a RARP has no entry");
    }
}
