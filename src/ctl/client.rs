//! One request over the operations socket.

use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// Longest wait for an answer; a reload waits for the workers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no answer to show.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// The daemon is not there.
    #[error("{socket}: the daemon is not reached: {why}")]
    NotReached {
        /// The socket.
        socket: String,
        /// The reason.
        why: String,
    },
    /// The daemon said no.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The answer could not be shown.
    #[error("{}", crate::terminal::cannot(.0))]
    Output(#[from] std::io::Error),
}

/// Asks the daemon behind `socket`.
///
/// # Errors
/// [`CtlError`].
pub fn ask(socket: &Path, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CtlError> {
    let not_reached = |why: String| CtlError::NotReached { socket: socket.display().to_string(), why };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| not_reached(e.to_string()))?;
    let exchange = exchange(socket, method, path, body);
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, exchange).await });
    let (ok, value) = answer.map_err(|_| not_reached("no answer in 30 s".to_owned()))?.map_err(not_reached)?;
    if ok {
        return Ok(value);
    }
    let errors = value["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    Err(CtlError::Refused(errors.collect()))
}

async fn exchange(socket: &Path, method: Method, path: &str, body: Option<&Value>) -> Result<(bool, Value), String> {
    let stream = UnixStream::connect(socket).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    let body = body.map(ToString::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "vswitch")
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    let ok = response.status().is_success();
    let body = response.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
    let value = serde_json::from_slice(&body).map_err(|e| format!("the answer is not JSON: {e}"))?;
    Ok((ok, value))
}
