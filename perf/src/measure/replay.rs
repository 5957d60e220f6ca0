//! Recorded packets through the datapath, offline: `vswitch replay` as fast as it goes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use vswitch::control::config::Config;
use vswitch::replay::{Args, pcap::Writer, replay};

use super::entrant::setup;
use super::rounds::{Options, blank};
use super::samples::Samples;
use crate::contender::vswitch_files;
use crate::report::Point;
use crate::report::progress::Progress;
use crate::scenario::PointSpec;
use crate::traffic::Sampling;

/// Frames of the capture.
const FRAMES: u64 = 100_000;

/// Measures a point: the capture is made once, and replayed once a round.
///
/// # Errors
/// One sentence.
pub fn point(spec: &PointSpec, options: &Options, progress: &Progress, stop: &AtomicBool) -> Result<Point, String> {
    let mut point = blank(spec);
    let dir = tempfile::Builder::new().prefix("vswitch-perf-").tempdir().map_err(|e| format!("no folder: {e}"))?;
    let setup = setup(spec);
    let job = setup.job(dir.path(), vec![0], 0, 256);
    let plan = setup.plan(0, Sampling::All, 0, true)?;
    let (inventory, mirror) =
        (vswitch_files::inventory(&job)?.to_string(), vswitch_files::mirror(&job, None)?.to_string());
    let text = vswitch_files::configuration(&job, dir.path(), "unused", 0)?;
    let file = dir.path().join("vswitch.toml");
    std::fs::write(&file, text).map_err(|e| format!("{}: {e}", file.display()))?;
    let said =
        |problems: Vec<vswitch::control::raw::Problem>| problems.first().map_or(String::new(), ToString::to_string);
    let config = Config::load(&file, std::iter::empty()).map_err(said)?;
    let model =
        vswitch::control::model_from_json(("inventory", &inventory), ("mirror", &mirror), &config).map_err(said)?;
    let pcap = dir.path().join("in.pcap");
    let mut capture = Writer::create(&pcap)?;
    let matching = (0..FRAMES).filter(|n| plan.streams[0].matches(plan.streams[0].flow(*n))).count() as u64;
    for number in 0..FRAMES {
        capture.write(number * 1000, &plan.streams[0].frame(number, 0))?;
    }
    drop(capture);
    let args = Args {
        inventory: dir.path().join("unused"),
        mirror: dir.path().join("unused"),
        eni: vswitch_files::eni(0),
        direction: "out".to_owned(),
        pcap,
        out: dir.path().join("out"),
        regions: None,
    };
    let mut samples = Samples::default();
    for round in 0..options.rounds {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        progress.phase(&format!("round {} of {}: replay", round + 1, options.rounds));
        progress.tick(f64::from(round) / f64::from(options.rounds));
        samples.begin_round();
        let began = Instant::now();
        let summary = replay(&model, &args)?;
        samples.add("vswitch", "replay", "Mpps", FRAMES as f64 / began.elapsed().as_secs_f64() / 1e6);
        point.verified += summary.packets;
        let copies = if spec.rules == 0 { 0 } else { matching };
        if (summary.packets, summary.delivered, summary.mirrored) != (FRAMES, FRAMES, copies) {
            point.wrong.push(format!(
                "of {FRAMES} frames, {copies} of them to be copied, {} were replayed, {} delivered, {} mirrored",
                summary.packets, summary.delivered, summary.mirrored
            ));
        }
    }
    point.notes.push("files included: the capture is read, two are written, and a line of verdicts each".to_owned());
    point.series = samples.into_series(true);
    Ok(point)
}
