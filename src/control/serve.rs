//! The life of a daemon: listeners, objects, ready, and the end.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{error, info};

use super::api::{self, ApiListener, ApiMetrics};
use super::daemon::Failure;
use super::operations::Operations;
use super::ops::{self, OpsSocket};
use super::plane::start::{self, Running};
use super::platform::Platform;
use super::signals::Signals;
use super::switch::Switch;
use crate::metrics::server::{self, More};

/// Serves until told to stop. Listeners first, so that a taken port fails before guests are served; then the objects;
/// then ready.
///
/// # Errors
/// What kept the switch from coming up.
pub(super) fn serve(switch: &Arc<Switch>, signals: Signals) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| vec![format!("no event loop: {e}")])?;
    runtime.block_on(async {
        let mut listeners = Listeners::bind(switch).await.map_err(|e| vec![e])?;
        let running = objects(switch).await?;
        let (stop, stopped) = watch::channel(false);
        let api = listeners.api.take();
        let requests = listeners.requests.clone();
        let mut tasks = listeners.serve(switch, running.as_ref(), &stopped);
        if let (Some(mut api), Some(running)) = (api, &running) {
            // Not in the very second of the start: guests and operators do not wait for it.
            api.open().await.map_err(|e| vec![e])?;
            tasks.push(tokio::spawn(api::serve(api, running.control.clone(), requests, stopped)));
        }
        info!("ready");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        until_told(switch, signals).await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        let _ = stop.send(true);
        for task in tasks {
            let _ = task.await;
        }
        // On a thread that may block; the deadline of the signals is for it, too.
        let _ = tokio::task::spawn_blocking(move || running.map(Running::stop)).await;
        Ok(())
    })
}

/// Applies the objects of the store, or of the files where there is none.
async fn objects(switch: &Arc<Switch>) -> Result<Option<Running>, Failure> {
    if switch.config.store.path.as_os_str().is_empty() {
        return reload(switch).await.map(|_| None);
    }
    let switch = switch.clone();
    let started = tokio::task::spawn_blocking(move || start::start(&switch.config.clone(), switch));
    started.await.unwrap_or_else(|e| Err(vec![e.to_string()])).map(Some)
}

async fn until_told(switch: &Arc<Switch>, signals: Signals) {
    let Signals { stop: mut told_to_stop, reload } = signals;
    // A task of its own: a reload, however long, does not keep the switch from being stopped.
    let reloads = tokio::spawn(reload_when_told(switch.clone(), reload));
    let _ = told_to_stop.wait_for(|told| *told).await;
    reloads.abort();
    info!("stopping");
}

/// Reloads on a thread where it may take its time.
async fn reload(switch: &Arc<Switch>) -> Result<u64, Failure> {
    let switch = switch.clone();
    tokio::task::spawn_blocking(move || switch.reload()).await.unwrap_or_else(|e| Err(vec![e.to_string()]))
}

async fn reload_when_told(switch: Arc<Switch>, mut told: mpsc::Receiver<()>) {
    while told.recv().await.is_some() {
        match reload(&switch).await {
            Ok(version) => info!(version, "reloaded"),
            Err(problems) => problems.iter().for_each(|p| error!("not reloaded: {p}")),
        }
    }
}

struct Listeners {
    metrics: TcpListener,
    ops: OpsSocket,
    /// The tenant API needs a store to write to.
    api: Option<ApiListener>,
    requests: Arc<ApiMetrics>,
}

impl Listeners {
    async fn bind(switch: &Switch) -> Result<Self, String> {
        let config = &switch.config;
        let wanted = !config.store.path.as_os_str().is_empty() && !config.api.listen.is_empty();
        Ok(Listeners {
            metrics: server::bind(&config.metrics.listen).await?,
            ops: ops::bind(&config.ops.socket).await?,
            api: if wanted { Some(api::bind(config).await?) } else { None },
            requests: Arc::new(ApiMetrics::new().map_err(|e| e.to_string())?),
        })
    }

    fn serve(
        self,
        switch: &Arc<Switch>,
        running: Option<&Running>,
        stopped: &watch::Receiver<bool>,
    ) -> Vec<JoinHandle<()>> {
        let control = running.map(|running| running.control.clone());
        let platform = control.clone().map(|control| -> Arc<dyn Platform> { control });
        let operations: Arc<dyn Operations> = match &control {
            Some(control) => control.clone(),
            None => switch.clone(),
        };
        let (requests, counted) = (self.requests.clone(), control.clone());
        let more: More = Arc::new(move || {
            let objects = counted.as_ref().map(|control| control.metrics()).unwrap_or_default();
            requests.gather().into_iter().chain(objects).collect()
        });
        vec![
            tokio::spawn(server::serve(self.metrics, switch.clone(), more, stopped.clone())),
            tokio::spawn(ops::serve(self.ops, operations, platform, stopped.clone())),
        ]
    }
}
