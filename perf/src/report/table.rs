//! Text tables: what came out, for people.

use std::fmt;

use super::anchors::Anchors;
use super::{Point, Series, labels, stats};

/// Columns of text, each as wide as its widest cell.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new<S: Into<String>>(headings: impl IntoIterator<Item = S>) -> Self {
        Table { rows: vec![headings.into_iter().map(Into::into).collect()] }
    }

    /// One more row; cells that are missing are empty.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let layout: Vec<(usize, bool)> = (0..columns)
            .map(|c| {
                let width = self.rows.iter().map(|r| cell(r, c).chars().count()).max().unwrap_or(0);
                (width, self.rows.iter().skip(1).all(|r| is_figure(&cell(r, c))))
            })
            .collect();
        for (n, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (c, (width, right)) in layout.iter().enumerate() {
                let text = cell(row, c);
                let space = " ".repeat(width - text.chars().count());
                line += &if *right { format!("{space}{text}  ") } else { format!("{text}{space}  ") };
            }
            writeln!(f, "{}", line.trim_end())?;
            if n == 0 {
                let rule: Vec<String> = layout.iter().map(|(width, _)| "-".repeat(*width)).collect();
                writeln!(f, "{}", rule.join("  "))?;
            }
        }
        Ok(())
    }
}

/// Columns of such cells are aligned to the right.
fn is_figure(cell: &str) -> bool {
    let bare = cell.trim_start_matches(['≥', '≤', '+', '−', '±', ' ']);
    cell.is_empty() || cell == "–" || cell == "imix" || bare.starts_with(|c: char| c.is_ascii_digit())
}

/// A figure with about three digits that mean something.
#[must_use]
pub fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 || v == 0.0 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        v if v >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A ratio and its interval: `1.23 [1.20, 1.27]`; one round has no interval.
#[must_use]
pub fn ratio(ratio: &stats::Ratio) -> String {
    match ratio.rounds {
        1 => format!("{:.2} (one round)", ratio.value),
        _ => format!("{:.2} [{:.2}, {:.2}]", ratio.value, ratio.low, ratio.high),
    }
}

/// One table a scenario, one row a point, metric and contender: median, spread (MAD as a share of it), range, ratio to
/// the first contender with its 95 % interval. `≥` marks what the generator held back; what is void says so, and why
/// stands below.
#[must_use]
pub fn points(points: &[Point], anchors: &Anchors) -> String {
    let groups = labels::by_scenario(points);
    groups.iter().map(|(name, points)| scenario(name, points, anchors)).collect::<Vec<_>>().join("\n")
}

fn scenario(name: &str, points: &[&Point], anchors: &Anchors) -> String {
    let varying = labels::varying(points);
    let mut table = Table::new(varying.iter().copied().chain([
        "contender",
        "metric",
        "median",
        "unit",
        "spread",
        "min",
        "max",
        "rounds",
        "to the first",
        "anchor",
        "",
    ]));
    let mut below: Vec<String> = Vec::new();
    for point in points {
        let place: Vec<String> = varying.iter().map(|l| point.labels.get(*l).cloned().unwrap_or_default()).collect();
        let findings = anchors.check(point);
        for series in &point.series {
            let first = point.series.iter().find(|s| s.metric == series.metric);
            let finding = findings.iter().find(|f| f.contender == series.contender && f.metric == series.metric);
            let void = point.void.is_some() || finding.is_some_and(|f| f.void().is_some());
            let marks = [(void, "void"), (!point.wrong.is_empty(), "WRONG")];
            let marks: Vec<&str> = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            let mut cells = place.clone();
            cells.extend(figures(series, first));
            cells.push(finding.map(|f| f.short()).unwrap_or_default());
            cells.push(marks.join(", "));
            table.row(cells);
        }
        let place = varying.iter().zip(&place).map(|(l, v)| format!("{l} {v}")).collect::<Vec<_>>().join(", ");
        let mut say = |what: &str, why: &str| {
            let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
            below.push(format!("{place}{what}{why}"));
        };
        point.void.iter().for_each(|why| say("void: ", why));
        for finding in &findings {
            match finding.void() {
                Some(why) => say("void: ", &why),
                None if finding.explained.is_some() => say("", &finding.to_string()),
                None => {}
            }
        }
        point.wrong.iter().for_each(|what| say("WRONG: ", what));
        point.notes.iter().for_each(|note| say("", note));
    }
    let verified: u64 = points.iter().map(|p| p.verified).sum();
    let mut text = format!("{name}{}\n{table}", fixed(points, &varying));
    if verified > 0 {
        below.insert(0, format!("{verified} packets verified"));
    }
    if points.iter().flat_map(|p| &p.series).any(|s| s.lower_bound) {
        below.push("≥ lower bound: the generator was the bottleneck".to_owned());
    }
    below.dedup();
    below.iter().for_each(|line| text += &format!("  {line}\n"));
    text
}

/// Labels that all points share, in one line.
fn fixed(points: &[&Point], varying: &[&str]) -> String {
    let Some(first) = points.first() else { return String::new() };
    let shared = first.labels.iter().filter(|(name, value)| {
        !varying.contains(&name.as_str()) && points.iter().all(|p| p.labels.get(*name) == Some(*value))
    });
    let shared: Vec<String> = shared.map(|(name, value)| format!("{name} {value}")).collect();
    if shared.is_empty() { String::new() } else { format!(": {}", shared.join(", ")) }
}

fn figures(series: &Series, first: Option<&Series>) -> Vec<String> {
    let head = |median: String| vec![series.contender.clone(), series.metric.clone(), median, series.unit.clone()];
    let Some(s) = stats::summary(&series.samples) else {
        return head("–".to_owned()).into_iter().chain(empty(5)).collect();
    };
    let bound = if series.lower_bound { "≥ " } else { "" };
    let mut cells = head(format!("{bound}{}", figure(s.median)));
    cells.extend([format!("± {:.1} %", s.spread() * 100.0), figure(s.min), figure(s.max), s.rounds.to_string()]);
    cells.push(match first {
        Some(first) if !std::ptr::eq(first, series) => {
            let mark = if series.lower_bound && !first.lower_bound { "≥ " } else { "" };
            // Where the first one is held back too, the ratio says nothing for sure.
            let mark = if first.lower_bound { "≤ " } else { mark };
            let mark = if series.lower_bound && first.lower_bound { "? " } else { mark };
            stats::paired(&series.samples, &first.samples).map_or("–".to_owned(), |r| format!("{mark}{}", ratio(&r)))
        }
        _ => String::new(),
    });
    cells
}

fn empty(cells: usize) -> impl Iterator<Item = String> {
    std::iter::repeat_n(String::new(), cells)
}

#[cfg(test)]
mod tests {
    use super::super::labels::samples::point;
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        let figures = [0.0, 0.1234, 0.9999, 1.0, 9.999, 12.34, 99.99, 1234.5].map(figure);
        assert_eq!(figures, ["0", "0.123", "1.00", "1.00", "10.0", "12.3", "100", "1234"]);
    }

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["name", "n"]);
        table.row(["a", "≥ 1"]);
        table.row(["longer", "10.25"]);
        table.row(["b"]);
        assert_eq!(table.to_string(), "name        n\n------  -----\na         ≥ 1\nlonger  10.25\nb\n");
    }

    #[test]
    fn a_whole_table() {
        let anchors = Anchors::from_text(
            "[[anchor]]\ncontender = \"ovs*\"\nmetric = \"service\"\nscenarios = [\"s\"]\nwhere = { size = 64 }\n\
             value = 5.0\nunit = \"Mpps\"\ndate = \"d\"\ncpu = \"c\"\n",
            "a.toml",
        )
        .unwrap();
        let mut one = point("s", &[("size", "64"), ("flows", "1")])
            .with("vswitch", "service", "Mpps", &[10.0, 11.0, 12.0])
            .bound()
            .with("ovs", "service", "Mpps", &[4.0, 4.0, 4.0]);
        (one.verified, one.notes) = (7, vec!["a remark".into()]);
        let mut two = point("s", &[("size", "1514"), ("flows", "1")]).with("vswitch", "service", "Mpps", &[3.0]).with(
            "ovs",
            "service",
            "Mpps",
            &[],
        );
        (two.void, two.wrong) = (Some("steal".into()), vec!["VNI 1 for 2".into()]);
        let text = points(&[one, two], &anchors);
        let wanted = "\
s: flows 1
size  contender  metric   median  unit  spread   min   max   rounds  to the first         anchor
----  ---------  -------  ------  ----  -------  ----  ----  ------  -------------------  ------------  -----------
  64  vswitch    service  ≥ 11.0  Mpps  ± 9.1 %  10.0  12.0       3
  64  ovs        service    4.00  Mpps  ± 0.0 %  4.00  4.00       3  ≤ 0.36 [0.33, 0.40]  5.00 (−20 %)  void
1514  vswitch    service    3.00  Mpps  ± 0.0 %  3.00  3.00       1                                     void, WRONG
1514  ovs        service       –  Mpps                                                                  void, WRONG
  7 packets verified
  size 64: void: ovs service 4.00 Mpps against its anchor 5.00 (d, c): −20 %, more than 15 % below, and nobody has \
explained it in anchors.toml
  size 64: a remark
  size 1514: void: steal
  size 1514: WRONG: VNI 1 for 2
  ≥ lower bound: the generator was the bottleneck
";
        let squeeze =
            |t: &str| t.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>();
        assert_eq!(squeeze(&text), squeeze(wanted), "\n{text}");
    }
}
