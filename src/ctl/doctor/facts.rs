//! What is read of the machine and asked of the daemon, before anything is judged.

use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::Method;
use hyper::header::DATE;
use rustix::fs::{Access, access};
use serde_json::Value;

use super::super::client::{Daemon, Reply};
use super::clock::seconds_of;
use super::cpus::{Cpus, list};
use super::hugepages::Pages;
use crate::control::config::Config;
use crate::control::daemon::configuration;

/// Where `vswitchctl` looks for the daemon unless told otherwise.
const SOCKET: &str = "/run/vswitch/ops.sock";
/// Where a configuration may be.
const FILES: [&str; 2] = ["conf/vswitch.toml", "/etc/vswitch/vswitch.toml"];
/// Longest wait for the daemon.
const PATIENCE: Duration = Duration::from_secs(5);

/// A configuration file, if there is one, and what is in it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) path: Option<PathBuf>,
    pub(super) config: Result<Config, Vec<String>>,
}

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Missing,
    /// This user may not look.
    Hidden,
    File,
    Folder,
    Socket,
    Other,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    /// Who may do what: the permission bits.
    pub(super) mode: u32,
    /// This process may write there.
    pub(super) writable: bool,
}

/// What the operations socket does when it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Answers,
    /// Somebody listens, and says nothing that makes sense.
    Silent(String),
    /// This user may not ask.
    Denied,
    /// Nobody listens.
    Closed,
}

/// What a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) version: String,
    pub(super) commit: String,
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) found: Found,
    default: Config,
    pub(super) socket: PathBuf,
    pub(super) door: Door,
    /// Who the daemon is, if it answers.
    pub(super) daemon: Option<Identity>,
    /// Why the switch is not ready, if it answers and is not.
    pub(super) ready: Option<Result<(), String>>,
    /// State of the daemon's store, and why.
    pub(super) store: Option<(String, String)>,
    pub(super) pages: Option<Pages>,
    pub(super) cpus: Cpus,
    /// The DPDK that this build is linked with.
    pub(super) dpdk: Option<String>,
    pub(super) kernel: String,
    pub(super) synchronised: Option<bool>,
    /// Seconds that the daemon's clock is ahead.
    pub(super) skew: Option<i64>,
}

impl Facts {
    /// Reads the machine and asks the daemon, at its configuration's socket unless another was named.
    pub(super) fn read(daemon: Daemon<'_>, config: Option<&Path>) -> Facts {
        let found = find(config);
        let configured = found.config.as_ref().map(|config| config.ops.socket.clone());
        let named = daemon.socket != Path::new(SOCKET);
        let socket = if named { daemon.socket.to_owned() } else { configured.unwrap_or_else(|_| SOCKET.into()) };
        let daemon = Daemon { socket: &socket, patience: PATIENCE };
        let root = Path::new("/");
        let mut facts = Facts {
            found,
            default: Config::default(),
            door: Door::Closed,
            daemon: None,
            ready: None,
            store: None,
            pages: pages(root),
            cpus: cpus(root),
            dpdk: dpdk(),
            kernel: text(root, "proc/sys/kernel/osrelease").unwrap_or_default(),
            synchronised: synchronised(root),
            skew: None,
            socket: socket.clone(),
        };
        facts.ask(daemon);
        facts
    }

    /// The configuration, or the defaults where it cannot be read.
    pub(super) fn config(&self) -> &Config {
        self.found.config.as_ref().unwrap_or(&self.default)
    }

    /// What is at a path.
    pub(super) fn place(&self, path: &Path) -> Place {
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(e) => {
                let kind = if e.kind() == ErrorKind::PermissionDenied { Kind::Hidden } else { Kind::Missing };
                return Place { kind, mode: 0, writable: false };
            }
        };
        let kind = match meta.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Folder,
            kind if kind.is_socket() => Kind::Socket,
            _ => Kind::Other,
        };
        Place { kind, mode: meta.permissions().mode() & 0o7777, writable: access(path, Access::WRITE_OK).is_ok() }
    }

    /// The nearest thing above a path that is there.
    pub(super) fn nearest_folder(&self, path: &Path) -> PathBuf {
        let above = path.ancestors().skip(1).find(|above| !above.as_os_str().is_empty() && above.exists());
        above.unwrap_or(Path::new(".")).to_owned()
    }

    fn ask(&mut self, daemon: Daemon<'_>) {
        if let Err(e) = std::os::unix::net::UnixStream::connect(daemon.socket) {
            self.door = if e.kind() == ErrorKind::PermissionDenied { Door::Denied } else { Door::Closed };
            return;
        }
        let get = |path: &str| daemon.reply(Method::GET, path, Vec::new().into());
        let version = match get("/version") {
            Ok(reply) => reply,
            Err(why) => {
                self.door = Door::Silent(why.to_string().lines().next().unwrap_or_default().to_owned());
                return;
            }
        };
        self.door = Door::Answers;
        self.skew = version.header(DATE).and_then(seconds_of).and_then(|daemon| Some(daemon - now()?));
        let of = |value: &Value, key: &str| value[key].as_str().unwrap_or("unknown").to_owned();
        let value = json(&version);
        self.daemon = Some(Identity { version: of(&value, "version"), commit: of(&value, "commit") });
        self.ready = get("/readyz").ok().map(|reply| match reply.status.is_success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&reply.body).trim().to_owned()),
        });
        self.store = get("/v1/status").ok().map(|reply| json(&reply)).and_then(|status| {
            let store = status.get("store")?;
            Some((of(store, "state"), store["reason"].as_str().unwrap_or_default().to_owned()))
        });
    }
}

fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

fn now() -> Option<i64> {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

fn find(named: Option<&Path>) -> Found {
    let path = named.or_else(|| FILES.iter().map(Path::new).find(|file| file.exists())).map(Path::to_owned);
    let config = path.as_deref().map_or(Ok(Config::default()), |path| configuration(path).map(|(config, _)| config));
    Found { path, config }
}

fn text(root: &Path, file: &str) -> Option<String> {
    std::fs::read_to_string(root.join(file)).ok().map(|text| text.trim().to_owned())
}

fn pages(root: &Path) -> Option<Pages> {
    let number = |name: &str| text(root, &format!("sys/kernel/mm/hugepages/hugepages-2048kB/{name}"))?.parse().ok();
    Some(Pages { total: number("nr_hugepages")?, free: number("free_hugepages")? })
}

fn cpus(root: &Path) -> Cpus {
    let status = text(root, "proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    Cpus {
        allowed: allowed.and_then(list).unwrap_or_default(),
        isolated: text(root, "sys/devices/system/cpu/isolated").as_deref().and_then(list).unwrap_or_default(),
    }
}

#[cfg(feature = "dpdk")]
#[allow(clippy::unnecessary_wraps)]
fn dpdk() -> Option<String> {
    Some(crate::dpdk::eal::version())
}

#[cfg(not(feature = "dpdk"))]
fn dpdk() -> Option<String> {
    None
}

/// What systemd's own client says, or the kernel, whoever disciplines its clock.
fn synchronised(root: &Path) -> Option<bool> {
    if root.join("run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let output = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output().ok()?;
    match String::from_utf8_lossy(&output.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A machine of files, gone with the test.
    struct Machine(PathBuf);

    impl Machine {
        fn of(name: &str, files: &[(&str, &str)]) -> Machine {
            let root = std::env::temp_dir().join(format!("vswitch-doctor-{name}-{}", std::process::id()));
            for (file, text) in files {
                let path = root.join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            Machine(root)
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_machine_is_read() {
        let machine = Machine::of(
            "read",
            &[
                ("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "1024\n"),
                ("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "1000\n"),
                ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-2\n"),
                ("sys/devices/system/cpu/isolated", "1-2\n"),
                ("run/systemd/timesync/synchronized", ""),
            ],
        );
        assert_eq!(pages(&machine.0), Some(Pages { total: 1024, free: 1000 }));
        assert_eq!(cpus(&machine.0), Cpus { allowed: vec![0, 1, 2], isolated: vec![1, 2] });
        assert_eq!(synchronised(&machine.0), Some(true));
        let nothing = Machine::of("nothing", &[("empty", "")]);
        assert_eq!((pages(&nothing.0), cpus(&nothing.0)), (None, Cpus::default()));
    }

    #[test]
    fn places_are_what_they_are() {
        let machine = Machine::of("places", &[("file", "")]);
        let facts = Facts::read(Daemon { socket: &machine.0.join("no.sock"), patience: PATIENCE }, None);
        assert_eq!(facts.door, Door::Closed);
        std::fs::set_permissions(machine.0.join("file"), std::fs::Permissions::from_mode(0o640)).unwrap();
        let file = facts.place(&machine.0.join("file"));
        assert_eq!((file.kind, file.mode, file.writable), (Kind::File, 0o640, true));
        assert_eq!(facts.place(&machine.0).kind, Kind::Folder);
        let missing = machine.0.join("a/b/c");
        assert_eq!((facts.place(&missing).kind, facts.nearest_folder(&missing)), (Kind::Missing, machine.0.clone()));
        assert_eq!(facts.nearest_folder(Path::new("x.redb")), Path::new("."));
    }
}
