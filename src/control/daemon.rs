//! `vswitch run`: from a configuration file to a running switch, and back to nothing.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use tracing::{error, info};

use super::config::Config;
use super::fabric::{Fabric, NoFabric};
use super::ops;
use super::regions;
use super::signals::{self, Signals};
use super::switch::Switch;
use crate::classify::Level;
use crate::metrics::server;
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
    let model = super::load_model(&config.files.inventory, &config.files.mirror, &config)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let text = toml::to_string(&config).map_err(|e| vec![e.to_string()])?;
    let region = regions::describe(&model.region);
    terminal::print(&format!("# {region}\n# classifier: {}\n{text}", level.name()))
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
    let outcome = serve(&switch, signals);
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

/// Listeners first, so that a taken port fails before guests are served; then the objects; then ready.
fn serve(switch: &Arc<Switch>, signals: Signals) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| vec![format!("no event loop: {e}")])?;
    runtime.block_on(async {
        let metrics = server::bind(&switch.config.metrics.listen).await.map_err(|e| vec![e])?;
        let ops_socket = ops::bind(&switch.config.ops.socket).await.map_err(|e| vec![e])?;
        let version = reload(switch).await?;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let tasks = [
            tokio::spawn(server::serve(metrics, switch.clone(), stopped.clone())),
            tokio::spawn(ops::serve(ops_socket, switch.clone(), None, stopped)),
        ];
        info!(version, "ready");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        let Signals { stop: mut told_to_stop, reload } = signals;
        // A task of its own: a reload, however long, does not keep the switch from being stopped.
        let reloads = tokio::spawn(reload_when_told(switch.clone(), reload));
        let _ = told_to_stop.wait_for(|told| *told).await;
        reloads.abort();
        info!("stopping");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        let _ = stop.send(true);
        for task in tasks {
            let _ = task.await;
        }
        Ok(())
    })
}

/// Reloads on a thread where it may take its time.
async fn reload(switch: &Arc<Switch>) -> Result<u64, Failure> {
    let switch = switch.clone();
    tokio::task::spawn_blocking(move || switch.reload()).await.unwrap_or_else(|e| Err(vec![e.to_string()]))
}

async fn reload_when_told(switch: Arc<Switch>, mut told: tokio::sync::mpsc::Receiver<()>) {
    while told.recv().await.is_some() {
        match reload(&switch).await {
            Ok(version) => info!(version, "reloaded"),
            Err(problems) => problems.iter().for_each(|p| error!("not reloaded: {p}")),
        }
    }
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
