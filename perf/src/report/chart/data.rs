//! What a chart shows: picked from the points of one scenario.

use std::collections::BTreeMap;

use super::super::stats::{self, Summary};
use super::super::{Point, Series, labels};

/// An axis whose largest number is more than this many times its smallest is logarithmic.
const LOG_FROM: f64 = 20.0;

/// Metrics that tables alone show: a chart of each would bury the others.
const TABLES_ONLY: &[&str] = &[
    "busy",
    "copies_payable",
    "classify_time",
    "latency_p50",
    "latency_p90",
    "latency_p999",
    "lost",
    "ring_full",
    "service_gbps",
    "skipped_overload",
];

/// What lies on the horizontal axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// Numbers, each value once, ascending.
    Numbers {
        /// The values.
        values: Vec<f64>,
        /// On a logarithmic scale.
        log: bool,
    },
    /// Words, in the points' order.
    Words(Vec<String>),
}

/// One line, or one colour of bars.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The contender.
    pub name: String,
    /// Place on the axis (index of its value), what was measured there, and whether that is a lower bound.
    pub values: Vec<(usize, Summary, bool)>,
}

/// One chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Of the file, without `.png`.
    pub name: String,
    /// Heading.
    pub title: String,
    /// The varying label.
    pub label: String,
    /// The metric and its unit.
    pub measure: String,
    /// The horizontal axis.
    pub axis: Axis,
    /// A line a contender, in the points' order.
    pub lines: Vec<Line>,
    /// Points that do not count, by their own verdict; they are drawn all the same.
    pub void: usize,
}

impl Chart {
    /// The largest value that is drawn.
    #[must_use]
    pub fn top(&self) -> f64 {
        self.lines.iter().flat_map(|l| &l.values).map(|(_, s, _)| s.max).fold(0.0, f64::max)
    }
}

/// Values of the labels that vary beside the axis.
type Place<'a> = Vec<(&'a str, &'a str)>;

/// Every metric of a scenario over the label that has most values; a chart for each combination of the other varying
/// labels. None if nothing varies.
#[must_use]
pub fn charts(scenario: &str, points: &[&Point]) -> Vec<Chart> {
    let varying = labels::varying(points);
    let Some(label) = main_label(points, &varying) else { return Vec::new() };
    let others: Vec<&str> = varying.iter().copied().filter(|l| *l != label).collect();
    let mut groups: Vec<(Place<'_>, Vec<&Point>)> = Vec::new();
    for point in points {
        let place: Place<'_> = others.iter().map(|l| (*l, point.labels.get(*l).map_or("", String::as_str))).collect();
        match groups.iter_mut().find(|(p, _)| *p == place) {
            Some((_, group)) => group.push(point),
            None => groups.push((place, vec![point])),
        }
    }
    groups.iter().flat_map(|(place, group)| metrics(scenario, label, place, group)).collect()
}

/// A label of numbers, if there is one, since lines say more than bars; else the first.
fn main_label<'a>(points: &[&Point], varying: &[&'a str]) -> Option<&'a str> {
    let numbers = |label: &&&str| values(points, label).iter().filter(|v| v.parse::<f64>().is_ok()).count() > 2;
    varying.iter().find(numbers).or(varying.first()).copied()
}

/// The values of a label, each once, in the points' order.
fn values<'a>(points: &[&'a Point], label: &str) -> Vec<&'a str> {
    let mut values: Vec<&str> = Vec::new();
    for value in points.iter().filter_map(|p| p.labels.get(label)) {
        if !values.contains(&value.as_str()) {
            values.push(value);
        }
    }
    values
}

fn metrics(scenario: &str, label: &str, place: &[(&str, &str)], points: &[&Point]) -> Vec<Chart> {
    let mut words = values(points, label);
    let mut numbers: Vec<f64> = words.iter().filter_map(|v| v.parse().ok()).filter(|n: &f64| n.is_finite()).collect();
    numbers.sort_by(f64::total_cmp);
    let axis = if numbers.len() == words.len() && numbers.len() > 1 {
        let number = |word: &str| word.parse::<f64>().unwrap_or_default();
        words.sort_by(|a, b| number(a).total_cmp(&number(b)));
        let (least, most) = (numbers.first().copied().unwrap_or(0.0), numbers.last().copied().unwrap_or(0.0));
        Axis::Numbers { values: numbers, log: least > 0.0 && most / least > LOG_FROM }
    } else {
        Axis::Words(words.iter().map(|w| (*w).to_owned()).collect())
    };
    let mut charts: Vec<Chart> = Vec::new();
    for point in points {
        let Some(at) = point.labels.get(label).and_then(|v| words.iter().position(|w| w == v)) else { continue };
        // A peer's tunings, `librte_acl/avx2/default`, have their best one beside them.
        let shown = |s: &&Series| !TABLES_ONLY.contains(&s.metric.as_str()) && !s.contender.contains('/');
        for series in point.series.iter().filter(shown) {
            let Some(summary) = stats::summary(&series.samples) else { continue };
            let suffix: String =
                place.iter().filter(|(_, v)| !v.is_empty()).map(|(l, v)| format!("-{l}-{v}")).collect();
            let name = format!("{scenario}-{}{suffix}", series.metric);
            let n = charts.iter().position(|c| c.name == name).unwrap_or_else(|| {
                charts.push(Chart {
                    name,
                    title: title(scenario, points, place),
                    label: label.to_owned(),
                    measure: format!("{}, {}", series.metric, series.unit),
                    axis: axis.clone(),
                    lines: Vec::new(),
                    void: points.iter().filter(|p| p.void.is_some()).count(),
                });
                charts.len() - 1
            });
            let Some(chart) = charts.get_mut(n) else { continue };
            let value = (at, summary, series.lower_bound);
            match chart.lines.iter_mut().find(|l| l.name == series.contender) {
                Some(line) => line.values.push(value),
                None => chart.lines.push(Line { name: series.contender.clone(), values: vec![value] }),
            }
        }
    }
    charts.iter_mut().flat_map(|c| &mut c.lines).for_each(|l| l.values.sort_by_key(|(at, ..)| *at));
    charts
}

/// The scenario and the few labels that say most about it.
fn title(scenario: &str, points: &[&Point], place: &[(&str, &str)]) -> String {
    const TELLING: [&str; 4] = ["size", "flows", "match", "rules"];
    let all: BTreeMap<&str, Vec<&str>> = TELLING.iter().map(|l| (*l, values(points, l))).collect();
    let shared = TELLING.iter().filter_map(|l| match all.get(l).map(Vec::as_slice) {
        Some([one]) if !place.iter().any(|(p, _)| p == l) => Some(format!("{l} {one}")),
        _ => None,
    });
    let parts: Vec<String> = place.iter().map(|(l, v)| format!("{l} {v}")).chain(shared).collect();
    if parts.is_empty() { scenario.to_owned() } else { format!("{scenario} ({})", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::super::super::labels::samples::point;
    use super::*;

    #[test]
    fn numbers_are_an_axis_and_words_are_bars() {
        let points = [("1024", 3.0), ("64", 1.0), ("1514", 2.0)]
            .map(|(size, v)| point("s", &[("size", size), ("flows", "1")]).with("a", "m", "u", &[v]));
        let charts = charts("s", &points.iter().collect::<Vec<_>>());
        assert_eq!(charts.len(), 1);
        assert_eq!((charts[0].name.as_str(), charts[0].title.as_str()), ("s-m", "s (flows 1)"));
        assert_eq!(charts[0].axis, Axis::Numbers { values: vec![64.0, 1024.0, 1514.0], log: true });
        let medians: Vec<(usize, f64)> = charts[0].lines[0].values.iter().map(|(at, s, _)| (*at, s.median)).collect();
        assert_eq!(medians, [(0, 1.0), (1, 3.0), (2, 2.0)]);
        let points = ["64", "imix"].map(|size| point("s", &[("size", size)]).with("a", "m", "u", &[1.0]));
        let words = super::charts("s", &points.iter().collect::<Vec<_>>());
        assert_eq!(words[0].axis, Axis::Words(vec!["64".into(), "imix".into()]));
    }

    #[test]
    fn other_labels_and_metrics_make_files() {
        let mut points = Vec::new();
        for ring in ["split", "packed"] {
            for rules in ["0", "20", "60"] {
                let p = point("s", &[("ring", ring), ("rules", rules)]).with("a", "m", "u", &[1.0]);
                points.push(p.with("b", "m", "u", &[2.0]).with("a", "n", "u", &[]).with("a", "o", "u", &[3.0]));
            }
        }
        let charts = charts("s", &points.iter().collect::<Vec<_>>());
        let names: Vec<&str> = charts.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["s-m-ring-split", "s-o-ring-split", "s-m-ring-packed", "s-o-ring-packed"]);
        assert_eq!(charts[0].axis, Axis::Numbers { values: vec![0.0, 20.0, 60.0], log: false });
        assert_eq!((charts[0].lines.len(), charts[0].top()), (2, 2.0));
        assert!(super::charts("s", &[&points[0]]).is_empty());
    }
}
