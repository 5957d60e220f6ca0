//! A switch of a test: started with files of its own, stopped and cleaned away at the end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};
use vswitch_perf::guest::{GuestPort, PortConfig, Role};

use crate::rpc::Rpc;

static TURN: Mutex<()> = Mutex::new(());
static COUNT: AtomicU32 = AtomicU32::new(0);

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vswitch-e2e-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a test's switch is like. ENI n is `eni-n` with address 10.0.0.(10 + n) and MAC 02:00:00:00:00:(10 + n).
pub struct Setup {
    pub enis: usize,
    pub mtu: u16,
    /// ENIs whose MTU is 1500 nonetheless.
    pub small: Vec<usize>,
    pub queue_pairs: u8,
    pub server_mode: bool,
    pub workers: u16,
    pub hugepages: bool,
    /// `ports.credit`.
    pub credit: u32,
    /// Limits of ENIs, in bits a second.
    pub limits: Vec<(usize, u64)>,
    /// Sessions: sources, target, PacketLength; the filter accepts all.
    pub sessions: Vec<(Vec<usize>, usize, u16)>,
    /// With a store and the tenant API, whose one account owns the ENIs.
    pub api: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            enis: 3,
            mtu: 1500,
            small: Vec::new(),
            queue_pairs: 1,
            server_mode: false,
            workers: 1,
            hugepages: free_hugepages() >= 160,
            credit: 512,
            limits: Vec::new(),
            sessions: Vec::new(),
            api: false,
        }
    }
}

/// The id and the secret of the account's AccessKey.
const KEY: (&str, &str) = ("key-e2e", "secret-e2e");

pub fn free_hugepages() -> u32 {
    let path = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    std::fs::read_to_string(path).ok().and_then(|t| t.trim().parse().ok()).unwrap_or(0)
}

/// Something of the machine's is not there: the test is skipped, except where CI promises to have everything.
pub fn missing(what: &str) {
    assert!(std::env::var("VSWITCH_CI").as_deref() != Ok("1"), "{what}");
    println!("skipped: {what}");
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Setup {
    fn mtu_of(&self, eni: usize) -> u16 {
        if self.small.contains(&eni) { 1500 } else { self.mtu }
    }

    pub fn inventory(&self) -> Value {
        let mut enis: Vec<Value> = (0..self.enis)
            .map(|n| {
                json!({
                    "NetworkInterfaceId": format!("eni-{n}"), "VSwitchId": "vsw-1", "Mtu": self.mtu_of(n),
                    "MacAddress": format!("02:00:00:00:00:{:02x}", 10 + n),
                    "PrivateIpAddress": format!("10.0.0.{}", 10 + n), "QueuePairs": self.queue_pairs,
                })
            })
            .collect();
        for (eni, bps) in &self.limits {
            enis[*eni]["BandwidthBps"] = json!(bps);
        }
        let mut inventory = json!({
            "RegionId": "local",
            "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
            "NetworkInterfaces": enis,
        });
        if self.api {
            for eni in inventory["NetworkInterfaces"].as_array_mut().unwrap() {
                eni["OwnerId"] = json!("a");
            }
            let key = json!({"AccessKeyId": KEY.0, "AccessKeySecret": KEY.1});
            inventory["Accounts"] = json!([{"AccountId": "a", "AccessKeys": [key]}]);
        }
        inventory
    }

    pub fn mirror(&self) -> Value {
        let rules =
            |id: &str| json!([{"TrafficMirrorFilterRuleId": id, "Priority": 1, "Action": "accept", "Protocol": "ALL"}]);
        let sessions: Vec<Value> = self
            .sessions
            .iter()
            .enumerate()
            .map(|(n, (sources, target, length))| {
                let sources: Vec<String> = sources.iter().map(|s| format!("eni-{s}")).collect();
                json!({
                    "TrafficMirrorSessionId": format!("s-{n}"), "TrafficMirrorFilterId": "f-1", "Enabled": true,
                    "Priority": n + 1, "PacketLength": length, "VirtualNetworkId": 10 + n,
                    "TrafficMirrorSourceIds": sources, "TrafficMirrorTargetId": format!("eni-{target}"),
                    "TrafficMirrorTargetType": "NetworkInterface",
                })
            })
            .collect();
        let filter =
            json!({"TrafficMirrorFilterId": "f-1", "IngressRules": rules("r-in-1"), "EgressRules": rules("r-1")});
        json!({"TrafficMirrorFilters": [filter], "TrafficMirrorSessions": sessions})
    }

    /// A running switch.
    pub fn start(self) -> Switch {
        let mut switch = Switch::prepare(self);
        switch.run();
        switch
    }

    /// The files of a switch that does not run yet.
    pub fn prepare(self) -> Switch {
        Switch::prepare(self)
    }
}

/// A running switch.
pub struct Switch {
    pub folder: Folder,
    pub setup: Setup,
    metrics: u16,
    api: u16,
    child: Option<Child>,
    _turn: MutexGuard<'static, ()>,
}

impl Switch {
    fn prepare(setup: Setup) -> Self {
        let turn = TURN.lock();
        let folder = Folder::new();
        let (metrics, api) = (free_port(), free_port());
        folder.write("inventory.json", &setup.inventory().to_string());
        folder.write("mirror.json", &setup.mirror().to_string());
        let dir = folder.0.display();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Several workers share two CPUs with control and guests here, more than two also with each other: they may
        // not spin.
        let cpus: Vec<u16> = if setup.workers > 1 { (0..setup.workers).map(|n| n % 2).collect() } else { Vec::new() };
        let (lcores, idle) = (format!("{cpus:?}"), if setup.workers > 1 { "sleep" } else { "poll" });
        let store = if setup.api {
            let listen = format!("listen = \"127.0.0.1:{api}\"\nrequests_per_minute = 10000000");
            format!("[store]\npath = \"{dir}/store/store.redb\"\n[api]\n{listen}\n")
        } else {
            "[store]\npath = \"\"\n".to_owned()
        };
        // Nothing is given up: tests count every copy, and a debug build may be saturated by any of them.
        folder.write(
            "vswitch.toml",
            &format!(
                "[files]\ninventory = \"{dir}/inventory.json\"\nmirror = \"{dir}/mirror.json\"\n\
                 [worker]\ncount = {}\nlcores = {lcores}\nidle = \"{idle}\"\n\
                 [dpdk]\nhugepages = {}\nfile_prefix = \"e2e-{}-{count}\"\n\
                 [pools]\nstd_mbufs = 8192\njumbo_mbufs = 2048\n\
                 [mirror]\noverload = \"share\"\n\
                 [ports]\nsocket_dir = \"{dir}\"\nmode = \"{}\"\ncredit = {}\n\
                 {store}[ops]\nsocket = \"{dir}/ops.sock\"\n[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n",
                setup.workers,
                setup.hugepages,
                std::process::id(),
                if setup.server_mode { "server" } else { "client" },
                setup.credit,
            ),
        );
        Switch { folder, setup, metrics, api, child: None, _turn: turn }
    }

    /// Starts the process.
    pub fn launch(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.0.join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_vswitch"))
            .args(["run", "--config"])
            .arg(self.folder.0.join("vswitch.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Starts the process and waits until it is ready.
    pub fn run(&mut self) {
        self.launch();
        let ready = wait_until(|| self.get("/readyz").starts_with("ready") || self.has_ended());
        assert!(ready && !self.has_ended(), "no switch:\n{}", self.log());
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|c| c.try_wait().unwrap().is_some())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.0.join("log")).unwrap_or_default()
    }

    pub fn pid(&self) -> i32 {
        self.child.as_ref().unwrap().id().cast_signed()
    }

    /// Sends a signal and waits for the end; the exit code, and how long it took.
    pub fn signal(&mut self, signal: i32) -> (Option<i32>, Duration) {
        let began = Instant::now();
        kill(self.pid(), signal);
        let ended = wait_until(|| self.has_ended());
        assert!(ended, "it goes on after signal {signal}");
        let status = self.child.take().unwrap().wait().unwrap();
        (status.code(), began.elapsed())
    }

    /// Body of a page of the metrics listener; empty when there is none.
    pub fn get(&self, path: &str) -> String {
        let mut text = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.metrics)) {
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read_to_string(&mut text);
        }
        text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    /// Sum of a metric over all series that carry these labels (`eni="eni-0"`).
    pub fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        let page = self.get("/metrics");
        let lines = page.lines().filter(|l| l.starts_with(&format!("{name}{{")));
        lines
            .filter(|l| labels.iter().all(|label| l.contains(label)))
            .map(|l| l.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    }

    /// A connection to the tenant API, which opens within a second of the start.
    pub fn rpc(&self) -> Rpc {
        let mut rpc = None;
        let open = wait_until(|| {
            rpc = Rpc::connect(([127, 0, 0, 1], self.api).into(), KEY).ok();
            rpc.is_some()
        });
        assert!(open, "no tenant API:\n{}", self.log());
        rpc.unwrap()
    }

    pub fn ctl(&self, arguments: &[&str]) -> Output {
        ctl(&self.folder.0.join("ops.sock"), arguments)
    }

    pub fn ctl_json(&self, arguments: &[&str]) -> Value {
        let output = self.ctl(&[&["--json"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Writes the files of another setup and reloads.
    pub fn reload(&self, setup: &Setup) -> Output {
        self.folder.write("inventory.json", &setup.inventory().to_string());
        self.folder.write("mirror.json", &setup.mirror().to_string());
        self.ctl(&["reload"])
    }

    pub fn port_config(&self, eni: usize) -> PortConfig {
        let mut config = PortConfig::new(self.folder.0.join(format!("eni-{eni}.sock")));
        config.role = if self.setup.server_mode { Role::Client } else { Role::Server };
        config.queue_pairs = self.setup.queue_pairs;
        config.mtu = self.setup.mtu_of(eni);
        config
    }

    /// A connected guest.
    pub fn guest(&self, eni: usize) -> GuestPort {
        self.guest_like(eni, |_| {})
    }

    pub fn guest_like(&self, eni: usize, change: impl FnOnce(&mut PortConfig)) -> GuestPort {
        let mut config = self.port_config(eni);
        change(&mut config);
        let mut port = GuestPort::open(config).unwrap();
        port.connect(PATIENCE).unwrap();
        self.wait_up(eni);
        port
    }

    pub fn wait_up(&self, eni: usize) {
        let label = format!("eni=\"eni-{eni}\"");
        let up = wait_until(|| self.metric("vswitch_eni_up", &[&label]) == 1);
        assert!(up, "eni-{eni} did not come up:\n{}", self.log());
    }

    /// The conservation laws hold once the switch is quiet.
    pub fn assert_conserved(&self) {
        let quiet = wait_until(|| self.ctl(&["stats", "--check"]).status.success());
        let stats = self.ctl(&["stats"]);
        assert!(quiet, "{}", String::from_utf8_lossy(&stats.stdout));
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic would end the whole program: nothing is asked for here, the child may be dead.
            let status = self.child.take().map(|mut child| (child.kill(), child.wait()));
            eprintln!("the switch ended with {status:?} and said:\n{}", self.log());
        } else if self.child.is_some() {
            self.assert_conserved();
            let (code, _) = self.signal(libc::SIGTERM);
            assert_eq!(code, Some(0), "{}", self.log());
        }
    }
}

pub fn kill(pid: i32, signal: i32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().unwrap();
    assert!(status.success());
}

pub fn ctl(socket: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vswitchctl")).arg("--socket").arg(socket).args(arguments).output().unwrap()
}

/// Polls a condition until it holds or patience ends.
pub fn wait_until(mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
