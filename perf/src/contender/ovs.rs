//! Debian's Open vSwitch with DPDK: its mirror record, or a flow a rule, to a VXLAN port of the user-space datapath.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::ovs_flows::{self, Ports};
use super::ovs_host::{self, Host};
use super::running::unique;
use super::{Contender, Counted, Job, JobMirror, JobPort, mac_text};

/// The guests' bridge.
const GUESTS: &str = "br-int";
/// The underlay's, with the collector.
const UNDERLAY: &str = "br-phy";
/// The tunnel's port number, behind those of the guests: 1 + index.
const TUNNEL: u32 = 60_000;
/// How often the link of a bridge is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How it mirrors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OvsWay {
    /// A mirror record: everything that port 0 sends and is given. Rules are not looked at, and nothing is cut: copies
    /// longer than the collector's MTU are lost.
    Mirror,
    /// A flow for each rule and direction.
    Rules,
}

/// One way of tuning it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OvsTuning {
    /// What results call it.
    pub name: &'static str,
    /// Its AVX-512 datapath, parser and lookup.
    pub avx512: bool,
    /// One packet in so many enters the exact-match cache.
    pub emc_insert_inv_prob: u32,
    /// How often a full guest is tried again; `None` is its default, 8.
    pub tx_retries: Option<u8>,
}

const DEFAULT: OvsTuning = OvsTuning { name: "default", avx512: false, emc_insert_inv_prob: 100, tx_retries: None };

/// All tunings; a comparison takes the best of them.
pub const OVS_TUNINGS: [OvsTuning; 5] = [
    DEFAULT,
    OvsTuning { name: "emc1", emc_insert_inv_prob: 1, ..DEFAULT },
    OvsTuning { name: "avx512", avx512: true, ..DEFAULT },
    OvsTuning { name: "avx512-emc1", avx512: true, emc_insert_inv_prob: 1, ..DEFAULT },
    OvsTuning { name: "no-retries", tx_retries: Some(0), ..DEFAULT },
];

/// Those of [`OVS_TUNINGS`] that the installed program and this CPU have. Debian's 3.1 is built without AVX-512.
#[must_use]
pub fn available_tunings() -> Vec<OvsTuning> {
    let avx512 = cpu_has_avx512() && ovs_host::daemon_has(b"dpif_avx512");
    OVS_TUNINGS.into_iter().filter(|t| avx512 || !t.avx512).collect()
}

#[cfg(target_arch = "x86_64")]
fn cpu_has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512bw")
}

#[cfg(not(target_arch = "x86_64"))]
fn cpu_has_avx512() -> bool {
    false
}

/// Debian's Open vSwitch with DPDK.
#[derive(Debug)]
pub struct Ovs {
    way: OvsWay,
    tuning: OvsTuning,
    host: Option<Host>,
    /// Index of the collector's port, where something is mirrored.
    target: Option<usize>,
}

impl Ovs {
    /// One way of mirroring, with one of [`OVS_TUNINGS`].
    #[must_use]
    pub fn new(way: OvsWay, tuning: OvsTuning) -> Self {
        Ovs { way, tuning, host: None, target: None }
    }

    /// Its tuning.
    #[must_use]
    pub fn tuning(&self) -> OvsTuning {
        self.tuning
    }

    fn set_up(&self, host: &Host, job: &Job) -> Result<(), String> {
        let probability = format!("other_config:emc-insert-inv-prob={}", self.tuning.emc_insert_inv_prob);
        host.vsctl(&["set", "Open_vSwitch", ".", &probability])?;
        if self.tuning.avx512 {
            avx512(host)?;
        }
        let target = job.mirror.as_ref().map(|m| m.target);
        let guests = job.ports.iter().enumerate().filter(|(index, _)| Some(*index) != target);
        self.bridge(host, GUESTS, &[], guests)?;
        let ports = |keep| Ports { source: number(0), peer: number(1), tunnel: TUNNEL, keep };
        let Some(mirror) = &job.mirror else {
            return host.flows(GUESTS, &ovs_flows::forwarding(&ports(None)));
        };
        self.underlay(host, job, mirror)?;
        tunnel(host, job, mirror)?;
        let longest = mirror.longest_copy(job);
        let keep = (longest < job.longest_frame()).then_some(longest);
        match self.way {
            OvsWay::Rules => host.flows(GUESTS, &ovs_flows::filtered(&ports(keep), &mirror.rules)?),
            OvsWay::Mirror => {
                host.flows(GUESTS, &ovs_flows::forwarding(&ports(None)))?;
                record(host)
            }
        }
    }

    /// A user-space bridge without flows and its guests' ports.
    fn bridge<'a>(
        &self,
        host: &Host,
        bridge: &str,
        more: &[String],
        guests: impl Iterator<Item = (usize, &'a JobPort)>,
    ) -> Result<(), String> {
        let mut words: Vec<String> = ["add-br", bridge, "--", "set", "Bridge", bridge].map(str::to_owned).to_vec();
        words.extend(["datapath_type=netdev", "fail_mode=secure"].map(str::to_owned));
        words.extend_from_slice(more);
        for (index, port) in guests {
            let name = format!("p{index}");
            words.extend(["--", "add-port", bridge, &name, "--", "set", "Interface", &name].map(str::to_owned));
            words.push("type=dpdkvhostuserclient".to_owned());
            words.push(format!("options:vhost-server-path=\"{}\"", port.socket.display()));
            words.push(format!("ofport_request={}", number(index)));
            words.push(format!("mtu_request={}", port.mtu));
            if let Some(retries) = self.tuning.tx_retries {
                words.push(format!("options:tx-retries-max={retries}"));
            }
        }
        host.vsctl(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(())
    }

    /// The bridge of the outer packets: it has the source's address and MAC, knows the collector's, and lets only
    /// tunnelled packets out.
    fn underlay(&self, host: &Host, job: &Job, mirror: &JobMirror) -> Result<(), String> {
        let source = job.ports.first().ok_or("a run needs ports")?;
        let target = job.ports.get(mirror.target).ok_or_else(|| format!("the run has no port {}", mirror.target))?;
        let mac = format!("other_config:hwaddr=\"{}\"", mac_text(source.mac));
        self.bridge(host, UNDERLAY, &[mac], std::iter::once((mirror.target, target)))?;
        let collector = number(mirror.target);
        host.flows(UNDERLAY, &format!("priority=1,in_port=LOCAL,udp,tp_dst=4789,actions=output:{collector}\n"))?;
        let mtu = target.mtu.to_string();
        let (address, there) = (own_address(source.ip, target.ip), target.ip.to_string());
        host.ip(&["address", "add", &address, "dev", UNDERLAY])?;
        host.ip(&["link", "set", UNDERLAY, "mtu", &mtu, "up"])?;
        host.appctl(&["tnl/neigh/set", UNDERLAY, &there, &mac_text(target.mac)])?;
        host.appctl(&["tnl/egress_port_range", "49152", "65535"])?;
        Ok(())
    }

    /// The tunnel works once the switch has read the kernel's new route to the collector.
    fn wait_for_route(host: &mut Host, deadline: Instant, target: &str) -> Result<(), String> {
        // A lookup that finds nothing is an error.
        while !host.appctl(&["ovs/route/lookup", target]).is_ok_and(|said| said.contains(UNDERLAY)) {
            host.must_run()?;
            if Instant::now() >= deadline {
                return Err(format!("ovs-vswitchd finds no route to the collector in time: {}", host.said()));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// `source` in the smallest network that has `target` in it: the switch takes no address for a tunnel's that is not in
/// the collector's network.
fn own_address(source: Ipv4Addr, target: Ipv4Addr) -> String {
    let common = (source.to_bits() ^ target.to_bits()).leading_zeros();
    format!("{source}/{}", common.min(30))
}

/// The OpenFlow number of a guest's port.
fn number(index: usize) -> u32 {
    index as u32 + 1
}

fn avx512(host: &Host) -> Result<(), String> {
    let commands: [&[&str]; 3] = [
        &["dpif-netdev/dpif-impl-set", "dpif_avx512"],
        &["dpif-netdev/miniflow-parser-set", "study"],
        &["dpif-netdev/subtable-lookup-prio-set", "avx512_gather", "5"],
    ];
    for command in commands {
        let refused = |why: String| format!("Open vSwitch has no AVX-512 here: leave this tuning out ({})", why.trim());
        // Some refusals come with a good status.
        let said = host.appctl(command).map_err(refused)?;
        if said.contains("not available") || said.contains("unknown") || said.contains("Error") {
            return Err(refused(said));
        }
    }
    Ok(())
}

fn tunnel(host: &Host, job: &Job, mirror: &JobMirror) -> Result<(), String> {
    let (source, target) = (&job.ports[0], &job.ports[mirror.target]);
    let (number, key) = (format!("ofport_request={TUNNEL}"), format!("options:key={}", mirror.vni));
    let (local, remote) = (format!("options:local_ip={}", source.ip), format!("options:remote_ip={}", target.ip));
    let add = ["add-port", GUESTS, "vxlan0", "--", "set", "Interface", "vxlan0", "type=vxlan"];
    let options = [&*number, &*key, &*local, &*remote, "options:csum=false", "options:df_default=true"];
    host.vsctl(&[&add[..], &options[..]].concat())?;
    Ok(())
}

/// The mirror record over all that port 0 sends and is given.
fn record(host: &Host) -> Result<(), String> {
    let get = ["--id=@s", "get", "Port", "p0", "--", "--id=@t", "get", "Port", "vxlan0", "--", "--id=@m"];
    let create = ["create", "Mirror", "name=m", "select-src-port=@s", "select-dst-port=@s", "output-port=@t"];
    let add = ["--", "add", "Bridge", GUESTS, "mirrors", "@m"];
    host.vsctl(&[&["--"], &get[..], &create[..], &add[..]].concat())?;
    Ok(())
}

impl Contender for Ovs {
    fn name(&self) -> String {
        match self.way {
            OvsWay::Mirror => "ovs-mirror".to_owned(),
            OvsWay::Rules => "ovs-rules".to_owned(),
        }
    }

    fn start(&mut self, job: &Job, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        if let Some(mirror) = &job.mirror {
            mirror.must_be_alone("Open vSwitch")?;
            // Its snaplen cuts behind the encapsulation when the tunnel is its own: outer lengths would be wrong.
            if self.way == OvsWay::Mirror && mirror.packet_length < job.longest_frame() - 14 {
                return Err("Open vSwitch's mirror record cannot cut copies: leave it out of this point".to_owned());
            }
        }
        let mut host = Host::start(job, &unique("vso"), deadline)?;
        self.set_up(&host, job)?;
        if let Some(target) = job.mirror.as_ref().and_then(|m| job.ports.get(m.target)) {
            Self::wait_for_route(&mut host, deadline, &target.ip.to_string())?;
        }
        host.must_run()?;
        self.host = Some(host);
        self.target = job.mirror.as_ref().map(|m| m.target);
        Ok(())
    }

    fn counted(&mut self) -> Result<Counted, String> {
        let host = self.host.as_mut().ok_or("Open vSwitch was not started")?;
        host.must_run()?;
        let mut counted = Counted::default();
        if let Some(target) = self.target {
            let (sent, dropped) = sent(&host.counters(UNDERLAY, number(target))?);
            counted.copies = Some(sent);
            counted.skipped.extend((dropped > 0).then(|| ("target_full".to_owned(), dropped)));
        }
        let mut dropped = 0;
        for guest in [0, 1] {
            dropped += sent(&host.counters(GUESTS, number(guest))?).1;
        }
        counted.dropped.extend((dropped > 0).then(|| ("ring_full".to_owned(), dropped)));
        counted.cycles = cycles(&host.appctl(&["dpif-netdev/pmd-stats-show"])?);
        Ok(counted)
    }

    fn stop(&mut self) {
        self.host = None;
        self.target = None;
    }
}

/// Packets that a port's guest took and those it did not, of `tx pkts=5, bytes=300, drop=1, …`.
fn sent(text: &str) -> (u64, u64) {
    let line = text.lines().find_map(|l| l.trim().strip_prefix("tx ")).unwrap_or_default();
    let field = |name: &str| {
        let words = line.split(", ").find_map(|w| w.trim().strip_prefix(name));
        words.and_then(|w| w.parse().ok()).unwrap_or(0)
    };
    (field("pkts="), field("drop="))
}

/// Busy and idle cycles of all workers, of `idle cycles: 5 (10.0%)` and `processing cycles: 45 (90.0%)`.
fn cycles(text: &str) -> Option<(u64, u64)> {
    let sum = |name: &str| -> Option<u64> {
        let values = text.lines().filter_map(|l| l.trim().strip_prefix(name)?.split_whitespace().next()?.parse().ok());
        values.fold(None, |sum: Option<u64>, value: u64| Some(sum.unwrap_or(0) + value))
    };
    sum("processing cycles:").zip(sum("idle cycles:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read() {
        let ports = "OFPST_PORT reply (xid=0x2): 1 ports\n  port p2: rx pkts=0, bytes=0, drop=?, errs=?\n           \
                     tx pkts=12, bytes=1200, drop=3, errs=?, coll=?\n";
        assert_eq!(sent(ports), (12, 3));
        assert_eq!(sent("nothing"), (0, 0));
        let stats = "pmd thread numa_id 0 core_id 1:\n  packets received: 4\n  idle cycles: 100 (50.00%)\n  \
                     processing cycles: 100 (50.00%)\npmd thread numa_id 0 core_id 2:\n  idle cycles: 1 (50.00%)\n  \
                     processing cycles: 2 (50.00%)\nmain thread:\n  packets received: 0\n";
        assert_eq!(cycles(stats), Some((102, 101)));
        assert_eq!(cycles(""), None);
        assert_eq!(own_address(Ipv4Addr::new(10, 0, 0, 10), Ipv4Addr::new(10, 0, 0, 12)), "10.0.0.10/29");
    }
}
