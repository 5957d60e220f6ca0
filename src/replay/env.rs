//! The datapath's world on the heap: queues that take everything unless told otherwise.

use std::collections::HashMap;

use arrayvec::ArrayVec;

use crate::datapath::{Delivery, Env, FLAT_COPY, Verdict};
use crate::mirror::snapshot::Eni;
use crate::packet::{BURST, Direction, Exhausted, Headers, HeapBuf, Lanes, Meta, PacketBuf};
use crate::wire::vxlan::OUTER;
use crate::worker::load::Load;

/// Heap buffers, remembered deliveries, and faults to order.
#[derive(Debug, Default)]
pub struct HeapEnv {
    /// The worker it plays.
    pub worker: usize,
    /// The time in nanoseconds.
    pub now: u64,
    /// What queues took: ENI slot and frame; a copy is marked in its meta.
    pub queued: Vec<(u32, HeapBuf)>,
    /// What went to other workers.
    pub crossed: Vec<(usize, HeapBuf)>,
    /// What the datapath told of lanes.
    pub verdicts: Vec<(usize, Verdict)>,
    /// Room in an ENI's queue; ENIs that are not here have room for all.
    pub room: HashMap<u32, usize>,
    /// ENIs without a guest.
    pub down: Vec<u32>,
    /// Buffers that the pool still has; `None` is any number.
    pub buffers: Option<usize>,
    /// Room in the rings to other workers; `None` is any number.
    pub ring_room: Option<usize>,
    /// How much they hold, when there is a number to their room.
    pub ring_size: usize,
    /// How saturated the worker is; it never is unless told so.
    pub load: Load,
    /// Security refuses packets with this destination port.
    pub denied_port: Option<(Direction, u16)>,
}

impl HeapEnv {
    fn buffer(&mut self) -> Result<(), Exhausted> {
        match &mut self.buffers {
            Some(0) => Err(Exhausted),
            Some(n) => {
                *n -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Env for HeapEnv {
    type Buf = HeapBuf;

    fn worker(&self) -> usize {
        self.worker
    }

    fn now(&self) -> u64 {
        self.now
    }

    fn deliver(&mut self, to: &Eni, bufs: &[Option<HeapBuf>], lanes: Lanes, hash: impl Fn(usize) -> u64) -> Delivery {
        if self.down.contains(&to.slot) {
            return Delivery::Down;
        }
        let mut taken = Lanes::NONE;
        for lane in lanes {
            let Some(buf) = bufs.get(lane).and_then(Option::as_ref) else {
                continue;
            };
            if let Some(room) = self.room.get_mut(&to.slot) {
                if *room == 0 {
                    break;
                }
                *room -= 1;
            }
            // There is one queue, but whoever fuzzes wants the hash to have been made.
            let _queue = hash(lane);
            let mut theirs = buf.clone();
            theirs.unshare();
            self.queued.push((to.slot, theirs));
            taken.insert(lane);
        }
        Delivery::Taken(taken)
    }

    fn copy(&mut self, source: &HeapBuf, outer: &[u8; OUTER], keep: usize) -> Result<HeapBuf, Exhausted> {
        self.buffer()?;
        let mut bytes = outer.to_vec();
        for segment in source.segments() {
            let left = (OUTER + keep).saturating_sub(bytes.len());
            bytes.extend_from_slice(&segment[..segment.len().min(left)]);
        }
        let mut copy = HeapBuf::new(bytes);
        copy.set_meta(Meta { copy: 1, ..Meta::default() });
        Ok(if keep > FLAT_COPY { copy.sharing_with(source) } else { copy })
    }

    fn generate(&mut self, frame: &[u8]) -> Result<HeapBuf, Exhausted> {
        self.buffer()?;
        Ok(HeapBuf::new(frame))
    }

    fn unshare(&mut self, buf: &mut HeapBuf) -> Result<(), Exhausted> {
        self.buffer()?;
        buf.unshare();
        Ok(())
    }

    fn room_for_copies(&self, _worker: usize) -> usize {
        self.ring_room.map_or(usize::MAX, |room| room.saturating_sub(self.ring_size / 2))
    }

    fn cross(&mut self, worker: usize, batch: &mut ArrayVec<HeapBuf, BURST>) {
        let room = self.ring_room.unwrap_or(usize::MAX).min(batch.len());
        for buf in batch.drain(..room) {
            self.crossed.push((worker, buf));
        }
        if let Some(left) = &mut self.ring_room {
            *left -= room;
        }
    }

    fn is_over(&self, sender: &Eni) -> bool {
        self.load.is_over(sender.slot)
    }

    fn is_over_on_ring(&mut self, under_way: impl FnOnce() -> u64, credit: u64) -> bool {
        self.load.is_over_on_ring(under_way, credit)
    }

    fn gives_up(&mut self) -> bool {
        self.load.gives_up()
    }

    fn admits(&mut self, _eni: &Eni, direction: Direction, headers: &Headers) -> bool {
        use crate::wire::ipv4::Ports;
        !matches!((self.denied_port, headers.ip.ports()),
            (Some((d, port)), Ports::Known(_, to)) if d == direction && port == to)
    }

    fn trace(&mut self, lane: usize, verdict: Verdict) {
        self.verdicts.push((lane, verdict));
    }
}
