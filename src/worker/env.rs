//! The datapath's world on a live worker: guests' queues, mbuf pools, rings to the other workers.

use std::sync::Arc;

use arrayvec::ArrayVec;

pub use crate::datapath::FLAT_COPY;
use crate::datapath::{Delivery, Env};
use crate::dpdk::mbuf::{self, Mbuf};
use crate::dpdk::mempool::{Mempool, SizeClass};
use crate::dpdk::ring::RingTx;
use crate::dpdk::vhost;
use crate::mirror::snapshot::Eni;
use crate::packet::{BURST, Exhausted, Lanes, Meta, PacketBuf};
use crate::port::EniPort;
use crate::wire::vxlan::OUTER;
use crate::worker::load::Load;
use zerocopy::{FromBytes, IntoBytes};

/// Even queues receive in the guest.
const RECEIVE_QUEUES: u32 = 0x5555_5555;

impl PacketBuf for Mbuf {
    #[inline]
    fn len(&self) -> usize {
        Mbuf::len(self)
    }

    #[inline]
    fn head(&self) -> &[u8] {
        Mbuf::head(self)
    }

    #[inline]
    fn head_mut(&mut self) -> Option<&mut [u8]> {
        self.data_mut().ok()
    }

    #[inline]
    fn meta(&self) -> Meta {
        Meta::read_from_prefix(Mbuf::meta(self)).map_or_else(|_| Meta::default(), |(meta, _)| meta)
    }

    #[inline]
    fn set_meta(&mut self, meta: Meta) {
        let bytes = meta.as_bytes();
        self.meta_mut()[..bytes.len()].copy_from_slice(bytes);
    }

    #[inline]
    fn free_all(bufs: &mut ArrayVec<Option<Self>, BURST>) {
        mbuf::free_bulk(bufs);
    }
}

/// A worker's pools, one a size class.
#[derive(Clone, Debug)]
pub struct Pools {
    /// Frames of MTU 1500.
    pub standard: Arc<Mempool>,
    /// Frames of MTU 8500.
    pub jumbo: Arc<Mempool>,
}

impl Pools {
    /// The pool whose buffers hold `bytes`.
    #[inline]
    #[must_use]
    pub fn fitting(&self, bytes: usize) -> &Arc<Mempool> {
        if bytes <= SizeClass::Std1500.room() { &self.standard } else { &self.jumbo }
    }
}

/// What a worker's turn lends to the datapath.
pub struct WorkerEnv<'a> {
    /// The worker's index.
    pub index: usize,
    /// The time of this turn.
    pub now: u64,
    /// Ports by ENI slot.
    pub ports: &'a [Option<Arc<EniPort>>],
    /// Buffers.
    pub pools: &'a Pools,
    /// How saturated the worker is.
    pub load: &'a mut Load,
    /// Rings to the other workers, by index; none to itself.
    pub rings: &'a mut [Option<RingTx>],
}

impl Env for WorkerEnv<'_> {
    type Buf = Mbuf;

    #[inline]
    fn worker(&self) -> usize {
        self.index
    }

    #[inline]
    fn now(&self) -> u64 {
        self.now
    }

    #[inline]
    fn deliver(&mut self, to: &Eni, bufs: &[Option<Mbuf>], lanes: Lanes, hash: impl Fn(usize) -> u64) -> Delivery {
        let Some(port) = self.ports.get(to.slot as usize).and_then(Option::as_ref) else {
            return Delivery::Down;
        };
        let Some((vid, enabled)) = port.device() else {
            return Delivery::Down;
        };
        let queues = enabled & RECEIVE_QUEUES;
        if queues == 0 {
            return Delivery::Down;
        }
        if queues & (queues - 1) == 0 {
            return Delivery::Taken(enqueue(vid, queues.trailing_zeros() as u16, bufs, lanes));
        }
        Delivery::Taken(spread(vid, queues, bufs, lanes, hash))
    }

    #[inline]
    fn copy(&mut self, source: &Mbuf, outer: &[u8; OUTER], keep: usize) -> Result<Mbuf, Exhausted> {
        let pool = self.pools.fitting(OUTER + keep);
        if keep <= FLAT_COPY {
            return mbuf::flat_copy(source, keep, outer, pool);
        }
        let body = mbuf::clone_body(source, keep, &self.pools.standard)?;
        mbuf::headed(body, outer, &self.pools.standard)
    }

    fn generate(&mut self, frame: &[u8]) -> Result<Mbuf, Exhausted> {
        let mut buf = self.pools.fitting(frame.len()).alloc()?;
        buf.append(frame).map_err(|_| Exhausted)?;
        Ok(buf)
    }

    fn unshare(&mut self, buf: &mut Mbuf) -> Result<(), Exhausted> {
        let own = mbuf::flat_copy(buf, buf.len(), &[], self.pools.fitting(buf.len()))?;
        *buf = own;
        Ok(())
    }

    fn room_for_copies(&self, worker: usize) -> usize {
        self.rings
            .get(worker)
            .and_then(Option::as_ref)
            .map_or(0, |ring| ring.room().saturating_sub(ring.capacity() / 2))
    }

    #[inline]
    fn is_over(&self, sender: &Eni) -> bool {
        self.load.is_over(sender.slot)
    }

    #[inline]
    fn is_over_on_ring(&mut self, under_way: impl FnOnce() -> u64, credit: u64) -> bool {
        self.load.is_over_on_ring(under_way, credit)
    }

    #[inline]
    fn gives_up(&mut self) -> bool {
        self.load.gives_up()
    }

    fn cross(&mut self, worker: usize, batch: &mut ArrayVec<Mbuf, BURST>) {
        if let Some(Some(ring)) = self.rings.get_mut(worker) {
            ring.send(batch);
        }
    }
}

/// Offers lanes to one queue, in order; the taken ones are a prefix.
#[inline]
fn enqueue(vid: vhost::Vid, queue: u16, bufs: &[Option<Mbuf>], lanes: Lanes) -> Lanes {
    let taken = vhost::enqueue(vid, queue, lanes.filter_map(|lane| bufs.get(lane)?.as_ref()));
    if taken == lanes.count() as usize {
        return lanes;
    }
    let mut some = Lanes::NONE;
    lanes.take(taken).for_each(|lane| some.insert(lane));
    some
}

/// Offers each lane to the queue that its flow's hash picks among the enabled ones.
fn spread(vid: vhost::Vid, queues: u32, bufs: &[Option<Mbuf>], lanes: Lanes, hash: impl Fn(usize) -> u64) -> Lanes {
    let count = u64::from(queues.count_ones());
    let mut of_queue = [Lanes::NONE; 16];
    for lane in lanes {
        let mixed = hash(lane).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        of_queue[(mixed % count) as usize].insert(lane);
    }
    let mut taken = 0;
    let mut left = queues;
    for lanes in of_queue.iter().take(count as usize) {
        let queue = left.trailing_zeros() as u16;
        left &= left - 1;
        if !lanes.is_empty() {
            taken |= enqueue(vid, queue, bufs, *lanes).0;
        }
    }
    Lanes(taken)
}
