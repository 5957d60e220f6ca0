//! The compiled classifier against the slow obvious twin: drawn to collide, and every combination of a small universe.
//!
//! The twin is asked about the packet itself, not about what [`Keys`] made of it.
#![allow(clippy::unwrap_used)]

mod drawn;
mod drawn_packets;
mod drawn_rules;
mod universe;

use super::rule::Rule;
use super::{Compiled, Key, Keys, Level, Verdict};
use crate::packet::BURST;
use crate::packet::headers::{Headers, Kind, parse};
use crate::wire::ipv4::{Ipv4, Ports, protocol};

/// What no verdict may be: the mark of one that was left alone.
const UNTOUCHED: Verdict = Verdict::Match(u16::MAX);

/// What this CPU can.
fn levels() -> impl Iterator<Item = Level> {
    Level::ALL.into_iter().filter(|level| level.is_available())
}

/// The rules, compiled for each level.
fn compiled(rules: &[Rule]) -> Vec<(Level, Compiled)> {
    levels().map(|level| (level, Compiled::with_level(rules, level).unwrap())).collect()
}

/// What a key means whatever its ports claim: TCP and UDP have ports, known or not, and nothing else has any.
fn meant(mut key: Key) -> Key {
    key.ports = match (key.protocol, key.ports) {
        (6 | 17, Ports::Known(source, destination)) => Ports::Known(source, destination),
        (6 | 17, _) => Ports::Unknown,
        _ => Ports::None,
    };
    key
}

/// The headers of a packet with this key, from its bytes: whole, or a later fragment where the ports are not known.
fn parsed(key: &Key) -> Ipv4 {
    let mut frame = [0u8; 54];
    frame[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
    frame[17] = 40;
    frame[23] = key.protocol;
    frame[26..30].copy_from_slice(&key.src.to_be_bytes());
    frame[30..34].copy_from_slice(&key.dst.to_be_bytes());
    match meant(*key).ports {
        Ports::Known(source, destination) => {
            frame[34..36].copy_from_slice(&source.to_be_bytes());
            frame[36..38].copy_from_slice(&destination.to_be_bytes());
            if key.protocol == protocol::TCP { frame[46] = 0x50 } else { frame[39] = 20 }
        }
        Ports::Unknown => frame[21] = 2,
        Ports::None => {}
    }
    let mut headers = Headers::default();
    assert_eq!(parse(&frame, &mut headers), Ok(Kind::Ipv4), "{key:?}");
    headers.ip
}

/// Keys by both ways in, which must agree. `keys` and `gathered` may hold others from before.
fn both_ways(packets: &[Key], headers: &[Ipv4], pushed: &mut Keys, gathered: &mut Keys) {
    pushed.clear();
    packets.iter().for_each(|packet| pushed.push(*packet));
    gathered.gather(headers.iter());
    assert_eq!((pushed.len(), gathered.len()), (packets.len(), packets.len()));
    assert_eq!(pushed.unknown(), gathered.unknown(), "{packets:?}");
    for (at, packet) in packets.iter().enumerate() {
        assert_eq!((pushed.get(at), gathered.get(at)), (named(packet), named(packet)));
    }
}

/// As [`Keys::get`] tells: protocols that no rule can name are all one.
fn named(packet: &Key) -> Key {
    let packet = meant(*packet);
    let known = matches!(packet.protocol, protocol::ICMP | protocol::TCP | protocol::UDP);
    Key { protocol: if known { packet.protocol } else { u8::MAX }, ..packet }
}

/// The verdicts of a batch; those behind it must be as they were.
fn judge(table: &Compiled, keys: &Keys) -> [Verdict; BURST] {
    let mut verdicts = [UNTOUCHED; BURST];
    table.classify(keys, &mut verdicts);
    assert!(verdicts[keys.len()..].iter().all(|verdict| *verdict == UNTOUCHED), "written behind the last key");
    verdicts
}
