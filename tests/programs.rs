//! The programs as their users meet them, without DPDK: the shipped configuration where the systemd unit wants it,
//! versions, completions and man pages, ids, closed pipes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const VSWITCH: &str = env!("CARGO_BIN_EXE_vswitch");
const VSWITCHCTL: &str = env!("CARGO_BIN_EXE_vswitchctl");
const CONF: [(&str, &str); 3] = [
    ("vswitch.toml", include_str!("../conf/vswitch.toml")),
    ("inventory.json", include_str!("../conf/inventory.json")),
    ("mirror.json", include_str!("../conf/mirror.json")),
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
        let folder = Folder::shipped();
        let child = Command::new(VSWITCH)
            .args(["run", "--config"])
            .arg(folder.0.join("vswitch.toml"))
            .env("VSWITCH__WORKER__COUNT", "0")
            .env("VSWITCH__METRICS__LISTEN", "127.0.0.1:0")
            .env("VSWITCH__OPS__SOCKET", folder.0.join("ops.sock"))
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
    let unit = include_str!("../conf/vswitch.service");
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
        ("vswitchctl", &["reload", "eni", "filter", "session", "explain", "stats", "top"]),
    ];
    for (name, subcommands) in commands {
        for file in [format!("{name}.bash"), format!("_{name}"), format!("{name}.fish"), format!("{name}.1")] {
            let content = read(&file);
            subcommands.iter().for_each(|s| assert!(content.contains(s), "{file} lacks {s}"));
        }
        assert!(read(&format!("{name}.1")).contains(vswitch::COMMIT));
        subcommands.iter().for_each(|s| assert!(read(&format!("{name}-{s}.1")).contains(".TH")));
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
