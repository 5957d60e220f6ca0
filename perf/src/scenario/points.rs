//! The cross product of a scenario's lists.

use std::collections::BTreeMap;

use super::model::{Kind, Level, Overload, Ring, Scenario, Size, Target};

/// One combination of a scenario's parameters; the fields are those of [`Scenario`].
#[derive(Clone, Debug, PartialEq)]
pub struct PointSpec {
    /// The scenario's name.
    pub scenario: String,
    /// What is done.
    pub kind: Kind,
    /// Where the guests are.
    pub level: Level,
    /// Frame length.
    pub size: Size,
    /// Flows, in all.
    pub flows: u32,
    /// Share of the flows that match, percent.
    pub match_percent: u8,
    /// Rules in each direction; 0: no session at all.
    pub rules: u32,
    /// ENIs beside the collector's.
    pub enis: u32,
    /// Sessions stored, the local ones among them.
    pub stored_sessions: u32,
    /// Sessions with a local source, the measured one among them.
    pub local_sessions: u32,
    /// What the collector does.
    pub target: Target,
    /// What the switch gives up when its worker is saturated.
    pub overload: Overload,
    /// Polling workers.
    pub workers: u8,
    /// Form of the rings.
    pub ring: Ring,
    /// Bytes kept of a copied IPv4 packet.
    pub packet_length: u16,
    /// MTU of all ENIs.
    pub mtu: u16,
    /// Offered rate, percent of the lossless maximum.
    pub offered_percent: u8,
    /// All of the above by name: `size` → `64`, `flows`, `match`, `rules`, `enis`, `stored_sessions`, `local_sessions`,
    /// `target`, `overload`, `workers`, `ring`, `packet_length`, `mtu`, `offered`. The same names in every point.
    pub labels: BTreeMap<String, String>,
}

impl PointSpec {
    /// Everything is copied by one rule: what peers with a plain mirror (OVS's mirror record) can do with it.
    #[must_use]
    pub fn plain(&self) -> bool {
        self.rules == 1 && self.match_percent == 100
    }

    fn label(mut self) -> Self {
        self.labels = [
            ("size", self.size.to_string()),
            ("flows", self.flows.to_string()),
            ("match", self.match_percent.to_string()),
            ("rules", self.rules.to_string()),
            ("enis", self.enis.to_string()),
            ("stored_sessions", self.stored_sessions.to_string()),
            ("local_sessions", self.local_sessions.to_string()),
            ("target", self.target.as_str().to_owned()),
            ("overload", self.overload.as_str().to_owned()),
            ("workers", self.workers.to_string()),
            ("ring", self.ring.as_str().to_owned()),
            ("packet_length", self.packet_length.to_string()),
            ("mtu", self.mtu.to_string()),
            ("offered", self.offered_percent.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        self
    }
}

impl Scenario {
    /// Every combination; the lists that the file names last vary fastest.
    #[must_use]
    pub fn points(&self) -> Vec<PointSpec> {
        let mut points = vec![PointSpec {
            scenario: self.name.clone(),
            kind: self.kind,
            level: self.level,
            size: Size::Fixed(64),
            flows: 0,
            match_percent: 0,
            rules: 0,
            enis: 0,
            stored_sessions: 0,
            local_sessions: 0,
            target: Target::Fast,
            overload: Overload::Share,
            workers: 0,
            ring: Ring::Split,
            packet_length: 0,
            mtu: 0,
            offered_percent: 0,
            labels: BTreeMap::new(),
        }];
        vary(&mut points, &self.sizes, |p, v| p.size = v);
        vary(&mut points, &self.flows, |p, v| p.flows = v);
        vary(&mut points, &self.match_percent, |p, v| p.match_percent = v);
        vary(&mut points, &self.rules, |p, v| p.rules = v);
        vary(&mut points, &self.enis, |p, v| p.enis = v);
        vary(&mut points, &self.local_sessions, |p, v| p.local_sessions = v);
        if self.stored_sessions.is_empty() {
            points.iter_mut().for_each(|p| p.stored_sessions = p.local_sessions);
        } else {
            vary(&mut points, &self.stored_sessions, |p, v| p.stored_sessions = v);
        }
        vary(&mut points, &self.target, |p, v| p.target = v);
        vary(&mut points, &self.overload, |p, v| p.overload = v);
        vary(&mut points, &self.workers, |p, v| p.workers = v);
        vary(&mut points, &self.ring, |p, v| p.ring = v);
        vary(&mut points, &self.packet_length, |p, v| p.packet_length = v);
        if self.mtu.is_empty() {
            points.iter_mut().for_each(|p| p.mtu = if p.size.longest() <= 1514 { 1500 } else { 8500 });
        } else {
            vary(&mut points, &self.mtu, |p, v| p.mtu = v);
        }
        vary(&mut points, &self.offered_percent, |p, v| p.offered_percent = v);
        points.into_iter().map(PointSpec::label).collect()
    }
}

fn vary<T: Copy>(points: &mut Vec<PointSpec>, values: &[T], set: impl Fn(&mut PointSpec, T)) {
    *points = points
        .iter()
        .flat_map(|point| {
            values.iter().map(|value| {
                let mut point = point.clone();
                set(&mut point, *value);
                point
            })
        })
        .collect();
}
