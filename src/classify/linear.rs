//! The slow obvious twin: rule by rule, field by field, as the specification reads.

use std::net::Ipv4Addr;

use super::Verdict;
use super::keys::{Key, Keys};
use super::rule::{PortRange, Rule};
use crate::packet::BURST;
use crate::wire::ipv4::Ports;

/// Rules as they were given.
#[derive(Clone, Debug)]
pub struct Linear {
    rules: Vec<Rule>,
}

impl Linear {
    /// A classifier of these rules, in search order.
    #[must_use]
    pub fn new(rules: &[Rule]) -> Self {
        Linear { rules: rules.to_vec() }
    }

    /// Judges each key.
    pub fn classify(&self, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
        for (at, verdict) in verdicts.iter_mut().enumerate().take(keys.len()) {
            *verdict = self.judge(&keys.get(at));
        }
    }

    /// Judges one key. Ports are those of TCP or UDP, see [`Keys::push`].
    #[must_use]
    pub fn judge(&self, key: &Key) -> Verdict {
        for (index, rule) in self.rules.iter().enumerate() {
            let addresses =
                rule.src.contains(&Ipv4Addr::from_bits(key.src)) && rule.dst.contains(&Ipv4Addr::from_bits(key.dst));
            let protocol = rule.protocol.number().is_none_or(|p| p == key.protocol);
            if !addresses || !protocol {
                continue;
            }
            let asks = rule.src_ports.is_some() || rule.dst_ports.is_some();
            match key.ports {
                Ports::Unknown if asks => return Verdict::Unknown,
                Ports::None if asks => continue,
                Ports::Known(s, d) if !within(rule.src_ports, s) || !within(rule.dst_ports, d) => {
                    continue;
                }
                _ => return Verdict::Match(index as u16),
            }
        }
        Verdict::None
    }
}

fn within(range: Option<PortRange>, port: u16) -> bool {
    range.is_none_or(|r| (r.first..=r.last).contains(&port))
}
