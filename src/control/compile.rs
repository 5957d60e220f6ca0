//! Model → snapshot: addresses into tables, filters into classifiers, sessions into finished headers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::model::{EniSpec, Model, Session, Target};
use super::registry::{BucketOwner, CopyPair, Registry, RowKey, Slot};
pub(crate) use super::sources::path;
use super::sources::{by_source, source};
use super::tables::Tabling;
pub(crate) use super::tables::rules_of;
use crate::classify::TooManyRules;
use crate::metrics::counters::EniCounters;
use crate::mirror::address_map::AddressMap;
use crate::mirror::bandwidth::Limit;
use crate::mirror::session::MirrorSource;
use crate::mirror::snapshot::{Eni, Snapshot, Subnet, Vpc};
use crate::wire::{IpMtu, Mac};
use crate::worker::placement::{Candidate, place};

/// The slot of each ENI of the model.
pub(super) type Places = [Slot<EniCounters>];

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
    let sources = by_source(model);
    let places = claim(model, &sources, registry);
    registry.copy_pairs.change(copy_pairs(model, &sources), Instant::now());
    let before = registry.tables.clone();
    let mut tables = Tabling::new(model, &before);
    let mut enis: Vec<Option<Arc<Eni>>> = vec![None; registry.enis.len()];
    for (index, spec) in model.enis.iter().enumerate() {
        let mirror = source(model, registry, &mut tables, &places, (index, &sources[index]))?;
        let eni = eni(model, registry, spec, &places[index], mirror);
        enis[places[index].slot as usize] = Some(Arc::new(eni));
    }
    registry.tables = Arc::new(tables.finish());
    let mut rows = vec![None; registry.rows.len()];
    for (_, slot) in registry.rows.iter() {
        rows[slot.slot as usize] = Some((slot.generation, slot.counters.clone()));
    }
    registry.version += 1;
    Ok(Snapshot {
        version: registry.version,
        subnets: subnets(model, &places),
        vpcs: vpcs(model, registry, &places),
        platform: model.platform_cidrs.iter().map(|n| (n.network().to_bits(), n.netmask().to_bits())).collect(),
        enis: enis.into_boxed_slice(),
        rows: rows.into_boxed_slice(),
        departed: registry.departed.clone(),
        departed_rows: registry.departed_rows.clone(),
        credit: u64::from(credit),
    })
}

/// Slots for all that is there, and none for what is not; returns those of the ENIs.
fn claim(model: &Model, sources: &[Vec<&Session>], registry: &mut Registry) -> Vec<Slot<EniCounters>> {
    let enis: HashSet<&Arc<str>> = model.enis.iter().map(|e| &e.id).collect();
    let pair = |(eni, session): (&EniSpec, &&Session)| (session.id.clone(), eni.id.clone());
    let pairs: HashSet<RowKey> = model
        .enis
        .iter()
        .zip(sources)
        .flat_map(|(eni, sessions)| sessions.iter().map(move |session| pair((eni, session))))
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
    let mut new: Vec<_> = pairs.into_iter().filter(|pair| registry.rows.get(pair).is_none()).collect();
    new.sort_unstable();
    for pair in new {
        registry.rows.claim(&pair);
    }
    model.enis.iter().map(|e| registry.enis.claim(&e.id)).collect()
}

fn subnets(model: &Model, places: &Places) -> Box<[Subnet]> {
    let mut macs = vec![Vec::new(); model.subnets.len()];
    for (spec, place) in model.enis.iter().zip(places) {
        macs[spec.subnet].push((Mac(spec.mac).as_u64(), place.slot));
    }
    let all = model.subnets.iter().zip(macs).map(|(spec, macs)| Subnet {
        network: spec.cidr.network().to_bits(),
        mask: spec.cidr.netmask().to_bits(),
        gateway: spec.gateway.to_bits(),
        router_mac: Mac(spec.router_mac),
        macs: AddressMap::new(macs),
    });
    all.collect()
}

fn vpcs(model: &Model, registry: &Registry, places: &Places) -> Box<[Vpc]> {
    let mut local = vec![Vec::new(); model.vpcs.len()];
    for (spec, place) in model.enis.iter().zip(places) {
        let local = &mut local[model.subnets[spec.subnet].vpc];
        local.push((u64::from(spec.primary.to_bits()), place.slot));
        local.extend(spec.secondaries.iter().map(|ip| (u64::from(ip.to_bits()), place.slot)));
    }
    let mut pairs: HashMap<&str, Vec<(u64, u32)>> = HashMap::new();
    for pair in registry.copy_pairs.in_order() {
        // A target that has left complains no more.
        if let Some(target) = registry.enis.get(&pair.target) {
            pairs.entry(&pair.vpc).or_default().push((pair.addresses, target.slot));
        }
    }
    let all = model.vpcs.iter().zip(local).map(|(spec, local)| Vpc {
        local: AddressMap::new(local),
        copy_pairs: AddressMap::new(pairs.remove(&*spec.id).unwrap_or_default()),
    });
    all.collect()
}

/// Who sends copies to whom.
fn copy_pairs(model: &Model, sources: &[Vec<&Session>]) -> HashSet<CopyPair> {
    let mut pairs = HashSet::new();
    for (source, sessions) in model.enis.iter().zip(sources) {
        for session in sessions {
            let Target::Eni(target) = session.target else {
                continue;
            };
            let target = &model.enis[target];
            let vpc = model.subnets[target.subnet].vpc;
            if model.subnets[source.subnet].vpc == vpc {
                pairs.insert(CopyPair {
                    addresses: u64::from(source.primary.to_bits()) << 32 | u64::from(target.primary.to_bits()),
                    vpc: model.vpcs[vpc].id.clone(),
                    target: target.id.clone(),
                });
            }
        }
    }
    pairs
}

fn eni(
    model: &Model,
    registry: &mut Registry,
    spec: &EniSpec,
    place: &Slot<EniCounters>,
    mirror: Option<MirrorSource>,
) -> Eni {
    let worker = registry.placement.get(&spec.id).copied().unwrap_or(0);
    let limit = spec.bandwidth.map(|b| Limit::new(b, registry.bucket(BucketOwner::of(spec), worker)));
    let mut secondaries: Vec<u32> = spec.secondaries.iter().map(|ip| ip.to_bits()).collect();
    secondaries.sort_unstable();
    Eni {
        id: spec.id.clone(),
        slot: place.slot,
        generation: place.generation,
        worker,
        subnet: spec.subnet,
        vpc: model.subnets[spec.subnet].vpc,
        mac: Mac(spec.mac),
        primary: spec.primary.to_bits(),
        secondaries: secondaries.into_boxed_slice(),
        mtu: IpMtu(spec.mtu),
        limit,
        mirror: mirror.map(Box::new),
        counters: place.counters.clone(),
        fragments: registry.fragments(&spec.id, worker),
    }
}
