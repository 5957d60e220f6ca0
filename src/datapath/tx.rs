//! tx: hands packets to the receiver's queue, all of a burst in one call.

use super::env::{Delivery, Env, Verdict, drop_packet};
use crate::mirror::snapshot::Eni;
use crate::packet::{Burst, Direction, Lanes, PacketBuf, Reason};

/// The live lanes that go to the ENI in `slot`.
pub(super) fn lanes_to<B: PacketBuf>(slot: u32, burst: &Burst<B>) -> Lanes {
    let mut lanes = Lanes::NONE;
    for lane in burst.live {
        if burst.to[lane] == slot {
            lanes.insert(lane);
        }
    }
    lanes
}

/// Offers `lanes` to `to`; returns those that its ring took.
pub(super) fn tx<E: Env>(env: &mut E, to: &Eni, lanes: Lanes, burst: &Burst<E::Buf>) -> Lanes {
    let mut fitting = lanes;
    for lane in lanes {
        if burst.headers[lane].ip.total > to.mtu.0 {
            drop_packet(env, to, Direction::Inbound, lane, Reason::ExceedsMtu);
            fitting.remove(lane);
        }
    }
    if fitting.is_empty() {
        return fitting;
    }
    let flow = |lane: usize| burst.headers[lane].flow_hash(burst.buf(lane).map(PacketBuf::head).unwrap_or_default());
    let (taken, reason) = match env.deliver(to, &burst.bufs, fitting, flow) {
        Delivery::Taken(taken) => (taken, Reason::GuestFull),
        Delivery::Down => (Lanes::NONE, Reason::GuestDown),
    };
    let block = to.counters.of(env.worker());
    block.tx_packets.add(u64::from(taken.count()));
    let mut bytes = 0;
    for lane in taken {
        bytes += burst.buf(lane).map_or(0, |b| b.len() as u64);
        env.trace(lane, Verdict::Delivered);
    }
    block.tx_bytes.add(bytes);
    for lane in fitting.without(taken) {
        drop_packet(env, to, Direction::Inbound, lane, reason);
    }
    taken
}
