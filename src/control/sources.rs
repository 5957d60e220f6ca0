//! Mirror sources: which sessions an ENI has, and what each becomes for it.

use super::compile::Places;
use super::model::{EniSpec, Model, Session, Target};
use super::registry::Registry;
use super::tables::Tabling;
use crate::classify::TooManyRules;
use crate::mirror::cut::{CopyLimit, Path, STANDARD_MTU};
use crate::mirror::session::{MirrorRow, MirrorSource};
use crate::packet::{Direction, Reason};
use crate::wire::vxlan::{Endpoints, OuterTemplate};
use crate::wire::{IpMtu, Mac};

/// The enabled sessions of each ENI, in session priority order.
pub(super) fn by_source(model: &Model) -> Vec<Vec<&Session>> {
    let mut sources = vec![Vec::new(); model.enis.len()];
    for session in model.sessions.iter().filter(|s| s.enabled) {
        for source in &session.sources {
            sources[*source].push(session);
        }
    }
    for sessions in &mut sources {
        sessions.sort_by_key(|s| s.priority);
    }
    sources
}

/// An ENI's sessions with one table a direction; `None` without any.
pub(super) fn source(
    model: &Model,
    registry: &mut Registry,
    tables: &mut Tabling<'_>,
    places: &Places,
    (eni, sessions): (usize, &[&Session]),
) -> Result<Option<MirrorSource>, TooManyRules> {
    if sessions.is_empty() {
        return Ok(None);
    }
    let rows = sessions.iter().map(|s| row(model, registry, places, s, eni)).collect();
    let tables = [tables.table(sessions, Direction::Outbound)?, tables.table(sessions, Direction::Inbound)?];
    Ok(Some(MirrorSource { rows, tables }))
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

fn row(model: &Model, registry: &mut Registry, places: &Places, session: &Session, source: usize) -> MirrorRow {
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
    let place = &places[target];
    let target = &model.enis[target];
    let (here, there) = (&model.subnets[spec.subnet], &model.subnets[target.subnet]);
    if here.vpc != there.vpc {
        row.gate = row.gate.or(Some(Reason::NoRoute));
        return row;
    }
    (row.target, row.target_generation) = (place.slot, place.generation);
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
