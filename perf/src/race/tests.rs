use super::*;
use crate::report::labels::samples::point;
use crate::scenario::{Scenario, builtin};

const GOAL: &str = "[[goal]]\nname = \"g\"\nscenario = \"race-mirror\"\nwhere = { size = 64 }\n\
    ours = { contender = \"vswitch\", metric = \"service+copies\" }\n\
    peer = { contender = \"ovs*\", metric = \"service+copies\" }\nat_least = 2.5\n";

fn goal() -> Goal {
    goals::from_text(GOAL, "g.toml").unwrap().pop().unwrap()
}

fn anchors(value: f64) -> Anchors {
    let text = format!(
        "[[anchor]]\ncontender = \"ovs*\"\nmetric = \"service\"\nscenarios = [\"race-mirror\"]\nvalue = {value:?}\n\
         unit = \"Mpps\"\ndate = \"d\"\ncpu = \"c\"\n"
    );
    Anchors::from_text(&text, "a.toml").unwrap()
}

/// Ours copies at `ours` Mpps and forwards faster; OVS does 4.0 by its mirror record, 3.0 by rules.
fn run(ours: &[f64]) -> Point {
    let faster: Vec<f64> = ours.iter().map(|o| o + 1.0).collect();
    let mut p = point("race-mirror", &[("size", "64")])
        .with("vswitch", "service", "Mpps", &faster)
        .with("vswitch", "copies", "Mpps", ours);
    for (name, mpps) in [("ovs-rules", 3.0), ("ovs-mirror", 4.0)] {
        p = p.with(name, "service", "Mpps", &[mpps; 5]).with(name, "copies", "Mpps", &[mpps; 5]);
    }
    p
}

fn verdict(point: Point, anchor: f64) -> (Verdict, Vec<String>) {
    let outcome = judge(&goal(), &[point], &anchors(anchor));
    (outcome.verdict, outcome.why)
}

#[test]
fn shipped_goals_name_points_that_exist() {
    let goals = goals::builtin().unwrap();
    assert_eq!(goals.len(), 39);
    for goal in &goals {
        let scenario = builtin::named(&goal.scenario).unwrap();
        // The classifier's points have labels of their own.
        if scenario.kind == crate::scenario::Kind::Classify {
            continue;
        }
        for figure in std::iter::once(&goal.ours).chain(&goal.peer) {
            let points = Scenario::points(&scenario);
            let fits = |p: &&crate::scenario::PointSpec| figure.labels.iter().all(|(n, v)| p.labels.get(n) == Some(v));
            assert_eq!(points.iter().filter(fits).count(), 1, "{}: {figure:?}", goal.name);
            let who = figure.contender.trim_end_matches('*');
            let runs = who == "vswitch"
                || scenario.peers.iter().any(|p| p.as_str() == who || who == format!("vswitch-{}", p.as_str()));
            assert!(runs, "{}: {who} does not run in {}", goal.name, goal.scenario);
        }
    }
}

#[test]
fn the_interval_decides() {
    assert_eq!(verdict(run(&[11.0; 5]), 4.1).0, Verdict::Met);
    assert_eq!(verdict(run(&[9.9; 5]), 4.1).0, Verdict::Missed);
    // The middle is above 2.5, the interval is not.
    assert_eq!(verdict(run(&[7.0, 8.0, 10.4, 12.0, 13.0]), 4.1).0, Verdict::Missed);
}

#[test]
fn the_smaller_metric_of_the_best_tuning_counts() {
    let outcome = judge(&goal(), &[run(&[11.0; 5])], &anchors(4.1));
    assert_eq!(outcome.ours.unwrap().0.median, 11.0);
    assert_eq!(outcome.peer.unwrap(), (stats::summary(&[4.0; 5]).unwrap(), "Mpps".to_owned()));
    assert_eq!((outcome.ratio.unwrap().value, outcome.anchors), (2.75, vec!["4.10 (−2 %)".to_owned()]));
}

#[test]
fn a_weak_peer_steal_and_few_rounds_are_void() {
    let (weak, why) = verdict(run(&[11.0; 5]), 5.0);
    assert!(weak == Verdict::Void && why[0].starts_with("void: ovs-mirror service 4.00 Mpps against its anchor 5.00"));
    let mut stolen = run(&[11.0; 5]);
    stolen.void = Some("steal".into());
    assert_eq!(verdict(stolen, 4.1), (Verdict::Void, vec!["void: steal".into()]));
    let (few, why) = verdict(run(&[11.0; 2]), 4.1);
    assert_eq!((few, why[0].as_str()), (Verdict::Void, "void: 2 rounds; at least 3 are needed for an interval"));
    let mut anchors = anchors(5.0);
    anchors.list[0].explained = Some("a slower CPU".into());
    let explained = judge(&goal(), &[run(&[11.0; 5])], &anchors);
    assert!(explained.verdict == Verdict::Met && explained.why[0].ends_with("; a slower CPU"));
}

#[test]
fn a_fast_wrong_result_is_missed() {
    let mut wrong = run(&[20.0; 5]);
    wrong.wrong.push("a copy twice".into());
    wrong.void = Some("steal".into());
    let wanted = ["wrong: a copy twice", "void: steal"].map(str::to_owned);
    assert_eq!(verdict(wrong, 4.1), (Verdict::Missed, wanted.into()));
}

#[test]
fn lower_bounds_decide_one_way_only() {
    let ratio = |low, high| stats::Ratio { value: low, low, high, rounds: 5 };
    let least = |low, above, beneath| super::judge::decide(Wanted::AtLeast(2.0), &ratio(low, low), above, beneath);
    assert_eq!(least(2.0, true, false), Verdict::Met);
    assert_eq!(least(1.9, true, false), Verdict::LowerBound);
    assert_eq!(least(2.0, false, true), Verdict::LowerBound);
    assert_eq!(least(1.9, false, true), Verdict::Missed);
    let most = |high, above| super::judge::decide(Wanted::AtMost(2.0), &ratio(high, high), above, false);
    assert_eq!(
        (most(2.0, false), most(2.0, true), most(2.1, true)),
        (Verdict::Met, Verdict::LowerBound, Verdict::Missed)
    );
    let bound = run(&[5.0; 5]);
    let held = Point {
        series: bound.series.into_iter().map(|mut s| (s.lower_bound = s.contender == "vswitch", s).1).collect(),
        ..run(&[])
    };
    let outcome = judge(&goal(), &[held], &anchors(4.1));
    assert_eq!((outcome.verdict, outcome.mark), (Verdict::LowerBound, "≥ "));
}

#[test]
fn what_was_not_measured_is_not_yet() {
    assert_eq!(
        judge(&goal(), &[], &anchors(4.1)).why,
        ["vswitch service and copies of race-mirror at size 64 was not measured"]
    );
    let alone = point("race-mirror", &[("size", "64")]).with("vswitch", "service", "Mpps", &[1.0; 5]);
    let alone = alone.with("vswitch", "copies", "Mpps", &[1.0; 5]);
    let outcome = judge(&goal(), &[alone], &anchors(4.1));
    assert_eq!((outcome.verdict, outcome.ours.is_some()), (Verdict::NotYet, true));
    assert!(outcome.why[0].starts_with("ovs* "));
    let memory = goals::builtin().unwrap().into_iter().find(|g| g.scenario == "race-memory").unwrap();
    assert_eq!(judge(&memory, &[], &anchors(4.1)).why, ["not yet: the accounting of the switch's own memory"]);
}

#[test]
fn cycles_other_points_and_lone_figures() {
    let all = goals::builtin().unwrap();
    let named = |beginning: &str| all.iter().find(|g| g.name.starts_with(beginning)).unwrap();
    let none = Anchors::default();
    let labels = [("set", "mirror-like"), ("rules", "20"), ("batch", "32"), ("input", "keys"), ("trace", "hits")];
    let acl = point("race-classify", &labels).with("vswitch", "classify", "cycles/packet", &[20.0; 4]).with(
        "librte_acl",
        "classify",
        "cycles/packet",
        &[90.0; 4],
    );
    let outcome = judge(named("classifier, 20"), &[acl], &none);
    assert_eq!((outcome.verdict, outcome.ratio.unwrap().value), (Verdict::Met, 4.5));
    let enis = |n, mpps: [f64; 4]| {
        point("race-enis", &[("size", "64"), ("enis", n)]).with("vswitch", "service", "Mpps", &mpps)
    };
    let points = [enis("2", [10.0; 4]), enis("256", [8.0; 4])];
    let outcome = judge(named("256 ENIs"), &points, &none);
    assert_eq!((outcome.verdict, outcome.ratio.unwrap().value), (Verdict::Missed, 0.8));
    let loss = point("race-blocked", &[("size", "64"), ("match", "100"), ("target", "blocked"), ("offered", "90")])
        .with("vswitch", "extra_loss", "packets", &[0.0; 4]);
    let outcome = judge(named("target blocked, 100 % match: extra"), &[loss], &none);
    assert_eq!((outcome.verdict, outcome.peer), (Verdict::Met, None));
}

#[test]
fn one_table() {
    let text = table(&goals::builtin().unwrap(), &[], &Anchors::default());
    assert!(text.ends_with("39 goals: 39 not yet\n"), "{text}");
    let mut two = vec![goal(), goal()];
    two[1].wanted = Wanted::AtLeast(9.0);
    let text = table(&two, &[run(&[11.0; 5])], &anchors(4.1));
    let wanted = "\
#  goal  wanted           measured       ours       peer  peer's anchor  verdict
-  ----  ------  -----------------  ---------  ---------  -------------  -------
1  g      ≥ 2.5  2.75 [2.75, 2.75]  11.0 Mpps  4.00 Mpps    4.10 (−2 %)  met
2  g        ≥ 9  2.75 [2.75, 2.75]  11.0 Mpps  4.00 Mpps    4.10 (−2 %)  missed
2 goals: 1 met, 1 missed
";
    assert_eq!(text, wanted, "\n{text}");
}

#[test]
fn errors_are_lines() {
    let bad = GOAL.replace("at_least", "at_lest").replace("peer = { contender", "peer = { contenter") + "inverse = 3\n";
    let lines: Vec<String> = goals::from_text(&bad, "g.toml").unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(lines.contains(&"g.toml: goal[0].at_least: one of at_least and at_most, a number".to_owned()));
    assert!(lines.iter().any(|l| l.ends_with("unknown key; the nearest known one is contender")));
}
