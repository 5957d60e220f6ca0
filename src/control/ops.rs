//! The operations API: JSON over HTTP on a Unix socket, for `vswitchctl`.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::sync::watch;

use super::http::{self, Answer, Call};
use super::operations::{ExplainQuery, Operations};

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

/// Serves until `stop`, then removes the socket.
pub async fn serve(mut socket: OpsSocket, operations: Arc<dyn Operations>, stop: watch::Receiver<bool>) {
    if let Some(listener) = socket.listener.take() {
        http::serve(listener, move |call| answer(&*operations, &call), stop).await;
    }
}

fn answer(operations: &dyn Operations, call: &Call) -> Answer {
    let mut parts = call.path.trim_matches('/').split('/');
    let (Some("v1"), Some(what), id, None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return not_found(&call.path);
    };
    match (&call.method, what, id) {
        (&Method::POST, "reload", None) => match operations.reload() {
            Ok(version) => Answer::json(StatusCode::OK, &json!({ "version": version })),
            Err(problems) => Answer::errors(StatusCode::BAD_REQUEST, &problems),
        },
        (&Method::POST, "explain", None) => explain(operations, &call.body),
        (&Method::GET, "enis", id) => listed("ENI", &operations.enis(), id),
        (&Method::GET, "filters", id) => listed("filter", &operations.filters(), id),
        (&Method::GET, "sessions", id) => listed("session", &operations.sessions(), id),
        (&Method::GET, "stats", None) => Answer::json(StatusCode::OK, &operations.stats()),
        (_, "reload" | "explain" | "enis" | "filters" | "sessions" | "stats", _) => {
            Answer::errors(StatusCode::METHOD_NOT_ALLOWED, &[format!("{} is not allowed here", call.method)])
        }
        _ => not_found(&call.path),
    }
}

fn not_found(path: &str) -> Answer {
    let known = "/v1/reload, /v1/explain, /v1/enis, /v1/filters, /v1/sessions, /v1/stats";
    Answer::errors(StatusCode::NOT_FOUND, &[format!("{path} is not here; known are {known}")])
}

/// The whole list, or the one with an id.
fn listed(what: &str, list: &Value, id: Option<&str>) -> Answer {
    let Some(id) = id else {
        return Answer::json(StatusCode::OK, list);
    };
    let found = list.as_array().into_iter().flatten().find(|item| item["id"] == id);
    match found {
        Some(item) => Answer::json(StatusCode::OK, item),
        None => Answer::errors(StatusCode::NOT_FOUND, &[format!("there is no {what} {id}")]),
    }
}

fn explain(operations: &dyn Operations, body: &[u8]) -> Answer {
    let query: Result<ExplainQuery, _> = serde_json::from_slice(body);
    let outcome = query.map_err(|e| e.to_string()).and_then(|q| operations.explain(&q));
    match outcome {
        Ok(value) => Answer::json(StatusCode::OK, &value),
        Err(e) => Answer::errors(StatusCode::BAD_REQUEST, &[e]),
    }
}
