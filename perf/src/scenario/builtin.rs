//! The scenarios that come with the program.

use vswitch::control::raw::{Problem, unknown};

use super::model::Scenario;

macro_rules! files {
    ($($name:literal)+) => {
        /// (name, text) of every file.
        const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),+];
    };
}

files! {
    "forward-sizes"
    "forward-imix"
    "forward-flows"
    "forward-rules"
    "forward-rings"
    "mirror-sizes"
    "mirror-imix"
    "mirror-match"
    "mirror-flows"
    "mirror-rules"
    "mirror-cut"
    "mirror-target"
    "mirror-rings"
    "mirror-overload"
    "mirror-bandwidth"
    "scale-enis"
    "scale-sessions"
    "scale-local-sessions"
    "scale-workers"
    "latency-mirror"
    "latency-load"
    "churn-reload"
    "churn-api"
    "replay"
    "classify-rules"
    "race-forward"
    "race-forward-rules"
    "race-mirror"
    "race-mirror-in-process"
    "race-mirror-sizes"
    "race-mirror-half"
    "race-shed"
    "race-blocked"
    "race-latency"
    "race-enis"
    "race-sessions"
    "race-workers"
    "race-memory"
    "race-classify"
}

/// Names, in the order in which they are listed.
#[must_use]
pub fn names() -> Vec<&'static str> {
    FILES.iter().map(|(name, _)| *name).collect()
}

/// All of them.
///
/// # Errors
/// Every problem in every file; a test holds that there is none.
pub fn all() -> Result<Vec<Scenario>, Vec<Problem>> {
    let mut problems = Vec::new();
    let scenarios = FILES
        .iter()
        .filter_map(|(name, text)| {
            Scenario::from_text(text, &format!("{name}.toml")).map_err(|p| problems.extend(p)).ok()
        })
        .collect();
    if problems.is_empty() { Ok(scenarios) } else { Err(problems) }
}

/// The one with this name.
///
/// # Errors
/// A sentence that names the nearest one.
pub fn named(name: &str) -> Result<Scenario, Vec<Problem>> {
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Scenario::from_text(text, &format!("{name}.toml")),
        None => {
            let allowed = unknown(name, &names()).replace("unknown key", "unknown scenario");
            let (file, path) = ("command line".to_owned(), name.to_owned());
            Err(vec![Problem { file, path, value: String::new(), allowed }])
        }
    }
}
