//! Anchors: what a peer reached before, `perf/anchors.toml`. A peer far below its anchor was set up badly or had a bad
//! day, and nothing may be compared with it until somebody has explained why.

use std::collections::BTreeMap;

use serde_json::Value;
use vswitch::control::raw::{Object, Problem, Sink, boolean, text};

use super::{Point, labels};

/// A peer that is below its anchor by more than this share voids the row.
pub const MOST_BELOW: f64 = 0.15;

const KEYS: &[&str] =
    &["contender", "metric", "scenarios", "where", "value", "unit", "lower_is_better", "date", "cpu", "explained"];

/// What a peer reached before.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchor {
    /// Its name; a star at the end stands for any tuning.
    pub contender: String,
    /// The metric.
    pub metric: String,
    /// Scenarios whose points it holds for; none: kept for reference.
    pub scenarios: Vec<String>,
    /// Labels that such a point has.
    pub labels: BTreeMap<String, String>,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// Such as cycles: less is better.
    pub lower_is_better: bool,
    /// When.
    pub date: String,
    /// On what.
    pub cpu: String,
    /// Why the peer may be below here: another CPU generation, for instance. Printed beside the figure.
    pub explained: Option<String>,
}

/// How a peer stands to its anchor.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The peer, with its best tuning's name.
    pub contender: String,
    /// The metric.
    pub metric: String,
    /// Its median here.
    pub measured: f64,
    /// The anchor.
    pub anchor: f64,
    /// Unit of both.
    pub unit: String,
    /// How much better (above 0) or worse than the anchor, as a share: rate against rate, also where less is better.
    pub deviation: f64,
    /// On what and when the anchor was measured.
    pub origin: String,
    /// The explanation, where the peer is too far below and somebody gave one.
    pub explained: Option<String>,
}

impl Finding {
    /// Below the anchor by more than [`MOST_BELOW`].
    #[must_use]
    pub fn is_below(&self) -> bool {
        self.deviation < -MOST_BELOW
    }

    /// Why nothing may be compared with this peer; `None` if it may.
    #[must_use]
    pub fn void(&self) -> Option<String> {
        (self.is_below() && self.explained.is_none()).then(|| {
            format!("{self}, more than {:.0} % below, and nobody has explained it in anchors.toml", MOST_BELOW * 100.0)
        })
    }

    /// The anchor and the deviation, short: `11.6 (−4 %)`.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{} ({})", super::table::figure(self.anchor), percent(self.deviation))
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finding { contender, metric, unit, origin, .. } = self;
        let (measured, anchor) = (super::table::figure(self.measured), super::table::figure(self.anchor));
        let deviation = percent(self.deviation);
        write!(f, "{contender} {metric} {measured} {unit} against its anchor {anchor} ({origin}): {deviation}")?;
        self.explained.as_ref().map_or(Ok(()), |why| write!(f, "; {why}"))
    }
}

fn percent(share: f64) -> String {
    let sign = if share < 0.0 { "−" } else { "+" };
    format!("{sign}{:.0} %", share.abs() * 100.0)
}

/// All anchors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Anchors {
    /// In the file's order.
    pub list: Vec<Anchor>,
}

impl Anchors {
    /// Those that come with the program.
    ///
    /// # Errors
    /// Every problem in the file; a test holds that there is none.
    pub fn builtin() -> Result<Self, Vec<Problem>> {
        Self::from_text(include_str!("../../anchors.toml"), "anchors.toml")
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn from_text(toml: &str, file: &str) -> Result<Self, Vec<Problem>> {
        let sink = Sink::new(file);
        let list = tables(&sink, toml, "anchor", KEYS, anchor);
        if sink.is_clean() { Ok(Anchors { list }) } else { Err(sink.into_problems()) }
    }

    /// How the peers of a point stand to the anchors that hold for it.
    #[must_use]
    pub fn check(&self, point: &Point) -> Vec<Finding> {
        let holds = |a: &&Anchor| a.scenarios.contains(&point.scenario) && labels::has(point, &a.labels);
        self.list.iter().filter(holds).filter_map(|a| a.check(point)).collect()
    }
}

impl Anchor {
    fn check(&self, point: &Point) -> Option<Finding> {
        let (series, summary) = labels::best(point, &self.contender, &self.metric, self.lower_is_better)?;
        if series.unit != self.unit {
            return None;
        }
        let rate = summary.median / self.value;
        // A peer that does nothing at all is 100 % below, whatever its unit.
        let rate = if self.lower_is_better && rate > 0.0 { 1.0 / rate } else { rate };
        let finding = Finding {
            contender: series.contender.clone(),
            metric: self.metric.clone(),
            measured: summary.median,
            anchor: self.value,
            unit: self.unit.clone(),
            deviation: rate - 1.0,
            origin: format!("{}, {}", self.date, self.cpu),
            explained: None,
        };
        let explained = self.explained.clone().filter(|_| finding.is_below());
        Some(Finding { explained, ..finding })
    }
}

fn anchor(object: &Object<'_>) -> Option<Anchor> {
    let string = |key: &str, allowed: &str| object.required(key, allowed, text);
    Some(Anchor {
        contender: string("contender", "a contender's name, such as \"testpmd*\"")?,
        metric: string("metric", "a metric, such as \"service\"")?,
        scenarios: object.required("scenarios", "a list of scenarios", |v| v.as_array()?.iter().map(text).collect())?,
        labels: labels_of(object, "where"),
        value: object.required("value", "a number above 0", |v| v.as_f64().filter(|n| *n > 0.0 && n.is_finite()))?,
        unit: string("unit", "a unit, such as \"Mpps\"")?,
        lower_is_better: object.optional("lower_is_better", "true or false", boolean).unwrap_or(false),
        date: string("date", "a date, such as \"2026-11-23\"")?,
        cpu: string("cpu", "the CPU's kind, such as \"AMD EPYC family 26\"")?,
        explained: object.optional("explained", "a sentence that says why", text),
    })
}

/// A table of labels: text, or numbers.
pub(crate) fn labels_of(object: &Object<'_>, key: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, value) in object.raw(key).and_then(Value::as_object).into_iter().flatten() {
        match value {
            Value::String(text) => labels.insert(name.clone(), text.clone()),
            Value::Number(number) => labels.insert(name.clone(), number.to_string()),
            other => {
                let path = format!("{}.{name}", object.path_of(key));
                object.sink().report(path, Some(other), "a label's value: text, or a number");
                None
            }
        };
    }
    if object.raw(key).is_some_and(|v| !v.is_object()) {
        object.report(key, "a table of labels, such as { size = 64 }");
    }
    labels
}

/// The elements of a file's only list of tables; what is wrong goes to `sink`.
pub(crate) fn tables<T>(
    sink: &Sink,
    toml: &str,
    name: &str,
    keys: &[&str],
    read: impl Fn(&Object<'_>) -> Option<T>,
) -> Vec<T> {
    let tree: Value = match toml::from_str(toml) {
        Ok(tree) => tree,
        Err(error) => {
            sink.report("", None, error.to_string().trim_end());
            Value::Null
        }
    };
    let Some(root) = tree.is_object().then(|| Object::new(sink, "", &tree, &[name], &[])).flatten() else {
        return Vec::new();
    };
    let items = root.list(name);
    items.iter().filter_map(|(path, v)| Object::new(sink, path, v, keys, &[]).and_then(|o| read(&o))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::labels::samples::point;
    use super::*;

    const ONE: &str = "[[anchor]]\ncontender = \"ovs*\"\nmetric = \"service\"\nscenarios = [\"race-mirror\"]\n\
        where = { size = 64 }\nvalue = 4.0\nunit = \"Mpps\"\ndate = \"2026-11-23\"\ncpu = \"EPYC\"\n";

    fn here(mpps: f64) -> Point {
        point("race-mirror", &[("size", "64")]).with("ovs-mirror", "service", "Mpps", &[mpps, mpps])
    }

    #[test]
    fn the_shipped_file_reads_and_names_scenarios_that_exist() {
        let anchors = Anchors::builtin().unwrap();
        assert!(anchors.list.len() > 15);
        let names = crate::scenario::builtin::names();
        for (anchor, scenario) in anchors.list.iter().flat_map(|a| a.scenarios.iter().map(move |s| (a, s))) {
            let of_classifier = anchor.metric == "classify";
            assert!(names.contains(&scenario.as_str()) || of_classifier && scenario == "classify", "{scenario}");
            if of_classifier {
                continue;
            }
            let points = crate::scenario::builtin::named(scenario).unwrap().points();
            assert!(anchor.labels.keys().all(|label| points[0].labels.contains_key(label)), "{anchor:?}");
        }
    }

    #[test]
    fn a_peer_far_below_voids_until_explained() {
        let anchors = Anchors::from_text(ONE, "a.toml").unwrap();
        let check = |anchors: &Anchors, mpps| anchors.check(&here(mpps)).pop().unwrap();
        assert_eq!(check(&anchors, 3.5).void(), None);
        assert_eq!(check(&anchors, 3.5).short(), "4.00 (−12 %)");
        assert_eq!(
            check(&anchors, 3.0).void().unwrap(),
            "ovs-mirror service 3.00 Mpps against its anchor 4.00 (2026-11-23, EPYC): −25 %, more than 15 % below, and \
             nobody has explained it in anchors.toml"
        );
        let explained = Anchors::from_text(&format!("{ONE}explained = \"a slower CPU\"\n"), "a.toml").unwrap();
        let finding = check(&explained, 3.0);
        assert!(finding.is_below() && finding.void().is_none());
        assert!(finding.to_string().ends_with(": −25 %; a slower CPU"));
        assert_eq!(check(&explained, 4.4).explained, None);
    }

    #[test]
    fn anchors_hold_for_their_rows_only() {
        let anchors = Anchors::from_text(ONE, "a.toml").unwrap();
        let ovs = |scenario, size, unit| point(scenario, &[("size", size)]).with("ovs", "service", unit, &[1.0]);
        assert_eq!(anchors.check(&ovs("race-mirror", "64", "Mpps")).len(), 1);
        assert!(anchors.check(&ovs("race-mirror", "128", "Mpps")).is_empty());
        assert!(anchors.check(&ovs("race-forward", "64", "Mpps")).is_empty());
        assert!(anchors.check(&ovs("race-mirror", "64", "us")).is_empty());
    }

    #[test]
    fn cycles_are_compared_as_rates() {
        let anchors = Anchors::from_text(&format!("{ONE}lower_is_better = true\n"), "a.toml").unwrap();
        let deviation = |cycles| anchors.check(&here(cycles)).pop().unwrap().deviation;
        assert!((deviation(5.0) + 0.2).abs() < 1e-12 && deviation(3.2) > 0.24);
    }

    #[test]
    fn errors_are_lines() {
        let bad = ONE.replace("value = 4.0", "value = 0").replace("cpu", "cpo") + "where2 = 1\n";
        let lines: Vec<String> =
            Anchors::from_text(&bad, "a.toml").unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "a.toml: anchor[0].cpo = \"EPYC\": unknown key; the nearest known one is cpu",
                "a.toml: anchor[0].where2 = 1: unknown key; the nearest known one is where",
                "a.toml: anchor[0].value = 0: a number above 0",
            ]
        );
        let lines = Anchors::from_text("[[anker]]\n", "a.toml").unwrap_err();
        assert!(lines[0].to_string().ends_with("unknown key; the nearest known one is anchor"));
        assert!(Anchors::from_text("[[", "a.toml").is_err());
    }
}
