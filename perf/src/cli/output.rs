//! Files of a run.

use std::path::Path;

use crate::report::anchors::Anchors;
use crate::report::json::Report;
use crate::report::{chart, table};

/// Writes report.json, report.txt and the charts into a folder, which is made.
///
/// # Errors
/// One sentence with the file's name.
pub fn write(folder: &Path, report: &Report, race: Option<&str>, anchors: &Anchors) -> Result<(), String> {
    report.write(&folder.join("report.json"))?;
    let mut text = format!("{}\n{}", report.machine, table::points(&report.points, anchors));
    if let Some(race) = race {
        text += "\n";
        text += race;
    }
    let file = folder.join("report.txt");
    std::fs::write(&file, text).map_err(|e| format!("{} cannot be written: {e}", file.display()))?;
    let written = chart::write(&report.points, folder)?;
    if let Some(remark) = written.remark {
        eprintln!("vswitch-perf: {remark}");
    }
    eprintln!("report.json, report.txt and {} charts are in {}", written.files.len(), folder.display());
    Ok(())
}
