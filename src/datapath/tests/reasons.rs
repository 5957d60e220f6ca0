//! No counter exists that no test moves: each reason, in each of its roles, is brought about once.

use std::collections::BTreeSet;

use super::overload::saturated;
use super::world::*;
use crate::control::model::Target;
use crate::mirror::bandwidth::Bandwidth;
use crate::packet::reason::Class;
use crate::packet::{Direction, Reason};
use crate::worker::load::Load;

/// Reasons that moved in a world, each with the role in which it moved.
fn moved(world: &World, into: &mut BTreeSet<(&'static str, Reason)>) {
    for (_, slot) in world.registry.enis.iter() {
        for reason in Reason::ALL {
            let c = &slot.counters;
            if Direction::ALL.iter().any(|d| c.drops(*d, *reason) > 0) {
                into.insert(("drop", *reason));
            }
            if c.sum(|b| b.consumed.get(*reason)) > 0 {
                into.insert(("consumed", *reason));
            }
            if (0..2).any(|d| c.sum(|b| b.excluded[d].get(*reason)) > 0) {
                into.insert(("excluded", *reason));
            }
        }
    }
    for reason in Reason::ALL {
        if world.skips(*reason) > 0 {
            into.insert(("skip", *reason));
        }
    }
}

/// Frames that end at admission or at the router.
fn bad_frames(world: &World) -> Vec<Vec<u8>> {
    let (a, b, c, d) = (world.eni(A), world.eni(B), world.eni(C), world.eni(D));
    let good = ip_frame(&a, &b, 17, &udp(1, 2, 9));
    let with = |at: usize, bytes: &[u8]| {
        let mut frame = good.clone();
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        frame
    };
    let mut bad_arp = arp(1, (a.mac, a.primary), b.primary);
    bad_arp[15] = 9;
    let mut rarp = arp(3, (a.mac, 0), 0);
    rarp[12..14].copy_from_slice(&[0x80, 0x35]);
    let mut dying = raw_frame((ROUTER, a.mac), (a.primary, d.primary), 17, &udp(1, 2, 0));
    dying[22] = 1;
    let mut orphan = ip_frame(&a, &b, 17, &[0; 16]);
    orphan[21] = 5;
    let mut overlap = ip_frame(&a, &b, 6, &[0; 16]);
    overlap[21] = 1;
    let mut beyond = orphan.clone();
    beyond[20..22].copy_from_slice(&[0x1f, 0xff]);
    vec![
        good[..10].to_vec(),
        with(12, &[0x81, 0]),
        with(12, &[0x86, 0xdd]),
        with(12, &[0x12, 0x34]),
        with(14, &[0x75]),
        with(16, &[0, 10]),
        with(38, &[0, 1]),
        with(11, &[0x66]),
        with(29, &[0x66]),
        with(5, &[0x66]),
        with(30, &[255, 255, 255, 255]),
        with(30, &[224, 0, 0, 1]),
        bad_arp,
        rarp,
        arp(1, (a.mac, a.primary), b.primary),
        arp(1, (a.mac, a.primary), 1),
        raw_frame((ROUTER, a.mac), (a.primary, 0x0808_0808), 17, &udp(1, 2, 0)),
        raw_frame((ROUTER, a.mac), (a.primary, 0x6440_0001), 17, &udp(1, 2, 0)),
        raw_frame((ROUTER, a.mac), (a.primary, a.primary), 17, &udp(1, 2, 0)),
        dying,
        orphan,
        overlap,
        beyond,
        ip_frame(&a, &b, 17, &udp(68, 67, 0)),
        ip_frame(&a, &c, 17, &udp(1, 2, 2000)),
        ip_frame(&a, &b, 17, &udp(1, 2, 8500)),
    ]
}

#[test]
fn every_reason_is_brought_about() {
    let mut seen = BTreeSet::new();
    let ranged = [rule(1, "accept", "UDP", "0/65535"), rule(2, "accept", "ALL", "-1/-1")];
    let to_c = mirror(&[(session("s1", 1, 8500, C), &ranged)]);
    let to_d = mirror(&[(session("s1", 1, 8500, D), &ranged)]);

    let mut world = World::new(&to_c);
    for frame in bad_frames(&world) {
        world.send(A, &[frame]);
    }
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    let good = ip_frame(&a, &b, 17, &udp(1, 2, 0));
    let copy = world.send(A, std::slice::from_ref(&good)).into_iter().find(|g| g.0 == C).unwrap().1;
    world.send(C, &[ip_frame(&c, &a, 1, &[&[3, 3, 0, 0, 0, 0, 0, 0], &copy[14..]].concat())]);
    world.env.denied_port = Some((Direction::Outbound, 2));
    world.send(A, std::slice::from_ref(&good));
    world.env.denied_port = None;
    world.env.buffers = Some(0);
    world.send(A, &[good.clone(), arp(1, (a.mac, a.primary), b.primary)]);
    world.env.buffers = None;
    world.env.room.extend([(b.slot, 0), (c.slot, 0)]);
    world.send(A, std::slice::from_ref(&good));
    world.env.down.extend([b.slot, c.slot]);
    world.send(A, std::slice::from_ref(&good));
    moved(&world, &mut seen);
    world.env.down.clear();
    world.env.room.clear();
    world.env.load = saturated(&world, Some(A));
    world.send(A, std::slice::from_ref(&good));
    world.env.load = Load::default();
    moved(&world, &mut seen);
    // A locked account, a target in another VPC, and a target that is a source by hand-made configuration.
    world.model.sessions[0].locked = true;
    world.recompile();
    world.send(A, std::slice::from_ref(&good));
    moved(&world, &mut seen);
    // An endpoint where there may be none.
    world.model.sessions[0].locked = false;
    world.model.sessions[0].target = Target::Gwlbe("gwlbe-1".to_owned());
    world.model.region.gwlb = false;
    world.recompile();
    world.send(A, std::slice::from_ref(&good));
    assert_eq!(world.skips(Reason::UnsupportedRegion), 1);
    world.model.region.gwlb = true;
    world.recompile();
    world.send(A, std::slice::from_ref(&good));
    assert_eq!(world.skips(Reason::UnsupportedRegion), 1);
    moved(&world, &mut seen);
    let mut world = World::new(&to_c.replace("\"eni-c\"", "\"eni-x\""));
    world.send(A, std::slice::from_ref(&good));
    moved(&world, &mut seen);
    let mut world = World::new(&to_c);
    world.model.sessions[0].sources.push(2);
    world.recompile();
    world.send(A, std::slice::from_ref(&good));
    world.send(C, &[ip_frame(&c, &a, 1, &[&[3, 3, 0, 0, 0, 0, 0, 0], &copy[14..]].concat())]);
    moved(&world, &mut seen);

    // A limit's whole depth at once: the last copies find nothing left, and then the packets do.
    let mut world = World::new(&to_c);
    world.model.enis[0].bandwidth = Some(Bandwidth::new(1000, None));
    world.recompile();
    let long = ip_frame(&a, &b, 17, &udp(1, 2, 8000));
    world.send(A, &vec![long; 3]);
    moved(&world, &mut seen);

    let mut world = World::with_workers(&to_d, 2);
    let frames: Vec<_> = (0..40).map(|n| ip_frame(&a, &b, 17, &udp(n, 2, 0))).collect();
    world.env.ring_room = Some(0);
    world.send(A, &frames[..1]);
    world.env.ring_room = None;
    world.send(A, &frames);
    world.send(A, &frames);
    moved(&world, &mut seen);
    world.arrive();

    for reason in Reason::ALL {
        for class in reason.classes() {
            let role = match class {
                Class::Drop(_) => "drop",
                Class::Consumed => "consumed",
                Class::Excluded => "excluded",
                Class::Skip => "skip",
            };
            assert!(seen.contains(&(role, *reason)), "no test moves {reason} as {role}");
        }
    }
    for (role, reason) in &seen {
        let fits = reason.classes().iter().any(|c| match c {
            Class::Drop(_) => *role == "drop",
            Class::Consumed => *role == "consumed",
            Class::Excluded => *role == "excluded",
            Class::Skip => *role == "skip",
        });
        assert!(fits, "{reason} moved as {role}, which its list does not say");
    }
}
