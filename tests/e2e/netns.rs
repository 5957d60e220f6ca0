//! Guests that are Linux network stacks: a network namespace each, joined to the switch by `vswitch-guest` and a TAP.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use vswitch_perf::guest::{Role, pcap};
use vswitch_perf::sys::process::{self, Leash};

use crate::programs::program;
use crate::switch::{Switch, wait_until};

/// The TAP in every namespace.
const TAP: &str = "tap0";

/// A child that ends with its handle.
pub struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        process::leash(&mut command, &Leash::default());
        Running(command.spawn().unwrap())
    }
}

/// Asks it to end, so that it can tidy up, and waits until it has.
impl Drop for Running {
    fn drop(&mut self) {
        let _asked = process::signal(&self.0, libc::SIGTERM);
        if !wait_until(|| self.0.try_wait().is_ok_and(|status| status.is_some())) {
            let _ended = (self.0.kill(), self.0.wait());
        }
    }
}

/// What this machine lacks for such guests, if anything.
pub fn lacking() -> Option<&'static str> {
    static LACKING: LazyLock<Option<&'static str>> = LazyLock::new(look);
    *LACKING
}

fn look() -> Option<&'static str> {
    let name = format!("vs-e2e-{}", std::process::id());
    let can = |arguments: &str| {
        let ip = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status();
        ip.is_ok_and(|status| status.success())
    };
    let runs = |program: &str, argument: &str| {
        let status = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if !can(&format!("netns add {name}")) {
        return Some("network namespaces need root and iproute2");
    }
    let has_vxlan = can(&format!("-n {name} link add vx type vxlan id 1 dstport 4789 dev lo"));
    let removed = can(&format!("netns del {name}"));
    assert!(removed);
    match () {
        () if !has_vxlan => Some("this kernel has no vxlan device"),
        () if !Path::new("/dev/net/tun").exists() => Some("this kernel has no TAP devices"),
        () if !runs("tcpdump", "--version") => Some("there is no tcpdump"),
        () if !runs("ethtool", "--version") => Some("there is no ethtool"),
        () if !runs("/usr/bin/python3", "--version") => Some("there is no python3"),
        () => None,
    }
}

/// A guest; its namespace goes with it.
pub struct Stack {
    name: String,
    folder: PathBuf,
    guest: Option<Running>,
}

impl Stack {
    /// The guest of ENI `eni`, up and with its address. `mtu` is that of the interface, at most the ENI's.
    pub fn start(switch: &Switch, eni: usize, mtu: u16) -> Self {
        let name = format!("vs-e2e-{}-{eni}", std::process::id());
        let mut stack = Stack { name, folder: switch.folder.0.clone(), guest: None };
        ip(&["netns", "add", &stack.name]);
        // Before the TAP exists: nothing but what a test sends is ever on it. Errors are not rationed, and a datagram
        // that stays incomplete is given up after a second.
        stack.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
        stack.run("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.ipfrag_time=1");
        stack.run("ip link set lo up");
        let mut command = Command::new(program());
        let config = switch.port_config(eni);
        // Long rings: what this machine's scheduling delays is not lost.
        command.args(["--stats", "--port"]).stdout(Stdio::null()).arg(format!(
            "socket={},role={},tap={TAP},netns={},mac=02:00:00:00:00:{:02x},mtu={},size=4096",
            config.socket.display(),
            if config.role == Role::Server { "server" } else { "client" },
            stack.name,
            10 + eni,
            config.mtu,
        ));
        stack.guest = Some(Running::start(command));
        switch.wait_up(eni);
        stack.run(&format!("ip link set {TAP} mtu {mtu} up"));
        stack.run(&format!("ip addr add 10.0.0.{}/24 dev {TAP}", 10 + eni));
        stack
    }

    /// The kernel takes the copies of a session out of their VXLAN, on the interface `vx`.
    pub fn decapsulate(&self, vni: usize) {
        let address = self.run(&format!("ip -brief -4 addr show {TAP}"));
        let address = address.split([' ', '/']).find(|word| word.starts_with("10.")).unwrap();
        self.run(&format!("ip link add vx type vxlan id {vni} dstport 4789 local {address} dev {TAP} nolearning"));
        self.run("ethtool -K vx gro off");
        self.run("ip link set vx up");
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).args(words.split(' ')).current_dir(&self.folder);
        command.stdin(Stdio::null());
        command
    }

    /// Runs a command, words separated by single spaces, to its end; what it said.
    pub fn run(&self, words: &str) -> String {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a server, and waits until it says that it is ready.
    pub fn serve(&self, words: &str) -> Running {
        let log = self.folder.join(format!("{}.server", self.name));
        let mut command = self.command(words);
        command.stdout(std::fs::File::create(&log).unwrap());
        let server = Running::start(command);
        assert!(wait_until(|| said(&log, "ready")), "{words} is not ready");
        server
    }

    /// Records everything on an interface, `tap` or `vx`.
    pub fn record(&self, interface: &str) -> Recording {
        let interface = if interface == "tap" { TAP } else { interface };
        let path = self.folder.join(format!("{}-{interface}.pcap", self.name));
        let log = path.with_extension("log");
        let mut command = self.command("tcpdump -U --immediate-mode -B 65536 -s 65535 -Z root -i");
        command.arg(interface).arg("-w").arg(&path).stdout(Stdio::null());
        command.stderr(std::fs::File::create(&log).unwrap());
        let tcpdump = Running::start(command);
        assert!(wait_until(|| said(&log, "listening on")), "tcpdump does not start");
        Recording { tcpdump, path, log }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.guest = None;
        let _ended = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// tcpdump at work.
pub struct Recording {
    tcpdump: Running,
    path: PathBuf,
    log: PathBuf,
}

impl Recording {
    /// What is in the file so far; nothing while tcpdump is in the middle of a frame.
    pub fn so_far(&self) -> Vec<Vec<u8>> {
        pcap::read(&self.path).unwrap_or_default()
    }

    /// All frames. A recording that lost some proves nothing.
    pub fn end(self) -> Vec<Vec<u8>> {
        drop(self.tcpdump);
        assert!(said(&self.log, "\n0 packets dropped by kernel"), "{}", std::fs::read_to_string(&self.log).unwrap());
        pcap::read(&self.path).unwrap()
    }
}

fn said(log: &Path, what: &str) -> bool {
    std::fs::read_to_string(log).unwrap_or_default().contains(what)
}

fn ip(arguments: &[&str]) {
    assert!(Command::new("ip").args(arguments).status().unwrap().success(), "ip {arguments:?}");
}
