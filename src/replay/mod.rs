//! `vswitch replay`: recorded packets through the very same datapath, without root or hugepages, always with the same
//! outcome.

mod copied;
pub mod env;
pub mod explain;
#[cfg(test)]
mod explain_agrees_tests;
#[cfg(test)]
mod explain_agrees_values;
#[cfg(test)]
mod explain_tests;
pub mod fuzz;
mod made_up;
pub mod pcap;
#[cfg(test)]
mod tests;
mod tried;
mod verdicts;

use std::io::Write;

use crate::classify::Level;
pub use crate::cli::ReplayArgs as Args;
use crate::control::compile::compile;
use crate::control::config::Config;
use crate::control::model::Model;
use crate::control::registry::Registry;
use crate::datapath::{run_burst, run_crossed};
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{Burst, Direction, HeapBuf, Meta, PacketBuf};
use crate::wire::{be32, ethernet};
use env::HeapEnv;
use pcap::{Reader, Record, Writer};

/// Credit that never runs out: one packet is under way at a time.
const CREDIT: u32 = 1024;

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packets read.
    pub packets: u64,
    /// Frames delivered, those that the switch made included.
    pub delivered: u64,
    /// Copies made.
    pub mirrored: u64,
}

/// The command.
///
/// # Errors
/// Every problem found, a sentence each.
pub fn main(args: &Args) -> Result<(), Vec<String>> {
    Level::from_environment().map_err(|e| vec![e])?;
    let config = config(args);
    let model = crate::control::load_model(&args.inventory, &args.mirror, &config)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let summary = replay(&model, args).map_err(|e| vec![e])?;
    let Summary { packets, delivered, mirrored } = summary;
    crate::terminal::print(&format!("{packets} packets, {delivered} delivered, {mirrored} mirrored\n"))
}

/// Offline, the inventory's own region is the right one.
fn config(args: &Args) -> Config {
    let mut config = Config::default();
    config.files.regions = args.regions.clone().unwrap_or_default();
    let text = std::fs::read_to_string(&args.inventory).unwrap_or_default();
    if let Ok(tree) = serde_json::from_str::<serde_json::Value>(&text)
        && let Some(region) = tree["RegionId"].as_str()
    {
        region.clone_into(&mut config.region.id);
    }
    config
}

/// Replays a capture against a model.
///
/// # Errors
/// One plain sentence.
pub fn replay(model: &Model, args: &Args) -> Result<Summary, String> {
    let mut registry = Registry::new(1);
    let snapshot = compile(model, &mut registry, CREDIT).map_err(|e| e.to_string())?;
    let eni = find(&snapshot, &args.eni)?;
    std::fs::create_dir_all(&args.out).map_err(|e| format!("{}: {e}", args.out.display()))?;
    let input = Reader::open(&args.pcap)?;
    let mut delivered = Writer::create(&args.out.join("delivered.pcap"))?;
    let mut mirrored = Writer::create(&args.out.join("mirrored.pcap"))?;
    let path = args.out.join("verdicts.jsonl");
    let file = std::fs::File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut lines = std::io::BufWriter::new(file);
    let (mut env, mut burst) = (HeapEnv::default(), Burst::default());
    let mut summary = Summary::default();
    for record in input {
        let record = record?;
        let direction = direction(&args.direction, eni, &record);
        env.now = record.time_ns;
        pass(&mut env, &snapshot, eni, direction, record.frame.clone(), &mut burst);
        for (_, buf) in env.queued.drain(..) {
            let writer = if buf.meta().copy == 1 { &mut mirrored } else { &mut delivered };
            let count = if buf.meta().copy == 1 { &mut summary.mirrored } else { &mut summary.delivered };
            *count += 1;
            writer.write(record.time_ns, buf.bytes())?;
        }
        let line = verdicts::line(summary.packets, direction, &snapshot, &env.verdicts);
        env.verdicts.clear();
        writeln!(lines, "{line}").map_err(|e| format!("{}: {e}", path.display()))?;
        summary.packets += 1;
    }
    lines.flush().map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(summary)
}

/// The ENI with this id.
pub(crate) fn find<'a>(snapshot: &'a Snapshot, id: &str) -> Result<&'a Eni, String> {
    let eni = snapshot.enis.iter().flatten().find(|e| *e.id == *id);
    eni.map(|e| &**e).ok_or_else(|| format!("there is no ENI {id} in the inventory"))
}

fn direction(asked: &str, eni: &Eni, record: &Record) -> Direction {
    match asked {
        "out" => Direction::Outbound,
        "in" => Direction::Inbound,
        _ if ethernet::source(&record.frame) == Some(eni.mac) => Direction::Outbound,
        _ => Direction::Inbound,
    }
}

/// One packet's way: from the ENI, or to it as if it came from another worker.
pub(crate) fn pass(
    env: &mut HeapEnv,
    snapshot: &Snapshot,
    eni: &Eni,
    direction: Direction,
    frame: Vec<u8>,
    burst: &mut Burst<HeapBuf>,
) {
    let mut buf = HeapBuf::new(frame);
    match direction {
        Direction::Outbound => {
            burst.bufs.push(Some(buf));
            run_burst(env, snapshot, eni, burst);
        }
        Direction::Inbound => {
            let sender = be32(buf.head(), 26).and_then(|ip| snapshot.local(eni.vpc, ip)).unwrap_or(eni);
            buf.set_meta(Meta {
                to: eni.slot,
                to_generation: eni.generation,
                from: sender.slot,
                from_generation: sender.generation,
                ..Meta::default()
            });
            burst.bufs.push(Some(buf));
            run_crossed(env, snapshot, burst);
        }
    }
}
