//! Samples by contender and metric, a value a round: the n-th values belong to the same round, whoever missed one.

use crate::generator::Outcome;
use crate::report::{Series, stats};

/// A generator whose rings were full less than this share of the time is the bottleneck, percent.
const BOTTLENECK: f64 = 20.0;

/// The figures of a point while its rounds go on.
#[derive(Default)]
pub(crate) struct Samples {
    series: Vec<Series>,
    rounds: usize,
}

impl Samples {
    /// A round begins.
    pub(crate) fn begin_round(&mut self) {
        self.rounds += 1;
    }

    /// Forgets the round that began last.
    pub(crate) fn forget_round(&mut self) {
        self.rounds = self.rounds.saturating_sub(1);
        self.series.iter_mut().for_each(|s| s.samples.truncate(self.rounds));
    }

    /// Adds this round's value.
    pub(crate) fn add(&mut self, contender: &str, metric: &str, unit: &str, value: f64) {
        let before = self.rounds.saturating_sub(1);
        let at = self.series.iter().position(|s| s.contender == contender && s.metric == metric);
        let at = at.unwrap_or_else(|| {
            self.series.push(Series {
                contender: contender.to_owned(),
                metric: metric.to_owned(),
                unit: unit.to_owned(),
                samples: Vec::new(),
                lower_bound: false,
            });
            self.series.len() - 1
        });
        let samples = &mut self.series[at].samples;
        // Rounds that it missed are no numbers.
        samples.resize(before, f64::NAN);
        samples.push(value);
    }

    /// A run's figures.
    pub(crate) fn outcome(&mut self, label: &str, outcome: &Outcome, mirrors: bool) {
        self.add(label, "service", "Mpps", outcome.service_mpps());
        if outcome.seconds > 0.0 {
            let bits = outcome.window.arrived_bytes as f64 * 8.0;
            self.add(label, "service_gbps", "Gb/s", bits / outcome.seconds / 1e9);
        }
        if mirrors {
            self.add(label, "copies", "Mpps", outcome.copies_mpps());
        }
        self.add(label, "lost", "%", outcome.lost_share() * 100.0);
        self.add(label, "ring_full", "%", outcome.full_share() * 100.0);
    }

    /// A run's latencies.
    pub(crate) fn latency(&mut self, label: &str, outcome: &Outcome) {
        let percentiles = [("latency_p50", 50.0), ("latency_p90", 90.0), ("latency_p99", 99.0), ("latency_p999", 99.9)];
        for (metric, percentile) in percentiles {
            self.add(label, metric, "us", outcome.latency_us(percentile));
        }
    }

    /// The series, each with a value a round. Where nothing was paced, rates of a contender whose rings were seldom full
    /// are lower bounds.
    pub(crate) fn into_series(mut self, paced: bool) -> Vec<Series> {
        let rounds = self.rounds;
        self.series.iter_mut().for_each(|s| s.samples.resize(rounds, f64::NAN));
        let full = |s: &Series| s.metric == "ring_full" && stats::median(&s.samples).is_some_and(|m| m < BOTTLENECK);
        let bound: Vec<String> = self.series.iter().filter(|s| full(s)).map(|s| s.contender.clone()).collect();
        for series in &mut self.series {
            let rate = matches!(series.metric.as_str(), "service" | "copies" | "service_gbps");
            series.lower_bound = !paced && rate && bound.contains(&series.contender);
        }
        self.series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_somebody_missed_are_no_numbers() {
        let mut samples = Samples::default();
        for round in 0..4 {
            samples.begin_round();
            samples.add("a", "service", "Mpps", f64::from(round));
            if round == 1 {
                samples.add("b", "service", "Mpps", 9.0);
            }
        }
        samples.begin_round();
        samples.add("a", "service", "Mpps", 99.0);
        samples.forget_round();
        let series = samples.into_series(false);
        assert_eq!(series[0].samples, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(series[1].samples.len(), 4);
        assert_eq!(series[1].samples.iter().filter(|v| v.is_nan()).count(), 3);
    }

    #[test]
    fn a_generator_that_never_waits_makes_lower_bounds() {
        let of = |full: f64, paced| {
            let mut samples = Samples::default();
            samples.begin_round();
            samples.add("a", "service", "Mpps", 1.0);
            samples.add("a", "ring_full", "%", full);
            samples.into_series(paced)[0].lower_bound
        };
        assert!(of(19.0, false) && !of(21.0, false) && !of(0.0, true));
    }
}
