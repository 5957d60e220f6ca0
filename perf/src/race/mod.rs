//! The race: what the switch must reach beside its peers, `perf/goals.toml`, and one table that says whether it does.

pub mod goals;
mod judge;
#[cfg(test)]
mod tests;

pub use goals::{Figure, Goal, Wanted};
pub use judge::{Outcome, Verdict, judge};

use crate::report::anchors::Anchors;
use crate::report::table::{Table, figure, ratio};
use crate::report::{Point, stats};

/// Each goal's verdict, for programs.
#[must_use]
pub fn verdicts(goals: &[Goal], points: &[Point], anchors: &Anchors) -> Vec<serde_json::Value> {
    let one = |goal: &Goal| {
        let outcome = judge(goal, points, anchors);
        let side = |s: &Option<(stats::Summary, String)>| {
            s.as_ref().map(|(s, unit)| serde_json::json!({"median": s.median, "unit": unit}))
        };
        serde_json::json!({
            "goal": goal.name, "scenario": goal.scenario, "wanted": goal.wanted.to_string(), "ratio": outcome.ratio,
            "lower_bound": outcome.mark.contains('≥'), "ours": side(&outcome.ours), "peer": side(&outcome.peer),
            "anchors": outcome.anchors, "verdict": outcome.verdict.to_string(), "why": outcome.why,
        })
    };
    goals.iter().map(one).collect()
}

/// One table: each goal, what was measured, the peer's own figure against its anchor, the verdict; reasons below it.
#[must_use]
pub fn table(goals: &[Goal], points: &[Point], anchors: &Anchors) -> String {
    let headings = ["#", "goal", "wanted", "measured", "ours", "peer", "peer's anchor", "verdict"];
    let mut table = Table::new(headings);
    let mut below = String::new();
    let mut count = [0usize; 5];
    for (n, goal) in (1..).zip(goals) {
        let outcome = judge(goal, points, anchors);
        count[outcome.verdict as usize] += 1;
        let side = |s: &Option<(stats::Summary, String)>| {
            s.as_ref().map_or(String::new(), |(s, unit)| format!("{} {unit}", figure(s.median)).trim_end().to_owned())
        };
        table.row([
            n.to_string(),
            goal.name.clone(),
            goal.wanted.to_string(),
            outcome.ratio.as_ref().map_or(String::new(), |r| format!("{}{}", outcome.mark, ratio(r))),
            side(&outcome.ours),
            side(&outcome.peer),
            outcome.anchors.join(", "),
            outcome.verdict.to_string(),
        ]);
        outcome.why.iter().for_each(|why| below += &format!("  {n}: {why}\n"));
    }
    let sums: Vec<String> = Verdict::ALL
        .iter()
        .map(|v| (count[*v as usize], v))
        .filter(|(n, _)| *n > 0)
        .map(|(n, v)| format!("{n} {v}"))
        .collect();
    format!("{table}{below}{} goals: {}\n", goals.len(), sums.join(", "))
}
