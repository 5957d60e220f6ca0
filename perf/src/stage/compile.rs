//! From the validated model to the snapshot, and what a table of rules weighs.

use std::sync::Arc;
use std::time::Instant;

use vswitch::classify::Compiled;
use vswitch::classify::rule::{PortRange, Protocol};
use vswitch::control::compile::compile;
use vswitch::control::model::Model;
use vswitch::control::registry::Registry;
use vswitch::mirror::session::MirrorTable;
use vswitch::mirror::snapshot::Snapshot;

use super::bench::Bench;
use super::host::{FILTERS, Host, SESSIONS_OF_SOURCE, SOURCES, STORED};
use super::rules::{Set, generate};

/// Compilations of which the median is a sample.
const REPEATED: usize = 7;

/// Reading, compiling in full, and compiling again after one rule changed in a filter that all sources use.
pub(super) fn compiling(bench: &mut Bench<'_>) -> Result<(), String> {
    if bench.stopped() {
        return Ok(());
    }
    let host = Host::new();
    bench.tell("reading and compiling a model");
    let mut samples = Vec::new();
    for _ in 0..bench.options.rounds.max(1) {
        let began = Instant::now();
        host.model()?;
        samples.push(milliseconds(began));
    }
    let labels = [
        ("sessions", format!("{} of {STORED}", SOURCES * SESSIONS_OF_SOURCE)),
        ("filters", FILTERS.to_string()),
        ("enis", SOURCES.to_string()),
    ];
    bench.push("read and validate the model", &labels, "ms", samples, 1, Ok(()));
    let mut model = host.model()?;
    let (mut registry, mut snapshot) = (Registry::new(1), None);
    let full = repeated(bench, || {
        let mut new = Registry::new(1);
        let began = Instant::now();
        let compiled = compile(&model, &mut new, 64).map_err(|e| e.to_string())?;
        let took = milliseconds(began);
        (registry, snapshot) = (new, Some(compiled));
        Ok(took)
    })?;
    let tables = registry.tables.iter().count();
    // Nothing was easy: no two sources share a table.
    let all = if tables == 2 * SOURCES { Ok(()) } else { Err(format!("{tables} tables instead of {}", 2 * SOURCES)) };
    bench.push("compile full", &labels, "ms", full, registry.version, Ok(()));
    bench.push("compile full, different tables", &labels, "tables", vec![tables as f64], 1, all);
    let (mut port, mut verdict) = (0, Ok(()));
    let one = repeated(bench, || {
        port += 1;
        change(&mut model, port)?;
        let began = Instant::now();
        // As a candidate is compiled: the registry that runs stays as it is until the candidate is accepted.
        let mut new = registry.clone();
        let compiled = compile(&model, &mut new, 64).map_err(|e| e.to_string())?;
        let took = milliseconds(began);
        let before = snapshot.replace(compiled);
        if let (Some(before), Some(after), Ok(())) = (&before, &snapshot, &verdict) {
            verdict = only_outbound_changed(before, after);
        }
        registry = new;
        Ok(took)
    })?;
    bench.push("compile one rule changed", &labels, "ms", one, u64::from(port), verdict);
    weights(bench)
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}

/// Samples, each the median of some.
fn repeated(bench: &Bench<'_>, mut run: impl FnMut() -> Result<f64, String>) -> Result<Vec<f64>, String> {
    let mut sample = || {
        let took: Result<Vec<f64>, String> = (0..REPEATED).map(|_| run()).collect();
        took.map(|took| super::median(&took))
    };
    (0..bench.options.rounds.max(1)).map(|_| sample()).collect()
}

/// Another port for a rule of the filter that all sources use.
fn change(model: &mut Model, port: u16) -> Result<(), String> {
    let rule = model.filters.first_mut().and_then(|f| f.egress.last_mut()).ok_or("a filter without rules")?;
    (rule.rule.protocol, rule.rule.dst_ports) = (Protocol::Tcp, Some(PortRange { first: port, last: port }));
    Ok(())
}

/// Each source's table of the changed direction is new, and the other one is the old one.
fn only_outbound_changed(before: &Snapshot, after: &Snapshot) -> Result<(), String> {
    let tables = |snapshot: &Snapshot, direction: usize| -> Vec<Arc<MirrorTable>> {
        let sources = snapshot.enis.iter().flatten().filter_map(|e| e.mirror.as_ref());
        sources.map(|source| source.tables[direction].clone()).collect()
    };
    let kept = |direction: usize| {
        let (before, after) = (tables(before, direction), tables(after, direction));
        before.iter().zip(&after).filter(|(before, after)| Arc::ptr_eq(before, after)).count()
    };
    match (kept(0), kept(1)) {
        (0, SOURCES) => Ok(()),
        (outbound, inbound) => Err(format!("{outbound} outbound and {inbound} inbound tables were kept")),
    }
}

/// Bytes of compiled rules.
fn weights(bench: &mut Bench<'_>) -> Result<(), String> {
    let small = [20, 60].map(|count| (Set::MirrorLike, count));
    let large = [1000, 10_000].into_iter().flat_map(|n| [Set::Acl1, Set::Fw1, Set::Ipc1].map(|set| (set, n)));
    for (set, count) in small.into_iter().chain(large) {
        let compiled = Compiled::new(&generate(set, count, 1)).map_err(|e| e.to_string())?;
        let labels = [("rules", count.to_string()), ("set", set.name().to_owned())];
        bench.push("bytes of a table", &labels, "B", vec![compiled.bytes() as f64], 1, Ok(()));
    }
    Ok(())
}
