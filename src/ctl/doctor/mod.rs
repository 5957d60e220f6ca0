//! `doctor`: looks at the host and says of each thing whether it is as the switch needs it, and what mends it. The
//! checks are pure; `facts` reads the machine.

mod clock;
mod configuration;
mod cpus;
mod facts;
mod hugepages;
mod permissions;
mod sockets;
mod versions;

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::client::Daemon;
use super::outcome::Outcome;
use facts::Facts;

/// How well a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, worse than it could.
    Warn,
    /// The switch does not start with it, or it is unsafe.
    Fail,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Level::Ok => "OK",
            Level::Warn => "WARN",
            Level::Fail => "FAIL",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name, stable for programs.
    pub check: &'static str,
    /// How well it is.
    pub level: Level,
    /// What was found.
    pub says: String,
    /// What mends it; for what is well, nothing.
    pub mend: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Finding { check, level: Level::Ok, says: says.into(), mend: None }
    }

    fn warn(check: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { check, level: Level::Warn, says: says.into(), mend: Some(mend.into()) }
    }

    fn fail(check: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { check, level: Level::Fail, says: says.into(), mend: Some(mend.into()) }
    }
}

/// Looks at everything. `config` is the configuration file, where one is named.
pub(super) fn run(daemon: Daemon<'_>, config: Option<&Path>) -> Outcome {
    outcome(&findings(&Facts::read(daemon, config)))
}

/// All checks, in the order in which a switch meets them.
fn findings(facts: &Facts) -> Vec<Finding> {
    let config = facts.config();
    [
        vec![configuration::file(&facts.found)],
        vec![hugepages::pages(config, facts.pages, facts.daemon.is_some())],
        cpus::cpus(config, &facts.cpus),
        sockets::sockets(config, facts),
        permissions::permissions(config, facts),
        versions::versions(config, facts),
        clock::clock(facts),
    ]
    .concat()
}

fn outcome(findings: &[Finding]) -> Outcome {
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    let list = findings.iter().map(|finding| {
        json!({ "check": finding.check, "level": finding.level.name(), "says": finding.says, "mend": finding.mend })
    });
    let json = json!({ "ok": !failed, "findings": list.collect::<Value>() });
    Outcome { failed, ..Outcome::new(text(findings), json) }
}

fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { check, level, says, mend } in findings {
        let _ = writeln!(text, "{:4}  {check:width$}  {says}", level.name());
        if let Some(mend) = mend {
            let _ = writeln!(text, "{:6}{:width$}  mend: {mend}", "", "");
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let _ = writeln!(text, "{} OK, {} WARN, {} FAIL", count(Level::Ok), count(Level::Warn), count(Level::Fail));
    text
}

/// Fuzz entry: texts that the machine gives may be anything; no answer is a panic.
pub fn fuzz_texts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (cpus::list(&text), versions::numbers(&text), clock::seconds_of(&text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_makes_the_exit_code_and_a_warning_does_not() {
        let ok = Finding::ok("clock", "synchronised");
        let warn = Finding::warn("cpu", "shared", "worker.lcores");
        let fail = Finding::fail("hugepages", "none", "sysctl");
        assert!(!outcome(&[ok.clone(), warn.clone()]).failed);
        let outcome = outcome(&[ok, warn, fail]);
        assert!(outcome.failed);
        let expected = "OK    clock      synchronised\n\
                        WARN  cpu        shared\n                 mend: worker.lcores\n\
                        FAIL  hugepages  none\n                 mend: sysctl\n\
                        1 OK, 1 WARN, 1 FAIL\n";
        assert_eq!(outcome.text, expected);
        let first = json!({"check": "clock", "level": "OK", "says": "synchronised", "mend": null});
        assert_eq!((&outcome.json["ok"], &outcome.json["findings"][0]), (&json!(false), &first));
    }
}
