//! Which labels tell the points of a scenario apart, and which series a name means.

use std::collections::{BTreeMap, BTreeSet};

use super::stats::{self, Summary};
use super::{Point, Series};

/// Names of the labels that tell `points` apart, the one with most values first. A label that follows from another one
/// (the MTU from the size) is not named.
#[must_use]
pub fn varying<'a>(points: &[&'a Point]) -> Vec<&'a str> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in points.iter().flat_map(|p| &p.labels) {
        values.entry(name).or_default().insert(value);
    }
    let mut names: Vec<(&str, usize)> = values.iter().map(|(n, v)| (*n, v.len())).filter(|(_, v)| *v > 1).collect();
    names.sort_by_key(|(name, values)| (std::cmp::Reverse(*values), rank(name)));
    let mut chosen: Vec<&str> = Vec::new();
    for (name, _) in names {
        if !chosen.iter().any(|c| follows(points, name, c)) {
            chosen.push(name);
        }
    }
    chosen
}

/// Labels that a person sets come before those that follow from them.
fn rank(name: &str) -> usize {
    const LAST: [&str; 2] = ["stored_sessions", "mtu"];
    LAST.iter().position(|l| *l == name).map_or(0, |at| at + 1)
}

/// Each value of `from` goes with one value of `name`.
fn follows(points: &[&Point], name: &str, from: &str) -> bool {
    let mut seen: BTreeMap<Option<&String>, Option<&String>> = BTreeMap::new();
    points.iter().all(|p| {
        let value = p.labels.get(name);
        *seen.entry(p.labels.get(from)).or_insert(value) == value
    })
}

/// The points by scenario, in the order in which they came.
#[must_use]
pub fn by_scenario(points: &[Point]) -> Vec<(&str, Vec<&Point>)> {
    let mut groups: Vec<(&str, Vec<&Point>)> = Vec::new();
    for point in points {
        match groups.iter_mut().find(|(name, _)| *name == point.scenario) {
            Some((_, group)) => group.push(point),
            None => groups.push((&point.scenario, vec![point])),
        }
    }
    groups
}

/// A contender's name, or the beginning of one before a star: `ovs*` is every tuning of OVS.
#[must_use]
pub fn is(pattern: &str, contender: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => contender.starts_with(beginning),
        None => pattern == contender,
    }
}

/// The point has all of these labels.
#[must_use]
pub fn has(point: &Point, labels: &BTreeMap<String, String>) -> bool {
    labels.iter().all(|(name, value)| point.labels.get(name) == Some(value))
}

/// The series of that metric whose contender's name fits, the best median of them: peers are run in several tunings,
/// and the best one is their figure.
#[must_use]
pub fn best<'a>(point: &'a Point, contender: &str, metric: &str, lowest: bool) -> Option<(&'a Series, Summary)> {
    let fits = point.series.iter().filter(|s| s.metric == metric && is(contender, &s.contender));
    let figures = fits.filter_map(|s| stats::summary(&s.samples).map(|summary| (s, summary)));
    figures.reduce(|a, b| if (b.1.median < a.1.median) == lowest { b } else { a })
}

#[cfg(test)]
pub mod samples {
    //! Points made up for tests.
    use super::*;

    /// A point without figures.
    pub fn point(scenario: &str, labels: &[(&str, &str)]) -> Point {
        Point {
            scenario: scenario.to_owned(),
            labels: labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            series: Vec::new(),
            verified: 0,
            wrong: Vec::new(),
            void: None,
            notes: Vec::new(),
        }
    }

    impl Point {
        /// The same with one more series.
        pub fn with(mut self, contender: &str, metric: &str, unit: &str, samples: &[f64]) -> Self {
            self.series.push(Series {
                contender: contender.to_owned(),
                metric: metric.to_owned(),
                unit: unit.to_owned(),
                samples: samples.to_vec(),
                lower_bound: false,
            });
            self
        }

        /// The last series is a lower bound.
        pub fn bound(mut self) -> Self {
            self.series.last_mut().unwrap().lower_bound = true;
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::point;
    use super::*;

    #[test]
    fn what_follows_does_not_vary() {
        let points = [
            point("s", &[("size", "64"), ("mtu", "1500"), ("flows", "1"), ("ring", "split")]),
            point("s", &[("size", "64"), ("mtu", "1500"), ("flows", "2"), ("ring", "split")]),
            point("s", &[("size", "8514"), ("mtu", "8500"), ("flows", "1"), ("ring", "split")]),
            point("s", &[("size", "512"), ("mtu", "1500"), ("flows", "2"), ("ring", "split")]),
        ];
        assert_eq!(varying(&points.iter().collect::<Vec<_>>()), ["size", "flows"]);
        assert!(varying(&[&points[0]]).is_empty());
        // Two values each, one to one: what was set is named.
        let pair = [point("s", &[("size", "64"), ("mtu", "1500")]), point("s", &[("size", "8514"), ("mtu", "8500")])];
        assert_eq!(varying(&[&pair[0], &pair[1]]), ["size"]);
    }

    #[test]
    fn the_best_tuning_is_the_peers_figure() {
        let p = point("s", &[])
            .with("ovs-rules", "service", "Mpps", &[2.0, 3.0, 2.0])
            .with("ovs-mirror", "service", "Mpps", &[4.0])
            .with("vswitch", "service", "Mpps", &[9.0])
            .with("ovs-mirror", "copies", "Mpps", &[1.0]);
        assert_eq!(best(&p, "ovs*", "service", false).unwrap().0.contender, "ovs-mirror");
        assert_eq!(best(&p, "ovs*", "service", true).unwrap().0.contender, "ovs-rules");
        assert_eq!(best(&p, "ovs-rules", "service", false).unwrap().1.median, 2.0);
        assert!(best(&p, "ovs", "service", false).is_none() && best(&p, "*", "loss", false).is_none());
    }
}
