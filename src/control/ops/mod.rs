//! The inventory and operations API: JSON over HTTP on a Unix socket, for the platform and for `vswitchctl`.

mod actions;
mod inventory;
mod object;
mod openapi;
mod query;
mod route;
mod routes;
mod seen;
mod stored;
#[cfg(test)]
mod tests;
mod watch;

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::StatusCode;
use tokio::net::UnixListener;

use super::http::{self, Answer, Answering, Call};
use super::operations::Operations;
use super::platform::Platform;
use query::Query;
use route::{Asked, Handler, Served, find};
use watch::Watchers;

/// The bound socket; its file goes with it.
#[derive(Debug)]
pub struct OpsSocket {
    listener: Option<UnixListener>,
    path: PathBuf,
}

impl Drop for OpsSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Binds the socket, in place of one that nobody listens on any more.
///
/// # Errors
/// One plain sentence.
pub async fn bind(path: &Path) -> Result<OpsSocket, String> {
    let shown = path.display();
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| format!("ops.socket = {shown}: {e}"))?;
    }
    if let Ok(meta) = std::fs::symlink_metadata(path) {
        if !meta.file_type().is_socket() {
            return Err(format!("ops.socket = {shown}: exists and is not a socket; remove it or choose another path"));
        }
        if tokio::net::UnixStream::connect(path).await.is_ok() {
            return Err(format!("ops.socket = {shown}: another vswitch answers there"));
        }
        std::fs::remove_file(path).map_err(|e| format!("ops.socket = {shown}: {e}"))?;
    }
    let listener = UnixListener::bind(path).map_err(|e| format!("ops.socket = {shown}: {e}"))?;
    let mode = std::fs::Permissions::from_mode(0o660);
    std::fs::set_permissions(path, mode).map_err(|e| format!("ops.socket = {shown}: {e}"))?;
    Ok(OpsSocket { listener: Some(listener), path: path.to_owned() })
}

/// Bytes of a request's body: an inventory of 100,000 ENIs, or a backup.
const LARGEST_BODY: usize = 64 << 20;

/// Serves until `stop`, then removes the socket. A switch without a store has no `platform`.
pub async fn serve(
    mut socket: OpsSocket,
    operations: Arc<dyn Operations>,
    platform: Option<Arc<dyn Platform>>,
    stop: tokio::sync::watch::Receiver<bool>,
) {
    let served = Served { operations, platform };
    let watchers = Arc::new(Watchers::new());
    let answer = move |call: Call| -> Answering { Box::pin(answer(served.clone(), watchers.clone(), call)) };
    if let Some(listener) = socket.listener.take() {
        http::serve(listener, LARGEST_BODY, answer, stop).await;
    }
}

async fn answer(served: Served, watchers: Arc<Watchers>, call: Call) -> Answer {
    let (route, id) = match find(&call.method, &call.path) {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let query = match Query::read(&call.query, route.query) {
        Ok(query) => query,
        Err(problems) => return Answer::errors(StatusCode::BAD_REQUEST, &problems),
    };
    if route.is_stored() && served.platform.is_none() {
        return Answer::errors(StatusCode::CONFLICT, &[NO_STORE.to_owned()]);
    }
    if let (Handler::Watch, Some(platform)) = (route.handler, &served.platform) {
        return watchers.wait(platform.clone(), &query).await;
    }
    let (id, body) = (id.to_owned(), call.body);
    http::on_a_thread(move || {
        let asked = Asked { id: &id, query: &query, body: &body };
        match (route.handler, served.platform.as_deref()) {
            (Handler::Always(answer), _) => answer(&served, &asked),
            (Handler::Stored(answer), Some(platform)) => answer(platform, &served, &asked),
            (Handler::Objects(kind, answer), Some(platform)) => answer(kind, platform, &served, &asked),
            (_, None) | (Handler::Watch, _) => Answer::errors(StatusCode::CONFLICT, &[NO_STORE.to_owned()]),
        }
    })
    .await
}

const NO_STORE: &str = "this switch keeps no store, as store.path is empty: what exists is in the files that \
                        files.inventory and files.mirror name; change these and reload (`vswitchctl reload`, POST /v1/reload)";
