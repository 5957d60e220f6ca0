//! Fuzz entry: any bytes, in any segments, are a packet that a source sends, cut anywhere: parse, mirror, cut.

use std::cell::RefCell;
use std::sync::Arc;

use super::copies::{self, Copies};
use super::{mirror, run_burst};
use crate::control::compile::compile;
use crate::control::config::Config;
use crate::control::model_from_json;
use crate::control::registry::Registry;
use crate::mirror::cut::CopyLimit;
use crate::mirror::snapshot::Snapshot;
use crate::packet::headers::{Kind, parse};
use crate::packet::{Burst, Direction, HeapBuf, Lanes};
use crate::replay::env::HeapEnv;
use crate::wire::vxlan::OUTER;
use crate::wire::{IpMtu, be16, checksum, ethernet};

/// The shipped inventory and sessions.
fn shipped() -> Option<Snapshot> {
    let inventory = ("inventory", include_str!("../../conf/inventory.json"));
    let mirror = ("mirror", include_str!("../../conf/mirror.json"));
    let model = model_from_json(inventory, mirror, &Config::default()).ok()?;
    compile(&model, &mut Registry::new(1), 64).ok()
}

/// The first byte says how many segment ends follow, two bytes each; then PacketLength, path MTU, and the frame.
///
/// # Panics
/// When a copy is anything but the first bytes of its original behind right outer headers: that is the finding.
pub fn fuzz_segments(data: &[u8]) {
    thread_local!(static WORLD: RefCell<Option<(Snapshot, HeapEnv)>> =
        RefCell::new(shipped().map(|snapshot| (snapshot, HeapEnv::default()))));
    let count = usize::from(data.first().copied().unwrap_or(0) % 8);
    let word = |at: usize| be16(data, 1 + 2 * at).map(usize::from);
    let mut ends: Vec<usize> = (0..count).filter_map(word).collect();
    let (Some(length), Some(mtu)) = (word(count), word(count + 1)) else { return };
    let Some(frame) = data.get(1 + 2 * (count + 2)..) else { return };
    ends.iter_mut().for_each(|end| *end %= frame.len() + 1);
    ends.extend([0, frame.len()]);
    ends.sort_unstable();
    let chain = HeapBuf::chained(ends.windows(2).filter_map(|w| frame.get(w[0]..w[1])).map(<[u8]>::to_vec));
    WORLD.with_borrow_mut(|world| {
        let Some((snapshot, env)) = world else { return };
        let limit = CopyLimit::new(length as u16, IpMtu(mtu as u16));
        let Some(source) = snapshot.enis.iter_mut().flatten().find(|eni| eni.mirror.is_some()) else { return };
        if let Some(mirror) = Arc::get_mut(source).and_then(|eni| eni.mirror.as_mut()) {
            mirror.rows.iter_mut().for_each(|row| row.limit = limit);
        }
        let source = source.clone();
        copied(env, snapshot, &source, frame, &chain, usize::from(limit.keep(u16::MAX).bytes));
        // The whole way: what it makes of segments is its own affair, and no panic.
        let mut burst = Burst::default();
        burst.bufs.push(Some(chain));
        run_burst(env, snapshot, &source, &mut burst);
        env.queued.clear();
        env.verdicts.clear();
    });
}

/// The mirror stage alone, as if the frame had passed.
fn copied(
    env: &mut HeapEnv,
    snapshot: &Snapshot,
    source: &crate::mirror::snapshot::Eni,
    frame: &[u8],
    chain: &HeapBuf,
    most: usize,
) {
    let mut burst = Burst::default();
    if parse(frame, &mut burst.headers[0]) != Ok(Kind::Ipv4) {
        return;
    }
    let total = usize::from(burst.headers[0].ip.total);
    burst.bufs.push(Some(chain.clone()));
    let mut made = Copies::new(Direction::Outbound);
    mirror::mirror(env, snapshot, source, Lanes::one(0), &burst, &mut made);
    copies::send(env, snapshot, &mut made);
    for (_, copy) in env.queued.drain(..) {
        let copy = copy.into_bytes();
        let inner = ethernet::HEADER + total.min(most);
        assert_eq!(copy.get(OUTER..), frame.get(..inner), "a prefix of the original");
        let lengths = (be16(&copy, 16).map(usize::from), be16(&copy, 38).map(usize::from));
        assert_eq!(lengths, (Some(inner + OUTER - 14), Some(inner + OUTER - 34)), "outer lengths");
        assert_eq!(checksum::finish(checksum::sum(&copy[14..34])), 0, "outer checksum");
    }
}
