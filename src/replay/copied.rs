//! A copy, told: what it looks like, where it goes, and why it is as long as it is.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::env::HeapEnv;
use crate::control::compile::path;
use crate::control::model::{Model, Session, Target};
use crate::mirror::cut::{CutCause, Kept};
use crate::mirror::snapshot::Eni;
use crate::packet::PacketBuf;
use crate::wire::vxlan::{OUTER, OVERHEAD};
use crate::wire::{Mac, be16, be32, ethernet};

/// Adds to the judgement of a matched packet of `source` what its copy is, or would be: `kept` of the `total` bytes.
pub(super) fn tell(value: &mut Value, model: &Model, env: &HeapEnv, source: Option<&Eni>, (kept, total): (Kept, u16)) {
    value["total"] = json!(total);
    let session = model.sessions.iter().find(|s| value["session"] == *s.id);
    if let Some(session) = session {
        (value["target_type"], value["target"]) = match &session.target {
            Target::Eni(eni) => (json!("NetworkInterface"), json!(&*model.enis[*eni].id)),
            Target::Away(id) => (json!("NetworkInterface"), json!(id)),
            Target::Slb(id) => (json!("SLB"), json!(id)),
            Target::Gwlbe(id) => (json!("GatewayLoadBalancerEndpoint"), json!(id)),
        };
        (value["path_mtu"], value["cut_why"]) = cut(model, session, kept, total);
    }
    let copies = env.queued.iter().filter(|(_, buf)| buf.meta().copy == 1).map(|(_, buf)| buf.bytes());
    let mut own = copies.filter(|copy| be32(copy, 26) == source.map(|s| s.primary));
    value["copy"] = own.next().map_or(Value::Null, outer);
}

/// The path MTU, if it counts, and the cut in words.
fn cut(model: &Model, session: &Session, kept: Kept, total: u16) -> (Value, Value) {
    let Target::Eni(target) = session.target else {
        return (Value::Null, Value::Null);
    };
    let target = &model.enis[target];
    let (mtu, length) = (path(model, target).mtu().0, session.packet_length);
    let room = mtu.saturating_sub(OVERHEAD);
    let region = &model.region.id;
    let mut why = match kept.cut {
        None => format!("whole: PacketLength is {length}, and the path has room for {room} bytes of IP"),
        Some(CutCause::PacketLength) => {
            format!("cut from {total} to {} bytes of IP by the session's PacketLength", kept.bytes)
        }
        Some(CutCause::PathMtu) => format!(
            "cut from {total} to {} bytes of IP by the path's MTU of {mtu} less {OVERHEAD} of encapsulation",
            kept.bytes
        ),
    };
    match kept.cut {
        Some(CutCause::PacketLength) if length < room => {
            why.push_str(&format!("; the path has room for {room}, but a larger target does not raise PacketLength"));
        }
        Some(CutCause::PathMtu) if mtu < target.mtu => {
            why.push_str(&format!("; the target's MTU is {}, but {region} has no jumbo mirroring", target.mtu));
        }
        _ => {}
    }
    (json!(mtu), json!(why))
}

/// A copy's outer headers, read from its bytes.
fn outer(copy: &[u8]) -> Value {
    let address = |at| be32(copy, at).map(Ipv4Addr::from_bits);
    let mac = |mac: Option<Mac>| mac.map(|mac| mac.to_string());
    json!({
        "vni": be32(copy, 46).map(|word| word >> 8),
        "source": address(26), "source_port": be16(copy, 34),
        "destination": address(30), "destination_port": be16(copy, 36),
        "source_mac": mac(ethernet::source(copy)), "destination_mac": mac(ethernet::destination(copy)),
        "bytes": copy.len(),
        "inner_bytes": copy.len().saturating_sub(OUTER),
    })
}
