//! An Open vSwitch of our own: database, daemon, control sockets and network namespace, all of which go with it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Job;
use super::running::{Folder, Running, last_words, run};
use crate::sys::process::Leash;

const MISSING: &str = "there is no Open vSwitch with DPDK: install Debian's package openvswitch-switch-dpdk \
                       (its system service need not run)";
const NO_IPROUTE: &str = "there is no ip: install Debian's package iproute2";
const NO_NSENTER: &str = "there is no nsenter: install Debian's package util-linux";
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// The daemon with DPDK; Debian's `ovs-vswitchd` may lead to the one without.
const DAEMON: &str = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";
/// Debian's database server; it lies in no user's path.
const DATABASE: &str = "/usr/sbin/ovsdb-server";
/// Up to so many ports each has a buffer pool of its own: 70 MiB, or 240 MiB for jumbo frames.
const OWN_POOLS: usize = 6;
/// How long a short command may take on a busy machine.
const SHORT: Duration = Duration::from_secs(30);

/// The two daemons and where they live.
#[derive(Debug)]
pub(super) struct Host {
    // In this order: the switch ends before its database, and both before the folder goes.
    switch: Running,
    _database: Running,
    folder: Folder,
    control: Leash,
}

impl Host {
    /// Starts both daemons, DPDK included, without any bridge.
    pub(super) fn start(job: &Job, prefix: &str, deadline: Instant) -> Result<Self, String> {
        if !Path::new(DAEMON).exists() || !Path::new(SCHEMA).exists() {
            return Err(MISSING.to_owned());
        }
        let folder = Folder::new(&job.dir, "ovs")?;
        let control = Leash { cpus: vec![job.control_cpu], own_network: false };
        let mut create = Command::new("ovsdb-tool");
        create.arg("create").arg(folder.join("conf.db")).arg(SCHEMA);
        run(own(create, &folder), None, SHORT, &control, MISSING)?;
        let database = start_database(&folder, &control, deadline)?;
        vsctl(&folder, &control, &["--no-wait", "init"])?;
        let settings = settings(job, prefix);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        vsctl(&folder, &control, &[&["--no-wait", "set", "Open_vSwitch", "."], &settings[..]].concat())?;
        let mut daemon = Command::new(DAEMON);
        daemon.arg(remote(&folder));
        daemon.args(["--no-chdir", "-vconsole:info", "-vfile:off", "-vsyslog:off"]);
        daemon.arg(format!("--unixctl={}", folder.join("switch.ctl").display()));
        daemon.arg(format!("--pidfile={}", folder.join("switch.pid").display()));
        let leash = Leash { cpus: job.cpus(), own_network: true };
        let switch = Running::start("ovs-vswitchd", own(daemon, &folder), &folder, &leash, MISSING)?;
        let mut host = Host { switch, _database: database, folder, control };
        host.wait_for_dpdk(deadline)?;
        Ok(host)
    }

    fn wait_for_dpdk(&mut self, deadline: Instant) -> Result<(), String> {
        let up = |r: &Running| r.log().contains("DPDK Enabled - initialized");
        self.switch.wait_until(deadline, "initialize DPDK", up)?;
        let socket = self.folder.join("switch.ctl");
        self.switch.wait_until(deadline, "open its control socket", |_| socket.exists())
    }

    /// An error when the switch has ended.
    pub(super) fn must_run(&mut self) -> Result<(), String> {
        self.switch.must_run()
    }

    /// The last lines of the switch's log.
    pub(super) fn said(&self) -> String {
        last_words(&self.switch.log())
    }

    /// `ovs-vsctl`; waits until the switch has done it.
    pub(super) fn vsctl(&self, arguments: &[&str]) -> Result<String, String> {
        vsctl(&self.folder, &self.control, &[&["--timeout=30"], arguments].concat())
    }

    /// `ovs-appctl` to the switch.
    pub(super) fn appctl(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("ovs-appctl");
        command.arg("-t").arg(self.folder.join("switch.ctl")).args(arguments);
        run(own(command, &self.folder), None, SHORT, &self.control, MISSING)
    }

    /// Replaces the flows of a bridge.
    pub(super) fn flows(&self, bridge: &str, flows: &str) -> Result<(), String> {
        let mut command = Command::new("ovs-ofctl");
        command.arg("--bundle").arg("replace-flows").arg(self.management(bridge)).arg("-");
        run(own(command, &self.folder), Some(flows), SHORT, &self.control, MISSING).map(drop)
    }

    /// The counters of a bridge's port, as `ovs-ofctl dump-ports` prints them.
    pub(super) fn counters(&self, bridge: &str, port: u32) -> Result<String, String> {
        let mut command = Command::new("ovs-ofctl");
        command.arg("dump-ports").arg(self.management(bridge)).arg(port.to_string());
        run(own(command, &self.folder), None, SHORT, &self.control, MISSING)
    }

    fn management(&self, bridge: &str) -> String {
        format!("unix:{}", self.folder.join(&format!("{bridge}.mgmt")).display())
    }

    /// `ip` in the switch's network namespace.
    pub(super) fn ip(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.switch.pid())).arg("ip").args(arguments);
        run(command, None, SHORT, &self.control, NO_NSENTER)
            .map_err(|e| if e.contains("failed to execute ip") { NO_IPROUTE.to_owned() } else { e })
    }
}

/// Does the daemon's program contain a word?
pub(super) fn daemon_has(word: &[u8]) -> bool {
    std::fs::read(DAEMON).is_ok_and(|program| program.windows(word.len()).any(|w| w == word))
}

/// Keeps a program away from the system's own Open vSwitch.
fn own(mut command: Command, folder: &Folder) -> Command {
    for key in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
        command.env(key, folder.path());
    }
    command
}

fn remote(folder: &Folder) -> String {
    format!("unix:{}", folder.join("db.sock").display())
}

fn start_database(folder: &Folder, control: &Leash, deadline: Instant) -> Result<Running, String> {
    let socket = folder.join("db.sock");
    let mut server = Command::new(DATABASE);
    server.arg(folder.join("conf.db"));
    server.arg(format!("--remote=p{}", remote(folder)));
    server.arg(format!("--unixctl={}", folder.join("database.ctl").display()));
    server.arg(format!("--pidfile={}", folder.join("database.pid").display()));
    server.args(["--no-chdir", "-vconsole:warn", "-vfile:off", "-vsyslog:off"]);
    let mut database = Running::start("ovsdb-server", own(server, folder), folder, control, MISSING)?;
    database.wait_until(deadline, "open its socket", |_| socket.exists())?;
    Ok(database)
}

fn vsctl(folder: &Folder, control: &Leash, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("ovs-vsctl");
    command.arg(format!("--db={}", remote(folder))).args(arguments);
    run(own(command, folder), None, SHORT, control, MISSING)
}

fn settings(job: &Job, prefix: &str) -> Vec<String> {
    let workers = job.worker_cpus.iter().fold(0u128, |mask, cpu| mask | 1u128.checked_shl(*cpu as u32).unwrap_or(0));
    let control = 1u128.checked_shl(job.control_cpu as u32).unwrap_or(0);
    let memory = job.memory_mb;
    let extra = format!("--no-pci --in-memory --no-telemetry --file-prefix={prefix}");
    [
        ("dpdk-init", "true".to_owned()),
        ("pmd-cpu-mask", format!("{workers:#x}")),
        ("dpdk-lcore-mask", format!("{control:#x}")),
        ("dpdk-socket-mem", memory.to_string()),
        ("dpdk-socket-limit", memory.to_string()),
        ("dpdk-extra", extra),
        // Pools shared by many ports take all memory there is, and leave none for the guests' rings.
        ("per-port-memory", (job.ports.len() <= OWN_POOLS).to_string()),
    ]
    .iter()
    .map(|(key, value)| format!("other_config:{key}=\"{value}\""))
    .collect()
}
