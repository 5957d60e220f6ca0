//! Random towns of 2 to 4 workers with small rings between them, in random interleavings of what sends, what takes and
//! what changes: nothing is lost or doubled uncounted, every copy is the one that the plan asks for, and flows keep their
//! order, at receivers and at targets.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::TestRunner;

use super::plan::{FLOWS, Mirror, Plan};
use super::town::{Case, Reached, Step, Town};
use crate::packet::Reason;

fn step() -> impl Strategy<Value = Step> {
    let n = || 0usize..64;
    prop_oneof![
        40 => (n(), n(), 0..FLOWS, 1usize..33, any::<bool>()).prop_map(|(a, b, c, d, e)| Step::Send(a, b, c, d, e)),
        50 => (n(), n(), 1usize..17).prop_map(|(a, b, c)| Step::Take(a, b, c)),
        30 => n().prop_map(Step::Read),
        1 => n().prop_map(Step::Plug),
        1 => n().prop_map(Step::Switch),
        1 => (n(), n()).prop_map(|(a, b)| Step::Retarget(a, b)),
        2 => (n(), 0usize..4).prop_map(|(a, b)| Step::Rehome(a, b)),
        3 => n().prop_map(Step::Leave),
        1 => (0usize..4).prop_map(Step::Saturate),
        2 => (n(), n()).prop_map(|(a, b)| Step::Replace(a, b)),
    ]
}

fn mirror(sources: usize, enis: usize) -> impl Strategy<Value = Mirror> {
    let flows = (0..FLOWS, 0..FLOWS).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let some = subsequence((0..sources).collect::<Vec<_>>(), 1..=sources);
    (some, sources..enis, flows, any::<bool>()).prop_map(|(sources, target, flows, drops_rest)| Mirror {
        on: true,
        sources,
        target,
        flows,
        drops_rest,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let shape = (2usize..=5, 1usize..=3, 2usize..=4, 4usize..=24);
    let case = shape.prop_flat_map(|(sources, targets, workers, ring)| {
        let enis = sources + targets;
        let homes = proptest::collection::vec(prop_oneof![3 => Just(None), 1 => (0usize..3).prop_map(Some)], enis);
        // Crowded enough that a ring fills although nobody has credit for more than half of it.
        let worker = prop_oneof![1 => Just(0), 1 => Just(1), 2 => 0..workers];
        let placement = proptest::collection::vec(worker, enis);
        let half = ring as u32 / 2;
        let credit = prop_oneof![Just(half), 1..=half];
        let mirrors = proptest::collection::vec(mirror(sources, enis), 1..=3);
        let steps = proptest::collection::vec(step(), 50..300);
        (homes, placement, mirrors, credit, steps).prop_map(move |(homes, placement, mirrors, credit, steps)| {
            // Who shares no instance has one of its own.
            let enis = homes.into_iter().enumerate().map(|(n, home)| Some(home.unwrap_or(100 + n))).collect();
            Case { workers, ring, credit, plan: Plan { enis, mirrors }, placement, steps }
        })
    });
    case.boxed()
}

#[test]
fn workers_in_any_order_with_any_rings_lose_double_and_reorder_nothing() {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() });
    let all = RefCell::new(Reached::default());
    let run = runner.run(&case(), |case| {
        let mut town = Town::new(&case);
        case.steps.iter().for_each(|step| town.step(step));
        let reached = town.end();
        let all = &mut *all.borrow_mut();
        for (all, reached) in [(&mut all.drops, reached.drops), (&mut all.skips, reached.skips)] {
            reached.keys().for_each(|reason| *all.entry(*reason).or_default() += 1);
        }
        all.places.extend(reached.places);
        all.moves += reached.moves;
        Ok(())
    });
    run.unwrap_or_else(|e| panic!("{e}"));
    // Runs that never came to the corners would say nothing of them.
    let all = all.into_inner();
    println!("{all:?}");
    use Reason::{CreditExhausted, GuestDown, GuestFull, NoRoute, Overload, TargetDown, TargetFull, WorkerRingFull};
    for (reached, wanted) in [
        (&all.drops, [WorkerRingFull, CreditExhausted, GuestFull, GuestDown, NoRoute].as_slice()),
        (&all.skips, &[WorkerRingFull, CreditExhausted, TargetFull, TargetDown, Overload]),
    ] {
        assert_eq!(
            wanted.iter().filter(|reason| !reached.contains_key(reason)).collect::<Vec<_>>(),
            Vec::<&Reason>::new()
        );
    }
    assert_eq!(all.places.len(), 2 * 5, "all together, two of three, all apart; both ways: {:?}", all.places);
    assert!(all.moves > 0);
}
