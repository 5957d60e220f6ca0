//! The `classify` scenario: ours and librte_acl over the same rules and keys, in one process, in turns.

use std::collections::BTreeMap;
use std::time::Duration;

use vswitch::classify::rule::Rule;
use vswitch::classify::{Keys, Linear, Verdict};
use vswitch::dpdk::eal::Eal;
use vswitch::packet::BURST;

use super::contest::{Answer, Contestant, Gathered, Input, Material, ours, peers};
use super::rules::{Set, generate};
use super::trace::{self, Trace};
use crate::report::{Point, Series};
use crate::sys::acl::{Acl, Algorithm, allow_512_bits};
use crate::sys::tsc;

/// What to compare, and for how long.
#[derive(Clone, Debug)]
pub struct ClassifyOptions {
    /// Rule sets and their sizes.
    pub sets: Vec<(Set, usize)>,
    /// Traces.
    pub traces: Vec<Trace>,
    /// Packets that are handed over at once, 1 to 64.
    pub batches: Vec<usize>,
    /// What contestants start from.
    pub inputs: Vec<Input>,
    /// librte_acl's algorithms; those that the CPU lacks are left out.
    pub algorithms: Vec<Algorithm>,
    /// librte_acl's bounds on its tables in bytes; 0 is its default. A large one can take minutes to build at 10,000
    /// rules with many wildcards, and that cannot be interrupted.
    pub max_sizes: Vec<usize>,
    /// Keys of a trace. Small batches use fewer, see [`ClassifyOptions::used`].
    pub keys: usize,
    /// Samples of each contestant at each point, taken in turns.
    pub rounds: usize,
    /// How long a sample takes at least.
    pub sample: Duration,
    /// Seed of rules and traces.
    pub seed: u64,
}

impl ClassifyOptions {
    /// The whole table.
    #[must_use]
    pub fn full() -> Self {
        let mut sets: Vec<_> = [20, 40, 60].map(|n| (Set::MirrorLike, n)).to_vec();
        for set in [Set::Acl1, Set::Fw1, Set::Ipc1] {
            sets.extend([100, 1000, 10_000].map(|n| (set, n)));
        }
        ClassifyOptions {
            sets,
            traces: Trace::ALL.to_vec(),
            batches: vec![1, 4, 32, 64],
            inputs: Input::ALL.to_vec(),
            algorithms: Algorithm::ALL.to_vec(),
            max_sizes: vec![0, LARGE],
            keys: 8192,
            rounds: 11,
            sample: Duration::from_millis(2),
            seed: 1,
        }
    }

    /// A few seconds that check correctness: every way, small sets, one short sample.
    #[must_use]
    pub fn short() -> Self {
        let sets =
            vec![(Set::MirrorLike, 20), (Set::MirrorLike, 60), (Set::Acl1, 100), (Set::Fw1, 100), (Set::Ipc1, 100)];
        let sample = Duration::from_micros(20);
        ClassifyOptions { sets, keys: 512, rounds: 1, sample, ..ClassifyOptions::full() }
    }

    /// Keys used with a batch size: 1,024 batches at most. A batch of ours is laid out for 64 keys, and with thousands of
    /// nearly empty ones the cache would be measured, not the classifier. Everybody gets the same keys.
    fn used(&self, batch: usize) -> usize {
        self.keys.min(1024 * batch) / batch * batch
    }
}

/// A bound that lets librte_acl build the fewest tries.
const LARGE: usize = 512 << 20;
/// Packets between two readings of the counter.
const SLICE: usize = 1024;
/// Descriptions of wrong answers that a point carries at most.
const TOLD: usize = 8;
/// What the label of the series of librte_acl's best way is.
const PEER: &str = "librte_acl";

/// Runs the scenario. `stop` is asked between samples: when it says so, what was measured so far is returned.
/// Each rule set has a point with build times and bytes, and one for each trace, batch and input. A point has a series
/// for each contestant in `cycles/packet` and `ns/packet`, and `librte_acl` stands for its best way at that point.
///
/// # Errors
/// One sentence.
pub fn classify(
    eal: &'static Eal,
    options: &ClassifyOptions,
    stop: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Point>, String> {
    allow_512_bits(eal)?;
    if options.batches.iter().any(|b| !(1..=BURST).contains(b)) {
        return Err(format!("a batch has 1 to {BURST} packets"));
    }
    let hertz = tsc::hertz();
    let mut points = Vec::new();
    for (set, count) in &options.sets {
        if stop() && !points.is_empty() {
            break;
        }
        let rules = generate(*set, *count, options.seed);
        let mut notes = Vec::new();
        let builds =
            builds(eal, (&format!("{} {count}", set.name()), &rules), &options.max_sizes, progress, &mut notes);
        let mut contestants = ours(&rules)?;
        contestants.extend(peers(&builds, &options.algorithms).into_iter().map(|p| Box::new(p) as Box<dyn Contestant>));
        let labels =
            BTreeMap::from([("rules".to_owned(), count.to_string()), ("set".to_owned(), set.name().to_owned())]);
        points.push(build_point(labels.clone(), &contestants, &builds, notes));
        for kind in &options.traces {
            let keys = trace::keys(&rules, *kind, options.keys, options.seed)?;
            let expected = linear(&rules, &keys);
            let material = Material::new(keys);
            for batch in &options.batches {
                if stop() {
                    return Ok(points);
                }
                progress(&format!("{} {count}, {}, batch {batch}", set.name(), kind.name()));
                let mut labels = labels.clone();
                labels.insert("trace".to_owned(), kind.name().to_owned());
                labels.insert("batch".to_owned(), batch.to_string());
                let mut race = Race { options, batch: *batch, hertz, stop, labels, expected: &expected };
                race.run(&contestants, &material, &mut points);
            }
        }
    }
    Ok(points)
}

/// librte_acl's builds. One that does not succeed is a remark: the other bound stands for the library then.
fn builds(
    eal: &'static Eal,
    (set, rules): (&str, &[Rule]),
    sizes: &[usize],
    progress: &mut dyn FnMut(&str),
    notes: &mut Vec<String>,
) -> Vec<(String, Acl)> {
    let mut builds = Vec::new();
    for size in sizes {
        progress(&format!("{set}: librte_acl builds with max_size {}", size_name(*size)));
        match Acl::new(eal, rules, *size) {
            Ok(acl) => builds.push((size_name(*size), acl)),
            Err(e) => notes.push(format!("max_size {}: {e}", size_name(*size))),
        }
    }
    builds
}

fn size_name(size: usize) -> String {
    if size == 0 { "default".to_owned() } else { format!("{}M", size >> 20) }
}

fn build_point(
    labels: BTreeMap<String, String>,
    contestants: &[Box<dyn Contestant + '_>],
    builds: &[(String, Acl)],
    notes: Vec<String>,
) -> Point {
    let mut costs: Vec<_> =
        contestants.iter().filter(|c| !c.name().starts_with(PEER)).map(|c| (c.name().to_owned(), c.cost())).collect();
    costs.extend(builds.iter().map(|(size, acl)| (format!("{PEER}/{size}"), (acl.build_time(), acl.bytes()))));
    let series = costs.iter().flat_map(|(name, (time, bytes))| {
        [series(name, "build", "us", vec![time.as_secs_f64() * 1e6]), series(name, "bytes", "B", vec![*bytes as f64])]
    });
    let (series, scenario) = (series.collect(), "classify".to_owned());
    Point { scenario, labels, series, verified: 0, wrong: Vec::new(), void: None, notes }
}

fn series(contender: &str, metric: &str, unit: &str, samples: Vec<f64>) -> Series {
    Series {
        contender: contender.to_owned(),
        metric: metric.to_owned(),
        unit: unit.to_owned(),
        samples,
        lower_bound: false,
    }
}

/// What the slow twin says.
fn linear(rules: &[Rule], keys: &[vswitch::classify::Key]) -> Vec<Answer> {
    let linear = Linear::new(rules);
    let (mut batch, mut verdicts) = (Keys::default(), [Verdict::None; BURST]);
    let mut answers = Vec::with_capacity(keys.len());
    for some in keys.chunks(BURST) {
        batch.clear();
        some.iter().for_each(|key| batch.push(*key));
        linear.classify(&batch, &mut verdicts);
        answers.extend(verdicts[..some.len()].iter().map(|verdict| match verdict {
            Verdict::None => 0,
            Verdict::Match(rule) => Answer::from(*rule) + 1,
            Verdict::Unknown => Answer::MAX,
        }));
    }
    answers
}

/// All contestants on one trace in batches of one size.
struct Race<'a> {
    options: &'a ClassifyOptions,
    batch: usize,
    hertz: f64,
    stop: &'a dyn Fn() -> bool,
    labels: BTreeMap<String, String>,
    expected: &'a [Answer],
}

impl Race<'_> {
    fn run(&mut self, contestants: &[Box<dyn Contestant + '_>], material: &Material, points: &mut Vec<Point>) {
        let used = self.options.used(self.batch);
        let mut gathered: Vec<_> = contestants.iter().map(|c| c.gather(material, self.batch)).collect();
        for input in &self.options.inputs {
            if (self.stop)() {
                return;
            }
            let (mut verified, mut wrong) = (0, Vec::new());
            for (contestant, keys) in contestants.iter().zip(&mut gathered) {
                let answers = keys.answers(*input, 0..used);
                verified += answers.len() as u64;
                self.compare(contestant.name(), &answers, &mut wrong);
            }
            let mut samples = vec![Vec::with_capacity(self.options.rounds); contestants.len()];
            for round in 0..self.options.rounds {
                if (self.stop)() {
                    break;
                }
                for turn in 0..contestants.len() {
                    // Each round starts with another one: nobody always follows the same one's cache contents.
                    let who = (turn + round) % contestants.len();
                    samples[who].push(self.sample(&mut *gathered[who], *input, used));
                }
            }
            let mut labels = self.labels.clone();
            labels.insert("input".to_owned(), input.name().to_owned());
            let (series, notes) = self.series(contestants, samples);
            points.push(Point { scenario: "classify".to_owned(), labels, series, verified, wrong, void: None, notes });
        }
    }

    fn compare(&self, name: &str, answers: &[Answer], wrong: &mut Vec<String>) {
        if answers.len() > self.expected.len() {
            wrong.push(format!("{name}: {} answers to {} keys", answers.len(), self.expected.len()));
        }
        for (at, (got, expected)) in answers.iter().zip(self.expected).enumerate() {
            if got != expected && wrong.len() < TOLD {
                wrong.push(format!("{name}: key {at}: rule {got} instead of {expected} (counted from 1, 0 is none)"));
            }
        }
    }

    /// Cycles a packet: a warm-up slice, then slice after slice until the time is over, and the median of the slices. (A
    /// mean would hold what else ran on the CPU meanwhile.) Keys are in random order, so slices are alike.
    fn sample(&self, keys: &mut dyn Gathered, input: Input, used: usize) -> f64 {
        let slice = (SLICE / self.batch * self.batch).min(used);
        let enough = (self.options.sample.as_secs_f64() * self.hertz) as u64;
        keys.pass(input, 0..slice);
        let (mut spent, mut at) = (Vec::new(), 0);
        let began = tsc::cycles();
        let mut last = began;
        loop {
            let range = at..(at + slice).min(used);
            at = if range.end == used { 0 } else { range.end };
            let packets = range.len().max(1);
            keys.pass(input, range);
            let now = tsc::cycles();
            spent.push(now.wrapping_sub(last) as f64 / packets as f64);
            last = now;
            if now.wrapping_sub(began) >= enough {
                return super::median(&spent);
            }
        }
    }

    /// A series a contestant, and librte_acl's best by the median.
    fn series(&self, contestants: &[Box<dyn Contestant + '_>], samples: Vec<Vec<f64>>) -> (Vec<Series>, Vec<String>) {
        let (mut all, mut notes) = (Vec::new(), Vec::new());
        let named = contestants.iter().map(|c| c.name()).zip(&samples);
        let best = named
            .clone()
            .filter(|(name, samples)| name.starts_with(PEER) && !samples.is_empty())
            .min_by(|a, b| super::median(a.1).total_cmp(&super::median(b.1)));
        if let Some((name, _)) = best {
            notes.push(format!("{PEER} is {name}"));
        }
        for (name, samples) in best.map(|(_, samples)| (PEER, samples)).into_iter().chain(named) {
            let ns = samples.iter().map(|cycles| cycles / self.hertz * 1e9).collect();
            all.push(series(name, "classify", "cycles/packet", samples.clone()));
            all.push(series(name, "classify_time", "ns/packet", ns));
        }
        (all, notes)
    }
}
