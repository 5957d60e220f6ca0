//! A `vswitch` process over a store that outlives it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::objects::{CLIENTS, SOURCES};
use crate::rpc::Rpc;

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);
const KEY: (&str, &str) = ("key-crash", "secret-crash");

/// The files of a store's life, which go with it.
pub struct Home {
    folder: PathBuf,
    /// What its processes said.
    log: Arc<Mutex<String>>,
}

impl Home {
    pub fn new(lane: usize) -> Self {
        let folder = std::env::temp_dir().join(format!("vswitch-crash-{}-{lane}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let home = Home { folder, log: Arc::default() };
        let dir = home.folder.display();
        home.write("inventory.json", &inventory().to_string());
        home.write(
            "vswitch.toml",
            &format!(
                "[files]\ninventory = \"{dir}/inventory.json\"\nmirror = \"{dir}/mirror.json\"\n[worker]\ncount = 0\n\
                 [ports]\nsocket_dir = \"{dir}\"\n[store]\npath = \"{dir}/store/store.redb\"\n\
                 [api]\nlisten = \"127.0.0.1:0\"\nrequests_per_minute = 10000000\n\
                 [ops]\nsocket = \"{dir}/ops.sock\"\n[metrics]\nlisten = \"127.0.0.1:0\"\n\
                 [log]\nlevel = \"warn,vswitch::control::api=info\"\n"
            ),
        );
        home
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    /// Starts a process; it is not ready yet.
    pub fn launch(&self) -> Daemon {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vswitch"))
            .args(["run", "--config"])
            .arg(self.folder.join("vswitch.toml"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, log) = (BufReader::new(child.stderr.take().unwrap()), self.log.clone());
        let (tell, address) = channel();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if let Some(address) = line.split("tenant API address=").nth(1) {
                    let _ = tell.send(address.split(' ').next().unwrap_or_default().parse().unwrap());
                } else {
                    *log.lock() += &format!("{line}\n");
                }
            }
        });
        Daemon { child, address, socket: self.folder.join("ops.sock") }
    }

    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// Files beside the store, by name.
    pub fn stored_files(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.join("store")).unwrap();
        let mut names: Vec<String> = files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A running process; it is killed with this at the latest.
pub struct Daemon {
    child: Child,
    address: Receiver<SocketAddr>,
    socket: PathBuf,
}

impl Daemon {
    /// Waits until the tenant API is open.
    pub fn ready(&self) -> SocketAddr {
        self.address.recv_timeout(PATIENCE).expect("it does not start")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; it must end well.
    pub fn stop(mut self) {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    /// `/v1/status` of the operations API.
    pub fn status(&self) -> Value {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A connection of the one account.
pub fn connect(address: SocketAddr) -> std::io::Result<Rpc> {
    Rpc::connect(address, KEY)
}

fn inventory() -> Value {
    let eni = |n: u64, id: String| {
        json!({
            "NetworkInterfaceId": id, "VSwitchId": "vsw-1", "OwnerId": "a",
            "MacAddress": format!("02:00:00:00:00:{n:02x}"), "PrivateIpAddress": format!("10.0.0.{}", 10 + n),
        })
    };
    let a_client = SOURCES + 1;
    let enis = (0..CLIENTS * a_client).map(|n| match (n / a_client, n % a_client) {
        (client, SOURCES) => eni(n, crate::objects::target(client)),
        (client, source) => eni(n, crate::objects::source(client, source)),
    });
    json!({
        "RegionId": "local",
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
        "NetworkInterfaces": enis.collect::<Value>(),
        "Accounts": [{"AccountId": "a", "AccessKeys": [{"AccessKeyId": KEY.0, "AccessKeySecret": KEY.1}]}],
    })
}
