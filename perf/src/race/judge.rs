//! Whether a goal is met.

use std::fmt;

use super::goals::{Figure, Goal, Wanted};
use crate::report::anchors::Anchors;
use crate::report::stats::{self, Ratio, Summary};
use crate::report::{Point, labels};
use crate::scenario::builtin;

/// Rounds below which no goal is judged: an interval needs them.
const LEAST_ROUNDS: usize = 3;

/// How a goal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The whole interval keeps to the limit.
    Met,
    /// It does not, or a result was wrong.
    Missed,
    /// The generator was the bottleneck: what was measured does not decide.
    LowerBound,
    /// What was measured does not count.
    Void,
    /// Nothing was measured.
    NotYet,
}

impl Verdict {
    /// All, in the order of a summary.
    pub const ALL: [Verdict; 5] = [Verdict::Met, Verdict::Missed, Verdict::LowerBound, Verdict::Void, Verdict::NotYet];
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::LowerBound => "lower bound",
            Verdict::Void => "void",
            Verdict::NotYet => "not yet",
        })
    }
}

/// A goal, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How it stands.
    pub verdict: Verdict,
    /// The ratio, or the figure that stands alone, with its interval.
    pub ratio: Option<Ratio>,
    /// What stands before the ratio: `≥ ` or `≤ ` where the generator held one side back, `? ` where it did with both.
    pub mark: &'static str,
    /// The switch's figure and its unit.
    pub ours: Option<(Summary, String)>,
    /// The peer's.
    pub peer: Option<(Summary, String)>,
    /// The peer's anchors, as in `11.6 (−4 %)`.
    pub anchors: Vec<String>,
    /// Why, where the verdict alone does not say it.
    pub why: Vec<String>,
}

/// The samples of a figure.
struct Side<'a> {
    point: &'a Point,
    contender: String,
    samples: Vec<f64>,
    unit: String,
    lower_bound: bool,
}

impl Side<'_> {
    fn summary(&self) -> Option<(Summary, String)> {
        stats::summary(&self.samples).map(|s| (s, self.unit.clone()))
    }
}

/// Judges a goal by what was measured.
#[must_use]
pub fn judge(goal: &Goal, points: &[Point], anchors: &Anchors) -> Outcome {
    let (verdict, why) = (Verdict::NotYet, Vec::new());
    let mut outcome = Outcome { verdict, ratio: None, mark: "", ours: None, peer: None, anchors: Vec::new(), why };
    let lowest = goal.inverse != matches!(goal.wanted, Wanted::AtMost(_));
    let find = |figure: &Figure| side(points, &goal.scenario, figure, lowest);
    let Some(ours) = find(&goal.ours) else {
        outcome.why.push(not_measured(goal, &goal.ours, points));
        return outcome;
    };
    outcome.ours = ours.summary();
    let peer = goal.peer.as_ref().map(find);
    let Some(peer) = peer.map_or(Some(None), |p| p.map(Some)) else {
        outcome.why.extend(goal.peer.as_ref().map(|figure| not_measured(goal, figure, points)));
        return outcome;
    };
    outcome.peer = peer.as_ref().and_then(Side::summary);
    let mut void: Vec<String> = Vec::new();
    let mut wrong: Vec<String> = Vec::new();
    for side in std::iter::once(&ours).chain(&peer) {
        void.extend(side.point.void.clone().filter(|why| !void.contains(why)));
        wrong.extend(side.point.wrong.iter().filter(|what| !wrong.contains(what)).cloned().collect::<Vec<_>>());
    }
    if let (Some(peer), Some(figure)) = (&peer, &goal.peer) {
        let counts =
            |f: &crate::report::anchors::Finding| f.contender == peer.contender && figure.metrics.contains(&f.metric);
        for finding in anchors.check(peer.point).iter().filter(|f| counts(f)) {
            outcome.anchors.push(finding.short());
            void.extend(finding.void());
            outcome.why.extend(finding.explained.as_ref().map(|_| finding.to_string()));
        }
    }
    outcome.ratio = divide(goal, &ours, peer.as_ref());
    let Some(ratio) = outcome.ratio else {
        outcome.verdict = Verdict::Void;
        outcome.why.push("nothing to divide by: the other side's figure is 0".to_owned());
        return outcome;
    };
    if ratio.rounds < LEAST_ROUNDS {
        void.push(format!("{} rounds; at least {LEAST_ROUNDS} are needed for an interval", ratio.rounds));
    }
    let held = |side: Option<&Side<'_>>| side.is_some_and(|s| s.lower_bound);
    let (above, beneath) = (held(Some(&ours)), held(peer.as_ref()));
    let (above, beneath) = if goal.inverse { (beneath, above) } else { (above, beneath) };
    outcome.mark = match (above, beneath) {
        (false, false) => "",
        (true, false) => "≥ ",
        (false, true) => "≤ ",
        (true, true) => "? ",
    };
    outcome.verdict = if !wrong.is_empty() {
        Verdict::Missed
    } else if !void.is_empty() {
        Verdict::Void
    } else {
        decide(goal.wanted, &ratio, above, beneath)
    };
    outcome.why.extend(wrong.into_iter().map(|what| format!("wrong: {what}")));
    outcome.why.extend(void.into_iter().map(|why| format!("void: {why}")));
    outcome
}

/// `above`: the true ratio may be larger, `beneath`: it may be smaller.
pub(super) fn decide(wanted: Wanted, ratio: &Ratio, above: bool, beneath: bool) -> Verdict {
    let (met, may_be_worse, may_be_better) = match wanted {
        Wanted::AtLeast(least) => (ratio.low >= least, beneath, above),
        Wanted::AtMost(most) => (ratio.high <= most, above, beneath),
    };
    match met {
        true if !may_be_worse => Verdict::Met,
        false if !may_be_better => Verdict::Missed,
        _ => Verdict::LowerBound,
    }
}

/// Round by round where both were measured at one point.
fn divide(goal: &Goal, ours: &Side<'_>, peer: Option<&Side<'_>>) -> Option<Ratio> {
    let Some(peer) = peer else {
        return stats::paired(&ours.samples, &vec![1.0; ours.samples.len()]);
    };
    let (above, beneath) = if goal.inverse { (peer, ours) } else { (ours, peer) };
    let of = if std::ptr::eq(ours.point, peer.point) { stats::paired } else { stats::unpaired };
    of(&above.samples, &beneath.samples)
}

fn side<'a>(points: &'a [Point], scenario: &str, figure: &Figure, lowest: bool) -> Option<Side<'a>> {
    let point = points.iter().find(|p| p.scenario == scenario && labels::has(p, &figure.labels))?;
    let (first, _) = labels::best(point, &figure.contender, figure.metrics.first()?, lowest)?;
    let mut side = Side {
        point,
        contender: first.contender.clone(),
        samples: first.samples.clone(),
        unit: first.unit.clone(),
        lower_bound: false,
    };
    for metric in &figure.metrics {
        // The same tuning's figures, not the best of each.
        let (series, _) = labels::best(point, &side.contender, metric, lowest)?;
        let both = side.samples.iter().zip(&series.samples);
        side.samples = both.map(|(a, b)| a.min(*b)).collect();
        side.lower_bound |= series.lower_bound;
    }
    Some(side)
}

fn not_measured(goal: &Goal, figure: &Figure, points: &[Point]) -> String {
    if let Some(needs) = builtin::named(&goal.scenario).ok().and_then(|s| s.not_yet()) {
        return needs;
    }
    let at: Vec<String> = figure.labels.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let at = if at.is_empty() { String::new() } else { format!(" at {}", at.join(", ")) };
    let name = figure.contender.trim_end_matches('*');
    let notes = points.iter().filter(|p| p.scenario == goal.scenario).flat_map(|p| &p.notes);
    let mut told = notes.filter(|n| n.starts_with(name) && n.contains(": "));
    let why = told.next().map_or(String::new(), |n| format!(" ({n})"));
    format!("{} {} of {}{at} was not measured{why}", figure.contender, figure.metrics.join(" and "), goal.scenario)
}
