//! Who classifies: ours in each of its layouts, librte_acl in each of its ways, behind one interface.
//!
//! Passes over a trace are generic inside and virtual only outside, so that no contestant pays a virtual call a batch.

use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

use vswitch::classify::rule::Rule;
use vswitch::classify::{Compiled, Key, Keys, Level, Trie, Verdict};
use vswitch::packet::BURST;
use vswitch::packet::headers::{Headers, parse};

use super::trace::FRAME;
use crate::sys::acl::{Acl, AclKey, AclKeys, Algorithm};

/// What a contestant is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Keys in its own layout, gathered before.
    Keys,
    /// Parsed headers; it gathers its keys itself.
    Headers,
    /// Frames; they are parsed, then as above.
    Frames,
}

impl Input {
    /// All.
    pub const ALL: [Input; 3] = [Input::Keys, Input::Headers, Input::Frames];

    /// What tables call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Input::Keys => "keys",
            Input::Headers => "headers",
            Input::Frames => "frames",
        }
    }
}

/// A trace in all forms; every contestant makes its own keys of it.
pub(super) struct Material {
    pub keys: Vec<Key>,
    pub headers: Vec<Headers>,
    pub frames: Vec<[u8; FRAME]>,
}

impl Material {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        let frames: Vec<_> = keys.iter().map(super::trace::frame).collect();
        let headers = frames.iter().map(|frame| {
            let mut headers = Headers::default();
            // Whether the frames are sound is what the differential check finds out.
            let _ = parse(frame, &mut headers);
            headers
        });
        Material { headers: headers.collect(), keys, frames }
    }
}

/// The first matching rule plus one, or 0: what both sides' answers are compared as.
pub(super) type Answer = u32;

/// A compiled rule set of somebody.
pub(super) trait Contestant {
    /// What tables call it.
    fn name(&self) -> &str;

    /// How long compiling took, and the bytes of the result.
    fn cost(&self) -> (Duration, usize);

    /// Its keys of a trace, in batches.
    fn gather<'a>(&'a self, material: &'a Material, batch: usize) -> Box<dyn Gathered + 'a>;
}

/// A contestant with a trace.
pub(super) trait Gathered {
    /// Classifies the packets of `range`, whose start is a multiple of the batch, and forgets the answers.
    fn pass(&mut self, input: Input, range: Range<usize>);

    /// The same, and keeps the answers.
    fn answers(&mut self, input: Input, range: Range<usize>) -> Vec<Answer>;
}

/// The key of parsed headers, as the mirror stage makes it.
#[inline]
pub(super) fn key(headers: &Headers) -> Key {
    let ip = &headers.ip;
    Key { src: ip.source, dst: ip.destination, protocol: ip.protocol, ports: ip.ports() }
}

/// A layout of ours. A new one is an implementation of this and a line in [`ours`].
pub(super) trait Layout: Sized {
    fn compile(rules: &[Rule]) -> Result<Self, String>;
    fn bytes(&self) -> usize;
    fn classify(&self, keys: &Keys, verdicts: &mut [Verdict; BURST]);
}

impl Layout for Compiled {
    fn compile(rules: &[Rule]) -> Result<Self, String> {
        Compiled::new(rules).map_err(|e| e.to_string())
    }

    fn bytes(&self) -> usize {
        size_of::<Compiled>() + Compiled::bytes(self)
    }

    #[inline]
    fn classify(&self, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
        Compiled::classify(self, keys, verdicts);
    }
}

impl Layout for Trie {
    fn compile(rules: &[Rule]) -> Result<Self, String> {
        Ok(Trie::new(rules))
    }

    fn bytes(&self) -> usize {
        size_of::<Trie>() + Trie::bytes(self)
    }

    #[inline]
    fn classify(&self, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
        Trie::classify(self, keys, verdicts);
    }
}

/// Ours, in all layouts and register widths; `vswitch` is what the switch itself uses.
///
/// # Errors
/// A sentence.
pub(super) fn ours(rules: &[Rule]) -> Result<Vec<Box<dyn Contestant>>, String> {
    let mut ours: Vec<Box<dyn Contestant>> = vec![Box::new(Ours::<Compiled>::new("vswitch".to_owned(), rules)?)];
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let name = format!("vswitch/{}", level.name());
        let (began, layout) = (Instant::now(), Compiled::with_level(rules, level).map_err(|e| e.to_string())?);
        ours.push(Box::new(Ours { name, layout, build: began.elapsed() }));
    }
    // Where the switch prefers ranks, the trie shows why.
    if rules.len() <= 64 {
        ours.push(Box::new(Ours::<Trie>::new("vswitch/trie".to_owned(), rules)?));
    }
    Ok(ours)
}

struct Ours<L> {
    name: String,
    layout: L,
    build: Duration,
}

impl<L: Layout> Ours<L> {
    fn new(name: String, rules: &[Rule]) -> Result<Self, String> {
        let began = Instant::now();
        let layout = L::compile(rules)?;
        Ok(Ours { name, layout, build: began.elapsed() })
    }
}

impl<L: Layout + 'static> Contestant for Ours<L> {
    fn name(&self) -> &str {
        &self.name
    }

    fn cost(&self) -> (Duration, usize) {
        (self.build, self.layout.bytes())
    }

    fn gather<'a>(&'a self, material: &'a Material, batch: usize) -> Box<dyn Gathered + 'a> {
        let batches = material.keys.chunks(batch).map(|some| {
            let mut keys = Keys::default();
            some.iter().for_each(|key| keys.push(*key));
            keys
        });
        Box::new(OursGathered { layout: &self.layout, batches: batches.collect(), material, batch })
    }
}

struct OursGathered<'a, L> {
    layout: &'a L,
    batches: Vec<Keys>,
    material: &'a Material,
    batch: usize,
}

impl<L: Layout> OursGathered<'_, L> {
    #[inline]
    fn walk(&mut self, input: Input, range: Range<usize>, mut keep: impl FnMut(&[Verdict])) {
        let mut verdicts = [Verdict::None; BURST];
        let mut keys = Keys::default();
        match input {
            Input::Keys => {
                for keys in &self.batches[range.start / self.batch..range.end.div_ceil(self.batch)] {
                    self.layout.classify(keys, &mut verdicts);
                    keep(&verdicts[..keys.len()]);
                }
            }
            Input::Headers => {
                for some in self.material.headers[range].chunks(self.batch) {
                    keys.gather(some.iter().map(|headers| &headers.ip));
                    self.layout.classify(&keys, &mut verdicts);
                    keep(&verdicts[..some.len()]);
                }
            }
            Input::Frames => {
                let mut headers = [Headers::default(); BURST];
                for some in self.material.frames[range].chunks(self.batch) {
                    parse_all(some, &mut headers);
                    keys.gather(headers[..some.len()].iter().map(|headers| &headers.ip));
                    self.layout.classify(&keys, &mut verdicts);
                    keep(&verdicts[..some.len()]);
                }
            }
        }
    }
}

impl<L: Layout> Gathered for OursGathered<'_, L> {
    fn pass(&mut self, input: Input, range: Range<usize>) {
        self.walk(input, range, |verdicts| {
            black_box(verdicts);
        });
    }

    fn answers(&mut self, input: Input, range: Range<usize>) -> Vec<Answer> {
        let mut all = Vec::with_capacity(range.len());
        self.walk(input, range, |verdicts| {
            all.extend(verdicts.iter().map(|verdict| match verdict {
                Verdict::None => 0,
                Verdict::Match(rule) => Answer::from(*rule) + 1,
                Verdict::Unknown => Answer::MAX,
            }));
        });
        all
    }
}

#[inline]
fn parse_all(frames: &[[u8; FRAME]], headers: &mut [Headers; BURST]) {
    for (frame, headers) in frames.iter().zip(headers) {
        if parse(frame, headers).is_err() {
            *headers = Headers::default();
        }
    }
}

/// librte_acl with one algorithm over one of its builds.
pub(super) struct Peer<'a> {
    name: String,
    acl: &'a Acl,
    algorithm: Algorithm,
}

/// librte_acl in every way that this machine can run, over its builds, each with the name of its `max_size`.
pub(super) fn peers<'a>(builds: &'a [(String, Acl)], wanted: &[Algorithm]) -> Vec<Peer<'a>> {
    let mut peers = Vec::new();
    for (size, acl) in builds {
        for algorithm in acl.algorithms().filter(|a| wanted.contains(a)) {
            peers.push(Peer { name: format!("librte_acl/{}/{size}", algorithm.name()), acl, algorithm });
        }
    }
    peers
}

impl Contestant for Peer<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn cost(&self) -> (Duration, usize) {
        (self.acl.build_time(), self.acl.bytes())
    }

    fn gather<'a>(&'a self, material: &'a Material, batch: usize) -> Box<dyn Gathered + 'a> {
        let keys: Vec<AclKey> = material.keys.iter().map(|key| AclKey::from(*key)).collect();
        Box::new(PeerGathered { peer: self, keys: AclKeys::new(keys), material, batch })
    }
}

struct PeerGathered<'a> {
    peer: &'a Peer<'a>,
    keys: AclKeys,
    material: &'a Material,
    batch: usize,
}

impl PeerGathered<'_> {
    #[inline]
    fn walk(&mut self, input: Input, range: Range<usize>, mut keep: impl FnMut(&[Answer])) {
        let (acl, algorithm) = (self.peer.acl, self.peer.algorithm);
        let mut results = [0; BURST];
        let mut keys = [AclKey::default(); BURST];
        match input {
            Input::Keys => {
                let mut at = range.start;
                while at < range.end {
                    let count = acl.classify(algorithm, &self.keys, at, self.batch.min(range.end - at), &mut results);
                    keep(&results[..count]);
                    at += self.batch;
                }
            }
            Input::Headers => {
                for some in self.material.headers[range].chunks(self.batch) {
                    keys.iter_mut().zip(some).for_each(|(at, headers)| *at = key(headers).into());
                    acl.classify_gathered(algorithm, &keys[..some.len()], &mut results);
                    keep(&results[..some.len()]);
                }
            }
            Input::Frames => {
                let mut headers = [Headers::default(); BURST];
                for some in self.material.frames[range].chunks(self.batch) {
                    parse_all(some, &mut headers);
                    keys.iter_mut().zip(&headers[..some.len()]).for_each(|(at, headers)| *at = key(headers).into());
                    acl.classify_gathered(algorithm, &keys[..some.len()], &mut results);
                    keep(&results[..some.len()]);
                }
            }
        }
    }
}

impl Gathered for PeerGathered<'_> {
    fn pass(&mut self, input: Input, range: Range<usize>) {
        self.walk(input, range, |results| {
            black_box(results);
        });
    }

    fn answers(&mut self, input: Input, range: Range<usize>) -> Vec<Answer> {
        let mut all = Vec::with_capacity(range.len());
        self.walk(input, range, |results| all.extend(results));
        all
    }
}
