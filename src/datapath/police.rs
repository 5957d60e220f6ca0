//! police: the bandwidth of the instance that an ENI belongs to. Sent packets are judged when security has let them out
//! and before they are mirrored, received ones before the receiver's queue gets them. A packet refused here did not
//! leave the ENI, or did not reach it, and so is never mirrored. One that passed is paid for, whatever becomes of it.

use super::env::{Env, drop_packet};
use crate::mirror::snapshot::Eni;
use crate::packet::{Burst, Direction, Lanes, PacketBuf, Reason};

/// The lanes out of `lanes` for which the instance of `eni` has bandwidth. Most ENIs have no limit.
#[inline]
pub(super) fn police<E: Env>(
    env: &mut E,
    eni: &Eni,
    direction: Direction,
    lanes: Lanes,
    burst: &Burst<E::Buf>,
) -> Lanes {
    let Some(limit) = &eni.limit else {
        return lanes;
    };
    let mut levels = limit.levels(env.now());
    let mut passed = lanes;
    for lane in lanes {
        if !levels.service(burst.buf(lane).map_or(0, PacketBuf::len)) {
            drop_packet(env, eni, direction, lane, Reason::Policed);
            passed.remove(lane);
        }
    }
    limit.keep(levels);
    passed
}
