//! Fuzz entry: any bytes are frames of a guest.

use std::cell::RefCell;

use super::env::HeapEnv;
use super::pass;
use crate::control::compile::compile;
use crate::control::config::Config;
use crate::control::model_from_json;
use crate::control::registry::Registry;
use crate::metrics::laws;
use crate::metrics::scrape::{EniSample, RowSample, Scrape};
use crate::mirror::snapshot::Snapshot;
use crate::packet::{Burst, Direction, HeapBuf};

struct World {
    snapshot: Snapshot,
    registry: Registry,
    env: HeapEnv,
    burst: Burst<HeapBuf>,
}

impl World {
    /// The shipped inventory and sessions.
    fn new() -> Option<Self> {
        let inventory = ("inventory", include_str!("../../conf/inventory.json"));
        let mirror = ("mirror", include_str!("../../conf/mirror.json"));
        let model = model_from_json(inventory, mirror, &Config::default()).ok()?;
        let mut registry = Registry::new(1);
        let snapshot = compile(&model, &mut registry, 64).ok()?;
        Some(World { snapshot, registry, env: HeapEnv::default(), burst: Burst::default() })
    }

    fn scrape(&self) -> Scrape {
        let enis = self.registry.enis.iter();
        let rows = self.registry.rows.iter();
        Scrape {
            enis: enis
                .map(|(id, slot)| EniSample { id: id.clone(), up: true, counters: slot.counters.clone() })
                .collect(),
            rows: rows
                .map(|((session, eni), slot)| RowSample {
                    session: session.clone(),
                    eni: eni.clone(),
                    counters: slot.counters.clone(),
                })
                .collect(),
            ..Scrape::default()
        }
    }
}

/// The first byte picks the ENI that sends; the rest is its frame. Nothing may panic, and nothing may get lost uncounted.
///
/// # Panics
/// When a conservation law is broken: that is the finding.
pub fn fuzz_frames(data: &[u8]) {
    thread_local!(static WORLD: RefCell<Option<World>> = RefCell::new(World::new()));
    let Some((which, frame)) = data.split_first() else { return };
    WORLD.with_borrow_mut(|world| {
        let Some(world) = world else { return };
        let enis: Vec<_> = world.snapshot.enis.iter().flatten().cloned().collect();
        let Some(eni) = enis.get(usize::from(*which) % enis.len().max(1)) else { return };
        world.env.now += 1_000_000;
        pass(&mut world.env, &world.snapshot, eni, Direction::Outbound, frame.to_vec(), &mut world.burst);
        world.env.queued.clear();
        world.env.verdicts.clear();
        let broken = laws::violations(&world.scrape());
        assert!(broken.is_empty(), "{broken:?}");
    });
}
