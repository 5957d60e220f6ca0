//! The programs as their users meet them, without DPDK: the shipped configuration where the systemd unit wants it,
//! versions, completions and man pages, ids, closed pipes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod store;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const VSWITCH: &str = env!("CARGO_BIN_EXE_vswitch");
const VSWITCHCTL: &str = env!("CARGO_BIN_EXE_vswitchctl");
const CONF: [(&str, &str); 3] = [
    ("vswitch.toml", include_str!("../../conf/vswitch.toml")),
    ("inventory.json", include_str!("../../conf/inventory.json")),
    ("mirror.json", include_str!("../../conf/mirror.json")),
];

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vswitch-programs-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// With the shipped configuration in it.
    fn shipped() -> Self {
        let folder = Folder::new();
        CONF.iter().for_each(|(name, text)| std::fs::write(folder.0.join(name), text).unwrap());
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A switch of the control side alone, with the shipped objects.
struct Daemon {
    folder: Folder,
    child: Child,
}

impl Daemon {
    fn start() -> Self {
        Daemon::start_in(Folder::shipped())
    }

    fn start_in(folder: Folder) -> Self {
        Daemon::start_with(folder, &[])
    }

    fn start_with(folder: Folder, environment: &[(&str, &str)]) -> Self {
        let child = Command::new(VSWITCH)
            .args(["run", "--config"])
            .arg(folder.0.join("vswitch.toml"))
            .env("VSWITCH__WORKER__COUNT", "0")
            .env("VSWITCH__METRICS__LISTEN", "127.0.0.1:0")
            .env("VSWITCH__OPS__SOCKET", folder.0.join("ops.sock"))
            .env("VSWITCH__STORE__PATH", "")
            .envs(environment.iter().copied())
            .stderr(std::fs::File::create(folder.0.join("log")).unwrap())
            .spawn()
            .unwrap();
        let daemon = Daemon { folder, child };
        let end = Instant::now() + Duration::from_secs(20);
        while !daemon.ctl(&["filter", "tmf-demo"]).status.success() {
            assert!(Instant::now() < end, "{}", std::fs::read_to_string(daemon.folder.0.join("log")).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(VSWITCHCTL);
        command.arg("--socket").arg(self.folder.0.join("ops.sock")).args(arguments);
        command
    }

    fn ctl(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.0.join("log")).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command whose output nobody reads.
fn unread(command: &mut Command) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn the_shipped_configuration_passes_check_from_any_folder() {
    let folder = Folder::shipped();
    let file = folder.0.join("vswitch.toml");
    let output = Command::new(VSWITCH).args(["check", "--config"]).arg(&file).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let effective = text(&output.stdout);
    assert!(effective.contains(&format!("{:?}", folder.0.join("inventory.json"))), "{effective}");
    // And by the very command of the README and of the unit's comment.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(VSWITCH).arg("check").current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn the_unit_is_sound_and_names_files_that_the_programs_take() {
    let unit = include_str!("../../conf/vswitch.service");
    for line in ["ExecStartPre=/usr/bin/vswitch check", "ExecStart=/usr/bin/vswitch run"] {
        assert!(unit.contains(&format!("{line} --config /etc/vswitch/vswitch.toml\n")), "{line}");
    }
    let folder = Folder::shipped();
    let unit = unit
        .replace("/usr/bin/vswitchctl", VSWITCHCTL)
        .replace("/usr/bin/vswitch ", &format!("{VSWITCH} "))
        .replace("/etc/vswitch", folder.0.to_str().unwrap());
    let file = folder.0.join("vswitch.service");
    std::fs::write(&file, unit).unwrap();
    let verify = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output();
    let Ok(output) = verify else {
        println!("no systemd-analyze here: the unit was only read");
        return;
    };
    let complaints = text(&output.stderr);
    let ours: Vec<&str> = complaints.lines().filter(|l| l.contains("vswitch.service")).collect();
    assert!(ours.is_empty(), "{complaints}");
}

#[test]
fn versions_name_the_commit() {
    for (program, name) in [(VSWITCH, "vswitch"), (VSWITCHCTL, "vswitchctl")] {
        let output = Command::new(program).arg("--version").output().unwrap();
        let expected = format!("{name} {} ({})\n", vswitch::VERSION, vswitch::COMMIT);
        assert_eq!(text(&output.stdout), expected);
    }
}

#[test]
fn completions_and_man_pages_are_built() {
    let assets = Path::new(env!("OUT_DIR")).join("assets");
    let read = |name: &str| std::fs::read_to_string(assets.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let commands = [
        ("vswitch", &["run", "check", "replay"][..]),
        (
            "vswitchctl",
            &[
                "status",
                "reload",
                "inventory",
                "account",
                "eni",
                "filter",
                "rule",
                "session",
                "service",
                "tag",
                "quota",
                "explain",
                "stats",
                "top",
                "watch",
                "backup",
                "restore",
                "doctor",
            ],
        ),
    ];
    for (name, subcommands) in commands {
        for file in [format!("{name}.bash"), format!("_{name}"), format!("{name}.fish"), format!("{name}.1")] {
            let content = read(&file);
            subcommands.iter().for_each(|s| assert!(content.contains(s), "{file} lacks {s}"));
        }
        assert!(read(&format!("{name}.1")).contains(vswitch::COMMIT));
        subcommands.iter().for_each(|s| assert!(read(&format!("{name}-{s}.1")).contains(".TH")));
    }
    // Commands of commands have pages, too; `help` says nothing that they do not.
    for (page, option) in [
        ("vswitchctl-inventory-apply", "dry\\-run"),
        ("vswitchctl-session-create", "packet\\-length"),
        ("vswitchctl-rule-update", "source\\-ports"),
        ("vswitchctl-account-add", "secret\\-file"),
    ] {
        assert!(read(&format!("{page}.1")).contains(option), "{page} lacks {option}");
    }
    for file in ["vswitchctl.bash", "_vswitchctl", "vswitchctl.fish"] {
        assert!(["add-sources", "secret-file"].iter().all(|word| read(file).contains(word)), "{file}");
    }
}

#[test]
fn ids_that_cannot_be_are_usage_errors() {
    let daemon = Daemon::start();
    for what in ["eni", "filter", "session"] {
        for id in ["a b", "", "a/b", "../x", "é"] {
            let output = daemon.ctl(&[what, id]);
            assert_eq!(output.status.code(), Some(2), "{what} {id:?}: {}", text(&output.stderr));
            assert!(text(&output.stderr).contains("an id has 1 to 64 letters"), "{}", text(&output.stderr));
        }
    }
    assert_eq!(daemon.ctl(&["eni", "eni-9"]).status.code(), Some(1));
    assert_eq!(daemon.ctl(&["top", "--interval", "nan"]).status.code(), Some(2));
}

#[test]
fn a_closed_pipe_ends_every_printing_command_quietly() {
    let daemon = Daemon::start();
    for arguments in [
        &["top", "--interval", "0.1"][..],
        &["--json", "top", "--interval", "0.1"],
        &["eni"],
        &["--json", "session"],
        &["stats", "--check"],
        &["reload"],
    ] {
        let output = unread(&mut daemon.command(arguments));
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{arguments:?}");
    }
    let folder = Folder::shipped();
    let output = unread(Command::new(VSWITCH).args(["check", "--config"]).arg(folder.0.join("vswitch.toml")));
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let folder = Folder::shipped();
    let mut command = Command::new(VSWITCH);
    command.args(["check", "--config"]).arg(folder.0.join("vswitch.toml")).stdout(full);
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("standard output cannot be written"), "{}", text(&output.stderr));
}

#[test]
fn explain_refuses_an_inbound_packet_to_somebody_else() {
    let daemon = Daemon::start();
    let explain = |dst: &str| {
        let packet = ["--direction", "in", "--src", "10.0.0.20", "--dst", dst, "--protocol", "udp"];
        daemon.ctl(&[&["explain", "--eni", "eni-a"], &packet[..]].concat())
    };
    assert!(explain("10.0.0.10").status.success());
    let output = explain("9.9.9.9");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("destination = 9.9.9.9: ENI eni-a has 10.0.0.10"));
}

#[test]
fn explain_tells_the_packet_s_whole_way_and_moves_no_counter() {
    let daemon = Daemon::start();
    let explain = |packet: &[&str]| {
        let output = daemon.ctl(&[&["explain", "--eni", "eni-a", "--direction", "out"], packet].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let stats = || text(&daemon.ctl(&["--json", "stats"]).stdout);
    let before = stats();
    let told = explain(&["--packet", "10.0.0.10:1234>10.0.0.20:80/tcp,len=1500"]);
    for line in [
        "packet: 10.0.0.10 > 10.0.0.20, protocol 6, 1500 bytes of IP\n",
        "service: delivered to eni-b\n",
        "mirror, outbound at eni-a: mirrored by tms-demo, rule tmr-out-2\n",
        "  session tms-demo, priority 1, filter tmf-demo: decided\n",
        "    rule tmr-out-1, priority 1: drop UDP 0.0.0.0/0 > 0.0.0.0/0 ports 9999/9999: \
         no match (protocol, destination ports)\n",
        "    rule tmr-out-2, priority 2: accept TCP 0.0.0.0/0 > 0.0.0.0/0: matched\n",
        "    rule tmr-out-3, priority 3: accept UDP 0.0.0.0/0 > 0.0.0.0/0: not reached\n",
        "  target: eni-c (NetworkInterface)\n",
        "  copy: VNI 10, 10.0.0.10:54963 > 10.0.0.30:4789\n",
        "1514 bytes with 1464 of the frame\n",
        "  length: cut from 1500 to 1450 bytes of IP by the path's MTU of 1500 less 50 of encapsulation\n",
        "also to a jumbo target\n",
    ] {
        assert!(told.contains(line), "{line}{told}");
    }
    // The same by fields and by bytes.
    let fields = ["--src", "10.0.0.10", "--dst", "10.0.0.20", "--protocol", "tcp", "--src-port", "1234"];
    assert_eq!(explain(&[&fields[..], &["--dst-port", "80", "--length", "1500"]].concat()), told);
    let frame = "02000000000b 02000000000a 0800 450005dc00000000400660d0 0a00000a 0a000014 04d2 0050";
    let frame = format!("{frame} 0000000000000000 5000 {}", "00".repeat(1500 - 34));
    assert_eq!(explain(&["--hex", &frame]), told);
    let dhcp = explain(&["--packet", "10.0.0.10:68>10.0.0.20:67/udp"]);
    let reason = vswitch::packet::Reason::Dhcp;
    let lines = format!("not mirrored: dhcp\n  why: {}\n  advice: {}\n", reason.help(), reason.advice());
    assert!(dhcp.contains(&lines), "{dhcp}");
    assert_eq!(stats(), before, "no counter moved");
}

#[test]
fn the_json_of_explain_has_these_keys() {
    let daemon = Daemon::start();
    let packet = ["--packet", "10.0.0.10:1234>10.0.0.20:80/tcp"];
    let output = daemon.ctl(&[&["--json", "explain", "--eni", "eni-a", "--direction", "out"], &packet[..]].concat());
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let judged = &answer["mirror"][0];
    for (value, expected) in [
        (&answer, "version eni direction packet service mirrored not_judged mirror note"),
        (&answer["packet"], "source destination protocol length fragment"),
        (&answer["service"], "verdict to to_connected"),
        (
            judged,
            "direction verdict rule session vni target kept cut reason eni total target_type path_mtu cut_why copy why \
             advice sessions target_connected",
        ),
        (
            &judged["copy"],
            "vni source source_port destination destination_port source_mac destination_mac bytes inner_bytes",
        ),
        (&judged["sessions"][0], "session priority filter result rules"),
        (
            &judged["sessions"][0]["rules"][0],
            "id priority action protocol source destination source_ports destination_ports result differs",
        ),
    ] {
        assert_eq!(keys(value), expected);
    }
}

#[test]
fn a_packet_that_cannot_be_is_a_usage_error_that_says_how() {
    let daemon = Daemon::start();
    let form =
        "a packet is SOURCE[:PORT]>DESTINATION[:PORT]/PROTOCOL[,len=BYTES], such as 10.0.0.1:1234>10.0.0.2:80/tcp";
    let both = ["--packet", "10.0.0.10>10.0.0.20/tcp", "--hex", "02"];
    for (arguments, sentence) in [
        (&["--packet", "10.0.0.10:1234>10.0.0.20:80"][..], form),
        (&["--packet", "10.0.0.10:99999>10.0.0.20:80/tcp"], form),
        (&["--packet", "10.0.0.10:1>10.0.0.20/icmp"], "protocol = icmp: only tcp and udp have ports"),
        (&["--hex", "0g"], "character 2 is 'g'; a whole Ethernet frame is written in hexadecimal digits"),
        (&both, "cannot be used with"),
        (&["--src", "10.0.0.10"], "--dst <DST>"),
    ] {
        let output = daemon.ctl(&[&["explain", "--eni", "eni-a", "--direction", "out"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(sentence), "{}", text(&output.stderr));
    }
}

/// The shipped files for another region, which the inventory says nothing more about.
fn of_region(id: &str, regions: &str) -> Folder {
    let folder = Folder::shipped();
    for (name, text) in [("vswitch.toml", CONF[0].1), ("inventory.json", CONF[1].1)] {
        let text = text.replace("id = \"local\"", &format!("id = \"{id}\""));
        let text = text.replace("regions = \"\"", &format!("regions = \"{regions}\""));
        let text = text.replace("\"RegionId\": \"local\"", &format!("\"RegionId\": \"{id}\""));
        std::fs::write(folder.0.join(name), text.replace("  \"JumboMirroring\": true,\n", "")).unwrap();
    }
    folder
}

fn check(folder: &Folder) -> Output {
    Command::new(VSWITCH).args(["check", "--config"]).arg(folder.0.join("vswitch.toml")).output().unwrap()
}

#[test]
fn check_and_the_log_say_what_a_region_can() {
    let said = |folder: &Folder| text(&check(folder).stdout).lines().next().unwrap_or_default().to_owned();
    let both = ": jumbo mirroring, targets may be Gateway Load Balancer endpoints";
    let neither = ": no jumbo mirroring, targets may not be Gateway Load Balancer endpoints";
    assert_eq!(said(&of_region("us-east-1", "")), format!("# region us-east-1{both}"));
    assert_eq!(said(&of_region("eu-west-1", "")), format!("# region eu-west-1{neither}"));
    let unknown = format!("region mars is not in the list of regions (files.regions){neither}");
    assert_eq!(said(&of_region("mars", "")), format!("# {unknown}"));
    let daemon = Daemon::start_in(of_region("mars", ""));
    assert!(daemon.log().contains(&format!("WARN vswitch::control::switch: {unknown}")), "{}", daemon.log());
    assert!(!Daemon::start().log().contains("WARN"));
    // A list of one's own, beside the configuration.
    let folder = of_region("mars", "regions.json");
    let list = |text: &str| std::fs::write(folder.0.join("regions.json"), text).unwrap();
    list(r#"{"Regions": [{"RegionId": "mars", "JumboMirroring": true, "Gwlb": true}]}"#);
    assert_eq!(said(&folder), format!("# region mars{both}"));
    list(r#"{"Regions": [{"RegionId": "mars", "JumboMirroring": 7}]}"#);
    let output = check(&folder);
    let file = folder.0.join("regions.json").display().to_string();
    let expected = format!(
        "vswitch: {file}: Regions[0].JumboMirroring = 7: true or false\n\
         vswitch: {file}: Regions[0].Gwlb: missing; true or false\n"
    );
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), expected));
}

#[test]
fn the_classifier_uses_the_registers_that_vswitch_simd_names() {
    use vswitch::classify::Level;

    let folder = Folder::shipped();
    let run = |command: &str, value: Option<&OsStr>| {
        let mut vswitch = Command::new(VSWITCH);
        vswitch.args([command, "--config"]).arg(folder.0.join("vswitch.toml")).env_remove("VSWITCH_SIMD");
        vswitch.envs(value.map(|value| ("VSWITCH_SIMD", value)));
        vswitch.output().unwrap()
    };
    let line = |level: Level| format!("\n# classifier: {}\n", level.name());
    let widest = Level::ALL.into_iter().rev().find(|l| l.is_available()).unwrap();
    assert!(text(&run("check", None).stdout).contains(&line(widest)));
    for level in Level::ALL {
        let output = run("check", Some(level.name().as_ref()));
        if level.is_available() {
            assert!(text(&output.stdout).contains(&line(level)), "{output:?}");
        } else {
            let expected = format!("vswitch: VSWITCH_SIMD = {}: this CPU has not got it\n", level.name());
            assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), expected));
        }
    }
    for value in [&b"AVX2"[..], b"sse", b"", b"avx2 ", b"\xff"] {
        let expected = format!("vswitch: VSWITCH_SIMD = {:?}: scalar, avx2 or avx512\n", text(value));
        for command in ["check", "run"] {
            let output = run(command, Some(OsStr::from_bytes(value)));
            assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), expected.clone()), "{command}");
            assert!(output.stdout.is_empty());
        }
        let mut replay = Command::new(VSWITCH);
        replay.current_dir(&folder.0).args(["replay", "--eni", "eni-a", "--pcap", "none", "--out", "none"]);
        replay.args(["--inventory", "inventory.json", "--mirror", "mirror.json"]);
        let output = replay.env("VSWITCH_SIMD", OsStr::from_bytes(value)).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(1), expected));
    }
    // Beside the other errors of the configuration, not instead of them.
    let mut both = Command::new(VSWITCH);
    both.args(["check", "--config"]).arg(folder.0.join("vswitch.toml"));
    let both = both.env("VSWITCH_SIMD", "mmx").env("VSWITCH__WORKER__COUNT", "65").output().unwrap();
    assert_eq!(text(&both.stderr).lines().count(), 2, "{}", text(&both.stderr));
}

#[test]
fn the_log_says_which_registers_the_classifier_uses() {
    let daemon = Daemon::start_with(Folder::shipped(), &[("VSWITCH_SIMD", "scalar")]);
    assert!(daemon.log().contains("INFO vswitch::control::daemon: classifier: scalar\n"), "{}", daemon.log());
}
