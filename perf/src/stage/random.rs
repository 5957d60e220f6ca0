//! Randomness with a seed: the same rules and traces on every machine.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator; equal seeds give equal numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next 32 bits.
    pub const fn bits(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    /// A number below `n`; 0 when `n` is 0. (By multiplication: biased by less than 2⁻³² for the sizes used here.)
    pub const fn below(&mut self, n: usize) -> usize {
        ((self.next() as u128 * n as u128) >> 64) as usize
    }

    /// A number from 0 to 1, 1 excluded.
    pub const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub const fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A port from `first` to `last`.
    pub const fn port(&mut self, first: u16, last: u16) -> u16 {
        first + self.below((last - first) as usize + 1) as u16
    }

    /// One of a table of (weight, value); the last where weights do not add up. `None` for an empty table.
    pub fn pick<'a, T>(&mut self, table: &'a [(f64, T)]) -> Option<&'a T> {
        let mut left = self.unit() * table.iter().map(|(w, _)| w).sum::<f64>();
        for (weight, value) in table {
            if left < *weight {
                return Some(value);
            }
            left -= weight;
        }
        table.last().map(|(_, value)| value)
    }

    /// Any order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

/// Ranks 0 to n−1 with probability proportional to 1 / (rank + 1)^s.
#[derive(Clone, Debug)]
pub struct Zipf {
    cumulated: Vec<f64>,
}

impl Zipf {
    /// `n` ranks with exponent `s`.
    #[must_use]
    pub fn new(n: usize, s: f64) -> Self {
        let mut total = 0.0;
        let cumulated = (1..=n).map(|rank| {
            total += (rank as f64).powf(-s);
            total
        });
        Zipf { cumulated: cumulated.collect() }
    }

    /// The next rank.
    pub fn next(&self, random: &mut Random) -> usize {
        let at = random.unit() * self.cumulated.last().copied().unwrap_or(0.0);
        self.cumulated.partition_point(|c| *c <= at).min(self.cumulated.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_values() {
        // The first outputs of the reference implementation for seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!([random.next(), random.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn ranks_follow_the_law() {
        let (zipf, mut random) = (Zipf::new(100, 0.99), Random::new(1));
        let mut counts = [0u32; 100];
        (0..100_000).for_each(|_| counts[zipf.next(&mut random)] += 1);
        let ratio = f64::from(counts[0]) / f64::from(counts[9]);
        assert!((8.5..11.5).contains(&ratio), "rank 1 is 10^0.99 times as frequent as rank 10, not {ratio}");
        assert!(counts.iter().all(|c| *c > 0));
    }
}
