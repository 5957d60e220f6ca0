//! What a compilation depends on, what it shares, and what it keeps of the one before.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::sync::{Arc, Weak};

use super::compile::compile;
use super::config::SocketMode;
use super::model::{EniSpec, Filter, FilterRule, Model, Session, Subnet, Target, Vpc};
use super::registry::Registry;
use crate::classify::rule::{Action, PortRange, Protocol, Rule};
use crate::mirror::session::MirrorTable;
use crate::mirror::snapshot::Snapshot;
use crate::packet::Direction;

/// ENIs 0 to 5 are sources, 6 and 7 collectors; of both VPCs every second one.
const ENIS: usize = 8;
pub(super) const SOURCES: usize = 6;
pub(super) const FILTERS: usize = 4;

pub(super) fn rule(filter: usize, side: &str, n: usize, port: u16) -> FilterRule {
    let ports = (port > 0).then_some(PortRange { first: port, last: port.saturating_add(9) });
    let action = if port.is_multiple_of(3) { Action::Drop } else { Action::Accept };
    let (src, dst) = (format!("10.{n}.0.0/16"), "0.0.0.0/0");
    let rule = Rule {
        src: src.parse().unwrap(),
        dst: dst.parse().unwrap(),
        protocol: Protocol::Udp,
        src_ports: None,
        dst_ports: ports,
        action,
    };
    FilterRule { id: format!("r-{filter}-{side}-{n}").into(), priority: n as u32 + 1, rule }
}

fn eni(n: usize) -> EniSpec {
    EniSpec {
        id: format!("eni-{n}").into(),
        subnet: n % 2,
        mac: [2, 0, 0, 0, 0, n as u8],
        primary: [10, 0, 0, 10 + n as u8].into(),
        secondaries: Vec::new(),
        mtu: 1500,
        instance: None,
        bandwidth: None,
        instance_type: None,
        owner: String::new(),
        managed: false,
        queue_pairs: 1,
        socket: format!("{n}.sock").into(),
        mode: SocketMode::Client,
    }
}

fn session(n: usize, filter: usize, sources: Vec<usize>) -> Session {
    Session {
        id: format!("s-{n}").into(),
        name: String::new(),
        enabled: true,
        locked: false,
        priority: n as u16 + 1,
        packet_length: 1500,
        vni: n as u32,
        filter,
        sources,
        target: Target::Eni(SOURCES + n % 2),
    }
}

/// Two VPCs; filters 0 to 2 have two rules a direction, filter 3 has none.
fn model(sessions: Vec<Session>) -> Model {
    let cidr = "10.0.0.0/16".parse().unwrap();
    let subnet =
        |vpc| Subnet { id: format!("vsw-{vpc}").into(), vpc, cidr, router_mac: [4; 6], gateway: [10, 0, 0, 1].into() };
    let rules = |filter: usize, side: &str| match filter {
        3 => Vec::new(),
        _ => (0..2).map(|n| rule(filter, side, n, 100 * (filter + n) as u16)).collect(),
    };
    let filter = |n| Filter {
        id: format!("f-{n}").into(),
        name: String::new(),
        ingress: rules(n, "in"),
        egress: rules(n, "out"),
    };
    Model {
        vpcs: (0..2).map(|n| Vpc { id: format!("vpc-{n}").into(), cidr }).collect(),
        subnets: (0..2).map(subnet).collect(),
        enis: (0..ENIS).map(eni).collect(),
        filters: (0..FILTERS).map(filter).collect(),
        sessions,
        ..Model::default()
    }
}

pub(super) fn compiled(model: &Model, registry: &mut Registry) -> Snapshot {
    compile(model, registry, 64).unwrap()
}

fn table(snapshot: &Snapshot, eni: usize, direction: Direction) -> Arc<MirrorTable> {
    let eni = snapshot.enis.iter().flatten().find(|e| *e.id == *format!("eni-{eni}")).unwrap();
    eni.mirror.as_ref().unwrap().tables[direction.index()].clone()
}

/// All that workers read but fragments, whose tables are large.
fn printed(snapshot: &Snapshot) -> String {
    let mut text = format!("{:?}{:?}{:?}", snapshot.subnets, snapshot.vpcs, snapshot.rows);
    for eni in snapshot.enis.iter().flatten() {
        let place = (&eni.id, eni.slot, eni.generation, eni.worker, eni.subnet, eni.vpc);
        write!(text, "{place:?}{:?}", eni.mirror).unwrap();
    }
    text
}

/// What sources mirror and to whom: the same whatever was there before, as places and counters are not.
pub(super) fn meaning(snapshot: &Snapshot) -> String {
    let mut lines: Vec<String> = Vec::new();
    for eni in snapshot.enis.iter().flatten() {
        let Some(source) = &eni.mirror else {
            lines.push(format!("{} is no source", eni.id));
            continue;
        };
        lines.push(format!("{}: {:?}", eni.id, source.tables));
        for row in &source.rows {
            let target = row.gate.is_none().then(|| snapshot.eni_of(row.target, row.target_generation).map(|e| &e.id));
            lines
                .push(format!("{}: {} {target:?} {:?} {:?} {:?}", eni.id, row.session, row.gate, row.limit, row.outer));
        }
    }
    lines.sort();
    lines.join("\n")
}

/// Sources 0 and 1 have filters 0, 1; source 2 has 1, 0; source 3 has 3, 0; source 4 has 0, 3; source 5 has 0.
pub(super) fn some_sources() -> Model {
    let sessions = [(0, vec![0, 1, 4]), (3, vec![3]), (1, vec![0, 1, 2]), (0, vec![2, 3]), (3, vec![4]), (0, vec![5])];
    model(sessions.into_iter().enumerate().map(|(n, (filter, sources))| session(n, filter, sources)).collect())
}

#[test]
fn a_model_compiled_twice_is_the_same_snapshot() {
    let model = some_sources();
    let twice = [(); 2].map(|()| printed(&compiled(&model, &mut Registry::new(2))));
    assert!(twice[0].contains("r-1-out-1"), "rules are in it");
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn the_same_changes_give_the_same_snapshot() {
    let run = || {
        let (mut registry, mut model) = (Registry::new(2), some_sources());
        compiled(&model, &mut registry);
        let (enis, sessions) = (model.enis.split_off(1), std::mem::take(&mut model.sessions));
        compiled(&model, &mut registry);
        model.enis.extend(enis);
        model.sessions = sessions;
        // Slots that were freed together are claimed again, and all pairs that copies went between are still in it.
        printed(&compiled(&model, &mut registry))
    };
    let first = run();
    (0..5).for_each(|_| assert_eq!(run(), first));
}

#[test]
fn sources_with_the_same_filters_in_the_same_order_share_their_tables() {
    let (model, mut registry) = (some_sources(), Registry::new(1));
    let snapshot = compiled(&model, &mut registry);
    for direction in Direction::ALL {
        let of = |eni| table(&snapshot, eni, direction);
        assert!(Arc::ptr_eq(&of(0), &of(1)));
        assert!(!Arc::ptr_eq(&of(0), &of(2)), "the other order");
        assert!(!Arc::ptr_eq(&of(3), &of(4)), "rules of another row");
        assert!(Arc::ptr_eq(&of(4), &of(5)), "but for a last filter without rules");
        assert_eq!([0, 3, 4].map(|eni| of(eni).rules.len()), [4, 2, 2]);
    }
    assert_eq!(registry.tables.iter().count(), 8);
}

#[test]
fn a_changed_rule_renews_the_tables_of_its_filter_and_direction_only() {
    let (mut model, mut registry) = (some_sources(), Registry::new(1));
    let before = compiled(&model, &mut registry);
    model.filters[1].egress[0].rule.dst_ports = Some(PortRange { first: 7, last: 7 });
    let after = compiled(&model, &mut registry);
    let kept = |eni, direction| Arc::ptr_eq(&table(&before, eni, direction), &table(&after, eni, direction));
    assert_eq!([0, 1, 2, 3, 4, 5].map(|eni| kept(eni, Direction::Outbound)), [false, false, false, true, true, true]);
    assert_eq!([0, 1, 2, 3, 4, 5].map(|eni| kept(eni, Direction::Inbound)), [true; 6]);
}

#[test]
fn tables_go_with_the_last_snapshot_that_uses_them() {
    let (mut model, mut registry) = (some_sources(), Registry::new(1));
    let first = compiled(&model, &mut registry);
    let tables: Vec<Weak<MirrorTable>> = registry.tables.iter().map(Arc::downgrade).collect();
    let alive = |tables: &[Weak<MirrorTable>]| tables.iter().filter(|t| t.strong_count() > 0).count();
    model.sessions.clear();
    let second = compiled(&model, &mut registry);
    assert_eq!((registry.tables.iter().count(), alive(&tables)), (0, 8), "workers may still be at the first");
    drop(first);
    assert_eq!(alive(&tables), 0);
    drop(second);
}
