//! Who takes part at a point, and in which of several tunings.

use super::setup::{Mirroring, Setup};
use crate::contender::Contender;
use crate::contender::cloop::Cloop;
use crate::contender::ovs::{Ovs, OvsWay, available_tunings};
use crate::contender::testpmd::Testpmd;
use crate::contender::vswitch::Vswitch;
use crate::generator::Target;
use crate::scenario::{IMIX, Peer, PointSpec, Ring, Size, Target as Wanted};

/// Copies a second that a slow collector takes.
const SLOW: f64 = 500_000.0;
/// Sessions that a source has at most by default.
const SESSIONS_PER_SOURCE: usize = 3;
/// Frames above this many bytes are cut on a path of MTU 1500.
const CUT_ON_1500: u16 = 14 + 1450;

/// A contender in one tuning, with the guests that it is tried with.
pub struct Entrant {
    /// What tables call it.
    pub label: String,
    /// The guests.
    pub setup: Setup,
    /// Makes it.
    pub make: Box<dyn Fn() -> Box<dyn Contender>>,
}

/// Tunings of one contender, of which the best counts.
pub struct Team {
    /// What tables call them together.
    pub label: &'static str,
    /// The tunings.
    pub tunings: Vec<Entrant>,
}

fn entrant(label: impl Into<String>, setup: &Setup, make: impl Fn() -> Box<dyn Contender> + 'static) -> Entrant {
    Entrant { label: label.into(), setup: setup.clone(), make: Box::new(make) }
}

/// Frame lengths in the order in which they are sent.
fn lengths(size: Size) -> Vec<usize> {
    match size {
        Size::Fixed(bytes) => vec![usize::from(bytes)],
        // 48 frames; wherever sampling looks, every 16th, it finds each length.
        Size::Imix => {
            let mut all: Vec<usize> =
                IMIX.iter().flat_map(|(bytes, times)| vec![usize::from(*bytes); usize::from(*times)]).collect();
            // 29 and 48 have no common factor: the mix is spread evenly.
            let order: Vec<usize> = (0..all.len()).map(|n| n * 29 % 48).collect();
            all = order.iter().map(|n| all[*n % all.len()]).collect();
            for (at, (bytes, _)) in [0, 16, 32].into_iter().zip(IMIX) {
                if let Some(other) = all.iter().position(|b| *b == usize::from(bytes)) {
                    all.swap(at, other);
                }
            }
            all
        }
    }
}

/// The guests of a point.
#[must_use]
pub fn setup(spec: &PointSpec) -> Setup {
    let mirroring = match spec.rules {
        0 => Mirroring::None,
        _ if spec.plain() => Mirroring::All,
        n => Mirroring::Rules(n as usize),
    };
    let local = spec.local_sessions.saturating_sub(1);
    // Further sessions belong to ENIs that are otherwise idle.
    let needed = 2 + (local as usize).div_ceil(SESSIONS_PER_SOURCE);
    let longest = spec.size.longest();
    Setup {
        sizes: lengths(spec.size),
        flows: spec.flows,
        match_percent: u32::from(spec.match_percent),
        mirroring,
        enis: (spec.enis as usize).max(needed) + usize::from(mirroring != Mirroring::None),
        stored_sessions: spec.stored_sessions.saturating_sub(spec.local_sessions),
        local_sessions: local,
        target: match spec.target {
            Wanted::Fast => Target::Fast,
            Wanted::Slow => Target::Slow(SLOW),
            Wanted::Blocked => Target::Blocked,
        },
        overload: spec.overload,
        packed: spec.ring == Ring::Packed,
        packet_length: spec.packet_length,
        mtu: spec.mtu,
        // Peers do not cut: where a frame would be, the collector is a jumbo one for all.
        collector_mtu: if longest > CUT_ON_1500 { 8500 } else { spec.mtu },
    }
}

/// Who takes part at a point: the switch first. A peer that cannot do what the point asks is left out, with a remark.
#[must_use]
pub fn teams(spec: &PointSpec, peers: &[Peer]) -> (Vec<Team>, Vec<String>) {
    let setup = setup(spec);
    let mut teams =
        vec![Team { label: "vswitch", tunings: vec![entrant("vswitch", &setup, || Box::new(Vswitch::new()))] }];
    let mut remarks = Vec::new();
    let none = setup.mirroring == Mirroring::None;
    for peer in peers {
        match peer {
            Peer::Off if none => remarks.push("vswitch-off is vswitch itself where nothing is mirrored".to_owned()),
            Peer::Off => {
                let off = Setup { mirroring: Mirroring::None, stored_sessions: 0, local_sessions: 0, ..setup.clone() };
                let tunings = vec![entrant("vswitch-off", &off, || Box::new(Vswitch::new()))];
                teams.push(Team { label: "vswitch-off", tunings });
            }
            Peer::Testpmd if !none => remarks.push("testpmd cannot mirror".to_owned()),
            Peer::Testpmd => {
                teams.push(Team { label: "testpmd", tunings: rings("testpmd", &setup, || Box::new(Testpmd::new())) })
            }
            Peer::Cloop if matches!(setup.mirroring, Mirroring::Rules(_)) => {
                remarks.push("the C loop has no rules".to_owned());
            }
            Peer::Cloop => {
                teams.push(Team { label: "cloop", tunings: rings("cloop", &setup, || Box::new(Cloop::new())) })
            }
            Peer::Ovs => teams.push(Team { label: "ovs", tunings: ovs(&setup) }),
            Peer::LibrteAcl => remarks.push("librte_acl is a classifier only".to_owned()),
        }
    }
    (teams, remarks)
}

/// Both kinds of ring.
fn rings(label: &str, setup: &Setup, make: fn() -> Box<dyn Contender>) -> Vec<Entrant> {
    let of = |packed, kind| entrant(format!("{label}-{kind}"), &Setup { packed, ..setup.clone() }, make);
    vec![of(false, "split"), of(true, "packed")]
}

/// Every tuning, in every way of mirroring that the point allows.
fn ovs(setup: &Setup) -> Vec<Entrant> {
    let ways: &[OvsWay] = match setup.mirroring {
        Mirroring::All => &[OvsWay::Mirror, OvsWay::Rules],
        Mirroring::None | Mirroring::Rules(_) => &[OvsWay::Rules],
    };
    let mut tunings = Vec::new();
    for way in ways {
        for tuning in available_tunings() {
            let way = *way;
            let make = move || -> Box<dyn Contender> { Box::new(Ovs::new(way, tuning)) };
            tunings.push(entrant(format!("{}-{}", make().name(), tuning.name), setup, make));
        }
    }
    tunings
}
