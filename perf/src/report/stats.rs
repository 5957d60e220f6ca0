//! Medians, spreads and the ratio of two contenders with its confidence interval.
//!
//! Rounds of all contenders are interleaved, so the n-th values of two of them were taken seconds apart and share the
//! host's mood: their ratio is taken round by round ([`paired`]). Figures of different points have no such bond
//! ([`unpaired`]). Both intervals are bootstrapped by the percentile method with a fixed seed: the same samples always
//! print the same interval.

use serde::Serialize;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2000;
/// Seed of the bootstrap.
const SEED: u64 = 0x7673_7769_7463_6821;

/// What a vector of samples comes to, in the samples' unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Samples that are numbers.
    pub rounds: usize,
    /// Their median.
    pub median: f64,
    /// Median of the distances to the median.
    pub mad: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Summary {
    /// The median absolute deviation as a share of the median; 0 where that is 0.
    #[must_use]
    pub fn spread(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { self.mad / self.median.abs() }
    }
}

/// A ratio and its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The ratio.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Rounds that it rests on. With fewer than 3 the interval is merely the range of what was seen.
    pub rounds: usize,
}

/// Median of the samples that are numbers; `None` if there are none.
#[must_use]
pub fn median(samples: &[f64]) -> Option<f64> {
    middle(&mut finite(samples))
}

/// Median, spread and range; `None` if no sample is a number.
#[must_use]
pub fn summary(samples: &[f64]) -> Option<Summary> {
    let mut values = finite(samples);
    let median = middle(&mut values)?;
    let mut distances: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
    // `middle` has sorted the values.
    let (min, max) = (*values.first()?, *values.last()?);
    Some(Summary { rounds: values.len(), median, mad: middle(&mut distances)?, min, max })
}

/// Median of the rounds' ratios `ours / theirs`; rounds are resampled whole. Rounds that one side lacks, or in which
/// the other side has nothing, do not count; `None` if none is left.
#[must_use]
pub fn paired(ours: &[f64], theirs: &[f64]) -> Option<Ratio> {
    let ratios: Vec<f64> =
        ours.iter().zip(theirs).filter(|(_, t)| **t > 0.0).map(|(o, t)| o / t).filter(|r| r.is_finite()).collect();
    let value = middle(&mut ratios.clone())?;
    let mut random = Random(SEED);
    Some(interval(value, ratios.len(), &ratios, || middle(&mut random.resample(&ratios))))
}

/// Ratio of the medians `ours / theirs` of samples that were not taken side by side; each side is resampled by itself.
/// `None` if a side has no number or the other side's median is not above 0.
#[must_use]
pub fn unpaired(ours: &[f64], theirs: &[f64]) -> Option<Ratio> {
    let (ours, theirs) = (finite(ours), finite(theirs));
    let of = |ours: &mut Vec<f64>, theirs: &mut Vec<f64>| {
        let below = middle(theirs).filter(|t| *t > 0.0)?;
        middle(ours).map(|o| o / below)
    };
    let value = of(&mut ours.clone(), &mut theirs.clone())?;
    let rounds = ours.len().min(theirs.len());
    let pairs: Vec<f64> = ours
        .iter()
        .flat_map(|o| theirs.iter().filter(|t| **t > 0.0).map(move |t| o / t))
        .filter(|r| r.is_finite())
        .collect();
    let mut random = Random(SEED);
    Some(interval(value, rounds, &pairs, || of(&mut random.resample(&ours), &mut random.resample(&theirs))))
}

/// The interval around `value`: of bootstrapped values, or the range of `seen` where so few rounds would make the
/// bootstrap look surer than it is.
fn interval(value: f64, rounds: usize, seen: &[f64], mut resampled: impl FnMut() -> Option<f64>) -> Ratio {
    let mut values: Vec<f64> =
        if rounds < 3 { seen.to_vec() } else { (0..RESAMPLES).filter_map(|_| resampled()).collect() };
    values.sort_by(f64::total_cmp);
    let trim = if rounds < 3 { 0.0 } else { 0.025 };
    let low = percentile(&values, trim).unwrap_or(value).min(value);
    let high = percentile(&values, 1.0 - trim).unwrap_or(value).max(value);
    Ratio { value, low, high, rounds }
}

/// The value below which a share of sorted values lies, interpolated.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (sorted.get(at.floor() as usize)?, sorted.get(at.ceil() as usize)?);
    Some(below + (above - below) * at.fract())
}

fn finite(samples: &[f64]) -> Vec<f64> {
    samples.iter().copied().filter(|v| v.is_finite()).collect()
}

/// Sorts and takes the middle.
fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = *values.get(half)?;
    if values.len() % 2 == 1 {
        Some(upper)
    } else {
        values.get(half.checked_sub(1)?).map(|lower| (lower + upper) / 2.0)
    }
}

/// SplitMix64: small, well known, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// As many values as there are, drawn with replacement.
    fn resample(&mut self, values: &[f64]) -> Vec<f64> {
        let count = values.len() as u128;
        (0..values.len())
            .filter_map(|_| values.get(((u128::from(self.next()) * count) >> 64) as usize).copied())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[f64::NAN]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[9.0, 1.0, f64::INFINITY, 2.0]), Some(2.0));
    }

    #[test]
    fn a_summary_by_hand() {
        let s = summary(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]).unwrap();
        assert_eq!((s.rounds, s.median, s.mad, s.min, s.max), (7, 2.0, 1.0, 1.0, 9.0));
        assert!((s.spread() - 0.5).abs() < 1e-12);
        assert!(summary(&[]).is_none());
    }

    #[test]
    fn pairing_takes_the_hosts_mood_out() {
        // The host slows down by half on the way; ours is 1.5 times theirs in every round.
        let theirs = [10.0, 9.0, 8.0, 7.0, 6.0, 5.0];
        let ours: Vec<f64> = theirs.iter().map(|t| t * 1.5).collect();
        let (with, without) = (paired(&ours, &theirs).unwrap(), unpaired(&ours, &theirs).unwrap());
        assert!((with.value - 1.5).abs() < 1e-12 && (with.high - with.low) < 1e-12, "{with:?}");
        assert!(without.low < 1.3 && without.high > 1.7, "{without:?}");
    }

    #[test]
    fn few_rounds_give_the_range_seen() {
        let one = paired(&[3.0], &[2.0]).unwrap();
        assert_eq!((one.value, one.low, one.high, one.rounds), (1.5, 1.5, 1.5, 1));
        let two = paired(&[3.0, 4.0], &[2.0, 2.0]).unwrap();
        assert_eq!((two.value, two.low, two.high, two.rounds), (1.75, 1.5, 2.0, 2));
        let two = unpaired(&[3.0, 4.0], &[2.0, 1.0]).unwrap();
        assert_eq!((two.low, two.high, two.rounds), (1.5, 4.0, 2));
    }

    #[test]
    fn nothing_to_divide_by_is_no_ratio() {
        assert!(paired(&[1.0], &[0.0]).is_none());
        assert!(paired(&[], &[1.0]).is_none());
        assert!(unpaired(&[1.0], &[0.0]).is_none());
        assert_eq!(paired(&[1.0, 2.0], &[0.0, 1.0]).unwrap().rounds, 1);
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        // 300 runs of 15 rounds around a true ratio of 2, noise of 10 % on either side.
        let mut random = Random(1);
        let mut noise = |around: f64| around * (0.9 + 0.2 * (random.next() >> 11) as f64 / (1u64 << 53) as f64);
        let covered = (0..300)
            .filter(|_| {
                let ours: Vec<f64> = (0..15).map(|_| noise(20.0)).collect();
                let theirs: Vec<f64> = (0..15).map(|_| noise(10.0)).collect();
                let r = paired(&ours, &theirs).unwrap();
                r.low <= 2.0 && 2.0 <= r.high
            })
            .count();
        assert!((270..=300).contains(&covered), "{covered} of 300");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn order_and_bounds(samples in prop::collection::vec(0.1f64..1e6, 1..40)) {
            let s = summary(&samples).unwrap();
            prop_assert!(s.min <= s.median && s.median <= s.max && s.mad >= 0.0 && s.mad <= s.max - s.min);
            let mut backwards = samples.clone();
            backwards.reverse();
            prop_assert_eq!(summary(&backwards).unwrap(), s);
        }

        #[test]
        fn ratios_lie_in_their_interval_and_turn_over(
            pairs in prop::collection::vec((0.1f64..1e3, 0.1f64..1e3), 1..20)
        ) {
            let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            for of in [paired, unpaired] {
                let r = of(&ours, &theirs).unwrap();
                prop_assert!(r.low <= r.value && r.value <= r.high, "{:?}", r);
                prop_assert_eq!(of(&ours, &theirs).unwrap(), r);
                let scaled: Vec<f64> = ours.iter().map(|o| o * 2.0).collect();
                let twice = of(&scaled, &theirs).unwrap();
                prop_assert!((twice.value - 2.0 * r.value).abs() < 1e-6 * r.value.max(1.0));
                prop_assert!((twice.low - 2.0 * r.low).abs() < 1e-6 * r.low.max(1.0));
            }
            let same = paired(&ours, &ours).unwrap();
            prop_assert_eq!((same.value, same.low, same.high), (1.0, 1.0, 1.0));
        }
    }
}
