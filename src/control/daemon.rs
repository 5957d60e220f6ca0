//! `vswitch run`: from a configuration file to a running switch, and back to nothing; and what is done without one.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use tracing::info;

use super::api;
use super::config::Config;
use super::fabric::{Fabric, NoFabric};
use super::plane::start::{check_backup, extra_accounts};
use super::raw::Problem;
use super::regions;
use super::serve;
use super::signals;
use super::store::{StoreError, restore};
use super::switch::Switch;
use crate::classify::Level;
use crate::terminal;

/// Why the daemon did not come up, or did not end well: a sentence each.
pub type Failure = Vec<String>;

/// Reads the configuration file and the environment: its overrides, and which registers the classifier may use.
///
/// # Errors
/// Every problem found.
pub fn configuration(path: &Path) -> Result<(Config, Level), Failure> {
    // What is not UTF-8 is not ours, or is complained about as a value.
    let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
    let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
    let config = Config::load(path, environment);
    let config = config.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>());
    match (config, Level::from_environment()) {
        (Ok(config), Ok(level)) => Ok((config, level)),
        (config, level) => Err(config.err().into_iter().flatten().chain(level.err()).collect()),
    }
}

/// Prints the effective configuration after checking it and the files it names.
///
/// # Errors
/// Every problem found.
pub fn check(path: &Path) -> Result<(), Failure> {
    let (config, level) = configuration(path)?;
    let region = region(&config);
    let api = api_files(&config);
    let region = match (region, api) {
        (Ok(region), Ok(())) => region,
        (region, api) => return Err(region.err().into_iter().chain(api.err()).flatten().collect()),
    };
    let text = toml::to_string(&config).map_err(|e| vec![e.to_string()])?;
    terminal::print(&format!("# {region}\n# classifier: {}\n{text}", level.name()))
}

/// Reads the files of the tenant API, where there is one.
fn api_files(config: &Config) -> Result<(), Failure> {
    if config.store.path.as_os_str().is_empty() {
        return Ok(());
    }
    let tls = if config.api.listen.is_empty() { Ok(()) } else { api::check_certificate(&config.api) };
    match (tls, extra_accounts(config)) {
        (Ok(()), accounts) => accounts.map(drop),
        (Err(tls), accounts) => Err(std::iter::once(tls).chain(accounts.err().into_iter().flatten()).collect()),
    }
}

/// What the region can, after a look into the object files. With a store they need not be there, and once it is filled
/// nobody reads them.
fn region(config: &Config) -> Result<String, Failure> {
    let sentences = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>();
    let files = &config.files;
    let store = &config.store.path;
    if !store.as_os_str().is_empty() && (store.exists() || !files.inventory.exists()) {
        let regions = super::load_regions(config).map_err(sentences)?;
        return Ok(regions::describe(&regions::region(&regions, config.region.id.clone(), None)));
    }
    let model = super::load_model(&files.inventory, &files.mirror, config).map_err(sentences)?;
    Ok(regions::describe(&model.region))
}

/// Makes the store of a configuration out of a backup, while no daemon has it.
///
/// # Errors
/// Every reason why the backup is none for this configuration, and what kept the store from being made.
pub fn restore(path: &Path, backup: &Path) -> Result<(), Failure> {
    let (config, _) = configuration(path)?;
    let store = &config.store.path;
    if store.as_os_str().is_empty() {
        return Err(vec!["store.path is empty: there is no store to restore".to_owned()]);
    }
    let name = backup.display().to_string();
    let bytes = std::fs::read(backup).map_err(|e| vec![format!("{name}: cannot be read: {e}")])?;
    check_backup(&bytes, &name, &config)?;
    let restored = restore::restore(store, &bytes, &name).map_err(|e| match e {
        StoreError::InUse { .. } => vec![format!("{e}: while a vswitch runs, `vswitchctl restore` does this")],
        e => vec![e.to_string()],
    })?;
    let aside = restored.aside.map_or(String::new(), |aside| format!("; the old store is {}", aside.display()));
    let (store, records, revision) = (store.display(), restored.records, restored.revision);
    terminal::print(&format!("{store} restored as revision {revision}, {records} records{aside}\n"))
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from coming up.
pub fn run(path: &Path) -> Result<(), Failure> {
    let (config, level) = configuration(path)?;
    log_to_stderr(&config.log.level)?;
    info!("classifier: {}", level.name());
    let signals = signals::listen().map_err(|e| vec![e])?;
    let fabric = fabric(&config).map_err(|e| vec![e])?;
    let switch = Arc::new(Switch::new(config, fabric));
    let outcome = serve::serve(&switch, signals);
    switch.stop();
    outcome
}

fn log_to_stderr(level: &str) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(level);
    let filter = filter.map_err(|e| vec![format!("log.level = \"{level}\": {e}")])?;
    // A second subscriber in one process (tests) keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .try_init();
    Ok(())
}

/// The packet side that the configuration asks for.
fn fabric(config: &Config) -> Result<Box<dyn Fabric>, String> {
    if config.worker.count == 0 {
        return Ok(Box::new(NoFabric::default()));
    }
    live(config)
}

#[cfg(not(feature = "dpdk"))]
fn live(_config: &Config) -> Result<Box<dyn Fabric>, String> {
    Err("this vswitch was built without DPDK: set worker.count = 0, or build with the feature dpdk".to_owned())
}

#[cfg(feature = "dpdk")]
fn live(config: &Config) -> Result<Box<dyn Fabric>, String> {
    use super::compile::compile;
    use super::model::Model;
    use super::registry::Registry;
    use crate::dpdk::eal::{Eal, EalSettings};
    use crate::dpdk::lcore::available_cpus;
    use crate::worker::fabric::LiveFabric;
    use crate::worker::set::check_memory;

    let cpus = worker_cpus(config, &available_cpus())?;
    check_memory(config, cpus.len())?;
    let eal = Eal::init(&EalSettings {
        file_prefix: config.dpdk.file_prefix.clone(),
        memory_mb: config.dpdk.memory_mb,
        hugepages: config.dpdk.hugepages,
        control_cpu: config.dpdk.control_cpu,
    })
    .map_err(|e| e.to_string())?;
    let mut registry = Registry::new(cpus.len());
    let empty = compile(&Model::default(), &mut registry, config.ports.credit).map_err(|e| e.to_string())?;
    Ok(Box::new(LiveFabric::start(eal, config, &cpus, empty)?))
}

/// The workers' CPUs: those that are named, or the last ones, so that CPU 0 stays with control where it can.
#[cfg(feature = "dpdk")]
fn worker_cpus(config: &Config, available: &[usize]) -> Result<Vec<usize>, String> {
    let count = config.worker.count as usize;
    if !config.worker.lcores.is_empty() {
        // Validation saw to it that there are enough.
        let cpus: Vec<usize> = config.worker.lcores.iter().copied().take(count).collect();
        if let Some((_, cpu)) = cpus.iter().enumerate().find(|(n, cpu)| cpus[..*n].contains(cpu)) {
            tracing::warn!("worker.lcores: several workers share CPU {cpu}; they take turns of milliseconds");
        }
        return Ok(cpus);
    }
    let free: Vec<usize> = available.iter().copied().filter(|c| *c != config.dpdk.control_cpu).collect();
    if free.len() < count {
        return Err(format!(
            "worker.count = {count}, but only {} CPUs are free beside control's: name CPUs in worker.lcores to share",
            free.len()
        ));
    }
    Ok(free[free.len() - count..].to_vec())
}
