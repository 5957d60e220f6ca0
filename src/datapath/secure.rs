//! secure: security groups and network ACLs. They have an issue of their own; until then everything passes, and the
//! stage's counting is proven by tests. A packet dropped here is never mirrored.

use super::env::{Env, drop_packet};
use crate::mirror::snapshot::Eni;
use crate::packet::{Burst, Direction, Lanes, Reason};

/// Clears the lanes that `eni`'s security refuses.
pub(super) fn secure<E: Env>(env: &mut E, eni: &Eni, direction: Direction, burst: &mut Burst<E::Buf>) {
    burst.live = judge(env, eni, direction, burst.live, burst);
}

/// The lanes out of `lanes` that the receiver's security admits.
pub(super) fn ingress<E: Env>(env: &mut E, to: &Eni, lanes: Lanes, burst: &Burst<E::Buf>) -> Lanes {
    judge(env, to, Direction::Inbound, lanes, burst)
}

fn judge<E: Env>(env: &mut E, eni: &Eni, direction: Direction, lanes: Lanes, burst: &Burst<E::Buf>) -> Lanes {
    let mut admitted = lanes;
    for lane in lanes {
        if !env.admits(eni, direction, &burst.headers[lane]) {
            drop_packet(env, eni, direction, lane, Reason::Denied);
            admitted.remove(lane);
        }
    }
    admitted
}
