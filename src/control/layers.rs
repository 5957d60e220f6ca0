//! How a configuration comes about: defaults, the file, the environment, then what no key breaks alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use config::builder::DefaultState;
use config::{ConfigBuilder, Environment, File, FileFormat};
use serde_json::Value;

use super::config::Config;
use super::raw::{Problem, Sink};

/// Prefix of environment variables.
const PREFIX: &str = "VSWITCH";

/// Variables by the key that they set (`worker.count`).
type Variables = BTreeMap<String, String>;

impl Config {
    /// Reads the file, lays `environment` over it and checks everything. Relative paths of the file start at its folder,
    /// those of the environment at the working directory.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn load(file: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self, Vec<Problem>> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| vec![whole(&name, &format!("cannot be read: {e}"))])?;
        let (mut config, variables) = read(&text, &name, environment)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        for (key, path) in config.paths() {
            if !variables.contains_key(key) && !path.as_os_str().is_empty() {
                *path = folder.join(&*path);
            }
        }
        Ok(config)
    }

    /// The same from the file's text; paths stay as they are.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn from_text(
        toml: &str,
        name: &str,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Vec<Problem>> {
        read(toml, name, environment).map(|(config, _)| config)
    }

    /// Every key that is a path.
    fn paths(&mut self) -> [(&'static str, &mut PathBuf); 9] {
        [
            ("files.inventory", &mut self.files.inventory),
            ("files.mirror", &mut self.files.mirror),
            ("files.regions", &mut self.files.regions),
            ("store.path", &mut self.store.path),
            ("api.tls_certificate", &mut self.api.tls_certificate),
            ("api.tls_key", &mut self.api.tls_key),
            ("api.accounts", &mut self.api.accounts),
            ("ports.socket_dir", &mut self.ports.socket_dir),
            ("ops.socket", &mut self.ops.socket),
        ]
    }
}

fn read(
    toml: &str,
    name: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<(Config, Variables), Vec<Problem>> {
    let environment: Vec<(String, String)> = environment.filter(|(k, _)| k.starts_with("VSWITCH__")).collect();
    let key = |variable: &str| variable["VSWITCH__".len()..].to_lowercase().replace("__", ".");
    let variables: Variables = environment.iter().map(|(k, _)| (key(k), k.clone())).collect();
    let file: toml::Table = toml.parse().map_err(|e: toml::de::Error| vec![whole(name, e.to_string().trim())])?;
    let layers = ConfigBuilder::<DefaultState>::default()
        .add_source(File::from_str(toml, FileFormat::Toml))
        .add_source(Environment::with_prefix(PREFIX).separator("__").source(Some(environment.into_iter().collect())));
    let tree = layers
        .build()
        .and_then(config::Config::try_deserialize::<Value>)
        .map_err(|e| vec![whole(name, &e.to_string())])?;
    let sink = Sink::new(name);
    let config = Config::read(&sink, &tree);
    together(&sink, &config);
    let mut problems = sink.into_problems();
    problems.iter_mut().for_each(|p| blame_variable(p, &file, &variables));
    if problems.is_empty() { Ok((config, variables)) } else { Err(problems) }
}

/// What no key breaks alone.
fn together(sink: &Sink, config: &Config) {
    let (lcores, count) = (&config.worker.lcores, usize::from(config.worker.count));
    let value = Value::from(lcores.clone());
    if !lcores.is_empty() && lcores.len() < count {
        let text = format!("too few for worker.count = {count}: list as many CPUs, or none to have them chosen");
        sink.report("worker.lcores", Some(&value), text);
    }
    // Two ENIs that use up their credit towards one worker leave room for others in the ring.
    let (credit, ring_size) = (config.ports.credit, config.worker.ring_size);
    if credit > ring_size / 2 {
        let text = format!("at most half of worker.ring_size = {ring_size}");
        sink.report("ports.credit", Some(&Value::from(credit)), text);
    }
    api_together(sink, config);
}

/// A certificate goes with its key, and secrets and objects do not cross a network in clear unless somebody says so.
fn api_together(sink: &Sink, config: &Config) {
    let api = &config.api;
    let (certificate, key) = (!api.tls_certificate.as_os_str().is_empty(), !api.tls_key.as_os_str().is_empty());
    if certificate != key {
        let (given, missing) =
            if certificate { ("api.tls_certificate", "api.tls_key") } else { ("api.tls_key", "api.tls_certificate") };
        let value = Value::from(if certificate { &api.tls_certificate } else { &api.tls_key }.display().to_string());
        sink.report(given, Some(&value), format!("goes with {missing}: both or none"));
    }
    let elsewhere = api.listen.parse::<SocketAddr>().is_ok_and(|a| !a.ip().to_canonical().is_loopback());
    if elsewhere && !certificate && !api.insecure {
        let text = "plain HTTP is for loopback addresses: name a certificate in api.tls_certificate and its key in \
                    api.tls_key, or allow it with api.insecure = true";
        sink.report("api.listen", Some(&Value::from(&*api.listen)), text);
    }
}

/// A problem with a key that a variable set, or with a section that only variables brought up, is the environment's.
fn blame_variable(problem: &mut Problem, file: &toml::Table, variables: &Variables) {
    let inside = format!("{}.", problem.path);
    let variable = variables.get(&problem.path).or_else(|| {
        let in_file = problem.path.split('.').try_fold(file, |table, key| table.get(key)?.as_table()).is_some();
        variables.iter().find(|(key, _)| !in_file && key.starts_with(&inside)).map(|(_, variable)| variable)
    });
    if let Some(variable) = variable {
        (problem.file, problem.path) = ("environment".to_owned(), variable.clone());
    }
}

fn whole(file: &str, what: &str) -> Problem {
    Problem { file: file.to_owned(), path: String::new(), value: String::new(), allowed: what.to_owned() }
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
    fn an_eni_s_credit_leaves_room_in_a_ring() {
        assert!(load("[worker]\nring_size = 64\n[ports]\ncredit = 32\n", &[]).is_ok());
        for toml in ["[ports]\ncredit = 513\n", "[worker]\nring_size = 1023\n"] {
            let lines = load(toml, &[]).unwrap_err();
            assert!(lines[0].contains("at most half of worker.ring_size"), "{lines:?}");
        }
    }

    #[test]
    fn the_api_speaks_plain_http_on_loopback_only() {
        for toml in [
            "listen = \"127.3.2.1:1\"",
            "listen = \"[::1]:1\"",
            "listen = \"\"",
            "listen = \"0.0.0.0:1\"\ninsecure = true",
            "listen = \"0.0.0.0:1\"\ntls_certificate = \"c\"\ntls_key = \"k\"",
        ] {
            assert!(load(&format!("[api]\n{toml}\n"), &[]).is_ok(), "{toml}");
        }
        for address in ["0.0.0.0:1", "192.0.2.1:1", "[::]:1", "[::ffff:192.0.2.1]:1"] {
            let lines = load(&format!("[api]\nlisten = \"{address}\"\n"), &[]).unwrap_err();
            assert_eq!(lines.len(), 1, "{lines:?}");
            for word in ["t.toml: api.listen = ", address, "api.tls_certificate", "api.tls_key", "api.insecure"] {
                assert!(lines[0].contains(word), "{lines:?}");
            }
        }
    }

    #[test]
    fn a_certificate_goes_with_its_key() {
        for (given, missing) in [("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")] {
            let lines = load(&format!("[api]\n{given} = \"x.pem\"\n"), &[]).unwrap_err();
            assert_eq!(lines, [format!("t.toml: api.{given} = \"x.pem\": goes with api.{missing}: both or none")]);
        }
    }

    #[test]
    fn the_environment_wins() {
        let environment = [
            ("VSWITCH__WORKER__COUNT", "2"),
            ("VSWITCH__WORKER__LCORES", "1,3"),
            ("VSWITCH__DPDK__HUGEPAGES", "false"),
            ("VSWITCH__METRICS__LISTEN", "127.0.0.1:1"),
            ("OTHER__WORKER__COUNT", "9"),
        ];
        let config = load("[worker]\ncount = 1\n", &environment).unwrap();
        assert_eq!((config.worker.count, config.worker.lcores), (2, vec![1, 3]));
        assert!(!config.dpdk.hugepages);
        assert_eq!(config.metrics.listen, "127.0.0.1:1");
    }

    #[test]
    fn instance_types_of_the_environment_are_split_on_commas() {
        let types = |text| load("", &[("VSWITCH__QUOTAS__LARGE_INSTANCE_TYPES", text)]);
        assert_eq!(types("ecs.g7.large, b").unwrap().quotas.large_instance_types, ["ecs.g7.large", "b"]);
        assert!(types("").unwrap().quotas.large_instance_types.is_empty());
        let lines = types("a,,b").unwrap_err();
        let expected = "environment: VSWITCH__QUOTAS__LARGE_INSTANCE_TYPES = \"a,,b\": a list of instance types";
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn problems_of_the_environment_name_the_variable() {
        let environment = [
            ("VSWITCH__WORKER__COUNT", "65"),
            ("VSWITCH__WORKER__RING_SISE", "1"),
            ("VSWITCH__WERKER__COUNT", "1"),
            ("VSWITCH__METRICS", "x"),
        ];
        let mut lines = load("[worker]\nburst = 0\n", &environment).unwrap_err();
        lines.sort();
        let expected = [
            "environment: VSWITCH__METRICS = \"x\": an object is expected here",
            "environment: VSWITCH__WERKER__COUNT = {\"count\":\"1\"}: unknown key; the nearest known one is worker",
            "environment: VSWITCH__WORKER__COUNT = \"65\": a whole number from 0 to 64",
            "environment: VSWITCH__WORKER__RING_SISE = \"1\": unknown key; the nearest known one is ring_size",
            "t.toml: worker.burst = 0: a whole number from 1 to 64",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn workers_and_their_cpus_must_agree() {
        let one = |toml: &str| load(toml, &[]).unwrap_err();
        assert!(load("[worker]\ncount = 2\nlcores = [1, 1]", &[]).is_ok(), "workers may share a CPU");
        assert_eq!(
            one("[worker]\ncount = 2\nlcores = [1]"),
            [
                "t.toml: worker.lcores = [1]: too few for worker.count = 2: list as many CPUs, or none to have them chosen"
            ]
        );
        assert!(load("[worker]\ncount = 2\nlcores = [1, 2]", &[]).is_ok());
        assert!(load("[worker]\ncount = 0\nlcores = [1]", &[]).is_ok());
    }

    #[test]
    fn what_run_would_refuse_check_refuses() {
        assert_eq!(
            load("[dpdk]\nfile_prefix = \"a b/../c\"", &[]).unwrap_err(),
            ["t.toml: dpdk.file_prefix = \"a b/../c\": letters, digits, - and _"]
        );
        for level in ["vswitch=bogus==", "verbose", "info,loud", ""] {
            let lines = load(&format!("[log]\nlevel = \"{level}\""), &[]).unwrap_err();
            assert_eq!(lines.len(), 1, "{level}");
            assert!(lines[0].starts_with(&format!("t.toml: log.level = \"{level}\": error, warn, info,")), "{lines:?}");
        }
        for level in ["info", "off", "WARN", "vswitch=debug", "warn,vswitch::control=trace,hyper=off"] {
            assert!(load(&format!("[log]\nlevel = \"{level}\""), &[]).is_ok(), "{level}");
        }
    }

    #[test]
    fn paths_of_the_file_start_at_its_folder_and_those_of_the_environment_do_not() {
        let folder = std::env::temp_dir().join(format!("vswitch-layers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("v.toml");
        std::fs::write(&file, "[ports]\nsocket_dir = \"eni\"\n[ops]\nsocket = \"/run/x.sock\"\n").unwrap();
        let environment = [("VSWITCH__FILES__MIRROR".to_owned(), "m.json".to_owned())];
        let config = Config::load(&file, environment.into_iter());
        std::fs::remove_dir_all(&folder).unwrap();
        let config = config.unwrap();
        assert_eq!(config.files.inventory, folder.join("inventory.json"));
        assert_eq!(config.files.mirror, Path::new("m.json"));
        assert_eq!(config.files.regions, Path::new(""), "no file stays none");
        assert_eq!(config.ports.socket_dir, folder.join("eni"));
        assert_eq!(config.ops.socket, Path::new("/run/x.sock"));
    }
}
