//! `conf/vswitch.toml`: every key, its default and what is allowed. Where values come from is in `layers`.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::mirror::overload::Overload;

use super::raw::{Object, Sink, boolean, integer, string, text};

/// What an idle worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    /// Polls on: the lowest latency, a whole CPU.
    Poll,
    /// Sleeps 50 µs after 64 empty turns.
    Sleep,
}

/// Who owns an ENI's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketMode {
    /// The VMM listens and the switch connects, again and again.
    Client,
    /// The switch listens.
    Server,
}

macro_rules! sections {
    ($($(#[$doc:meta])* $section:ident: $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $kind:ty = $default:expr, $allowed:expr, $read:expr;)+
    })+) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),+ }

        impl Default for $name {
            fn default() -> Self { $name { $($field: $default),+ } }
        }

        impl $name {
            pub(super) const KEYS: &'static [&'static str] = &[$(stringify!($field)),+];

            /// What the object says, and what it does not say from `rest`.
            pub(super) fn read(object: &Object<'_>, rest: Self) -> Self {
                $name { $($field: object.optional(stringify!($field), $allowed, $read).unwrap_or(rest.$field)),+ }
            }
        })+

        /// The whole configuration.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Config { $($(#[$doc])* pub $section: $name),+ }

        impl Config {
            const SECTIONS: &'static [&'static str] = &[$(stringify!($section)),+];

            pub(super) fn read(sink: &Sink, tree: &Value) -> Self {
                let mut config = Config::default();
                let Some(root) = Object::new(sink, "", tree, Self::SECTIONS, &[]) else { return config };
                $(if let Some(value) = root.raw(stringify!($section))
                    && let Some(object) = Object::new(sink, stringify!($section), value, $name::KEYS, &[])
                {
                    config.$section = $name::read(&object, $name::default());
                })+
                config
            }

            /// Every key as `section.key`, in the file's order.
            #[must_use]
            pub fn keys() -> Vec<String> {
                let mut keys = Vec::new();
                $(keys.extend($name::KEYS.iter().map(|k| format!("{}.{k}", stringify!($section))));)+
                keys
            }
        }
    };
}

fn number<T: TryFrom<i64>>(min: i64, max: i64) -> impl FnOnce(&Value) -> Option<T> {
    move |v| integer(v, min, max).and_then(|n| T::try_from(n).ok())
}

fn path(value: &Value) -> Option<PathBuf> {
    text(value).filter(|s| !s.contains('\0')).map(PathBuf::from)
}

fn path_or_none(value: &Value) -> Option<PathBuf> {
    if value.as_str() == Some("") { Some(PathBuf::new()) } else { path(value) }
}

fn file_prefix(value: &Value) -> Option<String> {
    text(value).filter(|s| s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)))
}

/// A filter; a bare word must be a level, since tracing-subscriber would take it for a crate's name and log nothing.
fn level(value: &Value) -> Option<String> {
    let bare = |part: &str| !part.contains(['=', '[']) && part.parse::<LevelFilter>().is_err();
    let filter = text(value).filter(|s| !s.split(',').map(str::trim).any(bare))?;
    EnvFilter::try_new(&filter).is_ok().then_some(filter)
}

fn cpus(value: &Value) -> Option<Vec<usize>> {
    let one = |v: &Value| integer(v, 0, 1023).and_then(|n| usize::try_from(n).ok());
    match value {
        Value::Array(items) => items.iter().map(one).collect(),
        Value::String(s) if s.is_empty() => Some(Vec::new()),
        Value::String(s) => s.split(',').map(|n| one(&Value::from(n.trim()))).collect(),
        single => one(single).map(|n| vec![n]),
    }
}

fn instance_types(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::String(s) if s.is_empty() => Some(Vec::new()),
        Value::String(s) => s.split(',').map(|t| text(&Value::from(t.trim()))).collect(),
        _ => None,
    }
}

sections! {
    /// The region that the process belongs to.
    region: RegionConfig {
        /// Its id; an inventory of another region is refused.
        id: String = "local".to_owned(), "a region's id, such as \"local\"", text;
    }
    /// Object files.
    files: FilesConfig {
        /// What the platform says exists.
        inventory: PathBuf = "inventory.json".into(), "a path", path;
        /// Filters and sessions.
        mirror: PathBuf = "mirror.json".into(), "a path", path;
        /// Regions and what they can; empty takes the built-in list.
        regions: PathBuf = PathBuf::new(), "a path, or \"\" for the built-in list", path_or_none;
    }
    /// Poll-mode workers.
    worker: WorkerConfig {
        /// How many; 0 runs the control side alone.
        count: u16 = 1, "a whole number from 0 to 64", number(0, 64);
        /// Their CPUs; empty takes the last ones beside control's.
        lcores: Vec<usize> = Vec::new(), "a list of CPU numbers, such as [1, 2]", cpus;
        /// What they do when there is nothing to do.
        idle: Idle = Idle::Poll, "\"poll\" or \"sleep\"", |v| match v.as_str()? {
            "poll" => Some(Idle::Poll),
            "sleep" => Some(Idle::Sleep),
            _ => None,
        };
        /// Packets that a queue is asked for at a time.
        burst: u8 = 32, "a whole number from 1 to 64", number(1, 64);
        /// Packets that fit into a ring between two workers.
        ring_size: u32 = 1024, "a whole number from 64 to 65536", number(64, 65536);
    }
    /// DPDK's environment.
    dpdk: DpdkConfig {
        /// Real hugepages; without them everything works, slower.
        hugepages: bool = true, "true or false", boolean;
        /// Memory for buffers, MiB.
        memory_mb: u32 = 256, "MiB, a whole number from 64 to 1048576", number(64, 1_048_576);
        /// Tells this process's run-time files from those of other DPDK processes.
        file_prefix: String = "vswitch".to_owned(), "letters, digits, - and _", file_prefix;
        /// The CPU of control and of DPDK's own threads.
        control_cpu: usize = 0, "a CPU's number", number(0, 1023);
    }
    /// Buffer pools of each worker.
    pools: PoolsConfig {
        /// Buffers for frames of MTU 1500.
        std_mbufs: u32 = 16384, "a whole number from 512 to 4194304", number(512, 4_194_304);
        /// Buffers for frames of MTU 8500.
        jumbo_mbufs: u32 = 4096, "a whole number from 512 to 4194304", number(512, 4_194_304);
    }
    /// Mirroring.
    mirror: MirrorConfig {
        /// What a saturated worker does with copies.
        overload: Overload = Overload::Shed, "\"shed\" or \"share\"", |v| match v.as_str()? {
            "shed" => Some(Overload::Shed),
            "share" => Some(Overload::Share),
            _ => None,
        };
    }
    /// ENI ports.
    ports: PortsConfig {
        /// Folder of the sockets `<ENI id>.sock`, where the inventory names none.
        socket_dir: PathBuf = "/run/vswitch/eni".into(), "a path", path;
        /// Who owns the sockets, where the inventory does not say.
        mode: SocketMode = SocketMode::Client, "\"client\" or \"server\"", |v| match v.as_str()? {
            "client" => Some(SocketMode::Client),
            "server" => Some(SocketMode::Server),
            _ => None,
        };
        /// Packets that an ENI may have under way to other workers, at most half of `worker.ring_size`.
        credit: u32 = 512, "a whole number from 1 to 65536", number(1, 65536);
    }
    /// Where objects are kept.
    store: StoreConfig {
        /// The store's file; without one the object files are read and nothing is kept.
        path: PathBuf = "/var/lib/vswitch/store.redb".into(), "a path, or \"\" for the object files alone", path_or_none;
        /// The id of this host in the inventory; ENIs of other hosts have no port here.
        host: String = String::new(), "a host's id, or \"\" where the inventory names no hosts", string;
    }
    /// Tenant API.
    api: ApiConfig {
        /// Its address and port; without one there is no tenant API. It needs a store.
        listen: String = "127.0.0.1:8086".to_owned(), "an address and a port, such as 127.0.0.1:8086, or \"\" for none",
            |v| string(v).filter(|s| s.is_empty() || s.parse::<std::net::SocketAddr>().is_ok());
        /// PEM file with the certificate chain; with it, `api.listen` speaks TLS only.
        tls_certificate: PathBuf = PathBuf::new(), "a path, or \"\" for plain HTTP", path_or_none;
        /// PEM file with its private key.
        tls_key: PathBuf = PathBuf::new(), "a path, or \"\" for plain HTTP", path_or_none;
        /// Plain HTTP also where others can listen.
        insecure: bool = false, "true or false", boolean;
        /// JSON file of accounts and their AccessKeys beside those of the inventory.
        accounts: PathBuf = PathBuf::new(), "a path, or \"\" for the inventory's accounts alone", path_or_none;
        /// Requests that an account has a minute.
        requests_per_minute: u32 = 600, "a whole number from 1 to 10000000", number(1, 10_000_000);
        /// Connections at a time.
        connections: u32 = 256, "a whole number from 1 to 65536", number(1, 65536);
    }
    /// Inventory and operations API.
    ops: OpsConfig {
        /// Its Unix socket.
        socket: PathBuf = "/run/vswitch/ops.sock".into(), "a path", path;
    }
    /// Prometheus.
    metrics: MetricsConfig {
        /// Address and port of `/metrics`, `/healthz` and `/readyz`.
        listen: String = "127.0.0.1:9464".to_owned(), "an address and a port, such as 127.0.0.1:9464",
            |v| text(v).filter(|s| s.parse::<std::net::SocketAddr>().is_ok());
    }
    /// Log to standard error.
    log: LogConfig {
        /// `error`, `warn`, `info`, `debug`, `trace`, or a filter of tracing-subscriber.
        level: String = "info".to_owned(), "error, warn, info, debug, trace, off, or a filter such as warn,vswitch=debug",
            level;
    }
    /// Adjustable quotas; the rest are fixed by the specification.
    quotas: Quotas {
        /// Rules of a filter, both directions together.
        rules_per_filter: u32 = 20, "a whole number from 1 to 10000", number(1, 10_000);
        /// Sessions that have an ENI as source.
        sessions_per_source: u32 = 3, "a whole number from 1 to 64", number(1, 64);
        /// Sources of a session.
        sources_per_session: u32 = 10, "a whole number from 1 to 10000", number(1, 10_000);
        /// Distinct sources of a target ENI of an ordinary instance type.
        sources_per_target_eni: u32 = 20, "a whole number from 1 to 100000", number(1, 100_000);
        /// The same for instance types in `large_instance_types`.
        sources_per_large_target_eni: u32 = 200, "a whole number from 1 to 100000", number(1, 100_000);
        /// Distinct sources of a CLB or a GWLB endpoint.
        sources_per_load_balancer: u32 = 500, "a whole number from 1 to 100000", number(1, 100_000);
        /// Filters.
        filters: u32 = 100, "a whole number from 1 to 100000", number(1, 100_000);
        /// Sessions that use one filter.
        sessions_per_filter: u32 = 2000, "a whole number from 1 to 1000000", number(1, 1_000_000);
        /// Sessions.
        sessions: u32 = 20000, "a whole number from 1 to 1000000", number(1, 1_000_000);
        /// Instance types whose ENIs take more sources as targets.
        large_instance_types: Vec<String> = Vec::new(), "a list of instance types", instance_types;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::from_text(toml, "t.toml", environment).map_err(|p| p.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_shipped_file_holds_every_key_with_its_default() {
        let shipped = include_str!("../../conf/vswitch.toml");
        assert_eq!(load(shipped, &[]), Ok(Config::default()));
        let tree: toml::Table = shipped.parse().unwrap();
        for key in Config::keys() {
            let (section, key) = key.split_once('.').unwrap();
            assert!(tree[section].as_table().unwrap().contains_key(key), "conf/vswitch.toml lacks {section}.{key}");
        }
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(load("", &[]), Ok(Config::default()));
    }

    #[test]
    fn twelve_errors_are_twelve_lines() {
        let toml = "
            [worker]\ncount = 65\nlcores = [-1]\nidle = \"nap\"\nburst = 0\nring_sise = 1
            [dpdk]\nhugepages = \"maybe\"\nmemory_mb = 1
            [ports]\nmode = \"both\"\ncredit = 0
            [metrics]\nlisten = \"here\"
            [quotas]\nfilters = 0
            [werker]\ncount = 1
        ";
        let mut lines = load(toml, &[]).unwrap_err();
        lines.sort();
        let expected = [
            "t.toml: dpdk.hugepages = \"maybe\": true or false",
            "t.toml: dpdk.memory_mb = 1: MiB, a whole number from 64 to 1048576",
            "t.toml: metrics.listen = \"here\": an address and a port, such as 127.0.0.1:9464",
            "t.toml: ports.credit = 0: a whole number from 1 to 65536",
            "t.toml: ports.mode = \"both\": \"client\" or \"server\"",
            "t.toml: quotas.filters = 0: a whole number from 1 to 100000",
            "t.toml: werker = {\"count\":1}: unknown key; the nearest known one is worker",
            "t.toml: worker.burst = 0: a whole number from 1 to 64",
            "t.toml: worker.count = 65: a whole number from 0 to 64",
            "t.toml: worker.idle = \"nap\": \"poll\" or \"sleep\"",
            "t.toml: worker.lcores = [-1]: a list of CPU numbers, such as [1, 2]",
            "t.toml: worker.ring_sise = 1: unknown key; the nearest known one is ring_size",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_file_that_is_not_toml_says_where() {
        let lines = load("[worker\n", &[]).unwrap_err();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].starts_with("t.toml: "), "{}", lines[0]);
    }
}
