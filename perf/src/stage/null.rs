//! A datapath world in which everything is taken and nothing is received: what the switch itself costs.

use arrayvec::ArrayVec;
use vswitch::datapath::{Delivery, Env};
use vswitch::dpdk::mbuf::{self, Mbuf};
use vswitch::dpdk::mempool::Mempool;
use vswitch::mirror::snapshot::Eni;
use vswitch::packet::{BURST, Exhausted, Lanes};
use vswitch::wire::vxlan::OUTER;
use vswitch::worker::env::FLAT_COPY;

/// Queues that take every frame and forget it; copies are made as a worker makes them.
pub(super) struct NullEnv<'a> {
    pub pool: &'a Mempool,
    /// Frames taken since it was made.
    pub delivered: u64,
    /// Copies made since it was made.
    pub copies: u64,
}

impl<'a> NullEnv<'a> {
    pub(super) const fn new(pool: &'a Mempool) -> Self {
        NullEnv { pool, delivered: 0, copies: 0 }
    }
}

impl Env for NullEnv<'_> {
    type Buf = Mbuf;

    #[inline]
    fn worker(&self) -> usize {
        0
    }

    #[inline]
    fn now(&self) -> u64 {
        0
    }

    #[inline]
    fn deliver(&mut self, _to: &Eni, _bufs: &[Option<Mbuf>], lanes: Lanes, _hash: impl Fn(usize) -> u64) -> Delivery {
        self.delivered += u64::from(lanes.count());
        Delivery::Taken(lanes)
    }

    #[inline]
    fn copy(&mut self, source: &Mbuf, outer: &[u8; OUTER], keep: usize) -> Result<Mbuf, Exhausted> {
        self.copies += 1;
        if keep <= FLAT_COPY {
            return mbuf::flat_copy(source, keep, outer, self.pool);
        }
        mbuf::headed(mbuf::clone_body(source, keep, self.pool)?, outer, self.pool)
    }

    fn generate(&mut self, frame: &[u8]) -> Result<Mbuf, Exhausted> {
        let mut buf = self.pool.alloc()?;
        buf.append(frame).map_err(|_| Exhausted)?;
        Ok(buf)
    }

    fn unshare(&mut self, buf: &mut Mbuf) -> Result<(), Exhausted> {
        *buf = mbuf::flat_copy(buf, buf.len(), &[], self.pool)?;
        Ok(())
    }

    /// There is one worker.
    fn room_for_copies(&self, _worker: usize) -> usize {
        0
    }

    fn cross(&mut self, _worker: usize, _batch: &mut ArrayVec<Mbuf, BURST>) {}
}
