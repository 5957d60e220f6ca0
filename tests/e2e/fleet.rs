//! ENIs on every worker, and sessions from all of them to all of them.
//!
//! With W workers there are 2W sources, two a worker, and W targets, one a worker; each is an instance of its own. Flow
//! f of any two sources is session f's, with VNI 10 + f and target 2W + (f + rotation) mod W; nobody mirrors flow W. No
//! source has more than three sessions, but the two of a worker have all W together.

use serde_json::{Value, json};

use crate::switch::{Setup, Switch};

/// What session 1 keeps of a packet; the others keep what the path carries.
const SHORT: usize = 200;

/// Who mirrors what to whom.
#[derive(Clone, Copy)]
pub struct Shape {
    pub workers: usize,
    /// How far the sessions' targets are moved on.
    pub rotation: usize,
    /// A session that is not there, nor its target's ENI at rotation 0.
    pub without: Option<usize>,
}

impl Shape {
    pub fn new(workers: usize) -> Self {
        Shape { workers, rotation: 0, without: None }
    }

    pub fn sources(self) -> usize {
        2 * self.workers
    }

    pub fn target(self, flow: usize) -> usize {
        self.sources() + (flow + self.rotation) % self.workers
    }

    /// Does this source mirror that flow?
    pub fn mirrors(self, source: usize, flow: usize) -> bool {
        flow < self.workers && (self.workers < 4 || flow < 2 || (flow == 2) == (source < self.workers))
    }

    pub fn setup(self) -> Setup {
        Setup { workers: self.workers as u16, enis: 3 * self.workers, mtu: 8500, ..Setup::default() }
    }

    /// Bytes of the IP packet that a copy of this flow keeps.
    pub fn kept(flow: usize, total: usize) -> usize {
        total.min(if flow == 1 { SHORT } else { 8450 })
    }

    /// Writes the configuration files.
    pub fn write(self, switch: &Switch) {
        let mut inventory = self.setup().inventory();
        let enis = inventory["NetworkInterfaces"].as_array_mut().unwrap();
        enis.iter_mut().enumerate().for_each(|(n, eni)| eni["InstanceId"] = json!(format!("i-{n}")));
        if let Some(flow) = self.without {
            enis.remove(self.sources() + flow);
        }
        switch.folder.write("inventory.json", &inventory.to_string());
        let flows: Vec<usize> = (0..self.workers).filter(|flow| self.without != Some(*flow)).collect();
        let filters: Vec<Value> = flows.iter().map(|flow| filter(*flow)).collect();
        let sessions: Vec<Value> = flows.iter().map(|flow| self.session(*flow)).collect();
        let mirror = json!({"TrafficMirrorFilters": filters, "TrafficMirrorSessions": sessions});
        switch.folder.write("mirror.json", &mirror.to_string());
    }

    fn session(self, flow: usize) -> Value {
        let sources = (0..self.sources()).filter(|s| self.mirrors(*s, flow)).map(|s| format!("eni-{s}"));
        json!({
            "TrafficMirrorSessionId": format!("s-{flow}"), "TrafficMirrorFilterId": format!("f-{flow}"),
            "Enabled": true, "Priority": flow + 1, "PacketLength": if flow == 1 { SHORT } else { 8500 },
            "VirtualNetworkId": 10 + flow, "TrafficMirrorSourceIds": sources.collect::<Vec<_>>(),
            "TrafficMirrorTargetId": format!("eni-{}", self.target(flow)),
            "TrafficMirrorTargetType": "NetworkInterface",
        })
    }
}

/// Accepts one flow.
fn filter(flow: usize) -> Value {
    let rules = |side: &str| {
        json!([{"TrafficMirrorFilterRuleId": format!("r-{side}-{flow}"), "Priority": 1, "Action": "accept",
            "Protocol": "UDP", "DestinationPortRange": format!("{0}/{0}", 2000 + flow)}])
    };
    json!({"TrafficMirrorFilterId": format!("f-{flow}"), "IngressRules": rules("in"), "EgressRules": rules("out")})
}
