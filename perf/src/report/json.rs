//! The whole of a run as JSON.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::Point;
use super::machine::Machine;

/// A run: where, how, when, and what came out.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it ran on.
    pub machine: Machine,
    /// The arguments, the program first.
    pub command_line: Vec<String>,
    /// Start, UTC, as in `2026-11-23T15:30:01Z`.
    pub started: String,
    /// How long it took.
    pub seconds: f64,
    /// The figures, every round's.
    pub points: Vec<Point>,
    /// What the race says of each goal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub goals: Vec<serde_json::Value>,
}

impl Report {
    /// Begins one now, of this process.
    #[must_use]
    pub fn begin(machine: Machine) -> Self {
        Report {
            machine,
            command_line: std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect(),
            started: utc(SystemTime::now()),
            seconds: 0.0,
            points: Vec::new(),
            goals: Vec::new(),
        }
    }

    /// The JSON text.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// Writes the JSON into a file; its folder is made.
    ///
    /// # Errors
    /// One sentence with the file's name.
    pub fn write(&self, file: &Path) -> Result<(), String> {
        let failed = |e: &dyn std::fmt::Display| format!("{} cannot be written: {e}", file.display());
        let text = self.to_json().map_err(|e| failed(&e))?;
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|e| failed(&e))?;
        }
        fs::write(file, text + "\n").map_err(|e| failed(&e))
    }
}

/// A time in the form of RFC 3339, in UTC, to the second.
#[must_use]
pub fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, day) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days: years that begin in March, eras of 400 years.
    let z = days + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", day / 3600, day / 60 % 60, day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Series;
    use std::time::Duration;

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_795_447_801, "2026-11-23T15:30:01Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_report_is_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out/run.json");
        let mut report = Report::begin(Machine::default());
        report.points.push(Point {
            scenario: "forward-sizes".into(),
            labels: [("size".to_owned(), "64".to_owned())].into(),
            series: vec![Series {
                contender: "vswitch".into(),
                metric: "service".into(),
                unit: "Mpps".into(),
                samples: vec![1.5, 2.5],
                lower_bound: false,
            }],
            verified: 7,
            wrong: Vec::new(),
            void: None,
            notes: Vec::new(),
        });
        report.write(&file).unwrap();
        let read: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(read["points"][0]["series"][0]["samples"][1], 2.5);
        assert_eq!(read["points"][0]["labels"]["size"], "64");
        assert!(read["command_line"][0].is_string() && read["started"].as_str().unwrap().ends_with('Z'));
        let refused = report.write(Path::new("/proc/none/run.json")).unwrap_err();
        assert!(refused.starts_with("/proc/none/run.json cannot be written: "), "{refused}");
    }
}
