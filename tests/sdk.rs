//! The official SDKs, Terraform's sequences and calls signed by hand, against the switch's control side.
//!
//! The clients are installed by `ci/sdk/setup.sh`; what they do and expect is in `ci/sdk/`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const KEY: [(&str, &str); 2] =
    [("ALIBABA_CLOUD_ACCESS_KEY_ID", "key-1"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret-of-account-1")];
const OTHER: [(&str, &str); 2] = [("OTHER_ACCESS_KEY_ID", "key-2"), ("OTHER_ACCESS_KEY_SECRET", "secret-of-account-2")];

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vswitch-sdk-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two accounts: ENIs 0 to 3 are the first one's, ENI 4 is the other's.
fn inventory() -> Value {
    let account = |id: &str, [(_, key), (_, secret)]: [(&str, &str); 2]| json!({"AccountId": id, "AccessKeys": [{"AccessKeyId": key, "AccessKeySecret": secret}]});
    let eni = |n: u8| {
        json!({
            "NetworkInterfaceId": format!("eni-{n}"), "VSwitchId": "vsw-1", "MacAddress": format!("02:00:00:00:00:0{n}"),
            "PrivateIpAddress": format!("10.0.0.{}", 10 + n), "OwnerId": if n < 4 { "account-1" } else { "account-2" },
        })
    };
    json!({
        "RegionId": "local",
        "Accounts": [account("account-1", KEY), account("account-2", OTHER)],
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
        "NetworkInterfaces": (0..5).map(eni).collect::<Vec<_>>(),
    })
}

/// A switch of the control side alone, with a store that is new.
struct Daemon {
    folder: Folder,
    child: Child,
    api: String,
}

impl Daemon {
    fn start(requests_per_minute: u32) -> Self {
        let folder = Folder::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (dir, api) = (folder.0.display(), format!("127.0.0.1:{port}"));
        let config = format!(
            "[worker]\ncount = 0\n[store]\npath = \"{dir}/store.redb\"\n[ops]\nsocket = \"{dir}/ops.sock\"\n\
             [metrics]\nlisten = \"127.0.0.1:0\"\n\
             [api]\nlisten = \"{api}\"\nrequests_per_minute = {requests_per_minute}\n"
        );
        let mirror = json!({"TrafficMirrorFilters": [], "TrafficMirrorSessions": []});
        for (name, text) in
            [("vswitch.toml", config), ("inventory.json", inventory().to_string()), ("mirror.json", mirror.to_string())]
        {
            std::fs::write(folder.0.join(name), text).unwrap();
        }
        let child = Command::new(env!("CARGO_BIN_EXE_vswitch"))
            .args(["run", "--config"])
            .arg(folder.0.join("vswitch.toml"))
            .stderr(std::fs::File::create(folder.0.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut daemon = Daemon { folder, child, api };
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(&daemon.api).is_err() {
            let ended = daemon.child.try_wait().unwrap().is_some();
            assert!(!ended && Instant::now() < end, "no tenant API:\n{}", daemon.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.0.join("log")).unwrap()
    }

    /// Runs a client with what it is to know in its environment.
    fn client(&self, command: &mut Command) -> Output {
        command
            .envs([("VSWITCH_ENDPOINT", self.api.as_str()), ("VSWITCH_REGION", "local")])
            .envs([("VSWITCH_SOURCES", "eni-0,eni-1,eni-2"), ("VSWITCH_TARGET", "eni-3")])
            .env("VSWITCH_FOREIGN_ENI", "eni-4")
            .envs(KEY)
            .envs(OTHER)
            .output()
            .unwrap()
    }

    /// Runs a client to its good end; the last line it prints says so.
    fn assert_walks(&self, command: &mut Command, last: &str) {
        let output = self.client(command);
        let (said, complained) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{said}\n{complained}\nthe switch said:\n{}", self.log());
        assert_eq!(said.lines().last(), Some(last));
        // Secrets are in no log.
        [KEY, OTHER].iter().for_each(|key| assert!(!self.log().contains(key[1].1), "{}", self.log()));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Python program of `ci/`, which must not leave compiled files there.
fn python(interpreter: &Path, program: &str) -> Command {
    let mut command = Command::new(interpreter);
    command.arg("-B").arg(root().join("ci").join(program));
    command
}

fn system_python(program: &str) -> Command {
    python(Path::new("/usr/bin/python3"), program)
}

/// The environment of the SDKs. Where it is not set up the test is skipped, except where CI promises to have everything.
fn sdk() -> Option<PathBuf> {
    let sdk = root().join("target/sdk");
    if sdk.join("recipe").exists() {
        return Some(sdk);
    }
    assert!(std::env::var("VSWITCH_CI").as_deref() != Ok("1"), "no SDKs in {}", sdk.display());
    println!("skipped: the SDKs are not set up (ci/sdk/setup.sh)");
    None
}

fn python_sdk(client: &str) {
    let Some(sdk) = sdk() else { return };
    let interpreter = sdk.join("venv/bin/python");
    let walk = &mut python(&interpreter, "sdk/python/acceptance.py");
    Daemon::start(100_000).assert_walks(walk.arg(client), &format!("{client}: every action walked"));
    // Seven requests, and then the account is told to wait.
    let hurry = &mut python(&interpreter, "sdk/python/throttling.py");
    Daemon::start(7).assert_walks(hurry.arg(client), &format!("{client}: throttled after 7 requests"));
}

#[test]
fn official_sdk_python_of_the_first_generation() {
    python_sdk("old");
}

#[test]
fn official_sdk_python_of_the_second_generation() {
    python_sdk("new");
}

#[test]
fn official_sdk_python_of_the_second_generation_with_the_v1_signature() {
    python_sdk("new-v1");
}

#[test]
fn official_sdk_node() {
    let Some(sdk) = sdk() else { return };
    let mut walk = Command::new("/usr/bin/node");
    walk.arg(root().join("ci/sdk/node/acceptance.js")).env("NODE_PATH", sdk.join("node_modules"));
    Daemon::start(100_000).assert_walks(&mut walk, "node: every action walked");
}

#[test]
fn terraform_s_sequences() {
    let replay = &mut system_python("sdk/terraform.py");
    Daemon::start(100_000).assert_walks(replay, "terraform: every sequence replayed");
}

#[test]
fn calls_signed_by_hand() {
    let daemon = Daemon::start(100_000);
    let call = |arguments: &[&str]| {
        let output = daemon.client(system_python("rpc.py").args(["--endpoint", &daemon.api]).args(arguments));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (output.status.code(), answer)
    };
    for form in [&[][..], &["--form-body"]] {
        let call = |arguments: &[&str]| call(&[form, arguments].concat());
        let (code, answer) = call(&["OpenTrafficMirrorService"]);
        assert_eq!((code, &answer["Code"]), (Some(0), &json!("200")), "{answer}");
        let (_, answer) = call(&["CreateTrafficMirrorFilter", "TrafficMirrorFilterName=a b+c*~=é"]);
        let id = answer["TrafficMirrorFilterId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let (_, answer) = call(&["ListTrafficMirrorFilters", &format!("TrafficMirrorFilterIds.1={id}")]);
        assert_eq!(answer["TrafficMirrorFilters"][0]["TrafficMirrorFilterName"], "a b+c*~=é", "{answer}");
        let (code, answer) = call(&["DeleteTrafficMirrorFilter"]);
        assert_eq!((code, &answer["Code"]), (Some(1), &json!("MissingTrafficMirrorFilterId")), "{answer}");
    }
}
