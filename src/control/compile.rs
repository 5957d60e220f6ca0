//! Model → snapshot: addresses into tables, filters into classifiers, sessions into finished headers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::model::{EniSpec, Filter, Model, Session, Target};
use super::registry::{BucketOwner, CopyPair, Registry};
use crate::classify::rule::Action;
use crate::classify::{Compiled, TooManyRules};
use crate::mirror::address_map::AddressMap;
use crate::mirror::bandwidth::Limit;
use crate::mirror::cut::{CopyLimit, Path, STANDARD_MTU};
use crate::mirror::session::{MirrorRow, MirrorSource, MirrorTable, Outcome};
use crate::mirror::snapshot::{Eni, Snapshot, Subnet, Vpc};
use crate::packet::{Direction, Reason};
use crate::wire::vxlan::{Endpoints, OuterTemplate};
use crate::wire::{IpMtu, Mac};
use crate::worker::placement::{Candidate, place};

/// Compiles a validated model. Slots and counters of what existed before are kept; those of what is gone are freed.
/// `credit` is the number of service packets that an ENI may have under way to other workers; copies have half as much.
///
/// # Errors
/// An ENI whose sessions have more rules than a classifier takes (the default quotas allow 60).
pub fn compile(model: &Model, registry: &mut Registry, credit: u32) -> Result<Snapshot, TooManyRules> {
    let candidates: Vec<Candidate> = model
        .enis
        .iter()
        .map(|e| Candidate { eni: e.id.clone(), group: e.instance.clone().unwrap_or_else(|| e.id.clone()) })
        .collect();
    registry.placement = place(&candidates, &registry.placement, registry.workers);
    claim(model, registry);
    registry.copy_pairs.change(copy_pairs(model), Instant::now());
    let mut enis: Vec<Option<Arc<Eni>>> = vec![None; registry.enis.len()];
    for (index, spec) in model.enis.iter().enumerate() {
        let eni = eni(model, registry, index, spec)?;
        let slot = eni.slot as usize;
        enis[slot] = Some(Arc::new(eni));
    }
    let mut rows = vec![None; registry.rows.len()];
    for (_, slot) in registry.rows.iter() {
        rows[slot.slot as usize] = Some((slot.generation, slot.counters.clone()));
    }
    registry.version += 1;
    Ok(Snapshot {
        version: registry.version,
        subnets: (0..model.subnets.len()).map(|i| subnet(model, registry, i)).collect(),
        vpcs: (0..model.vpcs.len()).map(|i| vpc(model, registry, i)).collect(),
        platform: model.platform_cidrs.iter().map(|n| (n.network().to_bits(), n.netmask().to_bits())).collect(),
        enis: enis.into_boxed_slice(),
        rows: rows.into_boxed_slice(),
        departed: registry.departed.clone(),
        departed_rows: registry.departed_rows.clone(),
        credit: u64::from(credit),
    })
}

/// Slots for all that is there, and none for what is not.
fn claim(model: &Model, registry: &mut Registry) {
    let enis: HashSet<&Arc<str>> = model.enis.iter().map(|e| &e.id).collect();
    let pairs: HashSet<(Arc<str>, Arc<str>)> = model
        .sessions
        .iter()
        .filter(|s| s.enabled)
        .flat_map(|s| s.sources.iter().map(|i| (s.id.clone(), model.enis[*i].id.clone())))
        .collect();
    for counters in std::mem::take(&mut registry.leaving) {
        registry.gone.add(&counters);
    }
    registry.leaving = registry.enis.retain(|id| enis.contains(id));
    registry.rows.retain(|pair| pairs.contains(pair));
    registry.fragments.retain(|id, _| enis.contains(id));
    let limited: HashSet<BucketOwner> =
        model.enis.iter().filter(|e| e.bandwidth.is_some()).map(BucketOwner::of).collect();
    registry.buckets.retain(|owner, _| limited.contains(owner));
    for spec in &model.enis {
        registry.enis.claim(&spec.id);
    }
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort();
    for pair in pairs {
        registry.rows.claim(&pair);
    }
}

fn subnet(model: &Model, registry: &mut Registry, index: usize) -> Subnet {
    let spec = &model.subnets[index];
    let own = model.enis.iter().filter(|e| e.subnet == index);
    Subnet {
        network: spec.cidr.network().to_bits(),
        mask: spec.cidr.netmask().to_bits(),
        gateway: spec.gateway.to_bits(),
        router_mac: Mac(spec.router_mac),
        macs: AddressMap::new(own.map(|e| (Mac(e.mac).as_u64(), registry.enis.claim(&e.id).slot))),
    }
}

fn vpc(model: &Model, registry: &mut Registry, index: usize) -> Vpc {
    let in_vpc = |e: &EniSpec| model.subnets[e.subnet].vpc == index;
    let mut local = Vec::new();
    for spec in model.enis.iter().filter(|e| in_vpc(e)) {
        let slot = registry.enis.claim(&spec.id).slot;
        local.push((u64::from(spec.primary.to_bits()), slot));
        local.extend(spec.secondaries.iter().map(|ip| (u64::from(ip.to_bits()), slot)));
    }
    let mut pairs = Vec::new();
    for pair in registry.copy_pairs.iter().filter(|pair| pair.vpc == model.vpcs[index].id) {
        // A target that has left complains no more.
        if let Some(target) = registry.enis.get(&pair.target) {
            pairs.push((pair.addresses, target.slot));
        }
    }
    Vpc { local: AddressMap::new(local), copy_pairs: AddressMap::new(pairs) }
}

/// Who sends copies to whom.
fn copy_pairs(model: &Model) -> HashSet<CopyPair> {
    let mut pairs = HashSet::new();
    for session in model.sessions.iter().filter(|s| s.enabled) {
        let Target::Eni(target) = session.target else {
            continue;
        };
        let target = &model.enis[target];
        let vpc = model.subnets[target.subnet].vpc;
        for source in session.sources.iter().map(|i| &model.enis[*i]) {
            if model.subnets[source.subnet].vpc == vpc {
                pairs.insert(CopyPair {
                    vpc: model.vpcs[vpc].id.clone(),
                    addresses: u64::from(source.primary.to_bits()) << 32 | u64::from(target.primary.to_bits()),
                    target: target.id.clone(),
                });
            }
        }
    }
    pairs
}

fn eni(model: &Model, registry: &mut Registry, index: usize, spec: &EniSpec) -> Result<Eni, TooManyRules> {
    let slot = registry.enis.claim(&spec.id);
    let worker = registry.placement.get(&spec.id).copied().unwrap_or(0);
    let limit = spec.bandwidth.map(|b| Limit::new(b, registry.bucket(BucketOwner::of(spec), worker)));
    let mut secondaries: Vec<u32> = spec.secondaries.iter().map(|ip| ip.to_bits()).collect();
    secondaries.sort_unstable();
    Ok(Eni {
        id: spec.id.clone(),
        slot: slot.slot,
        generation: slot.generation,
        worker,
        subnet: spec.subnet,
        vpc: model.subnets[spec.subnet].vpc,
        mac: Mac(spec.mac),
        primary: spec.primary.to_bits(),
        secondaries: secondaries.into_boxed_slice(),
        mtu: IpMtu(spec.mtu),
        limit,
        mirror: source(model, registry, index)?.map(Box::new),
        counters: slot.counters,
        fragments: registry.fragments(&spec.id, worker),
    })
}

/// The enabled sessions of an ENI, in session priority order, as one table a direction.
fn source(model: &Model, registry: &mut Registry, eni: usize) -> Result<Option<MirrorSource>, TooManyRules> {
    let mut sessions: Vec<&Session> = model.sessions.iter().filter(|s| s.enabled && s.sources.contains(&eni)).collect();
    if sessions.is_empty() {
        return Ok(None);
    }
    sessions.sort_by_key(|s| s.priority);
    let rows = sessions.iter().map(|s| row(model, registry, s, eni)).collect();
    let tables = [table(model, &sessions, Direction::Outbound)?, table(model, &sessions, Direction::Inbound)?];
    Ok(Some(MirrorSource { rows, tables }))
}

fn table(model: &Model, sessions: &[&Session], direction: Direction) -> Result<MirrorTable, TooManyRules> {
    let (mut rules, mut outcomes, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for (row, session) in sessions.iter().enumerate() {
        for filter_rule in rules_of(&model.filters[session.filter], direction) {
            let row = row as u16;
            rules.push(filter_rule.rule);
            ids.push(filter_rule.id.clone());
            outcomes.push(match filter_rule.rule.action {
                Action::Accept => Outcome::Mirror(row),
                Action::Drop => Outcome::Refuse(row),
            });
        }
    }
    Ok(MirrorTable {
        classifier: Compiled::new(&rules)?,
        outcomes: outcomes.into_boxed_slice(),
        rules: ids.into_boxed_slice(),
    })
}

/// A filter's rules of a direction, in order.
pub(crate) fn rules_of(filter: &Filter, direction: Direction) -> &[super::model::FilterRule] {
    match direction {
        Direction::Outbound => &filter.egress,
        Direction::Inbound => &filter.ingress,
    }
}

/// The way of copies to an ENI on this host.
pub(crate) const fn path(model: &Model, target: &EniSpec) -> Path {
    Path {
        receiver: IpMtu(target.mtu),
        underlay: None,
        geneve_options: None,
        jumbo_mirroring: model.region.jumbo_mirroring,
    }
}

fn row(model: &Model, registry: &mut Registry, session: &Session, source: usize) -> MirrorRow {
    let spec = &model.enis[source];
    let slot = registry.rows.claim(&(session.id.clone(), spec.id.clone()));
    let mut row = MirrorRow {
        session: session.id.clone(),
        slot: slot.slot,
        generation: slot.generation,
        counters: slot.counters,
        target: u32::MAX,
        target_generation: 0,
        gate: session.locked.then_some(Reason::Locked),
        limit: CopyLimit::new(session.packet_length, IpMtu(STANDARD_MTU)),
        outer: OuterTemplate::new(&Endpoints::default(), session.vni),
        vni: session.vni,
    };
    let Target::Eni(target) = session.target else {
        let refused = matches!(session.target, Target::Gwlbe(_)) && !model.region.gwlb;
        row.gate = row.gate.or(Some(if refused { Reason::UnsupportedRegion } else { Reason::TargetDown }));
        return row;
    };
    let target = &model.enis[target];
    let (here, there) = (&model.subnets[spec.subnet], &model.subnets[target.subnet]);
    if here.vpc != there.vpc {
        row.gate = row.gate.or(Some(Reason::NoRoute));
        return row;
    }
    let slot = registry.enis.claim(&target.id);
    (row.target, row.target_generation) = (slot.slot, slot.generation);
    row.limit = CopyLimit::new(session.packet_length, path(model, target).mtu());
    let ends = Endpoints {
        source_mac: Mac(if spec.subnet == target.subnet { spec.mac } else { there.router_mac }),
        destination_mac: Mac(target.mac),
        source_ip: spec.primary.to_bits(),
        destination_ip: target.primary.to_bits(),
    };
    row.outer = OuterTemplate::new(&ends, session.vni);
    row
}
