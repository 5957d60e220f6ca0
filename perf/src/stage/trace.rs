//! Keys with a seed that hit or miss a rule set as the trace's name says, and frames that carry them.

use vswitch::classify::rule::{PortRange, Protocol, Rule};
use vswitch::classify::{Compiled, Key, Keys, Verdict};
use vswitch::packet::BURST;
use vswitch::wire::ipv4::{Ports, protocol};

use super::random::{Random, Zipf};

/// What a trace's keys do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Each rule that anything can reach is hit as often as any other.
    Hits,
    /// Half of the keys are such hits, half match nothing.
    HalfMiss,
    /// No key matches anything.
    Misses,
    /// Keys that hit, the n-th most frequent with probability proportional to n^−0.99.
    Zipf,
}

impl Trace {
    /// All.
    pub const ALL: [Trace; 4] = [Trace::Hits, Trace::HalfMiss, Trace::Misses, Trace::Zipf];

    /// What tables call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Trace::Hits => "hits",
            Trace::HalfMiss => "half-miss",
            Trace::Misses => "all-miss",
            Trace::Zipf => "zipf-0.99",
        }
    }
}

/// `len` keys for these rules, in random order. Equal arguments give equal keys.
///
/// # Errors
/// A sentence, when the rules leave no room for the hits or misses asked for.
pub fn keys(rules: &[Rule], trace: Trace, len: usize, seed: u64) -> Result<Vec<Key>, String> {
    let mut maker = Maker::new(rules, seed)?;
    let mut keys = match trace {
        Trace::Hits => maker.hits(len)?,
        Trace::Misses => maker.misses(len)?,
        Trace::HalfMiss => {
            let mut keys = maker.hits(len.div_ceil(2))?;
            keys.extend(maker.misses(len / 2)?);
            keys
        }
        Trace::Zipf => {
            let pool = maker.hits(len)?;
            let zipf = Zipf::new(pool.len(), 0.99);
            (0..len).map(|_| pool[zipf.next(&mut maker.random)]).collect()
        }
    };
    maker.random.shuffle(&mut keys);
    Ok(keys)
}

/// Draws keys and asks the classifier whether they are what is wanted; that it is right is checked elsewhere.
struct Maker<'a> {
    rules: &'a [Rule],
    judge: Compiled,
    random: Random,
    one: Keys,
    verdicts: [Verdict; BURST],
}

/// Draws for one key before its rule counts as shadowed by earlier ones.
const TRIES: usize = 24;

impl<'a> Maker<'a> {
    fn new(rules: &'a [Rule], seed: u64) -> Result<Self, String> {
        let judge = Compiled::new(rules).map_err(|e| e.to_string())?;
        let (random, one) = (Random::new(seed ^ 0x7472_6163_6500_0000), Keys::default());
        Ok(Maker { rules, judge, random, one, verdicts: [Verdict::None; BURST] })
    }

    fn judge(&mut self, key: Key) -> Verdict {
        self.one.clear();
        self.one.push(key);
        self.judge.classify(&self.one, &mut self.verdicts);
        self.verdicts[0]
    }

    fn hits(&mut self, len: usize) -> Result<Vec<Key>, String> {
        let mut order: Vec<usize> = (0..self.rules.len()).collect();
        self.random.shuffle(&mut order);
        let mut keys = Vec::with_capacity(len);
        while keys.len() < len {
            let before = keys.len();
            // A rule that nothing reaches is not asked again.
            order.retain(|index| {
                if keys.len() == len {
                    return true;
                }
                let key = self.hit(*index);
                keys.extend(key);
                key.is_some()
            });
            if keys.len() == before && keys.len() < len {
                return Err("no key reaches any rule of this set".to_owned());
            }
        }
        Ok(keys)
    }

    fn hit(&mut self, index: usize) -> Option<Key> {
        (0..TRIES).find_map(|_| {
            let key = inside(self.rules.get(index)?, &mut self.random);
            (self.judge(key) == Verdict::Match(index as u16)).then_some(key)
        })
    }

    /// Half are near misses: a key inside a rule with one field changed.
    fn misses(&mut self, len: usize) -> Result<Vec<Key>, String> {
        let mut keys = Vec::with_capacity(len);
        for _ in 0..len.saturating_mul(200) {
            if keys.len() == len {
                return Ok(keys);
            }
            let rule = self.rules.get(self.random.below(self.rules.len()));
            let key = match rule {
                Some(rule) if self.random.chance(0.5) => {
                    let key = inside(rule, &mut self.random);
                    beside(key, &mut self.random)
                }
                _ => anywhere(&mut self.random),
            };
            if self.judge(key) == Verdict::None {
                keys.push(key);
            }
        }
        if keys.len() == len { Ok(keys) } else { Err("the rules match nearly everything".to_owned()) }
    }
}

/// A key that the rule matches, if no earlier one does. A rule with ports gets a protocol that has them.
fn inside(rule: &Rule, random: &mut Random) -> Key {
    let address = |net: &ipnet::Ipv4Net, random: &mut Random| {
        let host = random.bits() & net.hostmask().to_bits();
        net.network().to_bits() | host
    };
    let port = |range: Option<PortRange>, random: &mut Random| {
        let (first, last) = range.map_or((0, u16::MAX), |r| (r.first, r.last));
        random.port(first, last)
    };
    let number = match rule.protocol {
        Protocol::All => [protocol::TCP, protocol::UDP][random.below(2)],
        known => known.number().unwrap_or_default(),
    };
    let (src_port, dst_port) = (port(rule.src_ports, random), port(rule.dst_ports, random));
    let ports = if number == protocol::ICMP { Ports::None } else { Ports::Known(src_port, dst_port) };
    Key { src: address(&rule.src, random), dst: address(&rule.dst, random), protocol: number, ports }
}

/// One field is another.
fn beside(mut key: Key, random: &mut Random) -> Key {
    let flip = 1 << random.below(16);
    match (random.below(4), key.ports) {
        (0, _) => key.src ^= flip << 8,
        (1, _) => key.dst ^= flip << 4,
        (2, Ports::Known(src, _)) => key.ports = Ports::Known(src, random.port(0, u16::MAX)),
        _ => return Key { dst: random.bits(), ..key },
    }
    key
}

fn anywhere(random: &mut Random) -> Key {
    let number = *random.pick(&[(0.6, protocol::TCP), (0.3, protocol::UDP), (0.1, protocol::ICMP)]).unwrap_or(&0);
    let ports = Ports::Known(random.port(1024, u16::MAX), random.port(0, u16::MAX));
    let ports = if number == protocol::ICMP { Ports::None } else { ports };
    Key { src: random.bits(), dst: random.bits(), protocol: number, ports }
}

/// Bytes of a frame of a trace: room for a TCP header.
pub const FRAME: usize = 64;

/// A frame of 64 bytes with this key.
#[must_use]
pub fn frame(key: &Key) -> [u8; FRAME] {
    let mut f = [0u8; FRAME];
    f[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    f[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
    f[16..18].copy_from_slice(&((FRAME - 14) as u16).to_be_bytes());
    f[22] = 64;
    f[23] = key.protocol;
    f[26..30].copy_from_slice(&key.src.to_be_bytes());
    f[30..34].copy_from_slice(&key.dst.to_be_bytes());
    if let Ports::Known(src, dst) = key.ports {
        f[34..36].copy_from_slice(&src.to_be_bytes());
        f[36..38].copy_from_slice(&dst.to_be_bytes());
    }
    match key.protocol {
        protocol::TCP => f[46] = 0x50,
        protocol::UDP => f[38..40].copy_from_slice(&((FRAME - 34) as u16).to_be_bytes()),
        _ => {}
    }
    f
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::rules::{Set, generate};
    use super::*;
    use vswitch::classify::Linear;
    use vswitch::packet::headers::{Headers, Kind, parse};

    fn verdicts(rules: &[Rule], keys: &[Key]) -> Vec<Verdict> {
        let linear = Linear::new(rules);
        let mut all = Vec::new();
        for batch in keys.chunks(BURST) {
            let (mut some, mut out) = (Keys::default(), [Verdict::None; BURST]);
            batch.iter().for_each(|key| some.push(*key));
            linear.classify(&some, &mut out);
            all.extend(&out[..batch.len()]);
        }
        all
    }

    #[test]
    fn traces_do_what_they_are_called() {
        for (set, count) in
            [(Set::MirrorLike, 20), (Set::MirrorLike, 60), (Set::Acl1, 100), (Set::Fw1, 100), (Set::Ipc1, 100)]
        {
            let rules = generate(set, count, 5);
            for trace in Trace::ALL {
                let keys = keys(&rules, trace, 1000, 9).unwrap();
                let found = verdicts(&rules, &keys);
                let mut hits = HashMap::new();
                found
                    .iter()
                    .filter(|v| **v != Verdict::None)
                    .for_each(|v| *hits.entry(format!("{v:?}")).or_insert(0) += 1);
                let total: usize = hits.values().sum();
                let wanted = match trace {
                    Trace::Hits | Trace::Zipf => 1000,
                    Trace::HalfMiss => 500,
                    Trace::Misses => 0,
                };
                assert_eq!((keys.len(), total), (1000, wanted), "{} {count} {}", set.name(), trace.name());
                let most = hits.values().max().copied().unwrap_or(0);
                match trace {
                    Trace::Hits => {
                        assert!(hits.len() * 10 > count * 6, "{} {count}: {} rules hit", set.name(), hits.len());
                        assert!(most <= 1500 / hits.len() + 1, "no rule much more often than others");
                    }
                    Trace::Zipf => assert!(most > 100, "one flow is frequent: {most}"),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn frames_carry_their_keys() {
        let rules = generate(Set::Fw1, 100, 5);
        for key in keys(&rules, Trace::HalfMiss, 500, 1).unwrap() {
            let mut headers = Headers::default();
            assert_eq!(parse(&frame(&key), &mut headers), Ok(Kind::Ipv4));
            let ip = &headers.ip;
            assert_eq!(Key { src: ip.source, dst: ip.destination, protocol: ip.protocol, ports: ip.ports() }, key);
        }
    }
}
